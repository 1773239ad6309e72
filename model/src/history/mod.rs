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
pub use read::{Format, ReadError, Recordable, read};
pub use value::Value;

use crate::outcome::Outcome;

/// One operation of a history.
///
/// Positions are those of events in one order over all lanes: of two operations, one precedes the
/// other if its end has the smaller position than the other's call. Equal positions leave the
/// order open.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Operation<C, R> {
    /// The lane that called it; a lane has one operation at a time.
    pub lane: usize,
    /// What was asked for.
    pub command: C,
    /// The position of its call.
    pub called: u64,
    /// The position at which its lane heard of its end, or gave up waiting for it; none where the
    /// lane waited until the history ended.
    pub ended: Option<u64>,
    /// What became of it. One that is unknown may take effect at any moment after its call, also
    /// after its lane gave up, or never; one that was refused never took effect.
    pub outcome: Outcome<R>,
}

/// Operations of which each lane has one at a time, and none is answered before its call.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct History<C, R> {
    operations: Vec<Operation<C, R>>,
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
    /// Takes operations in any order.
    ///
    /// # Errors
    /// Where an operation ends before its call or has an answer without an end, or where a lane
    /// calls while it still waits.
    pub fn new(operations: Vec<Operation<C, R>>) -> Result<Self, HistoryError> {
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
                let (earlier, later) = (pair[0], pair[1]);
                return Err(HistoryError::Overlap { lane: operations[later].lane, earlier, later });
            }
        }
        Ok(Self { operations })
    }

    /// The operations, in the order in which they were given.
    #[must_use]
    pub fn operations(&self) -> &[Operation<C, R>] {
        &self.operations
    }
}
