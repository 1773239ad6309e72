//! Leases whose numbers only the system knows: symbols when a case is generated, numbers when it
//! runs.

use std::collections::BTreeSet;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use harness::{Model, Named, Outcome, Symbol};
use proptest::prelude::*;
use proptest::sample::select;
use serde::{Deserialize, Serialize};

use crate::support::{InMemory, Meeting, Shared, fails, holds};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Grant(Symbol),
    Release(Named<u64>),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Response {
    Granted(u64),
    Released,
    NoSuchLease,
}

/// The leases that are held.
type State = BTreeSet<Named<u64>>;

struct Leases;

impl Model for Leases {
    type State = State;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(State::new()).boxed()
    }

    fn gen_command(&self, state: &State) -> BoxedStrategy<Command> {
        let grant = Just(()).prop_map(|()| Command::Grant(Symbol::fresh()));
        if state.is_empty() {
            return grant.boxed();
        }
        let held: Vec<_> = state.iter().cloned().collect();
        prop_oneof![grant, select(held).prop_map(Command::Release)].boxed()
    }

    fn pre_condition(&self, state: &State, command: &Command) -> bool {
        match command {
            Command::Grant(_) => true,
            Command::Release(lease) => state.contains(lease),
        }
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        let mut state = state.clone();
        match command {
            Command::Grant(symbol) => {
                state.insert(Named::Symbol(*symbol));
            }
            Command::Release(lease) => {
                state.remove(lease);
            }
        }
        state
    }

    fn next_state_after(&self, state: &State, command: &Command, response: &Response) -> State {
        match response {
            Response::Granted(number) => {
                let mut state = state.clone();
                state.insert(Named::Value(*number));
                state
            }
            _ => self.next_state(state, command),
        }
    }

    fn post_condition(&self, state: &State, command: &Command, response: &Response) -> bool {
        match (command, response) {
            (Command::Grant(_), Response::Granted(number)) => !state.contains(&Named::Value(*number)),
            (Command::Release(_), answer) => *answer == Response::Released,
            _ => false,
        }
    }

    fn defines(&self, command: &Command) -> Option<Symbol> {
        match command {
            Command::Grant(symbol) => Some(*symbol),
            Command::Release(_) => None,
        }
    }

    fn uses(&self, command: &Command) -> Vec<Symbol> {
        match command {
            Command::Grant(_) => Vec::new(),
            Command::Release(lease) => lease.symbol().into_iter().collect(),
        }
    }

    fn bind(&self, command: &Command, result: &dyn Fn(Symbol) -> Option<Response>) -> Option<Command> {
        let Command::Release(Named::Symbol(symbol)) = command else { return Some(command.clone()) };
        match result(*symbol)? {
            Response::Granted(number) => Some(Command::Release(Named::Value(number))),
            _ => None,
        }
    }

    fn final_commands(&self, state: &State) -> Vec<Command> {
        state.iter().cloned().map(Command::Release).collect()
    }
}

/// Gives out numbers from 100 on.
struct Server {
    next: AtomicU64,
    held: Mutex<BTreeSet<u64>>,
    /// Where it is there, the next number is read and written in two steps.
    race: Option<Meeting>,
}

impl Server {
    fn new(race: Option<Meeting>) -> Self {
        Self { next: AtomicU64::new(100), held: Mutex::default(), race }
    }

    fn number(&self) -> u64 {
        let Some(race) = &self.race else { return self.next.fetch_add(1, Ordering::SeqCst) };
        let number = self.next.load(Ordering::SeqCst);
        race.meet();
        self.next.store(number + 1, Ordering::SeqCst);
        number
    }
}

impl Shared<Leases> for Server {
    fn give(&self, command: &Command) -> Outcome<Response> {
        Outcome::Answered(match command {
            Command::Grant(_) => {
                let number = self.number();
                self.held.lock().unwrap().insert(number);
                Response::Granted(number)
            }
            Command::Release(lease) => {
                let number = lease.value().expect("a command is given with real results");
                let held = self.held.lock().unwrap().remove(number);
                if held { Response::Released } else { Response::NoSuchLease }
            }
        })
    }
}

#[test]
fn leases_with_numbers_of_their_own_hold() {
    holds(300, &Leases, &InMemory(|_| Server::new(None)));
}

#[test]
fn a_reused_lease_is_found() {
    let failure = fails(20, &Leases, &InMemory(|_| Server::new(Some(Meeting::default()))));
    assert!(failure.evidence.came.starts_with("Granted("), "{:?}", failure.evidence);
}
