//! What a report shows of a failing case, without the model that it belongs to: texts as the model
//! shows them, places, and times on one clock. It lies beside the replay file, which the case itself
//! is in.

use std::collections::BTreeMap;

use model::scene::{Link, Power, Role};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::causes::Causes;
use crate::execute::Obstacle;
use crate::shrink::{Rate, Trail};
use crate::statistics::Statistics;
use crate::system::Voice;

mod build;
mod contradiction;
mod file;
mod packets;
mod states;

pub use file::{RecordError, beside, page_of};

/// All that the report of a failing case shows.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    format: String,
    version: u32,
    /// The version of netprop that wrote it.
    pub netprop: String,
    /// The specification's name.
    pub specification: String,
    /// The seed that the first failing case was generated from, as 64 hexadecimal digits.
    pub seed: String,
    /// The name of the replay file beside it, where there is one.
    pub replay: Option<String>,
    /// How the systems were made: names and values that mean something to the command line.
    pub settings: BTreeMap<String, String>,
    /// Whether shrinking came to its end.
    pub smallest: bool,
    /// The state that the case begins in, a line for each of its parts.
    pub initial: String,
    /// The machines of its network; none where the model has no map.
    pub machines: Vec<Site>,
    /// The states that the model predicts, each once; the first is the one that the case begins in.
    pub states: Vec<State>,
    /// How many lanes the case has.
    pub lanes: usize,
    /// How many commands the case has.
    pub commands: usize,
    /// What was given, in the order in which it was.
    pub operations: Vec<Operation>,
    /// What the run has come to; falsified, in files that do not say it.
    #[serde(default, skip_serializing_if = "Verdict::is_falsified")]
    pub verdict: Verdict,
    /// Why it fails; of a run that did not fail, what there is to say of it instead.
    pub evidence: Reason,
    /// What of the initial state matters, where that was asked.
    pub causes: Option<Causes>,
    /// How many commands the first failing case had.
    pub commands_at_first: usize,
    /// How many cases were run to make it smaller.
    pub shrink_runs: u32,
    /// What was tried to make it smaller.
    pub shrinking: Trail,
    /// How often the first failing case failed when it was run again, where that was measured.
    pub first_rate: Option<Rate>,
    /// How often this one failed, where that was measured.
    pub rate: Option<Rate>,
    /// Where it failed on a system that was not made from nothing, in how many runs it failed on ones
    /// that were.
    pub confirmed: Option<Rate>,
    /// Other failures that came up on the way: how each fails, in a few words.
    pub others: Vec<String>,
    /// What the cases of the run were like; none where the case was run by itself.
    pub statistics: Option<Statistics>,
    /// When the first command was given, in seconds since 1970, which all times count from; none where
    /// that was not measured.
    pub began: Option<f64>,
    /// The end of what machines said on their consoles, and their services.
    pub consoles: Vec<Said>,
    /// The packets of the run, where they were captured.
    pub capture: Option<Packets>,
    /// What else went wrong, a sentence each.
    pub warnings: Vec<String>,
}

/// What the run that a record shows has come to.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The model forbids an answer.
    #[default]
    Falsified,
    /// The model allows every answer.
    Holds,
    /// Nothing was shown.
    Inconclusive,
}

impl Verdict {
    /// Whether it is the one of every record that a report is made of.
    #[must_use]
    pub fn is_falsified(&self) -> bool {
        *self == Self::Falsified
    }
}

/// A machine of the case.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Site {
    /// Its name.
    pub name: String,
    /// What it was given, a short phrase each.
    pub details: Vec<String>,
}

/// A state that the model predicts.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct State {
    /// What has become of the initial state, in one line.
    pub text: String,
    /// Whether each of the machines runs, in their order.
    pub power: Vec<Power>,
    /// What else is so with each of them, in their order.
    pub notes: Vec<Vec<String>>,
    /// The ways between them that are not as they should be.
    pub links: Vec<Link>,
}

/// A command that was given, and what came of it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Operation {
    /// Its number: its place in the case (the prefix, lane after lane, the final commands), from 1.
    pub number: usize,
    /// Where in the case it stands.
    pub part: Part,
    /// Its lane, counted from 1; none for what is given in sequence.
    pub lane: Option<usize>,
    /// The command, with real results in the place of symbols.
    pub command: String,
    /// What kind of command it is.
    pub kind: String,
    /// What it does to the network.
    pub role: Role,
    /// The names of the machines that it concerns.
    pub machines: Vec<String>,
    /// How it ended.
    pub ending: Ending,
    /// What came, or why nothing did.
    pub came: String,
    /// When it was given: its position in the order of events, which all lanes share.
    pub called: u64,
    /// When the outcome came, in the same order; none where nobody waited for it to the end.
    pub ended: Option<u64>,
    /// When it was given, in seconds since the case began; none where that was not measured.
    pub started: Option<f64>,
    /// How many seconds it took.
    pub seconds: Option<f64>,
    /// Its place in the order that explains the most answers, counted from 1; none where it is not in
    /// it.
    pub rank: Option<usize>,
    /// The state before it in that order, by its place in [`Record::states`].
    pub before: Option<usize>,
    /// The state after it.
    pub after: Option<usize>,
}

/// A part of a case.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Part {
    /// What is given in sequence first.
    Prefix,
    /// What is given side by side then.
    Lane,
    /// What is given at the end.
    Finally,
}

/// How a command ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// It was answered.
    Answered,
    /// It was refused, and certainly had no effect.
    Refused,
    /// Nobody knows whether it had or will have an effect.
    Unknown,
}

/// The end of what a machine said on its console, or its services.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Said {
    /// Its name.
    pub machine: String,
    /// What it spoke by.
    #[serde(default)]
    pub voice: Voice,
    /// Whether it said more before that.
    pub is_cut: bool,
    /// The lines.
    pub lines: Vec<Line>,
}

/// A line that a machine said.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Line {
    /// When, in seconds since the first command was given, or before; none where that is not known.
    pub at: Option<f64>,
    /// What it said.
    pub text: String,
}

/// What went through the network of a case.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Packets {
    /// The name of the file beside the record that has all of it.
    pub file: String,
    /// Packets as machines sent and were given them, the first of them.
    pub packets: Vec<Packet>,
    /// How many more the file has.
    pub left_out: u64,
}

/// A packet at a machine.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Packet {
    /// When, in seconds since the first command was given, or before.
    pub at: f64,
    /// Whose it was: what its port of the switch is called.
    pub machine: String,
    /// Whether the machine sent it; otherwise it was given it, or would have been.
    pub is_sent: bool,
    /// What it is, and what the switch says of it.
    pub what: String,
}

/// Why a case fails.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Reason {
    /// The number of the operation that got the wrong answer; 0 where it is none of them.
    pub number: usize,
    /// What a right answer would have been.
    pub expected: String,
    /// What came.
    pub came: String,
    /// Whether the system panicked.
    pub is_panic: bool,
    /// The longest order of operations that the model allows, by their numbers; none where the case
    /// was judged in sequence.
    pub order: Vec<usize>,
    /// What the model knows of the system after that order, in one line.
    pub state: String,
    /// Everything that could come next then, and why it cannot.
    pub obstacles: Vec<Obstacle>,
    /// The fewest of the answers that contradict one another; none where the case was judged in sequence,
    /// or the time for it ran out.
    #[serde(default)]
    pub contradiction: Option<Contradiction>,
}

/// Answers that no order explains, whatever else was given: a minimal sub-history that is not
/// linearizable, as [`Counterexample`](model::linearizability::Counterexample) says. Operations are named
/// by their numbers.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Contradiction {
    /// Those whose answers contradict one another, in the order of their calls.
    pub operations: Vec<usize>,
    /// The one whose answer came last: all that was answered before it has an order.
    pub last: Option<usize>,
    /// Those that may take effect at any moment after their call, or never: it does not help.
    pub bystanders: Vec<usize>,
    /// Whether it is known that no fewer contradict one another.
    pub is_minimal: bool,
}
