//! A pool of handles that leaks: commands name the handle that an earlier one gave.

use std::collections::{BTreeMap, BTreeSet};

use harness::{Outcome, System, SystemError};
use model::{Case, Model, Named, Symbol};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::strategy::Union;
use serde::{Deserialize, Serialize};

/// How many handles can be open at once.
const MOST: usize = 2;

type Handle = Named<u32>;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Open(Symbol),
    Write(Handle),
    Close(Handle),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Response {
    Opened(u32),
    Done,
    Full,
}

/// Which handles are open.
#[derive(Debug)]
pub(crate) struct Handles;

impl Model for Handles {
    type State = BTreeSet<Handle>;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<Self::State> {
        Just(BTreeSet::new()).boxed()
    }

    fn gen_command(&self, open: &Self::State) -> BoxedStrategy<Command> {
        let mut commands = Vec::new();
        if open.len() < MOST {
            commands.push((3, Just(()).prop_map(|()| Command::Open(Symbol::fresh())).boxed()));
        }
        if !open.is_empty() {
            let handle = select(open.iter().cloned().collect::<Vec<_>>());
            commands.push((2, handle.clone().prop_map(Command::Write).boxed()));
            commands.push((2, handle.prop_map(Command::Close).boxed()));
        }
        Union::new_weighted(commands).boxed()
    }

    fn pre_condition(&self, open: &Self::State, command: &Command) -> bool {
        match command {
            Command::Open(symbol) => open.len() < MOST && !open.contains(&Named::Symbol(*symbol)),
            Command::Write(handle) | Command::Close(handle) => open.contains(handle),
        }
    }

    fn next_state(&self, open: &Self::State, command: &Command) -> Self::State {
        let mut open = open.clone();
        match command {
            Command::Open(symbol) => {
                open.insert(Named::Symbol(*symbol));
            }
            Command::Write(_) => {}
            Command::Close(handle) => {
                open.remove(handle);
            }
        }
        open
    }

    fn next_state_after(&self, open: &Self::State, command: &Command, response: &Response) -> Self::State {
        let Response::Opened(number) = response else { return self.next_state(open, command) };
        let mut open = open.clone();
        open.insert(Named::Value(*number));
        open
    }

    fn post_condition(&self, open: &Self::State, command: &Command, response: &Response) -> bool {
        match (command, response) {
            (Command::Open(_), Response::Opened(number)) => !open.contains(&Named::Value(*number)),
            (Command::Open(_), _) => false,
            (_, response) => *response == Response::Done,
        }
    }

    fn defines(&self, command: &Command) -> Option<Symbol> {
        match command {
            Command::Open(symbol) => Some(*symbol),
            Command::Write(_) | Command::Close(_) => None,
        }
    }

    fn uses(&self, command: &Command) -> Vec<Symbol> {
        match command {
            Command::Open(_) => Vec::new(),
            Command::Write(handle) | Command::Close(handle) => handle.symbol().into_iter().collect(),
        }
    }

    fn bind(&self, command: &Command, result: &dyn Fn(Symbol) -> Option<Response>) -> Option<Command> {
        let bound = |handle: &Handle| match handle {
            Named::Symbol(symbol) => match result(*symbol)? {
                Response::Opened(number) => Some(Named::Value(number)),
                _ => None,
            },
            Named::Value(number) => Some(Named::Value(*number)),
        };
        Some(match command {
            Command::Open(symbol) => Command::Open(*symbol),
            Command::Write(handle) => Command::Write(bound(handle)?),
            Command::Close(handle) => Command::Close(bound(handle)?),
        })
    }
}

/// Handles that are in use, and whether each was written to.
#[derive(Default)]
pub(crate) struct Pool {
    used: BTreeMap<u32, bool>,
    next: u32,
}

impl System<Handles> for Handles {
    type Sut = Pool;

    fn new_sut(&self, _: &BTreeSet<Handle>) -> Result<Pool, SystemError> {
        Ok(Pool::default())
    }

    /// A handle that was written to stays in use when it is closed.
    fn run(&self, pool: &mut Pool, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let number = |handle: &Handle| *handle.value().expect("a command is given with real results");
        Ok(Outcome::Answered(match command {
            Command::Open(_) if pool.used.len() >= MOST => Response::Full,
            Command::Open(_) => {
                pool.next += 1;
                pool.used.insert(pool.next, false);
                Response::Opened(pool.next)
            }
            Command::Write(handle) => {
                pool.used.insert(number(handle), true);
                Response::Done
            }
            Command::Close(handle) => {
                pool.used.retain(|used, written| *used != number(handle) || *written);
                Response::Done
            }
        }))
    }
}

/// Three are opened, of which one is written to and closed.
pub(crate) fn is_smallest(case: &Case<Handles>) -> bool {
    let count = |is: fn(&Command) -> bool| case.commands.iter().filter(|command| is(command)).count();
    let opened = count(|command| matches!(command, Command::Open(_)));
    (opened, count(|command| matches!(command, Command::Close(_)))) == (3, 1)
}
