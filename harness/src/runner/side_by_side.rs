//! Cases side by side: what is found does not depend on which of them ends first.
//!
//! Cases get their places, numbers and seeds in order, from what earlier ones will have covered if
//! they have a verdict; what each came to is counted in that order too, as if they had run one after
//! the other. Where one fails, those after it end, those before it run on, and the first that fails
//! is the run's. A case that was ended so runs again, from its start, if the run goes on.

use std::any::Any;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Instant;

use model::panics::no_broken_model;
use model::{Case, Model};

use super::{CaseEnd, Continued, Met, Plan, Rows, RunError, Runner, Summary, Taken, given};
use crate::config::Config;
use crate::coverage::{Covered, Goals};
use crate::execute::{Evidence, Execution, Executor, Parts, Watch};
use crate::observe::Event;
use crate::origin::{Generator, Origin, Seeds};
use crate::replay::Replay;
use crate::shrink::Way;
use crate::summary::Other;
use crate::system::{System, SystemError};

mod board;
mod changes;
mod trials;

pub(crate) use board::Board;
use board::Work;
pub(crate) use trials::Trial;
use trials::Tried;

/// So many cases for each job may be begun before the first of them has ended: where one takes
/// longer than all others, they wait for it in the end, rather than fill the memory.
const AHEAD: u64 = 16;

/// A case that is to run.
struct Task<M: Model> {
    number: u32,
    total: u32,
    origin: Origin<M>,
    generated: bool,
}

/// What running a task has come to.
enum Came<M: Model> {
    /// With the case, where it was generated.
    Ran(Option<Case<M>>, Execution<M>),
    Failed(RunError),
    Panicked(Box<dyn Any + Send>),
}

impl<M: Model> Came<M> {
    /// Whether it holds back the cases that come later, since it may end the run.
    fn is_wrong(&self) -> bool {
        match self {
            Self::Ran(_, execution) => execution.evidence().is_some(),
            Self::Failed(_) | Self::Panicked(_) => true,
        }
    }
}

/// Runs tasks on a thread of its own.
struct Worker<'a, M: Model, S: System<M>> {
    executor: Executor<'a, M, S>,
    config: &'a Config,
    generator: Generator<M>,
}

impl<M: Model, S: System<M>> Worker<'_, M, S> {
    fn work(mut self, board: &Board<M>, job: usize) {
        while let Some(work) = board.take(job) {
            let (place, task) = match work {
                Work::Task(place, task) => (place, task),
                Work::Trial(number, trial) => {
                    let tried = self.try_out(trial);
                    board.trial_ended(job, |trials| trials.ended(number, tried));
                    continue;
                }
            };
            let ran = catch_unwind(AssertUnwindSafe(|| no_broken_model(|| self.run(&task))));
            let came = match ran {
                Ok(Ok(Ok((fresh, execution)))) => Some(Came::Ran(fresh, execution)),
                Ok(Ok(Err(RunError::System(SystemError::Stopped)))) => None,
                Ok(Ok(Err(error))) => Some(Came::Failed(error)),
                Ok(Err(broken)) => Some(Came::Failed(SystemError::from(broken).into())),
                Err(panic) => Some(Came::Panicked(panic)),
            };
            board.ended(job, place, task, came);
        }
    }

    fn run(&mut self, task: &Task<M>) -> Result<(Option<Case<M>>, Execution<M>), RunError> {
        let Task { number, total, origin, .. } = task;
        let start = self.executor.observer.follows_cases().then(Instant::now);
        let fresh = self.generator.fresh(self.executor.model, self.config, origin)?;
        let (case, order) = given(origin, fresh.as_ref());
        self.executor.begin(origin, *number, *total, case);
        let execution = self.executor.run_confirmed(case, order.as_ref())?;
        self.executor.finish(*number, &execution.verdict, start);
        Ok((fresh, execution))
    }
}

impl<M: Model, S: System<M>> Worker<'_, M, S> {
    /// Runs a candidate; none where it was ended before it came to anything.
    fn try_out(&self, trial: Trial<M>) -> Option<Tried<M>> {
        let (executor, start) = (&self.executor, Instant::now());
        executor.number.set(None);
        executor.timed.set(true);
        executor.watch.iter().for_each(|watch| watch.seed(trial.seed));
        let run = || executor.made_for(trial.purpose, || executor.run(&trial.case, trial.order.as_ref()));
        match catch_unwind(AssertUnwindSafe(|| no_broken_model(run))) {
            Ok(Ok(Ok(execution))) => Some(Tried::Ran(execution, start.elapsed())),
            Ok(Ok(Err(SystemError::Stopped))) => None,
            Ok(Ok(Err(error))) => Some(Tried::Failed(error)),
            Ok(Err(broken)) => Some(Tried::Failed(broken.into())),
            Err(panic) => Some(Tried::Panicked(panic)),
        }
    }
}

/// A failure that has to wait for cases before it.
struct Waiting {
    way: Way,
    file: Option<PathBuf>,
}

/// Gives out the cases of a run in order, and takes in order what they came to.
struct Dispatcher<'d, 'a, M: Model, S: System<M>> {
    runner: &'d Runner<'a, M, S>,
    board: &'d Board<M>,
    saved: std::vec::IntoIter<Origin<M>>,
    seeds: Seeds<'d, M>,
    total: u32,
    /// The number that the next case has.
    number: u32,
    /// Those of cases that could not be built, in the place of which another is generated.
    free: BTreeSet<u32>,
    /// What will be covered if all cases so far have a verdict.
    expected: Covered,
    /// What those cover that were given out and not taken in.
    pending: BTreeMap<u64, Goals>,
    /// The place of the next case to give out.
    next: u64,
    /// The place of the next case to take in.
    due: u64,
    waiting: BTreeMap<u64, Waiting>,
    rows: Rows,
}

impl<M, S> Runner<'_, M, S>
where
    M: Model + Sync,
    M::State: Send,
    M::Command: Send,
    M::Response: Send,
    S: System<M> + Sync,
{
    /// [`Runner::run`] with as many cases at once as [`Config::jobs`] says, each on a thread and a
    /// system of its own, and as many candidates where a failure is made smaller. It comes to what that would, whichever case ends first, as long as each
    /// case has a verdict: cases have the numbers and the seeds that they would have, what they were
    /// like is counted in order, and of several that fail the first is made smaller.
    ///
    /// Others that have failed meanwhile, in other ways, are kept in files of their own and named in
    /// [`Failure::others`](crate::Failure::others). Where cases have no verdict or cannot be built,
    /// those after them may be others than they would be one by one, since these were begun before.
    ///
    /// # Errors
    /// As [`Runner::run`].
    pub fn run_side_by_side(&self) -> Result<Summary<M>, RunError> {
        if self.config.jobs <= 1 {
            return self.run();
        }
        no_broken_model(|| self.all(Self::side_by_side))
            .unwrap_or_else(|broken| Err(SystemError::from(broken).into()))
    }

    /// [`Runner::shrink_file`] with as many candidates at once as [`Config::jobs`] says.
    ///
    /// # Errors
    /// As [`Runner::shrink_file`].
    pub fn shrink_file_side_by_side(&self, file: &Path) -> Result<Continued<M>, RunError> {
        if self.config.jobs <= 1 {
            return self.shrink_file(file);
        }
        self.with_jobs(|_| self.shrink_file(file))
    }

    fn side_by_side(
        &self,
        plan: Plan<'_, M>,
        met: &mut Met,
        summary: &mut Summary<M>,
    ) -> Result<(), RunError> {
        self.with_jobs(|board| {
            let Plan { saved, total, seeds } = plan;
            let dispatcher = Dispatcher {
                runner: self,
                board,
                saved: saved.into_iter(),
                seeds,
                total,
                number: 1,
                free: BTreeSet::new(),
                expected: met.covered.clone(),
                pending: BTreeMap::new(),
                next: 0,
                due: 0,
                waiting: BTreeMap::new(),
                rows: Rows::default(),
            };
            dispatcher.run(met, summary)
        })
    }

    /// Does something while there are jobs, whom the candidates of the shrinker are given to too.
    fn with_jobs<T>(&self, act: impl FnOnce(&Board<M>) -> T) -> T {
        let jobs = self.config.jobs as usize;
        let board = Arc::new(Board::new(jobs, self.executor.stop));
        thread::scope(|scope| {
            // However this ends, so do the jobs.
            let _closing = board.closing();
            for job in 0..jobs {
                let (crew, board) = (self.crew(), Arc::clone(&board));
                scope.spawn(move || crew.work(&board, job));
            }
            self.jobs.replace(Some(Arc::clone(&board)));
            let _without = Without(&self.jobs);
            act(&board)
        })
    }

    fn crew(&self) -> Crew<'_, M, S> {
        let Executor { model, system, observer, attempts, reruns, look, .. } = self.executor;
        let exclusions = self.executor.exclusions.clone();
        let watch = self.executor.watch.as_ref().map(Watch::of_job);
        let prefixes = self.executor.prefixes.clone();
        let parts = Parts { model, system, observer, attempts, reruns, exclusions, prefixes, watch, look };
        Crew { parts, config: self.config }
    }
}

/// Takes the jobs back from a runner that has them.
struct Without<'a, M: Model>(&'a RefCell<Option<Arc<Board<M>>>>);

impl<M: Model> Drop for Without<'_, M> {
    fn drop(&mut self) {
        self.0.take();
    }
}

/// What the worker of a job is made of, on its own thread.
struct Crew<'a, M: Model, S: System<M>> {
    parts: Parts<'a, M, S>,
    config: &'a Config,
}

impl<M: Model, S: System<M>> Crew<'_, M, S> {
    fn work(self, board: &Board<M>, job: usize) {
        let stop = board.stop(job);
        let config = self.config;
        let executor = self.parts.executor(stop);
        Worker { executor, config, generator: Generator::default() }.work(board, job);
    }
}

impl<M: Model, S: System<M>> Dispatcher<'_, '_, M, S> {
    fn run(mut self, met: &mut Met, summary: &mut Summary<M>) -> Result<(), RunError> {
        loop {
            // Looked at first, so that nothing which changes from here on is slept through.
            let standing = self.board.standing();
            while let Some((task, came)) = self.board.take_ended(self.due) {
                if self.take_in(task, came, met, summary)?.is_break() {
                    return Ok(());
                }
                self.board.go_on();
            }
            if self.runner.executor.stop.requested() {
                if standing.is_idle {
                    return self.stopped(met, summary);
                }
            } else if standing.is_wrong {
                // Whatever becomes of those before it, what failed is not lost.
                self.keep_waiting();
            } else {
                self.give_out(standing.waiting)?;
                if self.due == self.next {
                    self.total = self.runner.extended(self.total, met);
                    if self.number > self.total {
                        return Ok(());
                    }
                    continue;
                }
            }
            self.board.wait(&standing);
        }
    }

    /// Gives out tasks until there is one more for each job.
    fn give_out(&mut self, waiting: usize) -> Result<(), RunError> {
        let jobs = self.runner.config.jobs;
        for _ in waiting..jobs as usize {
            let number = match self.free.pop_first() {
                Some(number) => number,
                None if self.number > self.total => return Ok(()),
                None if self.next - self.due >= AHEAD * u64::from(jobs) => return Ok(()),
                None => {
                    self.number += 1;
                    self.number - 1
                }
            };
            let (origin, generated) = match self.saved.next() {
                Some(origin) => (origin, false),
                None => (Origin::Seed(self.seeds.next(&mut self.expected)?), true),
            };
            let goals = self.goals(&origin)?;
            self.expected.cover(&goals);
            self.pending.insert(self.next, goals);
            self.board.give(self.next, Task { number, total: self.total, origin, generated });
            self.next += 1;
        }
        Ok(())
    }

    /// What a case will cover if it has a verdict.
    fn goals(&mut self, origin: &Origin<M>) -> Result<Goals, RunError> {
        let model = self.runner.executor.model;
        Ok(match origin {
            Origin::Seed(_) if self.expected.is_blank() => Goals::default(),
            Origin::Seed(seed) => self.seeds.goals(*seed, &mut self.expected)?,
            Origin::Saved { replay, .. } => self.expected.goals(&model.choices(&replay.case.initial)),
            Origin::Example { case, .. } => self.expected.goals(&model.choices(&case.initial)),
        })
    }

    /// Takes in what the next case in order has come to; whether it ends the run.
    fn take_in(
        &mut self,
        task: Task<M>,
        came: Came<M>,
        met: &mut Met,
        summary: &mut Summary<M>,
    ) -> Result<ControlFlow<()>, RunError> {
        let Task { number, origin, generated, .. } = task;
        let (fresh, execution) = match came {
            Came::Ran(fresh, execution) => (fresh, execution),
            Came::Failed(error) => return Err(error),
            Came::Panicked(panic) => resume_unwind(panic),
        };
        self.pending.remove(&self.due);
        self.waiting.remove(&self.due);
        self.due += 1;
        met.covered.learn(&self.expected);
        let (case, _) = given(&origin, fresh.as_ref());
        let taken = self.runner.take_in(case, &execution, met);
        let has_no_verdict = matches!(taken, Taken::Inconclusive | Taken::Excluded);
        if has_no_verdict || self.expected.is_blank() {
            self.expect_anew(&met.covered);
        }
        let end = match taken {
            Taken::Held => CaseEnd::Held,
            Taken::Inconclusive => CaseEnd::Inconclusive,
            Taken::Excluded => {
                if generated {
                    self.free.insert(number);
                }
                CaseEnd::Excluded
            }
            Taken::Falsified(evidence) => {
                let way = Way::of(self.runner.executor.model, case, &evidence, &execution);
                let mut failure = self.runner.failed(origin, fresh, evidence, &execution);
                if failure.came_again() {
                    failure.others.extend(self.others(&way));
                }
                CaseEnd::Failed(Box::new(failure))
            }
        };
        self.runner.count(end, generated, &mut self.rows, summary)
    }

    /// Expects of the cases that were given out what is left of it, since one has no verdict.
    fn expect_anew(&mut self, covered: &Covered) {
        self.expected = covered.clone();
        self.pending.values().for_each(|goals| self.expected.cover(goals));
    }

    /// Takes in what has ended of a run that is to stop: those that did not are passed over.
    fn stopped(&mut self, met: &mut Met, summary: &mut Summary<M>) -> Result<(), RunError> {
        while let Some(place) = self.board.first_ended() {
            self.due = place;
            let Some((task, came)) = self.board.take_ended(place) else { break };
            if self.take_in(task, came, met, summary)?.is_break() {
                return Ok(());
            }
        }
        Err(SystemError::Stopped.into())
    }

    /// Keeps each failure in a file that waits for cases before it.
    fn keep_waiting(&mut self) {
        let Self { runner, board, waiting, .. } = self;
        board.each_wrong(|place, task, came| {
            // What was saved before has a file, and every run begins with it.
            if let Came::Ran(fresh, execution) = came
                && !matches!(task.origin, Origin::Saved { .. })
                && let Some(evidence) = execution.evidence()
                && !waiting.contains_key(&place)
            {
                let (case, _) = given(&task.origin, fresh.as_ref());
                let way = Way::of(runner.executor.model, case, evidence, execution);
                let file = runner.keep_at_once(&task.origin, case, evidence);
                waiting.insert(place, Waiting { way, file });
            }
        });
    }

    /// The failures that wait, in other ways than the run's, each once: no file is kept of what fails
    /// in the same way, since the next run finds it without.
    fn others(&mut self, way: &Way) -> Vec<Other> {
        self.keep_waiting();
        let mut others: Vec<Waiting> = Vec::new();
        for waiting in std::mem::take(&mut self.waiting).into_values() {
            let is_known =
                way.is_same(&waiting.way) || others.iter().any(|one| one.way.is_same(&waiting.way));
            match waiting.file {
                Some(file) if is_known => {
                    std::fs::remove_file(file).ok();
                }
                _ if is_known => {}
                file => others.push(Waiting { file, ..waiting }),
            }
        }
        others.into_iter().map(|Waiting { way, file }| Other { way: way.to_string(), file }).collect()
    }
}

impl<M: Model, S: System<M>> Runner<'_, M, S> {
    /// Writes a case that failed to a file, where cases are kept, and has the watch know of it; says
    /// which file.
    fn keep_at_once(&self, origin: &Origin<M>, case: &Case<M>, evidence: &Evidence) -> Option<PathBuf> {
        let (seed, model) = (origin.seed(), self.executor.model);
        let write = |directory: &PathBuf| {
            let settings = self.config.settings.clone();
            let replay = Replay::new(model, &seed.to_string(), settings, case.clone(), evidence.clone());
            let file = directory.join(replay.file_name());
            match replay.write_safely(model, &file) {
                Ok(()) => Some(file),
                Err(error) => {
                    self.tell(&Event::Warning { text: &error.to_string() });
                    None
                }
            }
        };
        let text = format!("falsified by command {}: {evidence}", evidence.number);
        let found = |place: &str| {
            self.executor.watch.iter().for_each(|watch| watch.found(seed, format!("{text}{place}")));
        };
        // Known before it is on the disk, which may take long enough for another job's limit to pass.
        found("");
        let file = self.config.failures.as_ref().and_then(write);
        if let Some(file) = &file {
            found(&format!("; saved as {}", file.display()));
        }
        file
    }
}
