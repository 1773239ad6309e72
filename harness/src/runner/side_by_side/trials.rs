//! Candidates of the shrinker that jobs run beside each other.

use std::any::Any;
use std::collections::VecDeque;
use std::panic::resume_unwind;
use std::time::Duration;

use model::{Case, Model};

use super::board::{At, Board};
use crate::execute::Execution;
use crate::lanes::Order;
use crate::regressions::Seed;
use crate::system::{Purpose, SystemError};

/// A case that is run to see whether it fails as well.
pub(crate) struct Trial<M: Model> {
    pub(crate) case: Case<M>,
    /// What its lanes are to follow.
    pub(crate) order: Option<Order>,
    /// The seed of the failure that it would be a smaller form of.
    pub(crate) seed: Seed,
    /// What its system is made for.
    pub(crate) purpose: Purpose,
}

/// What a trial has shown.
pub(super) enum Tried<M: Model> {
    /// And how long it took.
    Ran(Execution<M>, Duration),
    Failed(SystemError),
    Panicked(Box<dyn Any + Send>),
}

/// Those that wait, run or have ended.
pub(super) struct Trials<M: Model> {
    next: u64,
    waiting: VecDeque<(u64, Trial<M>)>,
    running: Vec<(u64, Case<M>)>,
    ended: Vec<(Case<M>, Tried<M>)>,
}

impl<M: Model> Default for Trials<M> {
    fn default() -> Self {
        Self { next: 0, waiting: VecDeque::new(), running: Vec::new(), ended: Vec::new() }
    }
}

impl<M: Model> Trials<M> {
    /// The first that waits, which runs from now on.
    pub(super) fn take(&mut self) -> Option<(u64, Trial<M>)> {
        let (number, trial) = self.waiting.pop_front()?;
        self.running.push((number, trial.case.clone()));
        Some((number, trial))
    }

    /// One that ran has come to this; to nothing where it was ended.
    pub(super) fn ended(&mut self, number: u64, tried: Option<Tried<M>>) {
        let running = self.running.iter().position(|(running, _)| *running == number);
        // One that nobody wants any more was forgotten.
        let Some((_, case)) = running.map(|index| self.running.swap_remove(index)) else { return };
        self.ended.extend(tried.map(|tried| (case, tried)));
    }

    /// What the first that has ended of this case has come to.
    fn take_ended(&mut self, case: &Case<M>) -> Option<Tried<M>> {
        let index = self.ended.iter().position(|(ended, _)| ended == case)?;
        Some(self.ended.swap_remove(index).1)
    }

    fn has(&self, case: &Case<M>) -> bool {
        self.waiting.iter().any(|(_, trial)| trial.case == *case)
            || self.running.iter().any(|(_, running)| running == case)
            || self.ended.iter().any(|(ended, _)| ended == case)
    }

    fn add(&mut self, trial: Trial<M>) -> u64 {
        self.next += 1;
        self.waiting.push_back((self.next, trial));
        self.next
    }
}

impl<M: Model> Board<M> {
    /// How many trials run at once.
    pub(crate) fn at_once(&self) -> usize {
        self.jobs()
    }

    /// Has these run and no others; `trial` makes one of a case.
    pub(crate) fn try_only(&self, cases: Vec<Case<M>>, trial: impl Fn(Case<M>) -> Trial<M>) {
        let mut now = self.now();
        let trials = &mut now.trials;
        trials.ended.retain(|(case, _)| cases.contains(case));
        trials.running.retain(|(_, case)| cases.contains(case));
        // The first to be asked for is the first to run.
        let mut waiting = std::mem::take(&mut trials.waiting);
        for case in cases {
            let known = waiting.iter().position(|(_, trial)| trial.case == case);
            match known.and_then(|index| waiting.remove(index)) {
                Some(known) => trials.waiting.push_back(known),
                None if trials.has(&case) => {}
                None => {
                    trials.add(trial(case));
                }
            }
        }
        let wanted: Vec<u64> = trials.running.iter().map(|(number, _)| *number).collect();
        self.end_where(&now, |at| matches!(at, At::Trial(number) if !wanted.contains(&number)));
        drop(now);
        self.call_jobs();
    }

    /// Waits for what a trial of this case shows, which is run now unless it was before; with how long
    /// it took.
    ///
    /// # Errors
    /// That of the system, or [`SystemError::Stopped`].
    pub(crate) fn try_out(
        &self,
        case: &Case<M>,
        trial: impl FnOnce(Case<M>) -> Trial<M>,
    ) -> Result<(Execution<M>, Duration), SystemError> {
        let mut now = self.now();
        if !now.trials.has(case) {
            now.trials.add(trial(case.clone()));
            // It is waited for, so it goes before all that only may be.
            if let Some(asked) = now.trials.waiting.pop_back() {
                now.trials.waiting.push_front(asked);
            }
            self.call_jobs();
        }
        drop(now);
        loop {
            let changes = self.for_dispatcher().count();
            let mut now = self.now();
            match now.trials.take_ended(case) {
                Some(Tried::Ran(execution, time)) => return Ok((execution, time)),
                Some(Tried::Failed(error)) => return Err(error),
                Some(Tried::Panicked(panic)) => {
                    drop(now);
                    resume_unwind(panic)
                }
                None if self.is_to_stop() || !now.trials.has(case) => return Err(SystemError::Stopped),
                None => {}
            }
            drop(now);
            self.for_dispatcher().wait(changes);
        }
    }
}
