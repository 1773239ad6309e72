//! Spans of the log: which case, command and machine a line is about, whichever crate writes it.
//!
//! They are of the highest level, so that a line of any level has them. Where nobody listens, each costs
//! one look.

use std::fmt::Display;

use tracing::{Span, error_span};

use crate::regressions::Seed;

/// A case that runs: its place in the run, and the seed that it was generated from; a form of it that is
/// tried while it is made smaller has neither.
pub(crate) fn case(number: Option<u32>, seed: Option<Seed>) -> Span {
    error_span!("case", number, seed = seed.map(tracing::field::display))
}

/// A command that is given: its place in the case, its lane, counted from 1, and its text, where somebody
/// follows the case.
pub(crate) fn command(number: usize, lane: Option<usize>, text: Option<&str>) -> Span {
    error_span!("command", number, lane, text)
}

/// A machine that something is done to.
pub(crate) fn machine(id: &impl Display) -> Span {
    error_span!("machine", %id)
}

/// Has what another thread does be logged as part of what this one does.
pub(crate) fn carried<T>(act: impl FnOnce() -> T) -> impl FnOnce() -> T {
    let span = Span::current();
    move || span.in_scope(act)
}
