//! Why a case is falsified, as replay files keep it and reports show it.

use std::fmt;

use model::{Case, Model, Place};
use serde::{Deserialize, Serialize};

/// Why a case is falsified.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Evidence {
    /// The place of the command that got a wrong answer, in the order of `Case::places`, counted
    /// from 1; 0 where it was none of them, since a system was not made or taken down in time.
    pub number: usize,
    /// What a right answer would have been.
    pub expected: String,
    /// What came.
    pub came: String,
    /// What the lanes did, and how far the model can explain it; none for what went wrong before
    /// they began, or without any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub course: Option<Box<Course>>,
}

/// What is expected where the system panicked.
const NO_PANIC: &str = "an outcome, and no panic";

impl Evidence {
    /// The evidence of a wrong answer, or of any other outcome that should not be.
    pub(crate) fn new(number: usize, expected: String, came: String) -> Self {
        Self { number, expected, came, course: None }
    }

    /// The evidence of a panic of the system.
    pub(crate) fn panic(number: usize, said: String) -> Self {
        Self::new(number, NO_PANIC.to_owned(), said)
    }

    /// Whether it is that of a panic of the system.
    pub(crate) fn is_panic(&self) -> bool {
        self.expected == NO_PANIC
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}; came {}", self.expected, self.came)
    }
}

/// What came of a case with lanes, and how far the model can explain it. Commands are named by
/// their numbers, as in [`Evidence::number`].
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct Course {
    /// The commands in the order in which they were given.
    pub given: Vec<Given>,
    /// The longest order of them that the model allows.
    pub order: Vec<usize>,
    /// What the model knows of the system after these, in one line.
    pub state: String,
    /// Everything that could come next, and why it cannot.
    pub obstacles: Vec<Obstacle>,
}

/// A command that was given, and what came.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Given {
    /// Its number.
    pub number: usize,
    /// The command, with real results in the place of symbols.
    pub command: String,
    /// The outcome.
    pub came: String,
    /// When it was given: its position in the order of events.
    pub called: u64,
    /// When the outcome came, or the wait for it was given up.
    pub ended: Option<u64>,
}

/// A command that cannot come next.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Obstacle {
    /// Its number.
    pub number: usize,
    /// Why it cannot.
    pub why: String,
}

/// The commands of a case with their numbers, those of lanes in the order in which they were given.
pub(crate) fn in_order<M: Model>(
    case: &Case<M>,
    evidence: Option<&Evidence>,
) -> Vec<(usize, Place, M::Command)> {
    let given = evidence.and_then(|evidence| evidence.course.as_deref()).map(|course| &course.given);
    let rank = |number: usize| {
        given.and_then(|given| given.iter().position(|given| given.number == number)).unwrap_or(usize::MAX)
    };
    let numbered = case.places().enumerate();
    let mut all: Vec<_> =
        numbered.map(|(index, (place, command))| (index + 1, place, command.clone())).collect();
    all.sort_by_key(|(number, place, _)| match place {
        Place::Prefix(_) => (0, 0),
        Place::Lane { .. } => (1, rank(*number)),
        Place::Finally(_) => (2, 0),
    });
    all
}
