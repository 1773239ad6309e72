//! Taking in what a run tells, so that its result can be had at any moment.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use model::Model;

use super::{CaseResult, CaseVerdict, ExcludedResult, FailureResult, RunResult, RunVerdict, VERSION};
use crate::observe::{Event, Observer};
use crate::report;
use crate::runner::Failure;

/// Takes in the events of a run, and its failures.
#[derive(Debug)]
pub struct Recorder(Mutex<Recorded>);

#[derive(Debug)]
struct Recorded {
    since: Instant,
    /// What is known so far; its cases are those that have ended.
    result: RunResult,
    /// The cases that run, by their numbers, and when they began.
    running: BTreeMap<u32, (CaseResult, Instant)>,
    /// Which of the cases failed last, of those that have ended.
    failed: Option<usize>,
}

impl Default for Recorder {
    fn default() -> Self {
        let result = RunResult {
            version: VERSION,
            netprop: env!("CARGO_PKG_VERSION").to_owned(),
            specification: String::new(),
            seed: String::new(),
            verdict: RunVerdict::Stopped,
            error: None,
            seconds: 0.0,
            cases: Vec::new(),
            failures: Vec::new(),
            excluded: Vec::new(),
            warnings: Vec::new(),
        };
        Self(Mutex::new(Recorded { since: Instant::now(), result, running: BTreeMap::new(), failed: None }))
    }
}

impl Recorder {
    /// Takes in a failure of the run, of which the events do not tell everything.
    pub fn failure<M: Model>(&self, model: &M, failure: &Failure<M>) {
        let path = |file: &std::path::PathBuf| file.display().to_string();
        let result = FailureResult {
            seed: failure.seed.to_string(),
            command: failure.evidence.number,
            expected: failure.evidence.expected.clone(),
            came: failure.evidence.came.clone(),
            commands_at_first: failure.commands_at_first,
            commands: failure.case.len(),
            shrink_runs: failure.shrink_runs,
            smallest: failure.smallest,
            file: failure.file.as_ref().map(path),
            report: report::failure(model, failure),
        };
        self.recorded().result.failures.push(result);
    }

    /// What the run has come to by now, with this verdict; cases that still run count as stopped.
    #[must_use]
    pub fn result(&self, verdict: RunVerdict, error: Option<String>) -> RunResult {
        let recorded = self.recorded();
        let mut result = recorded.result.clone();
        let stopped = recorded
            .running
            .values()
            .map(|(case, since)| CaseResult { seconds: since.elapsed().as_secs_f64(), ..case.clone() });
        result.cases.extend(stopped);
        result.cases.sort_by_key(|case| case.number);
        result.seconds = recorded.since.elapsed().as_secs_f64();
        RunResult { verdict, error, ..result }
    }

    fn recorded(&self) -> MutexGuard<'_, Recorded> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    fn started(&mut self, number: u32, origin: &str, commands: usize) {
        let seed = origin.strip_prefix("seed ").map(str::to_owned);
        let origin = seed.is_none().then(|| origin.to_owned());
        let (verdict, seconds) = (CaseVerdict::Stopped, 0.0);
        let case = CaseResult { number, seed, origin, verdict, seconds, commands, reason: None, file: None };
        self.running.insert(number, (case, Instant::now()));
    }

    fn finished(&mut self, number: u32, verdict: &str, seconds: f64) {
        let Some((mut case, _)) = self.running.remove(&number) else { return };
        case.verdict = match verdict {
            "holds" => CaseVerdict::Holds,
            "falsified" => CaseVerdict::Falsified,
            "inconclusive" => CaseVerdict::Inconclusive,
            "excluded" => CaseVerdict::Excluded,
            _ => CaseVerdict::Stopped,
        };
        case.seconds = seconds;
        if matches!(case.verdict, CaseVerdict::Holds) {
            // An earlier attempt may have left one.
            case.reason = None;
        }
        self.failed =
            (case.verdict == CaseVerdict::Falsified).then_some(self.result.cases.len()).or(self.failed);
        self.result.cases.push(case);
    }

    /// The case that failed last, where it has not been told of it yet.
    fn failed(&mut self) -> Option<&mut CaseResult> {
        self.result.cases.get_mut(self.failed?)
    }
}

impl Observer for Recorder {
    fn event(&self, event: &Event<'_>) {
        let mut recorded = self.recorded();
        match *event {
            Event::RunStarted { specification, seed, .. } => {
                recorded.result.specification = specification.to_owned();
                recorded.result.seed = seed.to_owned();
            }
            Event::CaseStarted { number, origin, commands, .. } => recorded.started(number, origin, commands),
            Event::CaseFinished { number, verdict, seconds } => recorded.finished(number, verdict, seconds),
            Event::Inconclusive { case: Some(number), reason, .. } => {
                if let Some((case, _)) = recorded.running.get_mut(&number) {
                    case.reason = Some(reason.to_owned());
                }
            }
            Event::Falsified { number, expected, came } => {
                if let Some(case) = recorded.failed().filter(|case| case.reason.is_none()) {
                    case.reason = Some(format!("command {number}: expected {expected}; came {came}"));
                }
            }
            Event::Saved { file } => {
                if let Some(case) = recorded.failed() {
                    case.file = Some(file.to_owned());
                }
            }
            Event::Excluded { what, reason } => {
                let (what, reason) = (what.to_owned(), reason.to_owned());
                recorded.result.excluded.push(ExcludedResult { what, reason });
            }
            Event::Warning { text } => recorded.result.warnings.push(text.to_owned()),
            _ => {}
        }
    }
}
