//! Where the cases of a run come from: files and seeds of earlier failures, examples, then seeds
//! that are chosen for what their cases cover.

use std::collections::BTreeSet;
use std::fmt;
use std::iter;
use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use model::{
    Case, Example, GenerateError, GeneratedCase, Model, Shape, generate_case, generate_state, generate_swarm,
    initial_states,
};
use proptest::strategy::BoxedStrategy;
use proptest::test_runner::{Config as ProptestConfig, TestRng, TestRunner};

use crate::config::Config;
use crate::coverage::{Covered, Goals};
use crate::observe::{Event, Observer};
use crate::regressions::{self, Seed};
use crate::replay::{Replay, ReplayError};
use crate::summary::RunError;

/// Where a case comes from.
pub(crate) enum Origin<M: Model> {
    Saved { file: PathBuf, replay: Box<Replay<M>> },
    Example { name: String, case: Box<Case<M>> },
    Seed(Seed),
}

impl<M: Model> Origin<M> {
    /// The seed of the case, or what stands for it.
    pub(crate) fn seed(&self) -> Seed {
        match self {
            Self::Saved { replay, .. } => replay.seed.parse().unwrap_or_else(|_| Seed::from(0)),
            Self::Example { name, .. } => Seed::named(name),
            Self::Seed(seed) => *seed,
        }
    }
}

impl<M: Model> fmt::Display for Origin<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Saved { file, .. } => write!(f, "{}", file.display()),
            Self::Example { name, .. } => write!(f, "example {name:?}"),
            Self::Seed(seed) => write!(f, "seed {seed}"),
        }
    }
}

/// Generates the cases of seeds, all by one runner, since making one takes as long as a command.
pub(crate) struct Generator<M: Model> {
    runner: Option<TestRunner>,
    initial: Option<BoxedStrategy<M::State>>,
}

impl<M: Model> Default for Generator<M> {
    fn default() -> Self {
        Self { runner: None, initial: None }
    }
}

impl<M: Model> Generator<M> {
    /// The case of an origin, where it has to be generated.
    pub(crate) fn fresh(
        &mut self,
        model: &M,
        config: &Config,
        origin: &Origin<M>,
    ) -> Result<Option<Case<M>>, GenerateError> {
        match origin {
            Origin::Seed(seed) => self.case_of(model, config, *seed).map(Some),
            Origin::Saved { .. } | Origin::Example { .. } => Ok(None),
        }
    }

    /// Generates the case of a seed.
    fn case_of(&mut self, model: &M, config: &Config, seed: Seed) -> Result<Case<M>, GenerateError> {
        let initial = match self.initial.take() {
            Some(initial) => initial,
            None => initial_states(model)?,
        };
        let initial = self.initial.insert(initial);
        let kept = self.runner.get_or_insert_with(|| runner(seed));
        *kept.rng() = seed.case_rng();
        generate_case(model, initial, &config.shape, config.swarm, kept).or_else(|_| {
            // What filters have refused adds up in a runner until it gives up. A case is a function
            // of its seed alone, so a fresh one decides.
            self.runner = None;
            generate_case(model, initial, &config.shape, config.swarm, &mut runner(seed))
        })
    }
}

/// Generates the case of a seed once more, with all that shrinking can use.
pub(crate) fn generated<M: Model>(
    model: &M,
    config: &Config,
    seed: Seed,
) -> Result<GeneratedCase<M>, GenerateError> {
    generate_swarm(model, &config.shape, config.swarm, &mut runner(seed))
}

fn runner(seed: Seed) -> TestRunner {
    // What is kept of failures is our own, and proptest copies its configuration for each choice.
    static CONFIG: LazyLock<ProptestConfig> =
        LazyLock::new(|| ProptestConfig { failure_persistence: None, ..ProptestConfig::default() });
    TestRunner::new_with_rng(CONFIG.clone(), seed.case_rng())
}

/// The file of a model's seeds in a directory of them.
pub(crate) fn regressions_file<M: Model>(model: &M, directory: &Path) -> PathBuf {
    directory.join(format!("{}.txt", model.name()))
}

/// What failed earlier: cases in replay files, then seeds that no replay file has.
pub(crate) fn saved<M: Model>(
    model: &M,
    config: &Config,
    observer: &dyn Observer,
) -> Result<Vec<Origin<M>>, ReplayError> {
    let (mut saved, mut known) = (Vec::new(), BTreeSet::new());
    if let Some(directory) = &config.failures {
        for file in Replay::list(model, directory)? {
            match Replay::read(model, &file) {
                Ok(replay) => {
                    known.insert(replay.seed.clone());
                    saved.push(Origin::Saved { file, replay: Box::new(replay) });
                }
                // An old file must not keep anybody from testing.
                Err(error) => observer.event(&Event::Warning { text: &format!("{error} (passed over)") }),
            }
        }
    }
    let file = config.regressions.as_ref().map(|directory| regressions_file(model, directory));
    if let Some(file) = file.filter(|file| file.exists()) {
        let seeds = regressions::load(&file);
        saved.extend(seeds.into_iter().filter(|seed| !known.contains(&seed.to_string())).map(Origin::Seed));
    }
    Ok(saved)
}

/// The cases that the specification begins every run with.
pub(crate) fn examples<M: Model>(model: &M) -> Result<Vec<Origin<M>>, RunError> {
    let examples = model.examples().into_iter().map(|Example { name, case }| {
        let checked = case.validate(model);
        checked.map_err(|source| RunError::Example { name: name.clone(), source })?;
        Ok(Origin::Example { name, case: Box::new(case) })
    });
    examples.collect()
}

/// How many seeds each new case is chosen from. AETG's authors found that more than 50 gain little.
const CANDIDATES: usize = 64;

/// So many cases are looked ahead to. What a run varies is mostly seen in them.
const AHEAD: usize = 16;

/// The seeds of a run: the first as it is given, then each chosen among what a generator that the
/// first one starts draws. A case remains a function of its seed alone.
pub(crate) struct Seeds<'a, M: Model> {
    model: &'a M,
    shape: &'a Shape,
    first: Option<Seed>,
    rng: TestRng,
}

impl<'a, M: Model> Seeds<'a, M> {
    pub(crate) fn new(model: &'a M, shape: &'a Shape, first: Seed) -> Self {
        Self { model, shape, first: Some(first), rng: first.seeds_rng() }
    }

    /// Lets `covered` learn what states are varied in from as many as a case is chosen from.
    pub(crate) fn explore(&self, covered: &mut Covered) -> Result<(), GenerateError> {
        let mut rng = self.rng.clone();
        for _ in 0..CANDIDATES {
            self.goals(Seed::draw(&mut rng), covered)?;
        }
        Ok(())
    }

    /// The seed of the next case: of the candidates, the one whose case is worth most.
    pub(crate) fn next(&mut self, covered: &mut Covered) -> Result<Seed, GenerateError> {
        if let Some(first) = self.first.take() {
            return Ok(first);
        }
        let mut best = Seed::draw(&mut self.rng);
        if covered.is_complete() {
            return Ok(best);
        }
        let goals = self.goals(best, covered)?;
        let mut most = covered.worth(&goals);
        for _ in 1..CANDIDATES {
            let seed = Seed::draw(&mut self.rng);
            let goals = self.goals(seed, covered)?;
            let worth = covered.worth(&goals);
            if worth > most {
                (best, most) = (seed, worth);
            }
        }
        Ok(best)
    }

    /// The states that the next cases begin in, of at most so many, should all have verdicts.
    pub(crate) fn ahead(&self, covered: &Covered, cases: u32) -> impl Iterator<Item = M::State> + use<'a, M> {
        let Self { model, shape, first, ref rng } = *self;
        let (mut seeds, mut covered) = (Self { model, shape, first, rng: rng.clone() }, covered.clone());
        let cases = usize::try_from(cases).unwrap_or(AHEAD).min(AHEAD);
        let next = move || {
            let seed = seeds.next(&mut covered).ok()?;
            let state = seeds.initial(seed).ok()?;
            let goals = covered.goals(&seeds.model.choices(&state));
            covered.cover(&goals);
            Some(state)
        };
        iter::from_fn(next).take(cases)
    }

    fn initial(&self, seed: Seed) -> Result<M::State, GenerateError> {
        generate_state(self.model, self.shape, &mut runner(seed))
    }

    /// What the case of a seed covers, as far as the state that it begins in does.
    pub(crate) fn goals(&self, seed: Seed, covered: &mut Covered) -> Result<Goals, GenerateError> {
        Ok(covered.goals(&self.model.choices(&self.initial(seed)?)))
    }
}
