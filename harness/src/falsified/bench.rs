//! What the shrinker runs its candidates on: the runner's executor, with every better case kept
//! at once.

use std::sync::Arc;
use std::time::Instant;

use model::{Case, Model};

use super::pace::{Pace, Paces};
use crate::execute::{Evidence, Recorded, Verdict};
use crate::lanes::Order;
use crate::memory::Memory;
use crate::observe::Event;
use crate::replay::{Replay, ReplayError};
use crate::runner::{Board, Failure, JobTrial, Runner};
use crate::shrink::{Bench, Rate, Took, Trial, Way};
use crate::summary::Other;
use crate::system::{Console, System, SystemError};

/// So many failures in a row show that lanes fail always, as far as it matters.
const LANES_FAIL_ALWAYS: u32 = 4;

/// The runner, with the failure that is made smaller.
pub(super) struct RunnerBench<'a, 'r, M: Model, S: System<M>> {
    runner: &'a Runner<'r, M, S>,
    failure: &'a mut Failure<M>,
    ways: Vec<Way>,
    paces: Paces,
    /// What candidates go by.
    pace: Pace,
    /// Whether the candidate at hand was run on a system that was not made from nothing.
    reused: bool,
    /// Whether any was.
    has_reused: bool,
    /// How the first case failed.
    way: Option<Way>,
    /// What was given in the last run that failed so, and what the system said by itself.
    told: (Vec<Recorded<M>>, Vec<Console>),
}

impl<'a, 'r, M: Model, S: System<M>> RunnerBench<'a, 'r, M, S> {
    pub(super) fn new(runner: &'a Runner<'r, M, S>, failure: &'a mut Failure<M>) -> Self {
        Self {
            runner,
            failure,
            ways: Vec::new(),
            paces: Paces::default(),
            pace: Pace::Free,
            reused: false,
            has_reused: false,
            way: None,
            told: Default::default(),
        }
    }

    /// Whether some system so far was not made from nothing.
    pub(super) fn has_reused(&self) -> bool {
        self.has_reused
    }

    /// How often the first failing case fails when it is run again, lanes freely and in the order
    /// that was recorded in turns; at the pace that candidates will go by. None where that is not
    /// asked, or cannot be told.
    pub(super) fn measure(&mut self, case: &Case<M>, way: &Way) -> Result<Option<Rate>, SystemError> {
        self.way = Some(way.clone());
        let config = self.runner.config;
        let always = config.steady_after.max(if case.lanes.is_empty() { 1 } else { LANES_FAIL_ALWAYS });
        let can_follow = self.order(case).is_some();
        let mut rate = Rate::default();
        self.runner.executor.prefixes.aim_at(Some(case));
        while rate.runs < config.reruns && !(rate.runs >= always && rate.is_always()) {
            self.pace = if can_follow { self.paces.next() } else { Pace::Free };
            let trial = self.run(case)?;
            match (&trial.verdict, &trial.way) {
                (Verdict::Holds, _) => self.paces.add(self.pace, false),
                (Verdict::Falsified(_), Some(same)) if same.is_same(way) => self.paces.add(self.pace, true),
                (Verdict::Falsified(evidence), other) => {
                    self.paces.add(self.pace, false);
                    if let Some(other) = other {
                        self.other(case, evidence, other);
                    }
                }
                (Verdict::Inconclusive(_) | Verdict::Excluded(_), _) => break,
            }
            rate = self.paces.rate();
        }
        let (pace, at_that) = self.paces.best();
        self.pace = pace;
        if rate.runs == 0 {
            return Ok(None);
        }
        self.runner.tell(&Event::Measured { failed: rate.failed, runs: rate.runs });
        // A case that never came again in an earlier run is still the first one.
        let first = self.failure.first_rate.get_or_insert_default();
        if first.failed == 0 {
            *first = first.with(rate);
        }
        self.failure.in_order = pace == Pace::Recorded;
        self.failure.rate = Some(at_that);
        Ok(Some(at_that))
    }

    /// The order that the failure was recorded with, for a case with some of its commands.
    fn order(&self, case: &Case<M>) -> Option<Order> {
        let course = self.failure.evidence.course.as_ref()?;
        Order::of(course, &self.failure.case, case, self.paces.patience())
    }

    /// What lanes of a candidate follow at the pace that candidates go by.
    fn order_at_pace(&self, case: &Case<M>) -> Option<Order> {
        if self.pace == Pace::Recorded { self.order(case) } else { None }
    }

    /// Who runs candidates beside each other.
    fn jobs(&self) -> Option<Arc<Board<M>>> {
        self.runner.jobs.borrow().clone()
    }

    fn trial(&self, case: Case<M>) -> JobTrial<M> {
        let purpose = self.runner.executor.purpose.get();
        JobTrial { order: self.order_at_pace(&case), case, seed: self.failure.seed, purpose }
    }

    /// Writes a failure that came up beside the first to a file of its own.
    fn keep_other(
        &self,
        case: &Case<M>,
        evidence: &Evidence,
    ) -> Result<Option<std::path::PathBuf>, ReplayError> {
        let Some(first) = &self.failure.file else { return Ok(None) };
        let model = self.runner.executor.model;
        let Failure { seed, settings, .. } = &*self.failure;
        let replay = Replay::new(model, &seed.to_string(), settings.clone(), case.clone(), evidence.clone());
        // Sorted by name, the first failure stays the first; what an earlier run has kept stays too.
        let stem = first.file_stem().unwrap_or_default().to_string_lossy();
        let mut files = (2..).map(|number| first.with_file_name(format!("{stem}_{number}.json")));
        let Some(file) = files.find(|file| {
            !file.exists() || Replay::read(model, file).is_ok_and(|kept| kept.case == replay.case)
        }) else {
            return Ok(None);
        };
        replay.write_safely(model, &file)?;
        Ok(Some(file))
    }
}

impl<M: Model, S: System<M>> Bench<M> for RunnerBench<'_, '_, M, S> {
    fn run(&mut self, case: &Case<M>) -> Result<Trial, SystemError> {
        let model = self.runner.executor.model;
        let (execution, time) = match self.jobs() {
            Some(jobs) => jobs.try_out(case, |case| self.trial(case))?,
            None => {
                let start = Instant::now();
                self.runner.executor.timed.set(true);
                let order = self.order_at_pace(case);
                let execution = self.runner.executor.run(case, order.as_ref())?;
                (execution, start.elapsed())
            }
        };
        self.reused |= execution.reused;
        self.has_reused |= execution.reused;
        self.paces.took(self.pace, time);
        let way = execution.evidence().map(|evidence| Way::of(model, case, evidence, &execution));
        let given = execution.history.iter();
        let seconds = |Recorded { operation, elapsed, .. }: &Recorded<M>| {
            elapsed.map(|elapsed| (model.kind(&operation.command), elapsed.as_secs_f64()))
        };
        let commands = given.filter_map(seconds).collect();
        let took = Took { total: time.as_secs_f64(), commands };
        if way.as_ref().zip(self.way.as_ref()).is_some_and(|(way, first)| way.is_same(first)) {
            self.told = (execution.history, execution.consoles);
        }
        Ok(Trial { verdict: execution.verdict, way, took })
    }

    fn at_once(&self) -> usize {
        self.jobs().map_or(1, |jobs| jobs.at_once())
    }

    fn saved(&self) -> Vec<usize> {
        self.runner.executor.prefixes.lengths()
    }

    fn foresee(&mut self, cases: Vec<Case<M>>) {
        if let Some(jobs) = self.jobs() {
            jobs.try_only(cases, |case| self.trial(case));
        }
    }

    fn tried(&mut self, runs: u32, best: &Case<M>, better: Option<(&Evidence, Rate)>, memory: &Memory) {
        if let Some((evidence, rate)) = better {
            self.runner.executor.prefixes.aim_at(Some(best));
            self.failure.case = best.clone();
            self.failure.evidence = evidence.clone();
            (self.failure.history, self.failure.consoles) = std::mem::take(&mut self.told);
            self.failure.shrink_runs = runs;
            self.failure.rate = Some(rate).filter(|_| self.failure.first_rate.is_some());
            self.failure.confirmed = self.reused.then(Rate::default);
            self.runner.keep(self.failure, memory.held());
        }
        self.reused = false;
        self.runner.tell(&Event::ShrinkStep { runs, smaller: better.is_some(), commands: best.len() });
    }

    fn other(&mut self, case: &Case<M>, evidence: &Evidence, way: &Way) {
        if self.ways.iter().any(|known| known.is_same(way)) {
            return;
        }
        self.ways.push(way.clone());
        let file = match self.keep_other(case, evidence) {
            Ok(file) => file,
            Err(error) => {
                let text = format!("another failure ({way}) is not kept: {error}");
                self.runner.tell(&Event::Warning { text: &text });
                self.failure.warnings.push(text);
                None
            }
        };
        let (way, shown) = (way.to_string(), file.as_ref().map(|file| file.display().to_string()));
        self.runner.tell(&Event::OtherFailure { way: &way, file: shown.as_deref() });
        self.failure.others.push(Other { way, file });
    }
}
