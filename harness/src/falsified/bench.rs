//! What the shrinker runs its candidates on: the runner's executor, with every better case kept
//! at once.

use std::time::Instant;

use model::{Case, Model};

use crate::execute::{Evidence, Recorded, Verdict};
use crate::memory::Memory;
use crate::observe::Event;
use crate::replay::{Replay, ReplayError};
use crate::runner::{Failure, Runner};
use crate::shrink::{Bench, Rate, Took, Trial, Way};
use crate::summary::Other;
use crate::system::{System, SystemError};

/// So many failures in a row show that lanes fail always, as far as it matters.
const LANES_FAIL_ALWAYS: u32 = 4;

/// The runner, with the failure that is made smaller.
pub(super) struct RunnerBench<'a, 'r, M: Model, S: System<M>> {
    runner: &'a Runner<'r, M, S>,
    failure: &'a mut Failure<M>,
    ways: Vec<Way>,
}

impl<'a, 'r, M: Model, S: System<M>> RunnerBench<'a, 'r, M, S> {
    pub(super) fn new(runner: &'a Runner<'r, M, S>, failure: &'a mut Failure<M>) -> Self {
        Self { runner, failure, ways: Vec::new() }
    }

    /// How often the first failing case fails when it is run again; none where that is not asked,
    /// or cannot be told.
    pub(super) fn measure(&mut self, case: &Case<M>, way: &Way) -> Result<Option<Rate>, SystemError> {
        let config = self.runner.config;
        let always = config.steady_after.max(if case.lanes.is_empty() { 1 } else { LANES_FAIL_ALWAYS });
        let mut rate = Rate::default();
        while rate.runs < config.reruns && !(rate.runs >= always && rate.is_always()) {
            let trial = self.run(case)?;
            match (&trial.verdict, &trial.way) {
                (Verdict::Holds, _) => rate.add(false),
                (Verdict::Falsified(_), Some(same)) if same.is_same(way) => rate.add(true),
                (Verdict::Falsified(evidence), other) => {
                    rate.add(false);
                    if let Some(other) = other {
                        self.other(case, evidence, other);
                    }
                }
                (Verdict::Inconclusive(_) | Verdict::Excluded(_), _) => break,
            }
        }
        if rate.runs == 0 {
            return Ok(None);
        }
        self.runner.tell(&Event::Measured { failed: rate.failed, runs: rate.runs });
        self.failure.first_rate.get_or_insert(rate);
        self.failure.rate = Some(rate);
        Ok(Some(rate))
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
        let (start, model) = (Instant::now(), self.runner.executor.model);
        self.runner.executor.timed.set(true);
        let execution = self.runner.executor.run(case)?;
        let way = execution.evidence().map(|evidence| Way::of(model, case, evidence, &execution));
        let given = execution.history.iter();
        let seconds = |Recorded { operation, elapsed, .. }: &Recorded<M>| {
            elapsed.map(|elapsed| (model.kind(&operation.command), elapsed.as_secs_f64()))
        };
        let commands = given.filter_map(seconds).collect();
        let took = Took { total: start.elapsed().as_secs_f64(), commands };
        Ok(Trial { verdict: execution.verdict, way, took })
    }

    fn tried(&mut self, runs: u32, best: &Case<M>, better: Option<(&Evidence, Rate)>, memory: &Memory) {
        if let Some((evidence, rate)) = better {
            self.failure.case = best.clone();
            self.failure.evidence = evidence.clone();
            self.failure.shrink_runs = runs;
            self.failure.rate = Some(rate).filter(|_| self.failure.first_rate.is_some());
            self.runner.keep(self.failure, memory.held());
        }
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
