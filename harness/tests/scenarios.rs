//! Scenarios at run time: what they make is run, judged and shrinks like any other case; and the
//! shortest test of commands side by side.

use std::panic::catch_unwind;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::prelude::*;
use harness::{LaneShape, Runner, Shape, Silent, Stop};

/// A store of two replicas: what is written while they are cut off from each other reaches the
/// second one when they are healed.
struct Store;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Write(u8),
    ReadSecond,
    Cut,
    Heal,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct State {
    first: u8,
    second: u8,
    cut: bool,
    writes: u32,
}

impl State {
    fn after(&self, command: &Command) -> Self {
        let mut state = self.clone();
        match command {
            Command::Write(value) => {
                state.first = *value;
                state.writes += 1;
            }
            Command::ReadSecond => {}
            Command::Cut => state.cut = true,
            Command::Heal => state.cut = false,
        }
        if !state.cut {
            state.second = state.first;
        }
        state
    }
}

impl Model for Store {
    type State = State;
    type Command = Command;
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(State::default()).boxed()
    }

    fn gen_command(&self, _: &State) -> BoxedStrategy<Command> {
        Just(Command::ReadSecond).boxed()
    }

    fn pre_condition(&self, state: &State, command: &Command) -> bool {
        match command {
            Command::Cut => !state.cut,
            Command::Heal => state.cut,
            Command::Write(_) | Command::ReadSecond => true,
        }
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        state.after(command)
    }

    fn post_condition(&self, state: &State, command: &Command, response: &u8) -> bool {
        *command != Command::ReadSecond || *response == state.second
    }

    fn scenarios(&self) -> Vec<(u32, Scenario<Self>)> {
        let write = |_: &Self, _: &State| any::<u8>().prop_map(Command::Write);
        let scenario = Scenario::new("written to while it is cut")
            .then(Phase::new("load", write).times(1..=3))
            .then(Phase::free("reads"))
            .then(Phase::new("fault", |_, _| Just(Command::Cut)).times(1..=1))
            .then(Phase::new("load while it is cut", write).until(|state: &State| state.writes >= 5))
            .finally(|_, _| vec![Command::Heal, Command::ReadSecond, Command::ReadSecond]);
        vec![(1, scenario)]
    }
}

/// A store that does as it should.
struct Replicas;

impl System<Store> for Replicas {
    type Sut = State;

    fn new_sut(&self, state: &State) -> Result<State, SystemError> {
        Ok(state.clone())
    }

    fn run(&self, state: &mut State, command: &Command) -> Result<Outcome<u8>, SystemError> {
        *state = state.after(command);
        Ok(Outcome::Answered(state.second))
    }
}

/// A store that forgets to bring the second replica up to date when it is healed: only the next
/// write does.
struct Forgetful;

impl System<Store> for Forgetful {
    type Sut = (u8, State);

    fn new_sut(&self, state: &State) -> Result<(u8, State), SystemError> {
        Ok((state.second, state.clone()))
    }

    fn run(&self, (second, state): &mut (u8, State), command: &Command) -> Result<Outcome<u8>, SystemError> {
        *state = state.after(command);
        if matches!(command, Command::Write(_)) && !state.cut {
            *second = state.second;
        }
        Ok(Outcome::Answered(*second))
    }
}

fn config() -> Config {
    Config {
        cases: 30,
        shape: Shape::sequential(2..=4),
        failures: None,
        regressions: None,
        ..Config::default()
    }
}

#[test]
fn a_scenario_runs_to_its_end() {
    let (config, stop) = (config(), Stop::default());
    let summary = Runner::new(&Store, &Replicas, &config, &Silent, &stop).run().unwrap();
    assert_eq!((summary.held, summary.verdict()), (30, "holds"));
    let given = |kind: &str| summary.statistics.commands.iter().find(|one| one.kind == kind).unwrap().given;
    assert_eq!((given("Cut"), given("Heal")), (30, 30));
    assert!(given("Write") >= 150, "until five are written");
}

#[test]
fn what_fails_at_the_end_keeps_as_much_of_the_end_as_it_needs() {
    let stop = Stop::default();
    for seed in 0..20 {
        let config = Config { seed: Some(seed.into()), ..config() };
        let failure =
            Runner::new(&Store, &Forgetful, &config, &Silent, &stop).run().unwrap().failure.unwrap();
        let kinds: Vec<_> = failure.case.places().map(|(_, command)| Store.kind(command)).collect();
        assert_eq!(kinds, ["Cut", "Write", "Heal", "ReadSecond"], "seed {seed}: {:?}", failure.case);
        assert_eq!(failure.case.validate(&Store), Ok(()));
    }
}

#[test]
fn threads_share_a_counter_that_counts_or_loses_updates() {
    // True adds one and gives what was there; false reads.
    let count = |count: &mut u32, add: &bool| {
        let before = *count;
        *count += u32::from(*add);
        before
    };
    let counter = || reference("counter", 0, any::<bool>(), count);
    counter().check_shared(Mutex::default, |sum: &Mutex<u32>, add| {
        let mut sum = sum.lock().unwrap();
        *sum += u32::from(*add);
        *sum - u32::from(*add)
    });
    let lost = catch_unwind(|| {
        let lanes = Some(LaneShape::default());
        let config = Config { shape: Shape { lanes, ..config().shape }, cases: 200, ..config() };
        counter().check_shared_with(&config, AtomicU32::default, |sum: &AtomicU32, add| {
            let before = sum.load(Ordering::SeqCst);
            // Long enough for another thread to get in between.
            std::thread::yield_now();
            std::thread::sleep(std::time::Duration::from_micros(200));
            sum.store(before + u32::from(*add), Ordering::SeqCst);
            before
        });
    });
    let report = lost.expect_err("an update is lost").downcast::<String>().unwrap();
    assert!(report.starts_with("counter\nfalsified"), "{report}");
}
