//! What was invoked and answered when, over all lanes of a case or all clients of a recording.

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// One command that was given, with what came of it and when.
///
/// Times are positions in the order of events: only which is the greater matters. An outcome that
/// is unknown has no end, since it may take effect at any later time, or never.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Operation<Command, Response> {
    /// The lane, process or client that gave it; each gives one after another.
    pub lane: usize,
    /// What was given.
    pub command: Command,
    /// When it was given.
    pub called: u64,
    /// What came of it.
    pub outcome: Outcome<Response>,
    /// When that came; none where the outcome is unknown.
    pub ended: Option<u64>,
}

/// Operations in the order in which they were given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct History<Command, Response> {
    /// What was given, by [`Operation::called`].
    pub operations: Vec<Operation<Command, Response>>,
}
