//! What is done with a failing case: it is kept, made smaller, and asked what matters in it.

use std::path::{Path, PathBuf};

use model::panics::no_broken_model;
use model::{Case, Model};

use crate::execute::{Evidence, Execution, Verdict};
use crate::memory::Memory;
use crate::observe::Event;
use crate::origin::regressions_file;
use crate::regressions;
use crate::replay::{Replay, ReplayError};
use crate::runner::{Failure, RunError, Runner};
use crate::shrink::{First, Rate, Shrinker, Trees, Way};
use crate::system::{System, SystemError};

mod bench;
mod found;
mod pace;
mod probing;

use bench::RunnerBench;
pub(crate) use found::{Found, REPLAY_PATIENCE};

/// What going on with a replay file has come to.
#[derive(Debug)]
pub enum Continued<M: Model> {
    /// The case still fails; the smallest that is known now.
    Failed(Box<Failure<M>>),
    /// It does not fail here, as often as it was tried.
    Passed(Verdict),
}

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Keeps a case that failed, makes it smaller, and finds out what matters in it.
    pub(crate) fn pursue(
        &self,
        found: Found<M>,
        evidence: Evidence,
        execution: &Execution<M>,
    ) -> Result<Failure<M>, RunError> {
        let Found { case, seed, trees, smallest, causes, first_rate, rate, held, course, settings, file } =
            found;
        let way = Way::of(self.executor.model, &case, &evidence, execution);
        let mut failure = Failure {
            seed,
            commands_at_first: case.len(),
            case,
            evidence,
            shrink_runs: 0,
            smallest,
            first_rate,
            rate,
            in_order: course.is_some(),
            others: Vec::new(),
            causes,
            settings: settings.unwrap_or_else(|| self.config.settings.clone()),
            file,
        };
        let mut memory = Memory::default();
        memory.recall(&held);
        self.keep(&mut failure, held)?;
        if !smallest && self.config.shrink.runs > 0 {
            failure.causes = None;
            self.shrink(&mut failure, way, trees, &mut memory)?;
        }
        if failure.smallest {
            self.probe(&mut failure, &mut memory)?;
        }
        Ok(failure)
    }

    /// Goes on with making the case of a replay file smaller, from where an earlier run ended, and
    /// keeps what it finds in that file.
    ///
    /// # Errors
    /// [`RunError`] where the file cannot be read or written, or no system can be had.
    pub fn shrink_file(&self, file: &Path) -> Result<Continued<M>, RunError> {
        let replay = Replay::read(self.executor.model, file)?;
        let order = replay.order();
        let found = Found::saved(file.to_owned(), replay);
        if let Some(watch) = &self.executor.watch {
            watch.seed(found.seed);
        }
        let mut tries = 0;
        loop {
            let execution = self.run_one(&found.case, &file.display().to_string(), order.as_ref())?;
            tries += 1;
            match execution.evidence().cloned() {
                Some(evidence) => {
                    let pursued = no_broken_model(|| self.pursue(found, evidence, &execution));
                    let failure = pursued.unwrap_or_else(|broken| Err(SystemError::from(broken).into()))?;
                    return Ok(Continued::Failed(Box::new(failure)));
                }
                // It may be one that does not fail each time.
                None if execution.verdict == Verdict::Holds && tries < self.config.reruns => {}
                None => return Ok(Continued::Passed(execution.verdict)),
            }
        }
    }

    fn shrink(
        &self,
        failure: &mut Failure<M>,
        way: Way,
        trees: Trees<M>,
        memory: &mut Memory,
    ) -> Result<(), RunError> {
        let (case, evidence) = (failure.case.clone(), failure.evidence.clone());
        let mut bench = RunnerBench::new(self, failure);
        let rate = match bench.measure(&case, &way) {
            Err(error) if !matches!(error, SystemError::Stopped) => return Err(error.into()),
            // There is nothing that a smaller case could be held against.
            Ok(Some(Rate { failed: 0, .. })) | Err(_) => {
                bench.end()?;
                return self.keep(failure, memory.held());
            }
            Ok(rate) => rate,
        };
        let first = First { case, evidence, way, rate, trees };
        let (budget, reruns) = (self.config.shrink, self.config.reruns);
        let shrunk =
            Shrinker::new(self.executor.model, first, budget, reruns, memory, &mut bench).search()?;
        bench.end()?;
        failure.case = shrunk.case;
        failure.evidence = shrunk.evidence;
        failure.shrink_runs = shrunk.runs;
        failure.smallest = shrunk.complete;
        failure.rate = rate.map(|_| shrunk.rate);
        let held = if failure.smallest { Vec::new() } else { memory.held() };
        self.keep(failure, held)?;
        if let Some(directory) = &self.config.regressions {
            let file = regressions_file(self.executor.model, directory);
            regressions::save(&file, failure.seed, &OneLine(self.executor.model, &failure.case));
        }
        Ok(())
    }

    /// Writes the failing case to its replay file, over what was there.
    fn keep(&self, failure: &mut Failure<M>, held: Vec<String>) -> Result<(), RunError> {
        let Evidence { number, expected, came, .. } = &failure.evidence;
        self.tell(&Event::Falsified { number: *number, expected, came });
        if let Some(file) = self.write(failure, held)? {
            self.tell(&Event::Saved { file: &file.display().to_string() });
            failure.file = Some(file);
        }
        Ok(())
    }

    /// Writes the replay file, where there is one, and says which it is.
    fn write(&self, failure: &Failure<M>, held: Vec<String>) -> Result<Option<PathBuf>, ReplayError> {
        let mut replay = Replay::new(
            self.executor.model,
            &failure.seed.to_string(),
            failure.settings.clone(),
            failure.case.clone(),
            failure.evidence.clone(),
        );
        replay.smallest = failure.smallest;
        replay.causes = failure.causes.clone();
        replay.held = held;
        (replay.first_rate, replay.rate) = (failure.first_rate, failure.rate);
        replay.in_order = failure.in_order;
        match (&failure.file, &self.config.failures) {
            (Some(file), _) => replay.write_to(file).map(|()| Some(file.clone())),
            (None, Some(directory)) => replay.write(directory).map(Some),
            (None, None) => Ok(None),
        }
    }
}

/// A case as the comment of a saved seed.
struct OneLine<'a, M: Model>(&'a M, &'a Case<M>);

impl<M: Model> std::fmt::Debug for OneLine<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(model, case) = self;
        write!(f, "{}", model.show_state(&case.initial).replace('\n', ", "))?;
        case.places().try_for_each(|(_, command)| write!(f, "; {}", model.show_command(command)))
    }
}
