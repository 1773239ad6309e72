//! The runner: saved failures first, then examples, then generated cases. The first failure that
//! comes again shrinks and ends the run; one that does not is kept while others are looked for.

use std::cell::RefCell;
use std::fmt::Display;
use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::Instant;

use model::panics::{caught, no_broken_model};
use model::{Case, Model};

use crate::config::Config;
use crate::coverage::{Coverage, Covered};
use crate::execute::{Evidence, Exclusions, Execution, Executor, Look, Parts, Prefixes, Verdict, Watch};
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

mod side_by_side;

pub(crate) use side_by_side::{Board, Trial as JobTrial};

pub use crate::falsified::Continued;
pub use crate::summary::{Failure, Other, RunError, Summary};

/// Tests a model against a system.
/// ```
/// use harness::prelude::*;
/// use harness::{Runner, Silent, Stop};
///
/// /// Each count is one more than the one before.
/// struct Counter;
///
/// impl Model for Counter {
///     type State = u32;
///     type Command = ();
///     type Response = u32;
///
///     fn gen_initial_state(&self) -> BoxedStrategy<u32> {
///         Just(0).boxed()
///     }
///
///     fn gen_command(&self, _: &u32) -> BoxedStrategy<()> {
///         Just(()).boxed()
///     }
///
///     fn next_state(&self, count: &u32, (): &()) -> u32 {
///         count + 1
///     }
///
///     fn post_condition(&self, count: &u32, (): &(), answer: &u32) -> bool {
///         *answer == count + 1
///     }
/// }
///
/// /// A counter with a bug.
/// struct StopsAtTwo;
///
/// impl System<Counter> for StopsAtTwo {
///     type Sut = u32;
///
///     fn new_sut(&self, count: &u32) -> Result<u32, SystemError> {
///         Ok(*count)
///     }
///
///     fn run(&self, count: &mut u32, (): &()) -> Result<Outcome<u32>, SystemError> {
///         *count = (*count + 1).min(2);
///         Ok(Outcome::Answered(*count))
///     }
/// }
///
/// let config = Config { failures: None, regressions: None, ..Config::default() };
/// let (observer, stop) = (Silent, Stop::default());
/// let summary = Runner::new(&Counter, &StopsAtTwo, &config, &observer, &stop).run()?;
/// let failure = summary.failure.expect("the third count is wrong");
/// assert_eq!((failure.smallest, failure.case.len()), (true, 3));
/// # Ok::<(), harness::RunError>(())
/// ```
pub struct Runner<'a, M: Model, S: System<M>> {
    pub(crate) executor: Executor<'a, M, S>,
    pub(crate) config: &'a Config,
    generator: RefCell<Generator<M>>,
    /// Who runs candidates beside each other, where there is anybody.
    pub(crate) jobs: RefCell<Option<Arc<Board<M>>>>,
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
        let parts = Parts {
            model,
            system,
            observer,
            attempts: config.attempts.max(1),
            reruns: config.reruns,
            exclusions: Exclusions::default(),
            prefixes: Prefixes::default(),
            watch: Watch::new(model, config),
            look: None,
        };
        let executor = parts.executor(stop);
        Self { executor, config, generator: RefCell::default(), jobs: RefCell::default() }
    }

    /// Has somebody look at each system that a case of the run fails on, while it stands as it failed; not
    /// at those of cases that are run again, or smaller.
    #[must_use]
    pub fn looking(mut self, look: &'a Look<'a, M, S>) -> Self {
        self.executor.look = Some(look);
        self
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
        no_broken_model(|| self.all(Self::cases))
            .unwrap_or_else(|broken| Err(SystemError::from(broken).into()))
    }

    /// Does all of a run but the cases, which `cases` runs.
    fn all(
        &self,
        cases: impl FnOnce(&Self, Plan<'_, M>, &mut Met, &mut Summary<M>) -> Result<(), RunError>,
    ) -> Result<Summary<M>, RunError> {
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
        let (counts, confidence) = (Counts::default(), self.config.cover.unwrap_or_default());
        let mut met = Met { covered, counts };
        let plan = Plan { saved, total, seeds };
        let ended = no_broken_model(|| cases(self, plan, &mut met, &mut summary));
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
        summary.statistics = met.counts.report(&confidence);
        for failure in summary.failure.iter_mut().chain(&mut summary.once) {
            self.keep_record(failure, Some(&summary.statistics));
        }
        self.conclude(&mut summary, &met.covered, start);
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
        self.executor.announce(1, 1, &origin, case);
        self.executor.timed.set(true);
        let execution = self.executor.run_confirmed(case, order)?;
        self.executor.finish(1, &execution.verdict, start);
        Ok(execution)
    }

    /// Runs the cases one by one until something ends the run.
    fn cases(&self, plan: Plan<'_, M>, met: &mut Met, summary: &mut Summary<M>) -> Result<(), RunError> {
        let Plan { saved, mut total, mut seeds } = plan;
        let (mut saved, mut rows) = (saved.into_iter(), Rows::default());
        let mut number = 1;
        while number <= total {
            let (origin, generated) = match saved.next() {
                Some(origin) => (origin, false),
                None => (Origin::Seed(seeds.next(&mut met.covered)?), true),
            };
            let end = self.case(number, total, origin, met)?;
            // Another is generated in its place.
            number -= u32::from(generated && matches!(end, CaseEnd::Excluded));
            if self.count(end, generated, &mut rows, summary)?.is_break() {
                return Ok(());
            }
            if number == total {
                total = self.extended(total, met);
            }
            number += 1;
        }
        Ok(())
    }

    /// Counts what a case has come to, and says whether it ends the run.
    fn count(
        &self,
        end: CaseEnd<M>,
        generated: bool,
        rows: &mut Rows,
        summary: &mut Summary<M>,
    ) -> Result<ControlFlow<()>, RunError> {
        match end {
            CaseEnd::Held => {
                summary.held += 1;
                *rows = Rows::default();
            }
            CaseEnd::Inconclusive => {
                summary.inconclusive += 1;
                rows.inconclusive += 1;
                if rows.inconclusive >= self.config.most_inconclusive {
                    return Ok(ControlFlow::Break(()));
                }
            }
            CaseEnd::Excluded => {
                summary.excluded += 1;
                rows.excluded += u32::from(generated);
                if rows.excluded >= self.config.most_excluded.max(1) {
                    let exclusions = self.executor.exclusions.take();
                    return Err(RunError::AllExcluded { cases: rows.excluded, exclusions });
                }
            }
            CaseEnd::Failed(failure) if failure.came_again() => {
                summary.failure = Some(*failure);
                return Ok(ControlFlow::Break(()));
            }
            CaseEnd::Failed(failure) => {
                summary.once.push(*failure);
                *rows = Rows::default();
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// How many cases there are to be, once so many have run: each look at the shares is as good as
    /// twice as many cases make it.
    fn extended(&self, total: u32, met: &Met) -> u32 {
        if self.config.cover.is_some_and(|cover| met.counts.is_undecided(&cover)) {
            total.saturating_mul(2).min(self.config.cases.saturating_mul(MOST_TIMES).max(total))
        } else {
            total
        }
    }

    fn case(
        &self,
        number: u32,
        total: u32,
        origin: Origin<M>,
        met: &mut Met,
    ) -> Result<CaseEnd<M>, RunError> {
        let start = self.executor.observer.follows_cases().then(Instant::now);
        if self.executor.stop.requested() {
            return Err(SystemError::Stopped.into());
        }
        let fresh = self.generator.borrow_mut().fresh(self.executor.model, self.config, &origin)?;
        let (case, order) = given(&origin, fresh.as_ref());
        self.executor.begin(&origin, number, total, case);
        let execution = self.executor.run_confirmed(case, order.as_ref())?;
        self.executor.finish(number, &execution.verdict, start);
        match self.take_in(case, &execution, met) {
            Taken::Inconclusive => Ok(CaseEnd::Inconclusive),
            Taken::Excluded => Ok(CaseEnd::Excluded),
            Taken::Held => {
                self.executor.recycle(execution.history);
                Ok(CaseEnd::Held)
            }
            Taken::Falsified(evidence) => {
                self.executor.number.set(None);
                Ok(CaseEnd::Failed(Box::new(self.failed(origin, fresh, evidence, &execution))))
            }
        }
    }

    /// Takes in what a case has covered and was like.
    fn take_in(&self, case: &Case<M>, execution: &Execution<M>, met: &mut Met) -> Taken {
        let model = self.executor.model;
        let covered = &mut met.covered;
        let goals = covered.goals(&model.choices(&case.initial));
        match &execution.verdict {
            Verdict::Inconclusive(_) => Taken::Inconclusive,
            Verdict::Excluded(_) => {
                // A command may have led there, such as an Upgrade to what cannot be built.
                let states = case.states(model);
                let there = states.get(execution.history.len() + 1).unwrap_or(&case.initial);
                let goals = covered.goals(&model.choices(there));
                covered.exclude(&goals);
                Taken::Excluded
            }
            Verdict::Holds => {
                covered.cover(&goals);
                met.counts.add(model, case, &execution.history);
                Taken::Held
            }
            Verdict::Falsified(evidence) => {
                covered.cover(&goals);
                if let Err(panicked) = caught(|| met.counts.add(model, case, &execution.history)) {
                    // What failed is told all the same.
                    self.tell(&Event::Warning { text: &format!("the case was not counted: {panicked}") });
                }
                Taken::Falsified(evidence.clone())
            }
        }
    }

    /// What is made of a case that failed.
    fn failed(
        &self,
        origin: Origin<M>,
        fresh: Option<Case<M>>,
        evidence: Evidence,
        execution: &Execution<M>,
    ) -> Failure<M> {
        let found = match (origin, fresh) {
            (Origin::Saved { file, replay }, _) => Found::saved(file, *replay),
            (Origin::Example { name, case }, _) => Found::fresh(Seed::named(&name), *case),
            (Origin::Seed(seed), fresh) => {
                let found = Found::fresh(seed, fresh.expect(GENERATED));
                match origin::generated(self.executor.model, self.config, seed) {
                    Ok(generated) => found.with_trees(generated),
                    // A model that is no function of the seed: what failed did fail.
                    Err(_) => found,
                }
            }
        };
        self.pursue(found, evidence, execution)
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

/// The cases of a run: those that are there already, how many in all, and where the others come from.
struct Plan<'a, M: Model> {
    saved: Vec<Origin<M>>,
    total: u32,
    seeds: Seeds<'a, M>,
}

/// What the cases of a run have met so far.
struct Met {
    covered: Covered,
    counts: Counts,
}

/// How many cases in a row had no verdict, or were discarded.
#[derive(Default)]
struct Rows {
    inconclusive: u32,
    excluded: u32,
}

/// What one case has shown.
enum Taken {
    Held,
    Inconclusive,
    Excluded,
    Falsified(Evidence),
}

/// What became of one case of a run.
enum CaseEnd<M: Model> {
    Held,
    Inconclusive,
    Excluded,
    Failed(Box<Failure<M>>),
}

/// The case of an origin, which `fresh` is where it was generated, and what its lanes are to follow.
fn given<'a, M: Model>(origin: &'a Origin<M>, fresh: Option<&'a Case<M>>) -> (&'a Case<M>, Option<Order>) {
    match origin {
        Origin::Saved { replay, .. } => (&replay.case, replay.order()),
        Origin::Example { case, .. } => (case, None),
        Origin::Seed(_) => (fresh.expect(GENERATED), None),
    }
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    /// Says of the case that comes next where it is from and which of the run it is.
    fn begin(&self, origin: &Origin<M>, number: u32, total: u32, case: &Case<M>) {
        match origin {
            Origin::Seed(seed) => self.generated.set(Some(*seed)),
            Origin::Saved { .. } | Origin::Example { .. } => {
                self.watch.iter().for_each(|watch| watch.seed(origin.seed()));
            }
        }
        self.number.set(Some(number));
        self.announce(number, total, &origin, case);
    }

    fn announce(&self, number: u32, cases: u32, origin: &dyn Display, case: &Case<M>) {
        if !self.observer.follows_cases() {
            return;
        }
        self.observer.event(&Event::CaseStarted {
            number,
            cases,
            origin: &origin.to_string(),
            initial: &self.model.show_state(&case.initial),
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
        self.observer.event(&Event::CaseFinished { number, verdict, seconds: start.elapsed().as_secs_f64() });
    }
}
