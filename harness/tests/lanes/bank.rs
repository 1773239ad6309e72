//! An account: what must always be true of it, what must fail, and what is asked at the end.

use std::sync::atomic::{AtomicI64, Ordering};

use harness::{Model, Outcome};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::{InMemory, Meeting, Shared, fails, holds};

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Deposit(i64),
    Withdraw(i64),
    Balance,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Response {
    Done,
    TooLittle,
    Holds(i64),
}

use Command::{Balance, Deposit, Withdraw};

/// The one rule that a bank is held to.
#[derive(Clone, Copy, PartialEq)]
enum Bank {
    /// Whatever it answers, the balance is never negative.
    Invariant,
    /// To withdraw more than there is fails.
    MustFail,
    /// Nothing is asked of it but the balance at the end.
    AtTheEnd,
}

impl Model for Bank {
    type State = i64;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<i64> {
        (0..10_i64).boxed()
    }

    fn gen_command(&self, _: &i64) -> BoxedStrategy<Command> {
        match self {
            Bank::AtTheEnd => (1..5_i64).prop_map(Deposit).boxed(),
            _ => prop_oneof![(1..5_i64).prop_map(Deposit), (1..10_i64).prop_map(Withdraw)].boxed(),
        }
    }

    fn next_state(&self, state: &i64, command: &Command) -> i64 {
        match command {
            Deposit(sum) => state + sum,
            Withdraw(sum) if sum <= state => state - sum,
            Withdraw(_) | Balance => *state,
        }
    }

    fn next_state_after(&self, state: &i64, command: &Command, response: &Response) -> i64 {
        match (command, response) {
            (Withdraw(sum), Response::Done) => state - sum,
            (Withdraw(_), _) => *state,
            _ => self.next_state(state, command),
        }
    }

    fn must_fail(&self, state: &i64, command: &Command) -> bool {
        *self == Bank::MustFail && matches!(command, Withdraw(sum) if sum > state)
    }

    fn is_failure(&self, response: &Response) -> bool {
        *response == Response::TooLittle
    }

    fn invariant(&self, state: &i64) -> Result<(), String> {
        if *self == Bank::Invariant && *state < 0 { Err(format!("the balance is {state}")) } else { Ok(()) }
    }

    fn final_commands(&self, _: &i64) -> Vec<Command> {
        if *self == Bank::AtTheEnd { vec![Balance] } else { Vec::new() }
    }

    fn post_condition(&self, state: &i64, command: &Command, response: &Response) -> bool {
        match command {
            Deposit(_) => *response == Response::Done,
            Withdraw(_) => *self == Bank::Invariant || *response == Response::Done,
            Balance => *response == Response::Holds(*state),
        }
    }

    fn expectation(&self, state: &i64, _: &Command) -> String {
        format!("what an account with {state} answers")
    }
}

/// Each change in one step, or in two with room for others between.
struct Account(AtomicI64, Option<Meeting>);

impl Account {
    fn change(&self, change: impl Fn(i64) -> Option<i64>) -> Response {
        let changed = match &self.1 {
            None => self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, change).is_ok(),
            Some(meeting) => {
                let changed = change(self.0.load(Ordering::SeqCst));
                meeting.meet();
                if let Some(balance) = changed {
                    self.0.store(balance, Ordering::SeqCst);
                }
                changed.is_some()
            }
        };
        if changed { Response::Done } else { Response::TooLittle }
    }
}

impl Shared<Bank> for Account {
    fn give(&self, command: &Command) -> Outcome<Response> {
        Outcome::Answered(match *command {
            Deposit(sum) => self.change(|balance| Some(balance + sum)),
            Withdraw(sum) => self.change(|balance| (sum <= balance).then(|| balance - sum)),
            Balance => Response::Holds(self.0.load(Ordering::SeqCst)),
        })
    }
}

fn sound() -> InMemory<Bank, Account> {
    InMemory(|balance| Account(AtomicI64::new(*balance), None))
}

fn racy() -> InMemory<Bank, Account> {
    InMemory(|balance| Account(AtomicI64::new(*balance), Some(Meeting::default())))
}

#[test]
fn an_invariant_holds_or_is_broken_by_two_lanes() {
    holds(200, &Bank::Invariant, &sound());
    let evidence = fails(100, &Bank::Invariant, &racy()).evidence;
    assert!(
        evidence.expected.contains("a state that the invariant allows: the balance is -"),
        "{evidence:?}"
    );
}

#[test]
fn what_must_fail_fails_or_is_found() {
    holds(200, &Bank::MustFail, &sound());
    let evidence = fails(100, &Bank::MustFail, &racy()).evidence;
    assert!(evidence.course.is_some(), "{evidence:?}");
}

#[test]
fn final_commands_tell_what_no_lane_was_told() {
    holds(200, &Bank::AtTheEnd, &sound());
    let failure = fails(20, &Bank::AtTheEnd, &racy());
    assert_eq!(failure.case.finally, [Balance]);
    assert_eq!(failure.evidence.number, failure.case.len(), "it is the last command that tells");
    assert!(failure.evidence.came.starts_with("Holds("), "{:?}", failure.evidence);
}
