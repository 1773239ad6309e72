//! What a run tells while it goes on, for terminals, logs and other programs.

use schemars::JsonSchema;
use serde::Serialize;

use crate::causes::{Causes, Finding};
use crate::coverage::CoverageReport;
use crate::plain::plain;
use crate::statistics::Statistics;

/// Something that happened in a run. As JSON each has its name in `event`; `docs/schema/event.json` is
/// the schema.
#[derive(Clone, Debug, JsonSchema, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Event<'a> {
    /// The run begins.
    RunStarted {
        /// The specification's name.
        specification: &'a str,
        /// How many cases will be generated.
        cases: u32,
        /// The seed of the first case, as 64 hexadecimal digits.
        seed: &'a str,
    },
    /// Something is being prepared that takes a while.
    Preparing {
        /// What it is, as a short phrase.
        what: &'a str,
        /// How many bytes are there, where that can be told.
        done: Option<u64>,
        /// How many there will be.
        total: Option<u64>,
    },
    /// A case begins. Where cases run side by side, one that a failure of an earlier case has ended
    /// may begin once more.
    CaseStarted {
        /// Its place in the run, counted from 1.
        number: u32,
        /// How many cases there are.
        cases: u32,
        /// Its seed, or the file it was saved in.
        origin: &'a str,
        /// The state it begins in, several lines.
        initial: &'a str,
        /// How many commands it has.
        commands: usize,
    },
    /// A command is given.
    CommandStarted {
        /// The place of its case in the run, counted from 1, since cases may run side by side; none
        /// where the case has none, as while a failing one is made smaller.
        #[serde(skip_serializing_if = "Option::is_none")]
        case: Option<u32>,
        /// Its place in the case, counted from 1: the prefix, lane after lane, the final commands.
        number: usize,
        /// Its lane, counted from 1; none for what is given in sequence.
        #[serde(skip_serializing_if = "Option::is_none")]
        lane: Option<usize>,
        /// The command.
        command: &'a str,
    },
    /// A command has an outcome.
    CommandFinished {
        /// The place of its case in the run, counted from 1, since cases may run side by side; none
        /// where the case has none, as while a failing one is made smaller.
        #[serde(skip_serializing_if = "Option::is_none")]
        case: Option<u32>,
        /// Its place in the case, counted from 1: the prefix, lane after lane, the final commands.
        number: usize,
        /// Its lane, counted from 1; none for what is given in sequence.
        #[serde(skip_serializing_if = "Option::is_none")]
        lane: Option<usize>,
        /// The command.
        command: &'a str,
        /// The outcome.
        outcome: &'a str,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// A case has a verdict.
    CaseFinished {
        /// Its place in the run, counted from 1.
        number: u32,
        /// `holds`, `falsified`, `inconclusive` or `excluded`.
        verdict: &'a str,
        /// How long it took, in seconds.
        seconds: f64,
    },
    /// A configuration cannot be built or booted, so that cases with it are left out. Each is
    /// told once.
    Excluded {
        /// The configuration.
        what: &'a str,
        /// Why it cannot be.
        reason: &'a str,
    },
    /// The infrastructure failed under a case.
    Inconclusive {
        /// The place of its case in the run, counted from 1, since cases may run side by side; none
        /// where the case has none, as while a failing one is made smaller.
        #[serde(skip_serializing_if = "Option::is_none")]
        case: Option<u32>,
        /// Which attempt this was, counted from 1.
        attempt: u32,
        /// How many there are.
        attempts: u32,
        /// What failed.
        reason: &'a str,
    },
    /// A wrong answer was found, and the case is saved; shrinking begins.
    Falsified {
        /// The command that got a wrong answer, counted from 1.
        number: usize,
        /// What a right answer would have been.
        expected: &'a str,
        /// What came.
        came: &'a str,
    },
    /// The failing case was run again to see how often it fails.
    Measured {
        /// How many of these runs failed in the same way.
        failed: u32,
        /// How many runs there were.
        runs: u32,
    },
    /// A case that failed on a system that was not made from nothing was run on ones that were.
    Confirmed {
        /// How many of these runs failed.
        failed: u32,
        /// How many runs there were.
        runs: u32,
    },
    /// A case goes on from where an earlier one that began alike was saved.
    WentBack {
        /// The place of its case in the run, counted from 1; none where the case has none, as while a
        /// failing one is made smaller.
        #[serde(skip_serializing_if = "Option::is_none")]
        case: Option<u32>,
        /// How many of its commands were given before.
        commands: usize,
    },
    /// A smaller case fails, but in another way: it is kept by itself.
    OtherFailure {
        /// How it fails, in a few words.
        way: &'a str,
        /// Its replay file, where one is kept.
        file: Option<&'a str>,
    },
    /// A smaller case was tried.
    ShrinkStep {
        /// How many were tried so far.
        runs: u32,
        /// Whether it fails too, and so is the best so far.
        smaller: bool,
        /// How many commands the best so far has.
        commands: usize,
    },
    /// The smallest case was run with something changed, to find out whether it matters.
    Probed {
        /// How many were run so far.
        runs: u32,
        /// What was changed.
        changed: &'a str,
        /// What came of it.
        finding: &'a Finding,
    },
    /// What matters in the smallest case is found out, or as much of it as the budget allows.
    Causes {
        /// What matters.
        causes: &'a Causes,
    },
    /// How much of what cases are varied in was covered.
    Covered {
        /// Values and pairs of values.
        coverage: &'a CoverageReport,
    },
    /// What the cases were like: commands, pairs of commands, states, classes.
    Statistics {
        /// What was counted.
        statistics: &'a Statistics,
    },
    /// The failing case was written to this file.
    Saved {
        /// The replay file.
        file: &'a str,
    },
    /// Something is wrong, but not so that the run ends.
    Warning {
        /// One sentence.
        text: &'a str,
    },
    /// The run has ended.
    RunFinished {
        /// `holds`, `falsified`, `inconclusive` or `stopped`.
        verdict: &'a str,
        /// How many cases held.
        held: u32,
        /// How many had no verdict.
        inconclusive: u32,
        /// How many were discarded, since they could not be built or booted.
        excluded: u32,
        /// How long it took, in seconds.
        seconds: f64,
    },
}

/// Is told what happens, from the thread on which it happens.
pub trait Observer: Send + Sync {
    /// Takes note of an event.
    fn event(&self, event: &Event<'_>);

    /// Whether it wants to know of every case and command. One that does not is spared
    /// [`Event::CaseStarted`], [`Event::CommandStarted`], [`Event::CommandFinished`] and
    /// [`Event::CaseFinished`], and the run the time to put them into words.
    fn follows_cases(&self) -> bool {
        true
    }

    /// Shows a text that stands by itself, such as the report of a failure.
    fn text(&self, _text: &str) {}
}

/// An observer that lets everything pass.
#[derive(Clone, Copy, Debug)]
pub struct Silent;

impl Observer for Silent {
    fn event(&self, _event: &Event<'_>) {}

    fn follows_cases(&self) -> bool {
        false
    }
}

/// An observer of a test: what is wrong goes to standard error, which is shown where the test fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Warnings;

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            eprintln!("warning: {}", plain(text));
        }
    }

    fn follows_cases(&self) -> bool {
        false
    }
}
