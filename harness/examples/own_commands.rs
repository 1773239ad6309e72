//! A program with all commands of `netprop` for a specification of its own: a counter that stops at 2.
//!
//! `cargo run -p harness --example own_commands -- run`

use std::process::ExitCode;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::prelude::*;

/// Each count is one more than the one before.
struct Counter;

impl Model for Counter {
    type State = u32;
    type Command = ();
    type Response = u32;

    fn name(&self) -> String {
        "counter".to_owned()
    }

    fn gen_initial_state(&self) -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u32) -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn next_state(&self, count: &u32, (): &()) -> u32 {
        count + 1
    }

    fn post_condition(&self, count: &u32, (): &(), answer: &u32) -> bool {
        *answer == count + 1
    }
}

/// A counter with a bug.
struct StopsAtTwo;

impl System<Counter> for StopsAtTwo {
    type Sut = AtomicU32;

    fn new_sut(&self, count: &u32) -> Result<AtomicU32, SystemError> {
        Ok(AtomicU32::new(*count))
    }

    fn run(&self, count: &mut AtomicU32, (): &()) -> Result<Outcome<u32>, SystemError> {
        Ok(Outcome::Answered((count.fetch_add(1, Ordering::SeqCst) + 1).min(2)))
    }
}

fn main() -> ExitCode {
    harness::cli::main_for(Counter, StopsAtTwo)
}
