//! The tutorial's program once redis-server syncs each write: it holds.
//!
//! `cargo run -p harness --example first_fix -- run`

#[expect(dead_code, reason = "what runs is the other main")]
#[path = "first_bug.rs"]
mod first_bug;

use std::process::ExitCode;

use first_bug::{Redis, WAYS};

fn main() -> ExitCode {
    harness::cli::main_on_machines(|bounds| Redis::new(bounds, &WAYS[..1]))
}
