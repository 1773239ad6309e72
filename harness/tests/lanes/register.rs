//! A register that lanes read, write and add to: linearizable, or wrong in the usual ways.

use std::sync::Mutex;
use std::sync::atomic::{AtomicU8, Ordering};

use harness::{Lanes, Model, Outcome, System, SystemError};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{InMemory, Meeting, Shared, fails, holds};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Read,
    Write(u8),
    Add(u8),
}

use Command::{Add, Read, Write};

/// Predicts a register that answers with its value after each command.
pub(crate) struct Register;

impl Model for Register {
    type State = u8;
    type Command = Command;
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<u8> {
        (0..10_u8).boxed()
    }

    fn gen_command(&self, _: &u8) -> BoxedStrategy<Command> {
        prop_oneof![Just(Read), (0..100_u8).prop_map(Write), (1..10_u8).prop_map(Add)].boxed()
    }

    fn next_state(&self, state: &u8, command: &Command) -> u8 {
        match command {
            Read => *state,
            Write(value) => *value,
            Add(value) => state.wrapping_add(*value),
        }
    }

    fn post_condition(&self, state: &u8, command: &Command, answer: &u8) -> bool {
        *answer == self.next_state(state, command)
    }

    fn expectation(&self, state: &u8, command: &Command) -> String {
        self.next_state(state, command).to_string()
    }
}

struct Locked(Mutex<u8>);

impl Shared<Register> for Locked {
    fn give(&self, command: &Command) -> Outcome<u8> {
        let mut value = self.0.lock().unwrap();
        *value = Register.next_state(&value, command);
        Outcome::Answered(*value)
    }
}

#[test]
fn a_register_behind_a_lock_holds() {
    holds(1000, &Register, &InMemory(|initial| Locked(Mutex::new(*initial))));
}

/// Adds in two steps, and others come between.
struct LostUpdate(AtomicU8, Meeting);

impl Shared<Register> for LostUpdate {
    fn give(&self, command: &Command) -> Outcome<u8> {
        let read = self.0.load(Ordering::SeqCst);
        if let Add(_) = command {
            self.1.meet();
        }
        let value = Register.next_state(&read, command);
        if *command != Read {
            self.0.store(value, Ordering::SeqCst);
        }
        Outcome::Answered(value)
    }
}

#[test]
fn a_lost_update_is_found() {
    let lost = InMemory(|initial: &u8| LostUpdate(AtomicU8::new(*initial), Meeting::default()));
    let failure = fails(20, &Register, &lost);
    let course = failure.evidence.course.as_ref().expect("it is the lanes that are wrong");
    assert!(course.order.len() < course.given.len() && !course.obstacles.is_empty());
    let named = course.obstacles.iter().any(|obstacle| obstacle.number == failure.evidence.number);
    assert!(named, "{:?}", failure.evidence);
    let report = harness::report::failure(&Register, &failure);
    println!("{report}");
    for said in ["lane 1", "lane 2", "┌ ", "└ ", "No order explains all answers", "can come next:"] {
        assert!(report.contains(said), "{said:?} is not in\n{report}");
    }
}

/// Each lane reads what the register held when its session began, until it writes itself.
struct StaleReads;

impl System<Register> for StaleReads {
    type Sut = Locked;

    fn new_sut(&self, initial: &u8) -> Result<Locked, SystemError> {
        Ok(Locked(Mutex::new(*initial)))
    }

    fn run(&self, sut: &mut Locked, command: &Command) -> Result<Outcome<u8>, SystemError> {
        Ok(sut.give(command))
    }

    fn run_lanes(&self, sut: &mut Locked, lanes: &Lanes<'_, Register>) -> Result<(), SystemError> {
        let shared: &Locked = sut;
        lanes.run(|_| {
            let mut cached = shared.give(&Read);
            Ok(move |command: &Command| {
                if *command != Read {
                    cached = shared.give(command);
                }
                Ok(cached.clone())
            })
        })
    }
}

#[test]
fn stale_reads_are_found() {
    fails(100, &Register, &StaleReads);
}

/// What becomes of writes that nobody hears of.
#[derive(Clone, Copy)]
enum Unheard {
    /// They take effect after the next command.
    Late,
    /// They are said to be refused, and take effect.
    RefusedInVain,
}

struct Unreliable(Mutex<(u8, Option<u8>)>, Unheard);

impl Shared<Register> for Unreliable {
    fn give(&self, command: &Command) -> Outcome<u8> {
        let (value, late) = &mut *self.0.lock().unwrap();
        let due = late.take();
        let outcome = match (command, self.1) {
            (Write(written), Unheard::Late) if written % 3 == 0 => {
                *late = Some(*written);
                Outcome::Unknown("no answer in time".to_owned())
            }
            (Write(written), Unheard::RefusedInVain) if written % 3 == 0 => {
                *value = *written;
                Outcome::Refused("connection refused".to_owned())
            }
            _ => {
                *value = Register.next_state(value, command);
                Outcome::Answered(*value)
            }
        };
        *value = due.unwrap_or(*value);
        outcome
    }
}

#[test]
fn an_unknown_outcome_may_take_effect_later_or_never() {
    holds(300, &Register, &InMemory(|initial| Unreliable(Mutex::new((*initial, None)), Unheard::Late)));
}

#[test]
fn a_refused_command_that_took_effect_is_found() {
    let system = InMemory(|initial: &u8| Unreliable(Mutex::new((*initial, None)), Unheard::RefusedInVain));
    fails(50, &Register, &system);
}
