//! Two runs side by side, by what they did: commands are aligned as they were given, lane by lane, and
//! compared by what came of them. When something was given, and how long it took, is no difference.

use schemars::JsonSchema;
use serde::Serialize;

use crate::record::{Ending, Operation, Part, Record, Verdict};

mod rows;
#[cfg(test)]
mod tests;
mod text;

pub use text::text;

/// The version of [`Difference`] as JSON. It changes where a reader of the one before would go wrong.
pub const VERSION: u32 = 1;

/// Two runs side by side.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Difference {
    /// The version of this form, [`VERSION`].
    pub version: u32,
    /// The one run.
    pub left: Run,
    /// The other.
    pub right: Run,
    /// In what the two are runs of different cases, a short phrase each; none where they are of one.
    pub other_case: Vec<String>,
    /// What was given, in its order: the prefix, lane after lane, the final commands.
    pub rows: Vec<Row>,
    /// Where the runs differ first; none where they are the same.
    pub first: Option<First>,
}

/// One of two runs as a whole.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Run {
    /// The file that it was read from, as it was named.
    pub file: String,
    /// The specification's name.
    pub specification: String,
    /// The seed of its case, as 64 hexadecimal digits.
    pub seed: String,
    /// The version of netprop that wrote it.
    pub netprop: String,
    /// The state that the case begins in, a line for each of its parts.
    pub initial: String,
    /// How many commands the case has, given or not.
    pub commands: usize,
    /// What the run has come to.
    pub verdict: Verdict,
    /// The number of the command that got a wrong answer; 0 where it is none of them.
    pub failed: usize,
    /// What a right answer would have been, where one was wrong.
    pub expected: String,
    /// What came instead, or what there is to say of a run that did not fail.
    pub came: String,
}

/// A command of either run, or the one of both at the same place.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Row {
    /// Where in the case it stands.
    pub part: Part,
    /// Its lane, counted from 1; none for what is given in sequence.
    pub lane: Option<usize>,
    /// In the one run; none where it was not given there.
    pub left: Option<Given>,
    /// In the other.
    pub right: Option<Given>,
    /// In what the two differ; none where they do not.
    pub differs: Vec<Aspect>,
}

/// A command in one run, and what came of it.
#[derive(Clone, Debug, JsonSchema, PartialEq, Serialize)]
pub struct Given {
    /// Its number in the case, from 1.
    pub number: usize,
    /// The command, with real results in the place of symbols.
    pub command: String,
    /// How it ended.
    pub ending: Ending,
    /// What came, or why nothing did.
    pub came: String,
    /// What the model held of the system after it; none where it held nothing.
    pub state: Option<String>,
    /// When it was given, in seconds since the case began; none where that was not measured.
    pub started: Option<f64>,
    /// How many seconds it took.
    pub seconds: Option<f64>,
    /// When it was given: its position in the order of events of all lanes.
    pub called: u64,
}

/// In what commands at the same place differ.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Aspect {
    /// Only one run was given a command here.
    NotGiven,
    /// They are other commands.
    Command,
    /// Something else came.
    Answer,
    /// The model held something else of the system then.
    State,
}

/// Where runs differ first.
#[derive(Clone, Copy, Debug, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum First {
    /// In the state that they begin in.
    Initial,
    /// In a command, by its place in [`Difference::rows`].
    Row(usize),
    /// Only in their verdicts, or in what was expected.
    Verdict,
    /// Only in the specification that they are runs of, by name.
    Specification,
}

impl Difference {
    /// That of two runs, with the names of the files that they were read from.
    #[must_use]
    pub fn between((left_file, left): (&str, &Record), (right_file, right): (&str, &Record)) -> Self {
        let rows = rows::of(left, right);
        let (left, right) = (Run::of(left_file, left), Run::of(right_file, right));
        let first = match rows::first(&rows) {
            _ if left.initial != right.initial => Some(First::Initial),
            Some(row) => Some(First::Row(row)),
            None if left.end() != right.end() => Some(First::Verdict),
            None => (left.specification != right.specification).then_some(First::Specification),
        };
        Self { version: VERSION, other_case: other_case(&left, &right, &rows), left, right, rows, first }
    }

    /// Whether the runs are the same but for times.
    #[must_use]
    pub fn is_none(&self) -> bool {
        self.first.is_none()
    }
}

impl Run {
    fn of(file: &str, record: &Record) -> Self {
        let Record { specification, seed, netprop, initial, commands, verdict, evidence, .. } =
            record.clone();
        Self {
            file: file.to_owned(),
            specification,
            seed,
            netprop,
            initial,
            commands,
            verdict,
            failed: evidence.number,
            expected: evidence.expected,
            came: evidence.came,
        }
    }

    /// What it has come to, as far as that is compared.
    fn end(&self) -> (Verdict, usize, &str) {
        (self.verdict, self.failed, &self.expected)
    }
}

impl Given {
    fn of(record: &Record, operation: &Operation) -> Self {
        let Operation { number, command, ending, came, called, started, seconds, after, .. } =
            operation.clone();
        let state = after.and_then(|state| record.states.get(state)).map(|state| state.text.clone());
        Self { number, command, ending, came, state, started, seconds, called }
    }
}

/// In what two runs are of different cases.
fn other_case(left: &Run, right: &Run, rows: &[Row]) -> Vec<String> {
    let others = rows.iter().any(|row| row.differs.contains(&Aspect::Command));
    let has_moved = |row: &Row| {
        row.left.as_ref().zip(row.right.as_ref()).is_some_and(|(left, right)| left.number != right.number)
    };
    // What one run was not given, since it ended before, has nothing to do with its case.
    let others = others || left.commands != right.commands || rows.iter().any(has_moved);
    let all = [
        (left.specification != right.specification, "another specification"),
        (left.initial != right.initial, "another network or state to begin in"),
        (others, "other commands"),
    ];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, what)| what.to_owned()).collect()
}
