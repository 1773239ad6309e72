//! What a run comes to: verdicts counted, the failure that ended it, or why there is no verdict.

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::{Case, GenerateError, InvalidCase, Model};

use crate::causes::Causes;
use crate::coverage::CoverageReport;
use crate::execute::{Evidence, Exclusion, Recorded};
use crate::regressions::Seed;
use crate::replay::ReplayError;
use crate::shrink::{Rate, Trail};
use crate::statistics::Statistics;
use crate::system::{Console, SystemError};

/// Why a run ended without a verdict.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// The model's strategies do not do.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// No system can be made or driven.
    #[error(transparent)]
    System(#[from] SystemError),
    /// A failing case could not be kept or read.
    #[error(transparent)]
    Replay(#[from] ReplayError),
    /// The model has a name that no file can have.
    #[error(
        "{name:?} cannot be a specification's name, since files are named after it: take letters, digits and hyphens"
    )]
    Name {
        /// The name.
        name: String,
    },
    /// An example of the specification is none.
    #[error("example {name:?} is impossible: {source}: mend it in the model's examples")]
    Example {
        /// Its name.
        name: String,
        /// What is impossible.
        source: InvalidCase,
    },
    /// The strategies make too few cases of a class, and the configuration asks to know.
    #[error("too few cases are of a class: {classes}: generate more of them, or require less")]
    Cover {
        /// Each such class, with its share.
        classes: String,
    },
    /// Whatever is generated cannot be built or booted.
    #[error(
        "{cases} generated cases in a row could not be built or booted: leave out or mend {configurations}",
        configurations = listed(exclusions)
    )]
    AllExcluded {
        /// How many cases in a row.
        cases: u32,
        /// Each configuration that was met so far, with its reason.
        exclusions: Vec<Exclusion>,
    },
}

/// Checks that files can be named after a model and found again by its name.
pub(crate) fn check_name<M: Model>(model: &M) -> Result<(), RunError> {
    let name = model.name();
    let fits = |letter: char| letter.is_alphanumeric() || letter == '-';
    if !name.is_empty() && name.chars().all(fits) { Ok(()) } else { Err(RunError::Name { name }) }
}

fn listed(exclusions: &[Exclusion]) -> String {
    let one = |Exclusion { configuration, reason }: &Exclusion| format!("{configuration} ({reason})");
    exclusions.iter().map(one).collect::<Vec<_>>().join("; ")
}

/// A property that is falsified, with the smallest case that was found.
#[derive(Debug)]
pub struct Failure<M: Model> {
    /// The seed that the first failing case was generated from.
    pub seed: Seed,
    /// The smallest failing case.
    pub case: Case<M>,
    /// What went wrong in it.
    pub evidence: Evidence,
    /// What was given in the run that is shown, and what came of it.
    pub history: Vec<Recorded<M>>,
    /// The end of what the parts of the system said in that run ([`System::consoles`]).
    ///
    /// [`System::consoles`]: crate::System::consoles
    pub consoles: Vec<Console>,
    /// The smaller cases that were tried.
    pub trail: Trail,
    /// How many commands the first failing case had.
    pub commands_at_first: usize,
    /// How many cases were run to make it smaller.
    pub shrink_runs: u32,
    /// Whether no step was left that could make it smaller.
    pub smallest: bool,
    /// How often the first failing case failed when it was run again, where that was measured.
    pub first_rate: Option<Rate>,
    /// How often the smallest one failed, where that was measured.
    pub rate: Option<Rate>,
    /// Whether it fails most often with lanes in the order that was recorded, as replays run it.
    pub in_order: bool,
    /// Where the case failed on a system that was not made from nothing ([`System::is_reused`]), in
    /// how many runs it failed on ones that were. What is shown is then one of these runs, if there
    /// is one.
    ///
    /// [`System::is_reused`]: crate::System::is_reused
    pub confirmed: Option<Rate>,
    /// Other failures that came up while this one was made smaller, each once.
    pub others: Vec<Other>,
    /// What of its initial state matters, where that was asked.
    pub causes: Option<Causes>,
    /// How the systems were made, as the replay file says it.
    pub settings: BTreeMap<String, String>,
    /// The replay file, where one is kept.
    pub file: Option<PathBuf>,
    /// Why the file has no case, or an earlier one, and what brings the case back then.
    pub unkept: Option<String>,
    /// What else went wrong once the first case had failed, a sentence each: the failure stands
    /// whatever becomes of making it smaller.
    pub warnings: Vec<String>,
}

impl<M: Model> Failure<M> {
    /// Whether the case failed again when it was run again, or was taken to do so.
    #[must_use]
    pub fn came_again(&self) -> bool {
        self.rate.is_none_or(|rate| rate.failed > 0)
    }
}

/// A failure that came up while another was made smaller.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Other {
    /// How it fails, in a few words.
    pub way: String,
    /// The replay file of the case in which it came up, where one is kept.
    pub file: Option<PathBuf>,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Summary<M: Model> {
    /// How many cases held.
    pub held: u32,
    /// How many had no verdict, since the infrastructure failed each time.
    pub inconclusive: u32,
    /// How many were discarded, since they could not be built or booted.
    pub excluded: u32,
    /// What it is that could not be built or booted, each once.
    pub exclusions: Vec<Exclusion>,
    /// Which values and pairs of values the cases had; none where nothing was to be covered.
    pub coverage: Option<CoverageReport>,
    /// What the cases were like.
    pub statistics: Statistics,
    /// The failure that ended the run, if there was one; where none came again when its case was
    /// run again, the first that came at all.
    pub failure: Option<Failure<M>>,
    /// The other failures that came once and in none of their reruns, in the order in which they
    /// came: each was seen, so each falsifies.
    pub once: Vec<Failure<M>>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

// Derived, this would ask the model for a default.
impl<M: Model> Default for Summary<M> {
    fn default() -> Self {
        Self {
            held: 0,
            inconclusive: 0,
            excluded: 0,
            exclusions: Vec::new(),
            coverage: None,
            statistics: Statistics::default(),
            failure: None,
            once: Vec::new(),
            stopped: false,
        }
    }
}

impl<M: Model> Summary<M> {
    /// Makes the first failure that came once the failure of the run, where it has no other.
    pub(crate) fn settle(&mut self) {
        if self.failure.is_none() && !self.once.is_empty() {
            self.failure = Some(self.once.remove(0));
        }
    }

    /// `falsified`, `stopped`, `inconclusive` (some case had no verdict) or `holds`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        if self.failure.is_some() {
            "falsified"
        } else if self.stopped {
            "stopped"
        } else if self.inconclusive > 0 || (self.held == 0 && self.excluded > 0) {
            "inconclusive"
        } else {
            "holds"
        }
    }
}
