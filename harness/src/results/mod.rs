//! What a run has come to, for other programs: as JSON with a schema, as JUnit XML, and as Markdown for a
//! pull request.
//!
//! A [`Recorder`] takes it in while the run goes on, so that it can be had at any moment, also of a run
//! that is stopped. `docs/schema/result.json` is the schema of [`RunResult`].

mod junit;
mod markdown;
mod recorder;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use junit::junit;
pub use markdown::markdown;
pub use recorder::Recorder;

/// The version of [`RunResult`] as JSON. It changes where a reader of the one before would go wrong; what
/// is only added does not change it.
pub const VERSION: u32 = 1;

/// What a run has come to.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RunResult {
    /// The version of this form, [`VERSION`].
    pub version: u32,
    /// The version of netprop that ran.
    pub netprop: String,
    /// The specification's name; empty where the run ended before it began.
    pub specification: String,
    /// The seed of the first case, as 64 hexadecimal digits; empty as well.
    pub seed: String,
    /// What the run has come to as a whole.
    pub verdict: RunVerdict,
    /// Why there is no verdict, where the run ended with an error.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// Each case that was begun, in the order of their numbers.
    pub cases: Vec<CaseResult>,
    /// Each failure, the one that ended the run first.
    pub failures: Vec<FailureResult>,
    /// What could not be built or booted, each once.
    pub excluded: Vec<ExcludedResult>,
    /// What else went wrong, a sentence each.
    pub warnings: Vec<String>,
}

/// The verdict of a run.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunVerdict {
    /// Every case that has a verdict holds.
    Holds,
    /// A case is falsified.
    Falsified,
    /// The infrastructure failed, so that too little is known.
    Inconclusive,
    /// The run was stopped before anything was found.
    Stopped,
    /// It ended with an error, which `error` tells.
    Error,
}

/// What became of one case.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct CaseResult {
    /// Its place in the run, counted from 1. An excluded case has the number of the one in its place.
    pub number: u32,
    /// The seed that it was generated from, as 64 hexadecimal digits; none where it was read from a file
    /// or is an example.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seed: Option<String>,
    /// Its file, or which example it is, where it was not generated.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// What it has come to.
    pub verdict: CaseVerdict,
    /// How long it took, in seconds.
    pub seconds: f64,
    /// How many commands it has.
    pub commands: usize,
    /// Why it has this verdict, where it does not hold.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The replay file of its failure, where one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// The verdict of a case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CaseVerdict {
    /// The model allows every answer.
    Holds,
    /// The model forbids an answer.
    Falsified,
    /// The infrastructure failed each time.
    Inconclusive,
    /// It cannot be built or booted.
    Excluded,
    /// It did not come to its end, since the run was stopped, or an earlier case had failed.
    Stopped,
}

/// A failure, made as small as it was.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct FailureResult {
    /// The seed of the first case that failed so, as 64 hexadecimal digits.
    pub seed: String,
    /// The place of the command that got a wrong answer, counted from 1; 0 where it was none of them.
    pub command: usize,
    /// What a right answer would have been.
    pub expected: String,
    /// What came.
    pub came: String,
    /// How many commands the first failing case had.
    pub commands_at_first: usize,
    /// How many the smallest one has.
    pub commands: usize,
    /// How many cases were run to make it smaller.
    pub shrink_runs: u32,
    /// Whether no step was left that could make it smaller.
    pub smallest: bool,
    /// The replay file, where one is kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// The report for a person to read, many lines.
    pub report: String,
}

/// A configuration that cannot be built or booted.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ExcludedResult {
    /// What cannot be.
    pub what: String,
    /// Why not.
    pub reason: String,
}

impl RunResult {
    /// How many cases have this verdict.
    #[must_use]
    pub fn count(&self, verdict: CaseVerdict) -> usize {
        self.cases.iter().filter(|case| case.verdict == verdict).count()
    }

    /// It as JSON, many lines.
    #[must_use]
    pub fn json(&self) -> String {
        // Numbers, texts and lists of these always have a form.
        serde_json::to_string_pretty(self).map(|text| text + "\n").unwrap_or_default()
    }
}

impl RunVerdict {
    /// It as the command and the JSON have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&self)
    }
}

impl CaseVerdict {
    /// It as the command and the JSON have it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        name(&self)
    }
}

/// The name that a verdict has as JSON.
fn name(verdict: &impl Serialize) -> &'static str {
    // Variants without fields always have one.
    serde_variant::to_variant_name(verdict).unwrap_or_default()
}
