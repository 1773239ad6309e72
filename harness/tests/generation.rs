//! What a run does beside generated cases: examples first, classes judged, statistics told.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Mutex;

use harness::prelude::*;
use harness::{Confidence, Event, Observer, RunError, Runner, Shape, Silent, Stop, Summary, Swarm};

/// A counter, in a specification that a test makes of parts.
#[derive(Default)]
struct Counter {
    examples: Vec<Example<Counter>>,
    /// How many cases in a hundred have to end above 500.
    high: Option<f64>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Add(u8),
    Reset,
    Read,
}

impl Model for Counter {
    type State = u64;
    type Command = Command;
    type Response = u64;

    fn gen_initial_state(&self) -> BoxedStrategy<u64> {
        Just(0).boxed()
    }

    fn gen_command(&self, count: &u64) -> BoxedStrategy<Command> {
        weighted()
            .or(6, || any::<u8>().prop_map(Command::Add))
            .or(*count > 0, || Just(Command::Reset))
            .or(2, || Just(Command::Read))
            .boxed()
    }

    fn pre_condition(&self, count: &u64, command: &Command) -> bool {
        *command != Command::Reset || *count > 0
    }

    fn next_state(&self, count: &u64, command: &Command) -> u64 {
        match command {
            Command::Add(number) => count + u64::from(*number),
            Command::Reset => 0,
            Command::Read => *count,
        }
    }

    fn post_condition(&self, count: &u64, command: &Command, response: &u64) -> bool {
        *response == self.next_state(count, command)
    }

    fn abstraction(&self, count: &u64) -> Option<String> {
        Some(if *count > 100 { "much" } else { "little" }.to_owned())
    }

    fn describe(&self, case: &Case<Self>, labels: &mut Labels) {
        labels.label("all");
        labels.classify(case.commands.contains(&Command::Read), "reads");
        let high = case.states(self).last().is_some_and(|count| *count > 500);
        if let Some(percent) = self.high {
            labels.cover(percent, high, "ends high");
        }
    }

    fn examples(&self) -> Vec<Example<Self>> {
        self.examples.clone()
    }
}

/// A counter that gets stuck at a number.
struct StuckAt(u64);

impl System<Counter> for StuckAt {
    type Sut = u64;

    fn new_sut(&self, count: &u64) -> Result<u64, SystemError> {
        Ok(*count)
    }

    fn run(&self, count: &mut u64, command: &Command) -> Result<Outcome<u64>, SystemError> {
        *count = Counter::default().next_state(count, command).min(self.0);
        Ok(Outcome::Answered(*count))
    }
}

const RIGHT: StuckAt = StuckAt(u64::MAX);

/// Keeps what it is told, as JSON.
#[derive(Default)]
struct Told(Mutex<Vec<serde_json::Value>>);

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(event).unwrap());
    }
}

impl Told {
    fn of(&self, name: &str) -> Vec<serde_json::Value> {
        self.0.lock().unwrap().iter().filter(|event| event["event"] == name).cloned().collect()
    }
}

fn config() -> Config {
    Config {
        cases: 100,
        shape: Shape::sequential(5..=10),
        seed: Some(5.into()),
        swarm: Swarm::OFF,
        failures: None,
        regressions: None,
        ..Config::default()
    }
}

fn run(
    model: &Counter,
    system: &StuckAt,
    config: &Config,
    observer: &dyn Observer,
) -> Result<Summary<Counter>, RunError> {
    Runner::new(model, system, config, observer, &Stop::default()).run()
}

#[test]
fn a_summary_says_what_the_cases_were_like() {
    let told = Told::default();
    let summary = run(&Counter::default(), &RIGHT, &config(), &told).unwrap();
    let statistics = &summary.statistics;
    assert_eq!(statistics.cases, 100);
    let kinds: Vec<_> = statistics.commands.iter().map(|kind| kind.kind.as_str()).collect();
    assert_eq!(kinds, ["Add", "Read", "Reset"], "by weight");
    // No counter is reset twice in a row.
    assert_eq!((statistics.sequence.met, statistics.sequence.of), (8, 9));
    assert_eq!(statistics.sequence.missing, ["Reset then Reset"]);
    assert_eq!((statistics.across.is_none(), statistics.states.as_ref().unwrap().met), (true, 2));
    let text = statistics.to_string();
    assert!(text.contains("; 8 of 9 pairs in sequence\n2 states of the model\n100.0 % all\n"), "{text}");
    let events = told.of("statistics");
    assert_eq!(events.len(), 1);
    assert_eq!(events[0]["statistics"]["cases"], 100);
    assert_eq!(events[0]["statistics"]["commands"][0]["kind"], "Add");
    assert_eq!(events[0]["statistics"]["classes"][1]["label"], "reads");
}

#[test]
fn too_few_cases_of_a_class_are_told_and_only_where_it_is_asked_for_an_error() {
    let (asked, certainly) = (
        Config { cover: Some(Confidence::default()), ..config() },
        Counter { high: Some(95.0), ..Counter::default() },
    );
    let summary = run(&certainly, &RIGHT, &config(), &Silent).unwrap();
    assert_eq!((summary.verdict(), summary.held), ("holds", 100), "it falsifies nothing");
    assert!(summary.statistics.to_string().contains(" % ends high ("), "{}", summary.statistics);
    let error = run(&certainly, &RIGHT, &asked, &Silent).err().unwrap().to_string();
    assert!(
        error.starts_with("too few cases are of a class: ")
            && error.contains("ends high (insufficient: 95 %"),
        "{error}"
    );
    // What is falsified is falsified, whatever else is said.
    let failed = run(&certainly, &StuckAt(900), &asked, &Silent).unwrap();
    assert_eq!(failed.verdict(), "falsified");
}

#[test]
fn more_cases_are_generated_until_a_share_is_sure() {
    let asked = Config { cover: Some(Confidence { certainty: 1000.0, ..Confidence::default() }), ..config() };
    let share = {
        let many = Config { cases: 5000, ..config() };
        let statistics = run(&Counter { high: Some(50.0), ..Counter::default() }, &RIGHT, &many, &Silent);
        statistics
            .unwrap()
            .statistics
            .classes
            .iter()
            .find(|class| class.label == "ends high")
            .unwrap()
            .percent
    };
    let close = Counter { high: Some(share), ..Counter::default() };
    let summary = run(&close, &RIGHT, &asked, &Silent).unwrap();
    assert!(summary.held > 400, "{} cases, to tell {share} % from nine tenths of it", summary.held);
    assert!(summary.statistics.to_string().contains("ends high (sufficient"), "{}", summary.statistics);
    let none = run(&Counter::default(), &RIGHT, &asked, &Silent).unwrap();
    assert_eq!(none.held, 100, "where nothing is required, no case more");
}

fn examples() -> Vec<Example<Counter>> {
    use Command::{Add, Read, Reset};
    vec![
        Example::new("nothing is lost", 0, [Add(1), Add(2), Read]),
        Example::new("great numbers", 600, [Add(200), Reset, Add(255), Read, Read]),
    ]
}

#[test]
fn examples_run_first_by_their_names_and_fail_like_any_other_case() {
    let directory = tempfile::tempdir().unwrap();
    let keeping = Config {
        failures: Some(directory.path().join("failures")),
        regressions: Some(directory.path().join("regressions")),
        ..config()
    };
    let model = Counter { examples: examples(), ..Counter::default() };
    let told = Told::default();
    let summary = run(&model, &RIGHT, &keeping, &told).unwrap();
    assert_eq!(summary.held, 102);
    let origins: Vec<_> = told.of("case-started").iter().map(|case| case["origin"].to_string()).collect();
    assert_eq!(origins[..2], [r#""example \"nothing is lost\"""#, r#""example \"great numbers\"""#]);
    assert!(origins[2].starts_with("\"seed "), "{}", origins[2]);
    let told = Told::default();
    let failure = run(&model, &StuckAt(700), &keeping, &told).unwrap().failure.unwrap();
    assert_eq!(told.of("case-finished").len(), 2, "the second example fails");
    assert_eq!(failure.case.commands.len(), 1, "{:?}", failure.case);
    assert!(!keeping.regressions.as_ref().unwrap().exists(), "there is no seed to be kept");
    // It is kept as a file, and the next run begins with it.
    let told = Told::default();
    run(&model, &StuckAt(700), &keeping, &told).unwrap().failure.unwrap();
    let first = told.of("case-started")[0]["origin"].to_string();
    assert!(first.contains("failures/counter-"), "{first}");
}

#[test]
fn an_impossible_example_is_wrong_use() {
    let impossible = vec![Example::new("reset of nothing", 0, [Command::Reset])];
    let error = run(&Counter { examples: impossible, ..Counter::default() }, &RIGHT, &config(), &Silent);
    let said = error.err().unwrap().to_string();
    assert!(said.starts_with("example \"reset of nothing\" is impossible: command 1 (Reset)"), "{said}");
}
