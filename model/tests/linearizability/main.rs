//! The linearizability checker: verdicts, evidence, bounds, and a plain checker beside it.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod differential;
mod models;
mod objects;
mod plain;
mod random;
mod reading;
mod verdicts;

use std::path::PathBuf;

/// A file of the recorded histories.
fn recorded(name: &str) -> Vec<u8> {
    let place = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/histories").join(name);
    std::fs::read(&place).unwrap_or_else(|error| panic!("{}: {error}", place.display()))
}
