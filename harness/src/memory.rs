//! What is known of cases that were run: shrinking and the search for causes share it, so that
//! neither runs what the other has run.

use std::collections::HashMap;
use std::fmt;

use model::{Case, Model};
use serde::{Deserialize, Serialize};

use crate::execute::Verdict;

/// What came of a case, without the evidence.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Finding {
    /// It fails.
    Fails,
    /// It holds.
    Holds,
    /// The infrastructure failed each time.
    Inconclusive(String),
    /// It cannot be built or booted.
    Excluded(String),
    /// Its commands make no sense there.
    Impossible(String),
}

impl Finding {
    /// Whether the case was run to its verdict, so that it need not be run again even later.
    #[must_use]
    pub fn is_certain(&self) -> bool {
        !matches!(self, Self::Inconclusive(_) | Self::Excluded(_))
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fails => f.write_str("fails"),
            Self::Holds => f.write_str("holds"),
            Self::Inconclusive(reason) => write!(f, "inconclusive: {reason}"),
            Self::Excluded(reason) => write!(f, "excluded: {reason}"),
            Self::Impossible(reason) => write!(f, "impossible: {reason}"),
        }
    }
}

impl From<&Verdict> for Finding {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Holds => Self::Holds,
            Verdict::Falsified(_) => Self::Fails,
            Verdict::Inconclusive(reason) => Self::Inconclusive(reason.clone()),
            Verdict::Excluded(exclusion) => {
                Self::Excluded(format!("{}: {}", exclusion.configuration, exclusion.reason))
            }
        }
    }
}

/// Cases that were run, with what came of each.
#[derive(Debug, Default)]
pub(crate) struct Memory(HashMap<String, Finding>);

impl Memory {
    /// What is known of a case.
    pub(crate) fn of<M: Model>(&self, case: &Case<M>) -> Option<&Finding> {
        self.0.get(&key(case))
    }

    /// Takes note of what several runs of a case have shown together.
    pub(crate) fn know<M: Model>(&mut self, case: &Case<M>, finding: Finding) {
        self.0.insert(key(case), finding);
    }

    /// Takes note of a case that was run.
    pub(crate) fn keep<M: Model>(&mut self, case: &Case<M>, verdict: &Verdict) {
        self.know(case, verdict.into());
    }
}

/// States and commands are only asked to be comparable, so their text stands for them.
fn key<M: Model>(case: &Case<M>) -> String {
    format!("{case:?}")
}
