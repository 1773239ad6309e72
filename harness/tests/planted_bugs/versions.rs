//! A value that is written for the version that was read: a write depends on an earlier answer.

use harness::{Outcome, System, SystemError};
use model::{Case, Model, Named, Symbol};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Read(Symbol),
    /// Is done only if the version is still that of the read.
    Write {
        read: Named<u64>,
        value: u8,
    },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Response {
    Version(u64),
    Written,
    Outdated,
}

/// The last reads, and which of them a write can still be for.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct State {
    reads: Vec<Symbol>,
    /// What was read since the last write, by symbol and by number.
    current: Vec<Named<u64>>,
}

#[derive(Debug)]
pub(crate) struct Versions;

impl Model for Versions {
    type State = State;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(State { reads: Vec::new(), current: Vec::new() }).boxed()
    }

    fn gen_command(&self, state: &State) -> BoxedStrategy<Command> {
        let mut commands = vec![(1, Just(()).prop_map(|()| Command::Read(Symbol::fresh())).boxed())];
        if !state.reads.is_empty() {
            let write = (select(state.reads.clone()), any::<u8>());
            let write = write.prop_map(|(read, value)| Command::Write { read: Named::Symbol(read), value });
            commands.push((2, write.boxed()));
        }
        Union::new_weighted(commands).boxed()
    }

    fn must_fail(&self, state: &State, command: &Command) -> bool {
        matches!(command, Command::Write { read, .. } if !state.current.contains(read))
    }

    fn is_failure(&self, response: &Response) -> bool {
        *response == Response::Outdated
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        let mut state = state.clone();
        match command {
            Command::Read(symbol) => {
                state.reads.push(*symbol);
                state.current.push(Named::Symbol(*symbol));
            }
            Command::Write { .. } => state.current.clear(),
        }
        state
    }

    fn next_state_after(&self, state: &State, command: &Command, response: &Response) -> State {
        let mut next = self.next_state(state, command);
        if let Response::Version(number) = response {
            next.current.push(Named::Value(*number));
        }
        next
    }

    fn post_condition(&self, _: &State, command: &Command, response: &Response) -> bool {
        match command {
            Command::Read(_) => matches!(response, Response::Version(_)),
            Command::Write { .. } => *response == Response::Written,
        }
    }

    fn defines(&self, command: &Command) -> Option<Symbol> {
        match command {
            Command::Read(symbol) => Some(*symbol),
            Command::Write { .. } => None,
        }
    }

    fn uses(&self, command: &Command) -> Vec<Symbol> {
        match command {
            Command::Write { read, .. } => read.symbol().into_iter().collect(),
            Command::Read(_) => Vec::new(),
        }
    }

    fn bind(&self, command: &Command, result: &dyn Fn(Symbol) -> Option<Response>) -> Option<Command> {
        let Command::Write { read: Named::Symbol(symbol), value } = command else {
            return Some(command.clone());
        };
        match result(*symbol)? {
            Response::Version(number) => Some(Command::Write { read: Named::Value(number), value: *value }),
            _ => None,
        }
    }
}

impl System<Versions> for Versions {
    type Sut = u64;

    fn new_sut(&self, _: &State) -> Result<u64, SystemError> {
        Ok(7)
    }

    /// A write is done for the version before the last as well.
    fn run(&self, version: &mut u64, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(Outcome::Answered(match command {
            Command::Read(_) => Response::Version(*version),
            Command::Write { read, .. } => {
                let read = *read.value().expect("a command is given with real results");
                if read + 1 >= *version {
                    *version += 1;
                    Response::Written
                } else {
                    Response::Outdated
                }
            }
        }))
    }
}

/// A read, and two writes for it.
pub(crate) fn is_smallest(case: &Case<Versions>) -> bool {
    let [Command::Read(_), writes @ ..] = &case.commands[..] else { return false };
    writes.iter().all(|command| matches!(command, Command::Write { value: 0, .. }))
}
