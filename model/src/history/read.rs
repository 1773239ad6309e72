//! Reading histories that were recorded elsewhere.

use super::datum::Datum;
use super::{History, HistoryError, Operation, jepsen, json_lines};
use crate::linearizability::Sequential;
use crate::outcome::Outcome;

/// An object whose commands and answers recorded histories have names for.
pub trait Recordable: Sequential {
    /// The names of its operations, for messages.
    const OPERATIONS: &'static str;

    /// The command of this name with these arguments.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    fn command(name: &str, arguments: &[Datum]) -> Result<Self::Command, String>;

    /// What an answer to the command means; one of [`Datum::Word`] `ok` or `fail` says how it
    /// ended where there is nothing else to tell.
    ///
    /// # Errors
    /// What is wrong with it, as the end of a sentence.
    fn outcome(command: &Self::Command, answer: &Datum) -> Result<Outcome<Self::Response>, String>;
}

/// What a history file is written in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Format {
    /// One operation a line, as a JSON object.
    JsonLines,
    /// Jepsen's EDN: events as maps, in one vector or one after the other.
    Edn,
}

impl Format {
    /// Tells by how the text begins: only an object of JSON begins with a brace and a string.
    #[must_use]
    pub fn of(text: &str) -> Self {
        match text.trim_start().strip_prefix('{') {
            Some(rest) if rest.trim_start().starts_with(['"', '}']) => Self::JsonLines,
            _ => Self::Edn,
        }
    }
}

/// Why a file is no history, and where.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("line {line}: {what}")]
pub struct ReadError {
    /// The line, counted from 1.
    pub line: usize,
    /// What is wrong, and what to do about it.
    pub what: String,
}

impl ReadError {
    pub(super) fn new(line: usize, what: impl Into<String>) -> Self {
        Self { line, what: what.into() }
    }
}

/// After so many operations or events a reader asks whether to go on.
pub(super) const LOOK: usize = 1 << 12;

/// The byte order mark of UTF-8, which some editors put at the beginning.
const MARK: &[u8] = b"\xef\xbb\xbf";

/// Reads a history of an object's operations.
///
/// One operation a line is a JSON object `{"id", "client", "call", "ret", "op", "out"}`: `call` and
/// `ret` are positions in the order of events, `ret` is null where no answer came. Of Jepsen's EDN
/// `:info` is an unknown outcome and `:fail` a refusal, which certainly had no effect; events of
/// the nemesis are passed over. What an operation that is `:ok` has read is in its answer; anything
/// else has the same value in its call and in its answer. A byte order mark is passed over.
///
/// # Errors
/// Where the text is neither, not UTF-8, has bytes that are zero, or is not a history of these operations.
pub fn read<O: Recordable>(bytes: &[u8]) -> Result<History<O::Command, O::Response>, ReadError> {
    let history = read_while::<O>(bytes, &|_| true)?;
    Ok(history.unwrap_or(History { operations: Vec::new() }))
}

/// [`read`], as long as it is told to go on: it asks now and then, with the number of operations
/// that it has read. None where it is told not to.
///
/// # Errors
/// As [`read`].
pub fn read_while<O: Recordable>(
    bytes: &[u8],
    go_on: &dyn Fn(usize) -> bool,
) -> Result<Option<HistoryOf<O>>, ReadError> {
    let bytes = bytes.strip_prefix(MARK).unwrap_or(bytes);
    let line = |place: usize| 1 + bytes[..place].iter().filter(|byte| **byte == b'\n').count();
    if let Some(place) = bytes.iter().position(|byte| *byte == 0) {
        return Err(ReadError::new(
            line(place),
            "the text has a byte that is zero, as in UTF-16 or in a file that was not written to its end; \
             give the history whole, in UTF-8",
        ));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| {
        let place = error.valid_up_to();
        let what = format!(
            "the text is not UTF-8 (byte {:#04x}); give the history as it was recorded, not packed",
            bytes[place]
        );
        ReadError::new(line(place), what)
    })?;
    let read = match Format::of(text) {
        Format::JsonLines => json_lines::read::<O>(text, go_on)?,
        Format::Edn => jepsen::read::<O>(text, go_on)?,
    };
    let Some((operations, lines)) = read else { return Ok(None) };
    let history = History::new(operations).map_err(|error| {
        let what = match &error {
            HistoryError::EndsBeforeCall { called, ended, .. } => {
                format!("the answer at {ended} comes before its call at {called}; swap call and ret")
            }
            HistoryError::AnswerWithoutEnd { .. } => "there is an answer, but no position for it".to_owned(),
            HistoryError::Overlap { lane, earlier, .. } => format!(
                "client {lane} calls while its operation of line {} still waits for its answer; \
                 give what goes on a client of its own",
                lines[*earlier]
            ),
        };
        ReadError::new(lines[error.operation()], what)
    })?;
    Ok(Some(history))
}

/// A history of an object's operations.
pub type HistoryOf<O> = History<<O as Sequential>::Command, <O as Sequential>::Response>;

/// What a reader has read: operations, and the line of each.
pub(super) type Lines<O> =
    (Vec<Operation<<O as Sequential>::Command, <O as Sequential>::Response>>, Vec<usize>);
