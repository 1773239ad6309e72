//! The sequential runner: saved failures first, then generated cases; the first failure shrinks.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Instant;

use model::{Case, GenerateError, GeneratedCase, Model, generate};
use proptest::test_runner::{Config as ProptestConfig, TestRunner};

use crate::config::Config;
use crate::execute::{Evidence, Execution, Executor, Verdict};
use crate::observe::{Event, Observer};
use crate::regressions::{self, Seed};
use crate::replay::{self, Replay, ReplayError};
use crate::shrink::Shrinker;
use crate::stop::Stop;
use crate::system::{System, SystemError};

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
    /// How many commands the first failing case had.
    pub commands_at_first: usize,
    /// How many cases were run to make it smaller.
    pub shrink_runs: u32,
    /// Whether no step was left that could make it smaller.
    pub smallest: bool,
    /// The replay file, where one is kept.
    pub file: Option<PathBuf>,
}

/// What a run has shown.
#[derive(Debug)]
pub struct Summary<M: Model> {
    /// How many cases held.
    pub held: u32,
    /// How many had no verdict, since the infrastructure failed each time.
    pub inconclusive: u32,
    /// The failure that ended the run, if there was one.
    pub failure: Option<Failure<M>>,
    /// Whether it was stopped before its end.
    pub stopped: bool,
}

/// Where a case comes from.
enum Origin<M: Model> {
    Saved { file: PathBuf, replay: Replay<M> },
    Seed(Seed),
}

/// Tests a model against a system.
pub struct Runner<'a, M: Model, S: System<M>> {
    executor: Executor<'a, M, S>,
    config: &'a Config,
}

impl<'a, M: Model, S: System<M>> Runner<'a, M, S> {
    /// Puts a model, a system and a configuration together; `observer` is told what happens, and
    /// the run ends soon after `stop` is requested.
    pub fn new(
        model: &'a M,
        system: &'a S,
        config: &'a Config,
        observer: &'a dyn Observer,
        stop: &'a Stop,
    ) -> Self {
        let attempts = config.attempts.max(1);
        Self { executor: Executor { model, system, observer, stop, attempts }, config }
    }

    /// Runs saved failures, then generated cases, until one fails or all have run.
    ///
    /// # Errors
    /// [`RunError`] where no verdict can be had at all. A system that fails now and then is no
    /// error: its cases are counted as inconclusive.
    pub fn run(&self) -> Result<Summary<M>, RunError> {
        let start = Instant::now();
        let first = self.config.seed.unwrap_or_else(Seed::random);
        if let Some(directory) = &self.config.failures {
            replay::check_directory(directory)?;
        }
        let saved = self.saved()?;
        let total = u32::try_from(saved.len()).unwrap_or(u32::MAX).saturating_add(self.config.cases);
        let specification = self.executor.model.name();
        self.tell(&Event::RunStarted {
            specification: &specification,
            cases: total,
            seed: &first.to_string(),
        });
        let generated = seeds(first).take(self.config.cases as usize).map(Origin::Seed);
        let mut summary = Summary { held: 0, inconclusive: 0, failure: None, stopped: false };
        let mut in_a_row = 0;
        for (number, origin) in (1..).zip(saved.into_iter().chain(generated)) {
            match self.case(number, total, origin) {
                Ok(CaseEnd::Held) => {
                    summary.held += 1;
                    in_a_row = 0;
                }
                Ok(CaseEnd::Inconclusive) => {
                    summary.inconclusive += 1;
                    in_a_row += 1;
                    if in_a_row >= self.config.most_inconclusive {
                        break;
                    }
                }
                Ok(CaseEnd::Failed(failure)) => {
                    summary.failure = Some(*failure);
                    break;
                }
                Err(RunError::System(SystemError::Stopped)) => {
                    summary.stopped = true;
                    break;
                }
                Err(error) => return Err(error),
            }
        }
        summary.stopped |= self.executor.stop.requested();
        self.tell(&Event::RunFinished {
            verdict: summary.verdict(),
            held: summary.held,
            inconclusive: summary.inconclusive,
            seconds: start.elapsed().as_secs_f64(),
        });
        Ok(summary)
    }

    /// Runs one case as it is, without shrinking it.
    ///
    /// # Errors
    /// [`SystemError`] where no system can be made or driven.
    pub fn run_case(&self, case: &Case<M>, origin: &str) -> Result<Execution<M>, SystemError> {
        let start = Instant::now();
        self.announce(1, 1, origin, case);
        let execution = self.executor.run(case)?;
        self.finish(1, &execution.verdict, start);
        Ok(execution)
    }

    /// What failed earlier: cases in replay files, then seeds that no replay file has.
    fn saved(&self) -> Result<Vec<Origin<M>>, RunError> {
        let model = self.executor.model;
        let (mut saved, mut known) = (Vec::new(), BTreeSet::new());
        if let Some(directory) = &self.config.failures {
            for file in Replay::list(model, directory)? {
                match Replay::read(model, &file) {
                    Ok(replay) => {
                        known.insert(replay.seed.clone());
                        saved.push(Origin::Saved { file, replay });
                    }
                    // An old file must not keep anybody from testing.
                    Err(error) => self.tell(&Event::Warning { text: &format!("{error} (passed over)") }),
                }
            }
        }
        if let Some(file) = self.regressions_file().filter(|file| file.exists()) {
            let seeds = regressions::load(&file);
            saved.extend(
                seeds.into_iter().filter(|seed| !known.contains(&seed.to_string())).map(Origin::Seed),
            );
        }
        Ok(saved)
    }

    fn regressions_file(&self) -> Option<PathBuf> {
        let name = format!("{}.txt", self.executor.model.name());
        self.config.regressions.as_ref().map(|directory| directory.join(name))
    }

    fn case(&self, number: u32, total: u32, origin: Origin<M>) -> Result<CaseEnd<M>, RunError> {
        let start = Instant::now();
        if self.executor.stop.requested() {
            return Err(SystemError::Stopped.into());
        }
        let model = self.executor.model;
        let (case, trees, seed, smallest, named) = match origin {
            Origin::Saved { file, replay } => {
                let seed = replay.seed.parse().unwrap_or_else(|_| Seed::from(0));
                (replay.case, Vec::new(), seed, replay.smallest, file.display().to_string())
            }
            Origin::Seed(seed) => {
                let mut runner = TestRunner::new_with_rng(ProptestConfig::default(), seed.rng());
                let generated = generate(model, &self.config.commands, &mut runner)?;
                let GeneratedCase { case, command_trees, .. } = generated;
                (case, command_trees, seed, false, format!("seed {seed}"))
            }
        };
        self.announce(number, total, &named, &case);
        let execution = self.executor.run(&case)?;
        self.finish(number, &execution.verdict, start);
        let evidence = match execution.verdict {
            Verdict::Holds => return Ok(CaseEnd::Held),
            Verdict::Inconclusive(_) => return Ok(CaseEnd::Inconclusive),
            Verdict::Falsified(evidence) => evidence,
        };
        let mut failure = Failure {
            seed,
            commands_at_first: case.commands.len(),
            case,
            evidence,
            shrink_runs: 0,
            smallest,
            file: None,
        };
        self.keep(&mut failure)?;
        if !smallest {
            self.shrink(&mut failure, trees)?;
        }
        Ok(CaseEnd::Failed(Box::new(failure)))
    }

    fn shrink(
        &self,
        failure: &mut Failure<M>,
        trees: Vec<model::case::Tree<M::Command>>,
    ) -> Result<(), RunError> {
        let executor = &self.executor;
        let mut judge = |case: &Case<M>| executor.run(case).map(|execution| execution.verdict);
        let mut kept = Ok(());
        let (seed, commands_at_first) = (failure.seed, failure.commands_at_first);
        let mut best = failure.case.commands.len().min(failure.evidence.number);
        let mut tried = |runs, case: &Case<M>, evidence: Option<&Evidence>| {
            if let Some(evidence) = evidence {
                best = case.commands.len();
                let mut smaller = Failure {
                    seed,
                    case: case.clone(),
                    evidence: evidence.clone(),
                    commands_at_first,
                    shrink_runs: runs,
                    smallest: false,
                    file: None,
                };
                let result = self.keep(&mut smaller);
                if kept.is_ok() {
                    kept = result;
                }
            }
            self.tell(&Event::ShrinkStep { runs, smaller: evidence.is_some(), commands: best });
        };
        let start = (failure.case.clone(), failure.evidence.clone());
        let shrinker =
            Shrinker::new(executor.model, start, trees, self.config.shrink, &mut judge, &mut tried);
        let shrunk = shrinker.search()?;
        kept?;
        failure.case = shrunk.case;
        failure.evidence = shrunk.evidence;
        failure.shrink_runs = shrunk.runs;
        failure.smallest = shrunk.complete;
        self.keep(failure)?;
        if let Some(file) = self.regressions_file() {
            regressions::save(&file, failure.seed, &OneLine(executor.model, &failure.case));
        }
        Ok(())
    }

    /// Writes the failing case to its replay file, over what was there.
    fn keep(&self, failure: &mut Failure<M>) -> Result<(), RunError> {
        let Evidence { number, expected, came } = &failure.evidence;
        self.tell(&Event::Falsified { number: *number, expected, came });
        let Some(directory) = &self.config.failures else { return Ok(()) };
        let file = self.write(failure, directory)?;
        self.tell(&Event::Saved { file: &file.display().to_string() });
        failure.file = Some(file);
        Ok(())
    }

    fn write(&self, failure: &Failure<M>, directory: &Path) -> Result<PathBuf, ReplayError> {
        let settings = self.config.settings.clone();
        let mut replay = Replay::new(
            self.executor.model,
            &failure.seed.to_string(),
            settings,
            failure.case.clone(),
            failure.evidence.clone(),
        );
        replay.smallest = failure.smallest;
        replay.write(directory)
    }

    fn announce(&self, number: u32, cases: u32, origin: &str, case: &Case<M>) {
        self.tell(&Event::CaseStarted {
            number,
            cases,
            origin,
            initial: &self.executor.model.show_state(&case.initial),
            commands: case.commands.len(),
        });
    }

    fn finish(&self, number: u32, verdict: &Verdict, start: Instant) {
        let verdict = match verdict {
            Verdict::Holds => "holds",
            Verdict::Falsified(_) => "falsified",
            Verdict::Inconclusive(_) => "inconclusive",
        };
        self.tell(&Event::CaseFinished { number, verdict, seconds: start.elapsed().as_secs_f64() });
    }

    fn tell(&self, event: &Event<'_>) {
        self.executor.observer.event(event);
    }
}

/// What became of one case of a run.
enum CaseEnd<M: Model> {
    Held,
    Inconclusive,
    Failed(Box<Failure<M>>),
}

impl<M: Model> Summary<M> {
    /// `falsified`, `stopped`, `inconclusive` (no case held although some were to) or `holds`.
    #[must_use]
    pub fn verdict(&self) -> &'static str {
        if self.failure.is_some() {
            "falsified"
        } else if self.stopped {
            "stopped"
        } else if self.inconclusive > 0 {
            "inconclusive"
        } else {
            "holds"
        }
    }
}

/// The seeds of a run: the first, then what a generator that it starts draws.
fn seeds(first: Seed) -> impl Iterator<Item = Seed> {
    let mut rng = first.rng();
    std::iter::once(first).chain(std::iter::repeat_with(move || Seed::draw(&mut rng)))
}

/// A case as the comment of a saved seed.
struct OneLine<'a, M: Model>(&'a M, &'a Case<M>);

impl<M: Model> std::fmt::Debug for OneLine<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self(model, case) = self;
        write!(f, "{}", model.show_state(&case.initial).replace('\n', ", "))?;
        case.commands.iter().try_for_each(|command| write!(f, "; {}", model.show_command(command)))
    }
}
