//! What was called and answered when, over all lanes.
//!
//! A [`History`] is what a concurrent run leaves to be judged: each operation with the lane (the
//! process, the client) that called it, the position of its call and of its end in the order of
//! events, and its outcome. [`crate::linearizability`] judges it. [`read`] reads histories that
//! were recorded elsewhere: one operation a line as JSON, or Jepsen's EDN.

mod datum;
mod edn;
mod jepsen;
mod json_lines;
mod objects;
mod read;
mod value;

pub use datum::Datum;
pub use read::{Format, HistoryOf, ReadError, Recordable, read, read_while};
pub use value::Value;

use serde::{Deserialize, Serialize};

use crate::outcome::Outcome;

/// One command that was given, with what came of it and when.
///
/// Times are positions in the order of events: only which is the greater matters. Of two
/// operations, one precedes the other if it ended before the other was called; equal positions
/// leave the order open. An outcome that is unknown may take effect at any moment after the call,
/// also after its lane gave up, or never; what was refused never took effect.
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
    /// When that came. Of an unknown outcome, when the lane gave up waiting, or none where it
    /// gives nothing else after it.
    pub ended: Option<u64>,
}

/// Operations in the order in which they were given.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct History<Command, Response> {
    /// What was given, by [`Operation::called`].
    pub operations: Vec<Operation<Command, Response>>,
}

/// Why operations are no history. The numbers count operations from 0, in the order given.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum HistoryError {
    /// An operation ends before it begins.
    #[error(
        "operation {operation} ends at position {ended}, before its call at {called}; swap the two positions"
    )]
    EndsBeforeCall {
        /// Which one.
        operation: usize,
        /// The position of its call.
        called: u64,
        /// The position of its end.
        ended: u64,
    },
    /// There is an answer, but nothing says when it came.
    #[error("operation {operation} has an answer but no end; give the position of the answer")]
    AnswerWithoutEnd {
        /// Which one.
        operation: usize,
    },
    /// A lane calls while it still waits.
    #[error(
        "lane {lane} calls operation {later} while it still waits for operation {earlier}; \
         give each process that waits a lane of its own"
    )]
    Overlap {
        /// The lane.
        lane: usize,
        /// The operation that it waits for.
        earlier: usize,
        /// The operation that it calls.
        later: usize,
    },
}

impl HistoryError {
    /// The operation at fault.
    #[must_use]
    pub fn operation(&self) -> usize {
        match self {
            Self::EndsBeforeCall { operation, .. } | Self::AnswerWithoutEnd { operation } => *operation,
            Self::Overlap { later, .. } => *later,
        }
    }
}

impl<C, R> History<C, R> {
    /// Sorts operations by their calls, and sees that they are a history.
    ///
    /// # Errors
    /// Where an operation ends before its call or has an answer without an end, or where a lane
    /// calls while it still waits.
    pub fn new(mut operations: Vec<Operation<C, R>>) -> Result<Self, HistoryError> {
        check(&operations)?;
        operations.sort_by_key(|operation| operation.called);
        Ok(Self { operations })
    }
}

fn check<C, R>(operations: &[Operation<C, R>]) -> Result<(), HistoryError> {
    for (operation, Operation { called, ended, outcome, .. }) in operations.iter().enumerate() {
        match *ended {
            Some(ended) if ended < *called => {
                return Err(HistoryError::EndsBeforeCall { operation, called: *called, ended });
            }
            None if matches!(outcome, Outcome::Answered(_)) => {
                return Err(HistoryError::AnswerWithoutEnd { operation });
            }
            _ => {}
        }
    }
    let mut by_lane: Vec<usize> = (0..operations.len()).collect();
    by_lane.sort_by_key(|&index| {
        let operation = &operations[index];
        (operation.lane, operation.called, operation.ended.unwrap_or(u64::MAX))
    });
    for pair in by_lane.windows(2) {
        let (earlier, later) = (&operations[pair[0]], &operations[pair[1]]);
        let waits = earlier.ended.is_none_or(|ended| ended > later.called);
        if earlier.lane == later.lane && waits {
            return Err(HistoryError::Overlap { lane: later.lane, earlier: pair[0], later: pair[1] });
        }
    }
    Ok(())
}
