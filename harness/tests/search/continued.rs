//! A search for causes ends at its budget and goes on in the next run where it ended.

use std::path::Path;

use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{Config, Event, Observer, Runner, Silent, Stop, Summary};
use model::{MachineSpec, NetworkParameters};

use super::config;
use super::mixture::{Judging, Mixture, State};

fn fails(state: &State) -> bool {
    state[0][0] == 2 && state[1][1] >= 1
}

fn model() -> Mixture {
    Mixture::new(2, &[4; 4])
}

fn kept(directory: &Path, probes: u32) -> Config {
    let probes = Budget { runs: probes, time: None };
    Config { failures: Some(directory.to_owned()), probes, ..config(11, 200) }
}

fn run(system: &Judging, config: &Config) -> Summary<Mixture> {
    Runner::new(&model(), system, config, &Silent, &Stop::default()).run().unwrap()
}

#[test]
fn a_later_run_goes_on_where_the_budget_ended() {
    let (whole, parts) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let at_once = run(&Judging::new(fails), &kept(whole.path(), 100)).failure.unwrap().causes.unwrap();
    assert!(at_once.complete && at_once.runs > 10);
    let first = run(&Judging::new(fails), &kept(parts.path(), 5)).failure.unwrap();
    let begun = first.causes.unwrap();
    assert!(!begun.complete && begun.to_string().contains("not all tried"), "{begun}");
    assert_eq!(begun.runs, 5);
    // The file has it, and later runs do not run again what they find there.
    let (mut runs, mut seen) = (begun.runs, Vec::new());
    let mut causes = begun;
    while !causes.complete {
        let system = Judging::new(fails);
        let failure = run(&system, &kept(parts.path(), 5)).failure.unwrap();
        assert_eq!((&failure.case, failure.shrink_runs), (&first.case, 0));
        causes = failure.causes.unwrap();
        let file = Replay::read(&model(), failure.file.as_ref().unwrap()).unwrap();
        assert_eq!(file.causes.as_ref(), Some(&causes));
        let made = system.made.into_inner();
        assert_eq!(made.len(), 1 + (causes.runs - runs) as usize, "the case itself, and what is new");
        for state in &made[1..] {
            assert!(!seen.contains(state), "{state:?} was run before");
        }
        seen.extend(made[1..].to_vec());
        runs = causes.runs;
    }
    assert_eq!(causes, at_once);
    let system = Judging::new(fails);
    let known = run(&system, &kept(parts.path(), 5)).failure.unwrap().causes;
    assert_eq!((known, system.made.into_inner().len()), (Some(at_once), 1), "all is known");
}

/// Asks the run to stop at the n-th probe.
struct StopAt(u32, Stop);

impl Observer for StopAt {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Probed { runs, .. } if *runs >= self.0) {
            self.1.request();
        }
    }
}

#[test]
fn a_stop_keeps_what_was_found_out() {
    let directory = tempfile::tempdir().unwrap();
    let (system, config, stop) = (Judging::new(fails), kept(directory.path(), 100), Stop::default());
    let observer = StopAt(3, stop.clone());
    let summary = Runner::new(&model(), &system, &config, &observer, &stop).run().unwrap();
    let failure = summary.failure.unwrap();
    let causes = failure.causes.unwrap();
    assert!(summary.stopped && failure.smallest && !causes.complete);
    assert_eq!(causes.runs, 3);
    assert_eq!(Replay::read(&model(), &failure.file.unwrap()).unwrap().causes, Some(causes));
}

#[test]
fn no_probes_are_run_where_none_are_wanted() {
    let directory = tempfile::tempdir().unwrap();
    let failure = run(&Judging::new(fails), &kept(directory.path(), 0)).failure.unwrap();
    assert!(failure.smallest && failure.causes.is_none());
    let text = std::fs::read_to_string(failure.file.unwrap()).unwrap();
    assert!(!text.contains("causes"), "{text}");
}

#[test]
fn inconclusive_probes_are_tried_again_by_a_later_run() {
    let directory = tempfile::tempdir().unwrap();
    let unfit = |state: &State| (state[0][1] == 1 && fails(state)).then_some("f1 1");
    let system = Judging { unfit, ..Judging::new(fails) };
    let first = run(&system, &kept(directory.path(), 100)).failure.unwrap().causes.unwrap();
    assert!(first.complete && first.to_string().contains("not decided\n  site 0: f1"), "{first}");
    // What could not be built is to be had now.
    let second = run(&Judging::new(fails), &kept(directory.path(), 100)).failure.unwrap().causes.unwrap();
    assert!(!second.to_string().contains("not decided"), "{second}");
    assert!(second.runs > first.runs);
}

#[test]
fn replay_files_of_earlier_versions_are_read() {
    let kernels = vec!["6.1".parse().unwrap()];
    let model = MachineSpec::new(NetworkParameters::new(kernels).unwrap()).unwrap();
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/search/before-causes.json");
    let replay = Replay::read(&model, &file).unwrap();
    assert!(replay.smallest && replay.causes.is_none());
    assert_eq!(replay.case.commands.len(), 2);
    let settings = harness::replay::settings(&file).unwrap();
    assert_eq!(settings.get("system").map(String::as_str), Some("simulated"));
}
