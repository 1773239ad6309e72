//! Whose a replay file is, and how it is named.

use std::fs;

use harness::prelude::*;
use harness::replay::Replay;
use harness::{Config, Observer, Runner, Stop};
use std::sync::Mutex;

use crate::config;

type Counter = harness::Reference<u8, proptest::strategy::BoxedStrategy<bool>, fn(&mut u8, &bool) -> u8>;

fn count(state: &mut u8, up: &bool) -> u8 {
    *state += u8::from(*up);
    *state
}

fn counter(name: &str) -> Counter {
    reference(name, 0, any::<bool>().boxed(), count)
}

/// Finds that nothing is ever counted.
struct Stuck;

impl System<Counter> for Stuck {
    type Sut = ();

    fn new_sut(&self, _: &u8) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), _: &bool) -> Result<Outcome<u8>, SystemError> {
        Ok(Outcome::Answered(0))
    }
}

#[derive(Default)]
struct Warnings(Mutex<Vec<String>>);

impl Observer for Warnings {
    fn event(&self, event: &harness::Event<'_>) {
        if let harness::Event::Warning { text } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

#[test]
fn files_of_another_specification_are_none_of_ours() {
    let directory = tempfile::tempdir().unwrap();
    let (config, stop, warnings) = (config(directory.path()), Stop::default(), Warnings::default());
    for name in ["audit-queue-bad", "audit-queue", "audit-queue-bad"] {
        Runner::new(&counter(name), &Stuck, &config, &warnings, &stop).run().unwrap().failure.unwrap();
    }
    assert_eq!(*warnings.0.lock().unwrap(), Vec::<String>::new());
    let ours = |name| Replay::list(&counter(name), &directory.path().join("failures")).unwrap().len();
    assert_eq!((ours("audit-queue"), ours("audit-queue-bad")), (1, 1));
}

#[test]
fn a_name_that_no_file_can_have_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let (config, stop) = (config(directory.path()), Stop::default());
    for name in ["a/../../b", "", "a b", "a.b", "a_b"] {
        let model = counter(name);
        let error = Runner::new(&model, &Stuck, &config, &harness::Silent, &stop).run().err().unwrap();
        let said = error.to_string();
        assert!(
            said.contains(&format!("{name:?}")) && said.contains("letters, digits and hyphens"),
            "{said}"
        );
    }
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn seeds_that_are_numbers_have_files_of_their_own() {
    let directory = tempfile::tempdir().unwrap();
    let stop = Stop::default();
    let file = |seed: u64| {
        let mut config = Config { seed: Some(seed.into()), ..config(directory.path()) };
        // Each run is to come across a failure of its own.
        config.regressions = None;
        config.cases = 1;
        config.shape = harness::Shape::sequential(30..=30);
        let failures = directory.path().join(seed.to_string());
        config.failures = Some(failures);
        let model = counter("counter");
        let failure = Runner::new(&model, &Stuck, &config, &harness::Silent, &stop).run().unwrap().failure;
        failure.unwrap().file.unwrap().file_name().unwrap().to_owned()
    };
    assert_ne!(file(1), file(2));
    assert_eq!(file(1), "counter-000000000001.json");
}
