//! What is known of cases that were run: shrinking and the search for causes share it, so that
//! neither runs what the other has run.

use std::collections::{HashMap, HashSet};
use std::fmt;

use model::{Case, Model, fingerprint};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::execute::Verdict;

/// What came of a case, without the evidence.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
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
pub(crate) struct Memory {
    findings: HashMap<u64, Finding>,
    /// What was forgotten once.
    doubted: HashSet<u64>,
}

impl Memory {
    /// What an earlier run has kept: the marks of cases that hold.
    pub(crate) fn recall(&mut self, marks: &[String]) {
        let marks = marks.iter().filter_map(|mark| u64::from_str_radix(mark, 16).ok());
        self.findings.extend(marks.map(|mark| (mark, Finding::Holds)));
    }

    /// The marks of the cases that hold, in order. A later run that does not know a mark runs the
    /// case once more, which does no harm.
    pub(crate) fn held(&self) -> Vec<String> {
        let held = self.findings.iter().filter(|(_, finding)| **finding == Finding::Holds);
        let mut marks: Vec<String> = held.map(|(mark, _)| format!("{mark:016x}")).collect();
        marks.sort();
        marks
    }

    /// What is known of a case.
    pub(crate) fn of<M: Model>(&self, case: &Case<M>) -> Option<&Finding> {
        self.findings.get(&key(case))
    }

    /// Forgets that a case holds, so that it can be run again; not a second time. Whether it was.
    pub(crate) fn doubt<M: Model>(&mut self, case: &Case<M>) -> bool {
        let key = key(case);
        let held = self.findings.get(&key) == Some(&Finding::Holds);
        let forgotten = held && self.doubted.insert(key);
        if forgotten {
            self.findings.remove(&key);
        }
        forgotten
    }

    /// Takes note of what several runs of a case have shown together.
    pub(crate) fn know<M: Model>(&mut self, case: &Case<M>, finding: Finding) {
        self.findings.insert(key(case), finding);
    }

    /// Takes note of a case that was run.
    pub(crate) fn keep<M: Model>(&mut self, case: &Case<M>, verdict: &Verdict) {
        self.know(case, verdict.into());
    }
}

/// States and commands are only asked to be comparable, so what they are written as stands for
/// them, up to the order of the entries of maps.
fn key<M: Model>(case: &Case<M>) -> u64 {
    fingerprint(case)
}
