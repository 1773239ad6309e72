//! What the jobs of a run and the thread that gives them their cases share.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use model::Model;

use super::{Came, Task};
use crate::stop::Stop;

/// Tasks by their places in the run: those that wait for a job, and those that have ended.
pub(super) struct Board<M: Model> {
    now: Mutex<Now<M>>,
    /// Something changed for jobs that wait for a task.
    for_jobs: Condvar,
    /// Something changed for who gives out tasks.
    for_dispatcher: Condvar,
    /// What the run is to stop by.
    all: Stop,
    /// What ends each job's task.
    stops: Vec<Stop>,
}

struct Now<M: Model> {
    waiting: BTreeMap<u64, Task<M>>,
    ended: BTreeMap<u64, (Task<M>, Came<M>)>,
    /// What each job is at.
    running: Vec<Option<u64>>,
    is_closed: bool,
    /// How often something has changed.
    changes: u64,
}

impl<M: Model> Now<M> {
    /// The first place that went wrong: nothing that comes after it is of use yet.
    fn wrong(&self) -> Option<u64> {
        self.ended.iter().find(|(_, (_, came))| came.is_wrong()).map(|(place, _)| *place)
    }
}

/// How things stand for who gives out tasks.
pub(super) struct Standing {
    /// How many tasks wait for a job.
    pub(super) waiting: usize,
    pub(super) is_idle: bool,
    /// Whether some task went wrong that was not taken in yet.
    pub(super) is_wrong: bool,
    changes: u64,
}

impl<M: Model> Board<M> {
    pub(super) fn new(jobs: usize, all: &Stop) -> Self {
        let now = Now {
            waiting: BTreeMap::new(),
            ended: BTreeMap::new(),
            running: vec![None; jobs],
            is_closed: false,
            changes: 0,
        };
        Self {
            now: Mutex::new(now),
            for_jobs: Condvar::new(),
            for_dispatcher: Condvar::new(),
            all: all.clone(),
            stops: (0..jobs).map(|_| all.of_job()).collect(),
        }
    }

    fn now(&self) -> MutexGuard<'_, Now<M>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ends the task of a job.
    pub(super) fn stop(&self, job: usize) -> &Stop {
        &self.stops[job]
    }

    /// The first task that waits, once there is one that may be of use; none where there will be
    /// none any more.
    pub(super) fn take(&self, job: usize) -> Option<(u64, Task<M>)> {
        let mut now = self.now();
        loop {
            if now.is_closed || self.all.requested() {
                return None;
            }
            let wrong = now.wrong();
            let first = now.waiting.first_entry();
            if let Some(first) = first.filter(|first| wrong.is_none_or(|wrong| *first.key() < wrong)) {
                let (place, task) = first.remove_entry();
                self.stops[job].take_back(&self.all);
                now.running[job] = Some(place);
                self.changed(now);
                return Some((place, task));
            }
            now = self.for_jobs.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }

    /// A job's task has come to this, or was ended before, so that it waits once more. Where it went
    /// wrong, those after it end.
    pub(super) fn ended(&self, job: usize, place: u64, task: Task<M>, came: Option<Came<M>>) {
        let mut now = self.now();
        now.running[job] = None;
        match came {
            Some(came) => {
                now.ended.insert(place, (task, came));
            }
            None => {
                now.waiting.insert(place, task);
            }
        }
        if let Some(wrong) = now.wrong() {
            let running = now.running.iter().zip(&self.stops);
            let later = running.filter(|(place, _)| place.is_some_and(|place| place > wrong));
            later.for_each(|(_, stop)| stop.request());
        }
        self.changed(now);
    }

    /// Adds a task.
    pub(super) fn give(&self, place: u64, task: Task<M>) {
        self.now().waiting.insert(place, task);
        self.for_jobs.notify_all();
    }

    /// Takes what the task of a place has come to, where it has ended.
    pub(super) fn take_ended(&self, place: u64) -> Option<(Task<M>, Came<M>)> {
        let ended = self.now().ended.remove(&place);
        if ended.is_some() {
            // Tasks that were held back may be of use now.
            self.for_jobs.notify_all();
        }
        ended
    }

    /// The first place that has ended, where any has.
    pub(super) fn first_ended(&self) -> Option<u64> {
        self.now().ended.keys().next().copied()
    }

    /// Looks at what went wrong and was not taken in yet, in order.
    pub(super) fn each_wrong(&self, mut look: impl FnMut(u64, &Task<M>, &Came<M>)) {
        let now = self.now();
        let wrong = now.ended.iter().filter(|(_, (_, came))| came.is_wrong());
        wrong.for_each(|(place, (task, came))| look(*place, task, came));
    }

    pub(super) fn standing(&self) -> Standing {
        let now = self.now();
        Standing {
            waiting: now.waiting.len(),
            is_idle: now.running.iter().all(Option::is_none),
            is_wrong: now.wrong().is_some(),
            changes: now.changes,
        }
    }

    /// Waits until things stand otherwise than they did.
    pub(super) fn wait(&self, since: &Standing) {
        let mut now = self.now();
        while now.changes == since.changes {
            now = self.for_dispatcher.wait(now).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn changed(&self, mut now: MutexGuard<'_, Now<M>>) {
        now.changes += 1;
        drop(now);
        self.for_dispatcher.notify_all();
    }

    /// Ends all jobs once it is dropped.
    pub(super) fn closing(&self) -> Closing<'_, M> {
        Closing(self)
    }
}

/// Has the jobs end, as soon as they can.
pub(super) struct Closing<'a, M: Model>(&'a Board<M>);

impl<M: Model> Drop for Closing<'_, M> {
    fn drop(&mut self) {
        let Self(board) = self;
        let mut now = board.now();
        now.is_closed = true;
        board.stops.iter().for_each(Stop::request);
        drop(now);
        board.for_jobs.notify_all();
    }
}
