//! The runner: saved failures first, then examples, then generated cases. The first failure that
//! comes again shrinks and ends the run; one that does not is kept while others are looked for.

use std::cell::{Cell, RefCell};
use std::fmt::Display;
use std::time::Instant;

use model::panics::{caught, no_broken_model};
use model::{Case, Model};

use crate::config::Config;
use crate::coverage::{Coverage, Covered};
use crate::execute::{Execution, Executor, Verdict, Watch};
use crate::falsified::Found;
use crate::lanes::Order;
use crate::observe::{Event, Observer};
use crate::origin::{self, Generator, Origin, Seeds};
use crate::regressions::Seed;
use crate::replay::{self, Replay};
use crate::statistics::Counts;
use crate::stop::Stop;
use crate::summary::check_name;
use crate::system::{System, SystemError};

pub use crate::falsified::Continued;
pub use crate::summary::{Failure, Other, RunError, Summary};

/// Tests a model against a system.
pub struct Runner<'a, M: Model, S: System<M>> {
    pub(crate) executor: Executor<'a, M, S>,
    pub(crate) config: &'a Config,
    generator: RefCell<Generator<M>>,
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
        let exclusions = RefCell::default();
        let watch = Watch::new(model, config);
        let (timed, spare) = (Cell::default(), RefCell::default());
        let executor = Executor {
            model,
            system,
            observer,
            stop,
            attempts,
            exclusions,
            watch,
            timed,
            generated: Cell::default(),
            purpose: Cell::default(),
            spare,
        };
        Self { executor, config, generator: RefCell::default() }
    }

    /// Runs saved failures, examples, then generated cases, until one fails and fails again when it
    /// is run again, or all have run.
    ///
    /// # Errors
    /// [`RunError`] where no verdict can be had at all. A system that fails now and then is no
    /// error: its cases are counted as inconclusive. A case that cannot be built or booted is
    /// none either, and another is generated in its place.
    pub fn run(&self) -> Result<Summary<M>, RunError> {
        // Where a model is broken, nothing more is generated, run or made smaller.
        no_broken_model(|| self.all()).unwrap_or_else(|broken| Err(SystemError::from(broken).into()))
    }

    fn all(&self) -> Result<Summary<M>, RunError> {
        let start = Instant::now();
        let first = self.config.seed.unwrap_or_else(Seed::random);
        let model = self.executor.model;
        check_name(model)?;
        if let Some(watch) = &self.executor.watch {
            watch.forget();
        }
        if let Some(directory) = &self.config.failures {
            replay::check_directory(directory)?;
        }
        let mut saved = origin::saved(model, self.config, self.executor.observer)?;
        saved.extend(origin::examples(model)?);
        let total = u32::try_from(saved.len()).unwrap_or(u32::MAX).saturating_add(self.config.cases);
        self.tell(&Event::RunStarted {
            specification: &model.name(),
            cases: total,
            seed: &first.to_string(),
        });
        let seeds = Seeds::new(model, &self.config.shape, first);
        let mut covered = Covered::new(self.config.coverage);
        if self.config.coverage != Coverage::None {
            seeds.explore(&mut covered)?;
        }
        self.executor.system.prepare(&mut seeds.ahead(&covered, self.config.cases));
        let mut summary = Summary::default();
        let (mut counts, confidence) = (Counts::default(), self.config.cover.unwrap_or_default());
        let mut met = Met { covered: &mut covered, counts: &mut counts };
        let ended = no_broken_model(|| self.cases(saved, total, seeds, &mut met, &mut summary));
        match ended.unwrap_or_else(|broken| Err(SystemError::from(broken).into())) {
            Err(RunError::System(SystemError::Stopped)) => summary.stopped = true,
            // What was found before still stands.
            Err(error) if !summary.once.is_empty() => {
                let text = format!("the run ended early: {error}");
                self.tell(&Event::Warning { text: &text });
                summary.once[0].warnings.push(text);
            }
            ended => ended?,
        }
        summary.settle();
        summary.stopped |= self.executor.stop.requested();
        summary.exclusions = self.executor.exclusions.take();
        summary.statistics = counts.report(&confidence);
        self.conclude(&mut summary, &covered, start);
        self.check_cover(&summary)?;
        Ok(summary)
    }

    /// Runs one case as it is, without shrinking it.
    ///
    /// # Errors
    /// [`SystemError`] where no system can be made or driven.
    pub fn run_case(&self, case: &Case<M>, origin: &str) -> Result<Execution<M>, SystemError> {
        self.run_one(case, origin, None)
    }

    /// Runs the case of a replay file, without shrinking it; with lanes in the order in which it
    /// failed, where it fails more often so.
    ///
    /// # Errors
    /// [`SystemError`] where no system can be made or driven.
    pub fn replay(&self, replay: &Replay<M>, origin: &str) -> Result<Execution<M>, SystemError> {
        self.run_one(&replay.case, origin, replay.order().as_ref())
    }

    pub(crate) fn run_one(
        &self,
        case: &Case<M>,
        origin: &str,
        order: Option<&Order>,
    ) -> Result<Execution<M>, SystemError> {
        check_name(self.executor.model).map_err(|error| SystemError::WrongUse(Box::new(error)))?;
        if let Some(watch) = &self.executor.watch {
            watch.forget();
        }
        let start = Some(Instant::now());
        self.announce(1, 1, &origin, case);
        self.executor.timed.set(true);
        let execution = self.run_confirmed(case, order)?;
        self.finish(1, &execution.verdict, start);
        Ok(execution)
    }

    /// Runs the cases one by one until something ends the run.
    fn cases(
        &self,
        saved: Vec<Origin<M>>,
        mut total: u32,
        mut seeds: Seeds<'_, M>,
        met: &mut Met<'_>,
        summary: &mut Summary<M>,
    ) -> Result<(), RunError> {
        let mut saved = saved.into_iter();
        let (mut inconclusive, mut excluded) = (0, 0);
        let mut number = 1;
        while number <= total {
            let (origin, generated) = match saved.next() {
                Some(origin) => (origin, false),
                None => (Origin::Seed(seeds.next(met.covered)?), true),
            };
            match self.case(number, total, origin, met)? {
                CaseEnd::Held => {
                    summary.held += 1;
                    (inconclusive, excluded) = (0, 0);
                }
                CaseEnd::Inconclusive => {
                    summary.inconclusive += 1;
                    inconclusive += 1;
                    if inconclusive >= self.config.most_inconclusive {
                        return Ok(());
                    }
                }
                CaseEnd::Excluded => {
                    summary.excluded += 1;
                    excluded += u32::from(generated);
                    if excluded >= self.config.most_excluded.max(1) {
                        let exclusions = self.executor.exclusions.take();
                        return Err(RunError::AllExcluded { cases: excluded, exclusions });
                    }
                    // Another is generated in its place.
                    number -= u32::from(generated);
                }
                CaseEnd::Failed(failure) if failure.came_again() => {
                    summary.failure = Some(*failure);
                    return Ok(());
                }
                CaseEnd::Failed(failure) => {
                    summary.once.push(*failure);
                    (inconclusive, excluded) = (0, 0);
                }
            }
            if number == total && self.config.cover.is_some_and(|cover| met.counts.is_undecided(&cover)) {
                // Each look at the shares is as good as twice as many cases make it.
                total = total.saturating_mul(2).min(self.config.cases.saturating_mul(MOST_TIMES).max(total));
            }
            number += 1;
        }
        Ok(())
    }

    fn case(
        &self,
        number: u32,
        total: u32,
        origin: Origin<M>,
        met: &mut Met<'_>,
    ) -> Result<CaseEnd<M>, RunError> {
        let start = self.executor.observer.follows_cases().then(Instant::now);
        if self.executor.stop.requested() {
            return Err(SystemError::Stopped.into());
        }
        let model = self.executor.model;
        let fresh = match &origin {
            Origin::Seed(seed) => Some(self.generator.borrow_mut().case_of(model, self.config, *seed)?),
            Origin::Saved { .. } | Origin::Example { .. } => None,
        };
        let (case, order) = match (&origin, &fresh) {
            (Origin::Saved { replay, .. }, _) => (&replay.case, replay.order()),
            (Origin::Example { case, .. }, _) => (case.as_ref(), None),
            (Origin::Seed(_), fresh) => (fresh.as_ref().expect(GENERATED), None),
        };
        match &origin {
            Origin::Seed(seed) => self.executor.generated.set(Some(*seed)),
            Origin::Saved { .. } | Origin::Example { .. } => {
                self.executor.watch.iter().for_each(|watch| watch.seed(origin.seed()));
            }
        }
        self.announce(number, total, &origin, case);
        let execution = self.run_confirmed(case, order.as_ref())?;
        self.finish(number, &execution.verdict, start);
        let covered = &mut *met.covered;
        let goals = covered.goals(&model.choices(&case.initial));
        match &execution.verdict {
            Verdict::Inconclusive(_) => return Ok(CaseEnd::Inconclusive),
            Verdict::Excluded(_) => {
                // A command may have led there, such as an Upgrade to what cannot be built.
                let states = case.states(model);
                let there = states.get(execution.history.len() + 1).unwrap_or(&case.initial);
                let goals = covered.goals(&model.choices(there));
                covered.exclude(&goals);
                return Ok(CaseEnd::Excluded);
            }
            Verdict::Holds | Verdict::Falsified(_) => {
                covered.cover(&goals);
                let mut counted = || met.counts.add(model, case, &execution.history);
                if execution.evidence().is_none() {
                    counted();
                } else if let Err(panicked) = caught(counted) {
                    // What failed is told all the same.
                    self.tell(&Event::Warning { text: &format!("the case was not counted: {panicked}") });
                }
            }
        }
        let Some(evidence) = execution.evidence().cloned() else {
            self.executor.recycle(execution.history);
            return Ok(CaseEnd::Held);
        };
        let found = match (origin, fresh) {
            (Origin::Saved { file, replay }, _) => Found::saved(file, *replay),
            (Origin::Example { name, case }, _) => Found::fresh(Seed::named(&name), *case),
            (Origin::Seed(seed), fresh) => {
                let found = Found::fresh(seed, fresh.expect(GENERATED));
                match origin::generated(model, self.config, seed) {
                    Ok(generated) => found.with_trees(generated),
                    // A model that is no function of the seed: what failed did fail.
                    Err(_) => found,
                }
            }
        };
        Ok(CaseEnd::Failed(Box::new(self.pursue(found, evidence, &execution))))
    }

    fn announce(&self, number: u32, cases: u32, origin: &dyn Display, case: &Case<M>) {
        if !self.executor.observer.follows_cases() {
            return;
        }
        self.tell(&Event::CaseStarted {
            number,
            cases,
            origin: &origin.to_string(),
            initial: &self.executor.model.show_state(&case.initial),
            commands: case.len(),
        });
    }

    /// Tells of the end of a case that began then, where somebody follows cases.
    fn finish(&self, number: u32, verdict: &Verdict, start: Option<Instant>) {
        let Some(start) = start else { return };
        let verdict = match verdict {
            Verdict::Holds => "holds",
            Verdict::Falsified(_) => "falsified",
            Verdict::Inconclusive(_) => "inconclusive",
            Verdict::Excluded(_) => "excluded",
        };
        self.tell(&Event::CaseFinished { number, verdict, seconds: start.elapsed().as_secs_f64() });
    }

    /// Tells what the run has come to.
    fn conclude(&self, summary: &mut Summary<M>, covered: &Covered, start: Instant) {
        let report = covered.report();
        if report.values.of > 0 {
            self.tell(&Event::Covered { coverage: &report });
            summary.coverage = Some(report);
        }
        if summary.statistics.cases > 0 {
            self.tell(&Event::Statistics { statistics: &summary.statistics });
            if summary.statistics.is_void() {
                let text = "no command was answered, so nothing of the system was tested";
                self.tell(&Event::Warning { text });
            }
        }
        self.tell(&Event::RunFinished {
            verdict: summary.verdict(),
            held: summary.held,
            inconclusive: summary.inconclusive,
            excluded: summary.excluded,
            seconds: start.elapsed().as_secs_f64(),
        });
    }

    /// Says which classes have too few cases, where that is to be an error and nothing is worse.
    fn check_cover(&self, summary: &Summary<M>) -> Result<(), RunError> {
        let classes: Vec<_> = summary
            .statistics
            .insufficient()
            .map(|class| class.to_string().trim_start().to_owned())
            .collect();
        if self.config.cover.is_none() || summary.failure.is_some() || classes.is_empty() {
            return Ok(());
        }
        Err(RunError::Cover { classes: classes.join(", ") })
    }

    pub(crate) fn tell(&self, event: &Event<'_>) {
        self.executor.observer.event(event);
    }
}

/// Why there is a case for each seed.
const GENERATED: &str = "the case of a seed was generated";

/// So many times the cases that were asked for are generated at most to be sure of shares.
const MOST_TIMES: u32 = 100;

/// What the cases of a run have met so far.
struct Met<'a> {
    covered: &'a mut Covered,
    counts: &'a mut Counts,
}

/// What became of one case of a run.
enum CaseEnd<M: Model> {
    Held,
    Inconclusive,
    Excluded,
    Failed(Box<Failure<M>>),
}
