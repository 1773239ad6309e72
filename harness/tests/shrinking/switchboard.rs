//! A small model that fails as a test says: buttons are pressed, and lamps are looked at.

use std::cell::{Cell, RefCell};
use std::fmt::Debug;
use std::path::Path;

use harness::shrink::Budget;
use harness::{Config, Outcome, Shape, System, SystemError};
use model::{Case, Model};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub(crate) enum Command {
    Press(u8),
    Look,
    Wait,
    Ask,
}

/// How often each of ten buttons was pressed.
#[derive(Debug)]
pub(crate) struct Switchboard;

impl Model for Switchboard {
    type State = Vec<u8>;
    type Command = Command;
    type Response = bool;

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        Just(Vec::new()).boxed()
    }

    fn gen_command(&self, _: &Vec<u8>) -> BoxedStrategy<Command> {
        prop_oneof![
            5 => (0_u8..10).prop_map(Command::Press),
            2 => Just(Command::Look),
            2 => Just(Command::Wait),
            1 => Just(Command::Ask),
        ]
        .boxed()
    }

    fn next_state(&self, state: &Vec<u8>, command: &Command) -> Vec<u8> {
        let mut next = state.clone();
        if let Command::Press(button) = command {
            next.push(*button);
        }
        next
    }

    fn post_condition(&self, _: &Vec<u8>, _: &Command, fine: &bool) -> bool {
        *fine
    }
}

/// Whether a command is answered rightly: by what was pressed, which command it is, and a number
/// that differs from one system to the next as if by chance, from 0 to 99.
type Fine = fn(&[u8], &Command, u64) -> bool;

/// A system that answers as a function says, and keeps what each system that it made was given.
pub(crate) struct Answers {
    pub(crate) fine: Fine,
    pub(crate) given: RefCell<Vec<Vec<Command>>>,
    chance: Cell<u64>,
}

impl Answers {
    pub(crate) fn new(fine: Fine) -> Self {
        Self { fine, given: RefCell::default(), chance: Cell::new(1) }
    }

    pub(crate) fn made(&self) -> usize {
        self.given.borrow().len()
    }
}

impl System<Switchboard> for Answers {
    type Sut = (Vec<u8>, u64);

    fn new_sut(&self, _: &Vec<u8>) -> Result<Self::Sut, SystemError> {
        self.given.borrow_mut().push(Vec::new());
        // Knuth's generator of 64 bits, of which the upper ones are good.
        let next =
            self.chance.get().wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.chance.set(next);
        Ok((Vec::new(), (next >> 33) % 100))
    }

    fn run(
        &self,
        (pressed, chance): &mut Self::Sut,
        command: &Command,
    ) -> Result<Outcome<bool>, SystemError> {
        if let Some(given) = self.given.borrow_mut().last_mut() {
            given.push(command.clone());
        }
        if let Command::Press(button) = command {
            pressed.push(*button);
        }
        Ok(Outcome::Answered((self.fine)(pressed, command, *chance)))
    }
}

/// A configuration that keeps its failures there, if anywhere.
pub(crate) fn config(seed: u64, failures: Option<&Path>) -> Config {
    Config {
        cases: 500,
        shape: Shape::sequential(20..=30),
        seed: Some(seed.into()),
        probes: Budget { runs: 0, time: None },
        failures: failures.map(Path::to_owned),
        regressions: None,
        ..Config::default()
    }
}

/// Whether the case is just these commands.
pub(crate) fn is(case: &Case<Switchboard>, commands: &[Command]) -> bool {
    case.commands == commands
}
