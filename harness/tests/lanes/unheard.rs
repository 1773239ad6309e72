//! What was never answered before the lanes is not to blame for what they answer.

use std::sync::Mutex;

use harness::{Case, Example, Model, Outcome};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{InMemory, Shared, config, run};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    /// Sets a flag that is not set; nobody hears of it.
    Raise,
    /// Adds one, and tells the sum.
    Add,
    /// Clears the flag.
    Lower,
}

/// A flag, which is lost sight of once it is lowered, and a sum.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct State {
    open: bool,
    sum: u8,
}

struct Flagged;

impl Model for Flagged {
    type State = State;
    type Command = Command;
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(State { open: true, sum: 0 }).boxed()
    }

    fn gen_command(&self, _: &State) -> BoxedStrategy<Command> {
        Just(Command::Add).boxed()
    }

    fn pre_condition(&self, state: &State, command: &Command) -> bool {
        *command != Command::Raise || state.open
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        match command {
            Command::Raise => state.clone(),
            Command::Add => State { sum: state.sum + 1, ..state.clone() },
            Command::Lower => State { open: false, ..state.clone() },
        }
    }

    fn post_condition(&self, state: &State, command: &Command, sum: &u8) -> bool {
        *sum == self.next_state(state, command).sum
    }

    fn examples(&self) -> Vec<Example<Self>> {
        let commands = vec![Command::Raise, Command::Lower];
        let lanes = vec![vec![Command::Add], vec![Command::Add]];
        let case = Case { lanes, ..Case::sequential(State { open: true, sum: 0 }, commands) };
        vec![Example { name: "unheard".to_owned(), case }]
    }
}

/// Adds nothing the second time.
struct Forgetful(Mutex<u8>);

impl Shared<Flagged> for Forgetful {
    fn give(&self, command: &Command) -> Outcome<u8> {
        let mut sum = self.0.lock().unwrap();
        match command {
            Command::Raise => return Outcome::Unknown("no answer in time".to_owned()),
            Command::Add => *sum = 1,
            Command::Lower => {}
        }
        Outcome::Answered(*sum)
    }
}

#[test]
fn what_was_never_answered_is_not_blamed_for_what_lanes_answer() {
    let system = InMemory(|_: &State| Forgetful(Mutex::new(0)));
    let failure = run(&Flagged, &system, &config(1)).failure.expect("the second Add is lost");
    let commands: Vec<_> = failure.case.places().map(|(_, command)| *command).collect();
    assert_eq!(commands, [Command::Add, Command::Add], "{:?}", failure.evidence);
    assert_eq!((failure.evidence.number, failure.evidence.came.as_str()), (2, "1"));
}
