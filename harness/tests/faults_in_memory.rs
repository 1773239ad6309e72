//! The model of faults against machines in memory: the right ones hold, planted bugs are caught and
//! shrink to known smallest cases.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use harness::machines::simulated::SimulatedSystem;
use harness::machines::simulated_faults::SimulatedWorld;
use harness::{Case, Config, LaneShape, Runner, Shape, Silent, Stop, Summary, System, SystemError};
use model::faults::{Command, Drift, Found, Links, Quality, Response, Strain, World};
use model::{FaultSpec, Model as _, NetworkParameters, Outcome};

fn model() -> FaultSpec {
    let bounds = NetworkParameters::new(vec!["6.1".parse().unwrap()]).unwrap().with_machines(1..=4);
    FaultSpec::new(bounds).unwrap()
}

fn run(system: &impl System<FaultSpec>, shape: Shape, cases: u32, seed: u64) -> Summary<FaultSpec> {
    let config = Config {
        cases,
        shape,
        seed: Some(seed.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    };
    Runner::new(&model(), system, &config, &Silent, &Stop::default()).run().unwrap()
}

#[test]
fn the_right_model_holds() {
    for seed in 1..=10 {
        let summary = run(&SimulatedSystem, Shape::sequential(1..=40), 60, seed);
        let failure = summary.failure.map(|failure| (failure.case, failure.evidence));
        assert!(failure.is_none(), "seed {seed}: {failure:?}");
        assert_eq!((summary.held, summary.inconclusive), (60, 0), "seed {seed}");
    }
}

#[test]
fn the_right_model_holds_in_lanes() {
    let lanes = LaneShape { lanes: 2..=3, commands: 1..=4, percent: 100, ..LaneShape::default() };
    for seed in 1..=5 {
        let shape = Shape { lanes: Some(lanes.clone()), ..Shape::sequential(0..=10) };
        let summary = run(&SimulatedSystem, shape, 60, seed);
        let failure = summary.failure.map(|failure| (failure.case, failure.evidence));
        assert!(failure.is_none(), "seed {seed}: {failure:?}");
        assert_eq!((summary.held, summary.inconclusive), (60, 0), "seed {seed}");
    }
}

/// A world in which one thing is not as it should be.
struct Wrong(fn(&mut SimulatedWorld, &Command) -> Option<Outcome<Response>>);

impl System<FaultSpec> for Wrong {
    type Sut = SimulatedWorld;

    fn new_sut(&self, world: &World) -> Result<SimulatedWorld, SystemError> {
        Ok(world.into())
    }

    fn run(&self, sut: &mut SimulatedWorld, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(self.0(sut, command).unwrap_or_else(|| sut.give(command)))
    }
}

/// What is left of the first failure of some cases, in the order of the alphabet, and how many machines
/// it has.
fn smallest(wrong: fn(&mut SimulatedWorld, &Command) -> Option<Outcome<Response>>) -> (String, usize) {
    let failure = run(&Wrong(wrong), Shape::sequential(1..=40), 2000, 7).failure.unwrap();
    let commands = failure.case.commands.iter().chain(&failure.case.finally);
    // Some have no order among them.
    let mut kinds: Vec<_> = commands.map(Command::verb).collect();
    kinds.sort_unstable();
    (kinds.join(", "), failure.case.initial.network.machines().len())
}

#[test]
fn a_sync_that_does_nothing_is_found() {
    let lies = |_: &mut SimulatedWorld, command: &Command| match command {
        Command::Sync(_) => Some(Outcome::Answered(Response::Done)),
        _ => None,
    };
    assert_eq!(smallest(lies), ("Boot, Boot, PowerCut, Read, Sync, Write".to_owned(), 1));
}

#[test]
fn a_cut_of_one_way_that_leaves_it_open_is_found() {
    let opens = |_: &mut SimulatedWorld, command: &Command| match command {
        Command::Cut(Links::OneWay { .. }) => Some(Outcome::Answered(Response::Done)),
        _ => None,
    };
    assert_eq!(smallest(opens), ("Boot, Boot, Cut, Ping".to_owned(), 2));
}

#[test]
fn a_heal_that_leaves_a_cut_is_found() {
    let forgets = |_: &mut SimulatedWorld, command: &Command| match command {
        Command::Heal => Some(Outcome::Answered(Response::Done)),
        _ => None,
    };
    assert_eq!(smallest(forgets), ("Boot, Boot, Cut, Heal, Ping".to_owned(), 2));
}

#[test]
fn a_clock_that_does_not_jump_on_resume_is_found() {
    let keeps = |world: &mut SimulatedWorld, command: &Command| match command {
        // As if the clock had been set again at once.
        Command::AskClock(_) => match world.give(command) {
            Outcome::Answered(Response::Time { ahead: 0 }) => {
                Some(Outcome::Answered(Response::Time { ahead: -60 }))
            }
            outcome => Some(outcome),
        },
        _ => None,
    };
    assert_eq!(smallest(keeps), ("AskClock, Boot".to_owned(), 1));
}

#[test]
fn a_clock_that_runs_the_wrong_way_is_found() {
    let turns = |world: &mut SimulatedWorld, command: &Command| match command {
        Command::Skew { machine, drift } => {
            let drift = Drift::new(-drift.percent()).unwrap();
            Some(world.give(&Command::Skew { machine: machine.clone(), drift }))
        }
        _ => None,
    };
    assert_eq!(smallest(turns), ("AskClock, Boot, Skew".to_owned(), 1));
}

/// A reader that finds something in a file that it never wrote, in a state in which anything else may be.
#[test]
fn what_a_power_cut_leaves_open_is_narrow() {
    let model = model();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let world = model::generate_state(&model, &Shape::sequential(0..=0), &mut runner).unwrap();
    let machine = world.network.ids()[0].clone();
    let on = model.next_state(&world, &Command::Boot(machine.clone()));
    let on = if world.network.is_running(&machine) { world } else { on };
    let write = |value| Command::Write { machine: machine.clone(), file: 0, value };
    let read = Command::Read { machine: machine.clone(), file: 0 };
    let steps = [
        write(1),
        Command::Sync(machine.clone()),
        write(2),
        Command::PowerCut(machine.clone()),
        Command::Boot(machine.clone()),
    ];
    let after = steps.iter().fold(on, |world, command| model.next_state(&world, command));
    let allows = |found| model.post_condition(&after, &read, &Response::Found(found));
    assert!(allows(Found::Value(1)) && allows(Found::Value(2)) && allows(Found::Blank));
    assert!(!allows(Found::Absent) && !allows(Found::Value(3)) && !allows(Found::Damaged("1".to_owned())));
    let read_once = model.next_state_after(&after, &read, &Response::Found(Found::Value(1)));
    assert!(!model.post_condition(&read_once, &read, &Response::Found(Found::Value(2))));
}

/// A disk is full before it is synced: of a power cut in between a file may be gone that was not synced before.
#[test]
fn a_disk_that_is_filled_is_synced_once_that_has_ended() {
    let model = model();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut world = model::generate_state(&model, &Shape::sequential(0..=0), &mut runner).unwrap();
    let machine = world.network.ids()[0].clone();
    world.network = world.network.with_running(&machine, true);
    let written = model.next_state(&world, &Command::Write { machine: machine.clone(), file: 0, value: 1 });
    let fill = Command::Fill(machine.clone());
    let may_be_absent = |world: World| {
        let steps = [Command::PowerCut(machine.clone()), Command::Boot(machine.clone())];
        let after = steps.iter().fold(world, |world, command| model.next_state(&world, command));
        let read = Command::Read { machine: machine.clone(), file: 0 };
        model.post_condition(&after, &read, &Response::Found(Found::Absent))
    };
    assert!(may_be_absent(model.next_state(&written, &fill)));
    assert!(!may_be_absent(model.next_state_after(&written, &fill, &Response::Done)));
}

/// What cannot be meant is refused before anything runs, with what is wrong.
#[test]
fn a_fault_that_cannot_be_is_refused() {
    let model = model();
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let mut world = model::generate_state(&model, &Shape::sequential(0..=0), &mut runner).unwrap();
    let machine = world.network.ids()[0].clone();
    world.network = world.network.with_running(&machine, false);
    let nobody: model::MachineId = "nobody".parse().unwrap();
    let cut = Command::Cut(Links::Between(machine.clone(), nobody.clone()));
    let refused = |command: &Command| command.check(&world).unwrap_err();
    assert_eq!(refused(&cut), "there is no machine nobody");
    assert_eq!(refused(&Command::Volatile { machine: nobody, seed: 1 }), "there is no machine nobody");
    for command in [
        Command::PowerCut(machine.clone()),
        Command::Pause(machine.clone()),
        Command::Fill(machine.clone()),
        Command::SetClock { machine: machine.clone(), seconds: 60 },
        Command::Strain { machine: machine.clone(), strain: Strain::Memory },
    ] {
        assert_eq!(refused(&command), format!("{machine} is off"), "{command}");
        let case = Case::sequential(world.clone(), vec![command]);
        let error = case.validate(&model).unwrap_err().to_string();
        assert!(error.starts_with("command 1 "), "{error}");
    }
    let narrow = Command::Worsen { links: Links::All, quality: Quality::Narrow { kilobits: 1 } };
    assert_eq!(refused(&narrow), "1 kbit/s is too narrow for a ping: give 64 kbit/s or more");
    assert!(
        serde_json::from_str::<Command>(r#"{"worsen":{"links":"all","quality":{"lossy":101}}}"#).is_err()
    );
    assert!(serde_json::from_str::<Command>(r#"{"ail":{"machine":"a","ailment":{"slow":1}}}"#).is_err());
}
