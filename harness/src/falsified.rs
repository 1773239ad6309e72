//! What is done with a failing case: it is kept, made smaller, and asked what matters in it.

use std::path::{Path, PathBuf};

use model::panics::{Panicked, caught, no_broken_model};
use model::{Case, Model};

use crate::execute::{Evidence, Execution, Verdict};
use crate::memory::Memory;
use crate::observe::Event;
use crate::origin::regressions_file;
use crate::regressions;
use crate::replay::{Replay, ReplayError};
use crate::report;
use crate::runner::{Failure, RunError, Runner};
use crate::shrink::{First, Rate, Shrinker, Trail, Trees, Way};
use crate::system::{Purpose, System, SystemError};

mod bench;
mod confirm;
mod found;
mod pace;
mod probing;
mod recorded;

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
    /// Keeps a case that failed, makes it smaller, and finds out what matters in it. Whatever goes
    /// wrong then, the failure stands.
    pub(crate) fn pursue(&self, found: Found<M>, evidence: Evidence, execution: &Execution<M>) -> Failure<M> {
        let Found { case, seed, trees, smallest, causes, first_rate, rate, held, in_order, settings, file } =
            found;
        let mut failure = Failure {
            seed,
            commands_at_first: case.len(),
            case,
            evidence,
            history: execution.history.clone(),
            consoles: execution.consoles.clone(),
            trail: Trail::default(),
            shrink_runs: 0,
            smallest,
            first_rate,
            rate,
            in_order,
            confirmed: None,
            others: Vec::new(),
            causes,
            settings: settings.unwrap_or_else(|| self.config.settings.clone()),
            file,
            unkept: None,
            warnings: Vec::new(),
        };
        let mut memory = Memory::default();
        memory.recall(&held);
        self.keep(&mut failure, held);
        if !smallest && self.config.shrink.runs > 0 {
            failure.causes = None;
            let shrunk = attempt(|| {
                let way = Way::of(self.executor.model, &failure.case, &failure.evidence, execution);
                let mut trees = trees;
                self.shrink_confirmed(&mut failure, &way, &mut memory, |failure, memory| {
                    self.shrink(failure, &way, std::mem::take(&mut trees), memory)
                })
            });
            self.executor.prefixes.aim_at(None);
            self.note(&mut failure, "the case was not made smaller to the end", shrunk);
        }
        if !smallest {
            let kept = attempt(|| {
                self.keep_seed(&failure);
                Ok(())
            });
            self.note(&mut failure, "the seed could not be kept", kept);
        }
        if failure.smallest {
            let probed = attempt(|| {
                self.executor.made_for(Purpose::Rerun, || self.probe(&mut failure, &mut memory));
                Ok(())
            });
            self.note(&mut failure, "what matters could not be found out to the end", probed);
        }
        failure
    }

    /// Takes note of what went wrong after the failure was found, if anything did.
    fn note(&self, failure: &mut Failure<M>, what: &str, came: Result<(), String>) {
        if let Err(why) = came {
            let text = format!("{what}: {why}");
            self.tell(&Event::Warning { text: &text });
            failure.warnings.push(text);
        }
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
                    let mut failure = self.pursue(found, evidence, &execution);
                    self.keep_record(&mut failure, None);
                    return Ok(Continued::Failed(Box::new(failure)));
                }
                // It may be one that does not fail each time.
                None if execution.verdict == Verdict::Holds && tries < self.config.reruns => {}
                None => return Ok(Continued::Passed(execution.verdict)),
            }
        }
    }

    /// Makes a case smaller; whether some system that it took was not made from nothing.
    fn shrink(
        &self,
        failure: &mut Failure<M>,
        way: &Way,
        trees: Trees<M>,
        memory: &mut Memory,
    ) -> Result<bool, RunError> {
        let (case, evidence) = (failure.case.clone(), failure.evidence.clone());
        let mut bench = RunnerBench::new(self, failure);
        let rate = match bench.measure(&case, way) {
            Err(error) if !matches!(error, SystemError::Stopped) => return Err(error.into()),
            // There is nothing that a smaller case could be held against.
            Ok(Some(Rate { failed: 0, .. })) | Err(_) => {
                let reused = bench.has_reused();
                self.keep(failure, memory.held());
                return Ok(reused);
            }
            Ok(rate) => rate,
        };
        let first = First { case, evidence, way: way.clone(), rate, trees };
        let (budget, reruns) = (self.config.shrink, self.config.reruns);
        let shrunk =
            Shrinker::new(self.executor.model, first, budget, reruns, memory, &mut bench).search()?;
        let reused = bench.has_reused();
        failure.case = shrunk.case;
        failure.evidence = shrunk.evidence;
        failure.shrink_runs = shrunk.runs;
        failure.smallest = shrunk.complete;
        failure.trail.append(shrunk.trail);
        failure.rate = rate.map(|_| shrunk.rate);
        self.keep(failure, self.held(failure, memory));
        Ok(reused)
    }

    /// What a search that goes on has to know.
    fn held(&self, failure: &Failure<M>, memory: &Memory) -> Vec<String> {
        if failure.smallest { Vec::new() } else { memory.held() }
    }

    /// Keeps the seed where proptest would.
    fn keep_seed(&self, failure: &Failure<M>) {
        if let Some(directory) = &self.config.regressions {
            let file = regressions_file(self.executor.model, directory);
            regressions::save(&file, failure.seed, &OneLine(self.executor.model, &failure.case));
        }
    }

    /// Writes the failing case to its replay file, over what was there, and tells of it.
    fn keep(&self, failure: &mut Failure<M>, held: Vec<String>) {
        let Evidence { number, expected, came, .. } = &failure.evidence;
        self.tell(&Event::Falsified { number: *number, expected, came });
        self.save(failure, held);
        if let (Some(file), None) = (&failure.file, &failure.unkept) {
            self.tell(&Event::Saved { file: &file.display().to_string() });
        }
        if let Some(watch) = &self.executor.watch {
            let report = attempt(|| Ok(report::failure(self.executor.model, failure)));
            let mut report = report.unwrap_or_else(|_| format!("falsified: {}\n", failure.evidence));
            if let (Some(file), None) = (&failure.file, &failure.unkept) {
                report.push_str(&format!("saved as {}\n", file.display()));
            }
            watch.found(failure.seed, report);
        }
    }

    /// Writes the failing case to its replay file, where there is one. That it cannot be written
    /// is told once, however many smaller cases follow.
    fn save(&self, failure: &mut Failure<M>, held: Vec<String>) {
        let why = match attempt(|| self.write(failure, held).map_err(RunError::from)) {
            Ok(file) => {
                failure.file = file;
                failure.unkept = None;
                return;
            }
            Err(why) => why,
        };
        let text = format!("{why}; {}", self.way_back(failure));
        if failure.unkept.is_none() {
            self.tell(&Event::Warning { text: &text });
        }
        failure.unkept = Some(text);
    }

    /// What brings a failing case back that no file has.
    fn way_back(&self, failure: &Failure<M>) -> String {
        let Failure { seed, file, .. } = failure;
        match (file, &self.config.regressions) {
            (Some(file), _) => format!("{} has an earlier form of the case", file.display()),
            (None, _) if seed.is_named() => "every run begins with it, since it is an example".to_owned(),
            (None, Some(directory)) => {
                let file = regressions_file(self.executor.model, directory);
                format!("runs begin with its seed, {seed}, which {} keeps", file.display())
            }
            (None, None) => format!("its seed, {seed}, brings it back (Config::seed)"),
        }
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
        replay.confirmed = failure.confirmed;
        let in_directory = || Some(self.config.failures.as_ref()?.join(replay.file_name()));
        let Some(file) = failure.file.clone().or_else(in_directory) else { return Ok(None) };
        replay.write_safely(self.executor.model, &file)?;
        Ok(Some(file))
    }
}

/// Does what may go wrong without harm to a failure that was found; says what went wrong.
fn attempt<T>(call: impl FnOnce() -> Result<T, RunError>) -> Result<T, String> {
    let called = no_broken_model(|| caught(call));
    match called.unwrap_or_else(|broken| Err(Panicked::Model(broken))) {
        Ok(came) => came.map_err(|error| error.to_string()),
        Err(panicked) => Err(panicked.to_string()),
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
