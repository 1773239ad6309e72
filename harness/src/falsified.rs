//! What is done with a failing case: it is kept, made smaller, and asked what matters in it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use model::Tree;
use model::{Case, Model};

use crate::causes::Causes;
use crate::execute::Evidence;
use crate::memory::Memory;
use crate::observe::Event;
use crate::origin::regressions_file;
use crate::probe::{Prober, Tools};
use crate::regressions::{self, Seed};
use crate::replay::{Replay, ReplayError};
use crate::runner::{Failure, RunError, Runner};
use crate::shrink::Shrinker;
use crate::system::{System, SystemError};

/// A case with where it was found.
pub(crate) struct Found<M: Model> {
    pub(crate) case: Case<M>,
    pub(crate) seed: Seed,
    /// Those of its commands, where it was generated just now.
    trees: Vec<Tree<M::Command>>,
    smallest: bool,
    /// What an earlier run has learnt of it.
    causes: Option<Causes>,
    /// How that run made its systems.
    settings: Option<BTreeMap<String, String>>,
}

impl<M: Model> Found<M> {
    pub(crate) fn generated(seed: Seed, case: Case<M>, trees: Vec<Tree<M::Command>>) -> Self {
        Self { case, seed, trees, smallest: false, causes: None, settings: None }
    }

    pub(crate) fn saved(replay: Replay<M>) -> Self {
        let Replay { case, smallest, causes, settings, .. } = replay;
        let seed = replay.seed.parse().unwrap_or_else(|_| Seed::from(0));
        Self { case, seed, trees: Vec::new(), smallest, causes, settings: Some(settings) }
    }
}

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Keeps a case that failed, makes it smaller, and finds out what matters in it.
    pub(crate) fn pursue(&self, found: Found<M>, evidence: Evidence) -> Result<Failure<M>, RunError> {
        let Found { case, seed, trees, smallest, causes, settings } = found;
        let mut failure = Failure {
            seed,
            commands_at_first: case.commands.len(),
            case,
            evidence,
            shrink_runs: 0,
            smallest,
            causes,
            settings: settings.unwrap_or_else(|| self.config.settings.clone()),
            file: None,
        };
        self.keep(&mut failure)?;
        let mut memory = Memory::default();
        let sequential = failure.case.lanes.is_empty() && failure.case.finally.is_empty();
        if !smallest && sequential {
            failure.causes = None;
            self.shrink(&mut failure, trees, &mut memory)?;
        }
        if failure.smallest {
            self.probe(&mut failure, &mut memory)?;
        }
        Ok(failure)
    }

    fn shrink(
        &self,
        failure: &mut Failure<M>,
        trees: Vec<Tree<M::Command>>,
        memory: &mut Memory,
    ) -> Result<(), RunError> {
        let executor = &self.executor;
        let mut judge = |case: &Case<M>| executor.run(case).map(|execution| execution.verdict);
        let mut kept = Ok(());
        let (seed, commands_at_first) = (failure.seed, failure.commands_at_first);
        let settings = failure.settings.clone();
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
                    causes: None,
                    settings: settings.clone(),
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
        let budget = self.config.shrink;
        let shrinker = Shrinker::new(executor.model, start, trees, budget, memory, &mut judge, &mut tried);
        let shrunk = shrinker.search()?;
        kept?;
        failure.case = shrunk.case;
        failure.evidence = shrunk.evidence;
        failure.shrink_runs = shrunk.runs;
        failure.smallest = shrunk.complete;
        self.keep(failure)?;
        if let Some(directory) = &self.config.regressions {
            let file = regressions_file(executor.model, directory);
            regressions::save(&file, failure.seed, &OneLine(executor.model, &failure.case));
        }
        Ok(())
    }

    /// Probes what of the initial state matters, going on where an earlier run ended, and keeps
    /// each finding in the replay file.
    fn probe(&self, failure: &mut Failure<M>, memory: &mut Memory) -> Result<(), RunError> {
        let (case, earlier) = (failure.case.clone(), failure.causes.take());
        let mut kept = Ok(());
        let keep = |causes: &Causes| {
            failure.causes = Some(causes.clone());
            if let Some(directory) = &self.config.failures {
                let result = self.write(failure, directory).map(drop);
                if kept.is_ok() {
                    kept = result;
                }
            }
        };
        let causes = self.probe_case(&case, earlier, memory, keep);
        kept?;
        failure.causes = causes;
        Ok(())
    }

    /// Finds out what of a failing case's initial state matters. `earlier` is what is known of it;
    /// `keep` is given what is known after each run. None where nothing of the state is varied or
    /// nothing was asked.
    ///
    /// It ends early where its budget ends, the run is stopped, or no system can be had.
    pub fn causes(
        &self,
        case: &Case<M>,
        earlier: Option<Causes>,
        keep: impl FnMut(&Causes),
    ) -> Option<Causes> {
        self.probe_case(case, earlier, &mut Memory::default(), keep)
    }

    fn probe_case(
        &self,
        case: &Case<M>,
        earlier: Option<Causes>,
        memory: &mut Memory,
        mut keep: impl FnMut(&Causes),
    ) -> Option<Causes> {
        if self.config.probes.runs == 0 {
            return earlier;
        }
        let executor = &self.executor;
        let mut judge = |case: &Case<M>| executor.run(case).map(|execution| execution.verdict);
        let cost = |state: &M::State| executor.system.cost(state);
        let mut told = |runs, changed: &str, finding: &_, causes: &Causes| {
            keep(causes);
            self.tell(&Event::Probed { runs, changed, finding });
        };
        let tools = Tools { judge: &mut judge, cost: &cost, told: &mut told };
        let prober = Prober::new(executor.model, case, memory, earlier, self.config.probes, tools);
        let (causes, error) = prober.search();
        match error {
            // What was found before still stands.
            Some(error) if !matches!(error, SystemError::Stopped) => {
                let text = format!("what matters could not be found out to the end: {error}");
                self.tell(&Event::Warning { text: &text });
            }
            _ => {}
        }
        if causes.is_empty() {
            return None;
        }
        keep(&causes);
        self.tell(&Event::Causes { causes: &causes });
        Some(causes)
    }

    /// Writes the failing case to its replay file, over what was there.
    fn keep(&self, failure: &mut Failure<M>) -> Result<(), RunError> {
        let Evidence { number, expected, came, .. } = &failure.evidence;
        self.tell(&Event::Falsified { number: *number, expected, came });
        let Some(directory) = &self.config.failures else { return Ok(()) };
        let file = self.write(failure, directory)?;
        self.tell(&Event::Saved { file: &file.display().to_string() });
        failure.file = Some(file);
        Ok(())
    }

    fn write(&self, failure: &Failure<M>, directory: &Path) -> Result<PathBuf, ReplayError> {
        let settings = failure.settings.clone();
        let mut replay = Replay::new(
            self.executor.model,
            &failure.seed.to_string(),
            settings,
            failure.case.clone(),
            failure.evidence.clone(),
        );
        replay.smallest = failure.smallest;
        replay.causes = failure.causes.clone();
        replay.write(directory)
    }
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
