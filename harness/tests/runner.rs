//! The runner on systems in memory: verdicts, shrinking, retries, and what it keeps on disk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod planted;

use std::cell::{Cell, RefCell};
use std::path::Path;
use std::sync::Mutex;

use harness::machines::simulated::{SimulatedNetwork, SimulatedSystem};
use harness::replay::Replay;
use harness::{
    Config, Coverage, Event, Failure, Observer, Runner, Shape, Silent, Stop, Summary, System, SystemError,
};
use model::machines::{Command, Response};
use model::{MachineSpec, Model, Network, NetworkParameters, Outcome};
use planted::{DeafAfterSecondBoot, EverybodyAnswers, Judged, shape};

fn specification() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap());
    MachineSpec::new(NetworkParameters::new(kernels.to_vec()).unwrap()).unwrap()
}

fn config(directory: &Path, seed: u64) -> Config {
    Config {
        cases: 200,
        shape: Shape::sequential(5..=30),
        seed: Some(seed.into()),
        failures: Some(directory.join("failures")),
        regressions: Some(directory.join("regressions")),
        ..Config::default()
    }
}

fn run<M: Model, S: System<M>>(model: &M, system: &S, config: &Config) -> Summary<M> {
    Runner::new(model, system, config, &Silent, &Stop::default()).run().unwrap()
}

fn failure<M: Model, S: System<M>>(model: &M, system: &S, seed: u64) -> Failure<M> {
    let directory = tempfile::tempdir().unwrap();
    run(model, system, &config(directory.path(), seed)).failure.expect("the planted bug is found")
}

/// A system of which only every n-th can be made.
struct Shaky {
    every: u32,
    made: Cell<u32>,
}

impl System<MachineSpec> for Shaky {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        self.made.set(self.made.get() + 1);
        if self.every > 0 && self.made.get().is_multiple_of(self.every) {
            Ok(network.into())
        } else {
            Err(SystemError::infrastructure("the switch died"))
        }
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(Outcome::Answered(sut.run(command)))
    }
}

/// Keeps the networks that it is told of before, and those that it makes.
#[derive(Default)]
struct LooksAhead {
    told: RefCell<Vec<Network>>,
    made: RefCell<Vec<Network>>,
}

impl System<MachineSpec> for LooksAhead {
    type Sut = SimulatedNetwork;

    fn prepare(&self, networks: &mut dyn Iterator<Item = Network>) {
        assert!(self.made.borrow().is_empty(), "it is told before the first case");
        self.told.borrow_mut().extend(networks);
    }

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        self.made.borrow_mut().push(network.clone());
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(Outcome::Answered(sut.run(command)))
    }
}

#[test]
fn a_system_is_told_what_the_next_cases_begin_with() {
    let directory = tempfile::tempdir().unwrap();
    for (cases, coverage) in [(200, Coverage::Pairs), (5, Coverage::Pairs), (20, Coverage::None)] {
        let system = LooksAhead::default();
        let config = Config { cases, coverage, ..config(directory.path(), 4) };
        assert_eq!(run(&specification(), &system, &config).held, cases);
        let (told, made) = (system.told.take(), system.made.take());
        assert_eq!(told.len(), 16.min(made.len()));
        assert_eq!(told, made[..told.len()]);
    }
}

#[test]
fn the_right_model_holds() {
    let directory = tempfile::tempdir().unwrap();
    let summary = run(&specification(), &SimulatedSystem, &config(directory.path(), 1));
    assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (200, 0, "holds"));
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is kept of what holds");
}

#[test]
fn a_wrong_model_shrinks_to_one_boot_and_one_ping() {
    for seed in 0..100 {
        let failure = failure(&EverybodyAnswers(specification()), &Judged(SimulatedSystem), seed);
        assert_eq!(shape(&failure.case), "Boot a, Ping a b", "seed {seed}");
        assert_eq!(failure.case.initial.machines().len(), 2, "seed {seed}");
        assert!(
            failure
                .case
                .initial
                .machines()
                .iter()
                .all(|machine| { machine.kernel.as_str() == "6.1" && machine.memory.get() == 96 })
        );
        assert!(failure.smallest);
        assert_eq!(failure.evidence.came, "Pinged { answered: false }");
    }
}

#[test]
fn a_wrong_system_shrinks_to_boot_shutdown_boot_and_ping() {
    for seed in 0..100 {
        let failure = failure(&specification(), &DeafAfterSecondBoot, seed);
        assert_eq!(shape(&failure.case), "Boot a, Shutdown a, Boot a, Ping a a", "seed {seed}");
        assert_eq!(failure.case.initial.machines().len(), 1, "seed {seed}");
        assert_eq!(failure.evidence.came, "not answered");
    }
}

#[test]
fn a_failing_infrastructure_is_retried_and_never_shrunk() {
    let directory = tempfile::tempdir().unwrap();
    let config = Config { cases: 10, attempts: 3, ..config(directory.path(), 1) };
    let system = Shaky { every: 3, made: Cell::new(0) };
    let summary = run(&specification(), &system, &config);
    assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (10, 0, "holds"));
    let system = Shaky { every: 0, made: Cell::new(0) };
    let summary = run(&specification(), &system, &config);
    assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (0, 3, "inconclusive"));
    assert_eq!(system.made.get(), 9, "three attempts a case, three cases, and nothing to shrink");
    assert!(summary.failure.is_none());
}

#[test]
fn a_saved_failure_runs_first_and_is_not_shrunk_again() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), 7);
    let first = run(&specification(), &DeafAfterSecondBoot, &config).failure.unwrap();
    let again = run(&specification(), &DeafAfterSecondBoot, &Config { seed: None, ..config.clone() });
    let again = again.failure.unwrap();
    assert_eq!(again.case, first.case);
    assert_eq!((again.shrink_runs, again.smallest), (0, true));
    let seeds = std::fs::read_to_string(directory.path().join("regressions/machines.txt")).unwrap();
    assert!(seeds.contains(&format!("cc {} # shrinks to", first.seed)), "{seeds}");
    // Without the replay file the seed alone finds it again.
    std::fs::remove_dir_all(directory.path().join("failures")).unwrap();
    let by_seed = run(&specification(), &DeafAfterSecondBoot, &Config { seed: None, ..config });
    let by_seed = by_seed.failure.unwrap();
    assert_eq!((by_seed.case, by_seed.seed), (first.case, first.seed));
}

#[test]
fn a_replay_file_runs_what_it_holds() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), 3);
    let (model, stop) = (specification(), Stop::default());
    let failure = run(&model, &DeafAfterSecondBoot, &config).failure.unwrap();
    let replay = Replay::read(&model, failure.file.as_ref().unwrap()).unwrap();
    assert_eq!(replay.case, failure.case);
    assert!(replay.smallest);
    let deaf = Runner::new(&model, &DeafAfterSecondBoot, &config, &Silent, &stop);
    let verdict = deaf.run_case(&replay.case, "file").unwrap().verdict;
    assert_eq!(verdict, harness::Verdict::Falsified(replay.failure));
    let good = Runner::new(&model, &SimulatedSystem, &config, &Silent, &stop);
    assert_eq!(good.run_case(&replay.case, "file").unwrap().verdict, harness::Verdict::Holds);
}

#[test]
fn broken_replay_files_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let model = specification();
    let failure = run(&model, &DeafAfterSecondBoot, &config(directory.path(), 3)).failure.unwrap();
    let text = std::fs::read_to_string(failure.file.unwrap()).unwrap();
    let shutdown = text.find("\"shutdown\"").unwrap();
    let cases = [
        (text[..text.len() / 2].to_owned(), "cannot be understood"),
        ("{}".to_owned(), "is not a replay file"),
        (text.replace("\"version\": 1", "\"version\": 2"), "has version 2"),
        (
            text.replace("\"specification\": \"machines\"", "\"specification\": \"other\""),
            "is of specification \"other\"",
        ),
        (
            format!("{}\"boot\"{}", &text[..shutdown], &text[shutdown + 10..]),
            "holds an impossible case: command 2",
        ),
        (text.replace("\"boot\"", "\"format_disk\""), "unknown variant `format_disk`"),
        (text.replace("172.16.2.0/24", "172.16.9.0/24"), "is outside the subnet"),
    ];
    for (text, said) in cases {
        let file = directory.path().join("broken.json");
        std::fs::write(&file, text).unwrap();
        let error = Replay::read(&model, &file).map(drop).expect_err(said).to_string();
        assert!(error.contains(said) && error.contains("broken.json"), "{error}");
    }
    let missing = Replay::read(&model, Path::new("nowhere.json")).err().unwrap().to_string();
    assert!(missing.contains("cannot read replay file nowhere.json"), "{missing}");
    assert!(missing.contains("check that it is there") && !missing.contains("not full"), "{missing}");
}

/// Asks the run to stop at the n-th candidate of shrinking.
struct StopAt(u32, Stop, Mutex<Vec<String>>);

impl Observer for StopAt {
    fn event(&self, event: &Event<'_>) {
        self.2.lock().unwrap().push(serde_json::to_string(event).unwrap());
        if matches!(event, Event::ShrinkStep { runs, .. } if *runs >= self.0) {
            self.1.request();
        }
    }
}

#[test]
fn a_stop_while_shrinking_keeps_the_best_so_far() {
    let directory = tempfile::tempdir().unwrap();
    let (model, stop, config) = (specification(), Stop::default(), config(directory.path(), 5));
    let observer = StopAt(2, stop.clone(), Mutex::default());
    let summary = Runner::new(&model, &DeafAfterSecondBoot, &config, &observer, &stop).run().unwrap();
    let failure = summary.failure.unwrap();
    assert!(summary.stopped && !failure.smallest);
    assert_eq!(failure.shrink_runs, 2);
    let replay = Replay::read(&model, failure.file.as_ref().unwrap()).unwrap();
    assert_eq!((replay.case, replay.smallest), (failure.case, false));
    // The next run goes on from there.
    let next = run(&model, &DeafAfterSecondBoot, &config).failure.unwrap();
    assert_eq!(shape(&next.case), "Boot a, Shutdown a, Boot a, Ping a a");
    let saved = observer.2.lock().unwrap().iter().position(|event| event.contains("\"saved\"")).unwrap();
    let shrinking =
        observer.2.lock().unwrap().iter().position(|event| event.contains("shrink-step")).unwrap();
    assert!(saved < shrinking, "the case is on disk before shrinking starts");
}

#[test]
fn shrinking_ends_at_its_budget() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path(), 5);
    config.shrink.runs = 1;
    let failure = run(&specification(), &DeafAfterSecondBoot, &config).failure.unwrap();
    assert_eq!((failure.shrink_runs, failure.smallest), (1, false));
}

#[test]
fn a_directory_that_cannot_be_written_is_said_before_any_case() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    std::fs::write(&file, "").unwrap();
    let config = Config { failures: Some(file.join("failures")), ..config(directory.path(), 1) };
    let system = Shaky { every: 1, made: Cell::new(0) };
    let stop = Stop::default();
    let error = Runner::new(&specification(), &system, &config, &Silent, &stop).run().err().unwrap();
    assert!(error.to_string().contains("cannot write replay file"), "{error}");
    assert_eq!(system.made.get(), 0);
}
