//! What the jobs of a run and the thread that gives them their cases share.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use model::Model;

use super::changes::Changes;
use super::trials::Trials;
use super::{Came, Task, Trial};
use crate::stop::Stop;

/// Tasks by their places in the run: those that wait for a job, and those that have ended; and, while
/// a failure is made smaller, the candidates.
pub(crate) struct Board<M: Model> {
    now: Mutex<Now<M>>,
    /// What is of interest to jobs that wait for a task.
    for_jobs: Arc<Changes>,
    /// What is of interest to who gives out tasks.
    for_dispatcher: Arc<Changes>,
    /// What the run is to stop by.
    all: Stop,
    /// What ends each job's task.
    stops: Vec<Stop>,
}

/// What a job is at.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum At {
    /// The task of this place.
    Task(u64),
    /// The trial of this number.
    Trial(u64),
}

/// What a job is to do.
pub(super) enum Work<M: Model> {
    Task(u64, Task<M>),
    Trial(u64, Trial<M>),
}

pub(super) struct Now<M: Model> {
    waiting: BTreeMap<u64, Task<M>>,
    ended: BTreeMap<u64, (Task<M>, Came<M>)>,
    /// What each job is at.
    running: Vec<Option<At>>,
    pub(super) trials: Trials<M>,
    is_closed: bool,
    /// Whether no task is begun, since a failure is made smaller that may end the run.
    is_held: bool,
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
            trials: Trials::default(),
            is_closed: false,
            is_held: false,
        };
        Self {
            now: Mutex::new(now),
            for_jobs: Changes::with_stop(all),
            for_dispatcher: Changes::with_stop(all),
            all: all.clone(),
            stops: (0..jobs).map(|_| all.of_job()).collect(),
        }
    }

    pub(super) fn now(&self) -> MutexGuard<'_, Now<M>> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What ends the task of a job.
    pub(super) fn stop(&self, job: usize) -> &Stop {
        &self.stops[job]
    }

    /// How many jobs there are.
    pub(super) fn jobs(&self) -> usize {
        self.stops.len()
    }

    /// Whether the run is to stop.
    pub(super) fn is_to_stop(&self) -> bool {
        self.all.requested()
    }

    /// The first trial that waits, or the first task, once there is one that may be of use; none where
    /// there will be none any more.
    pub(super) fn take(&self, job: usize) -> Option<Work<M>> {
        loop {
            let changes = self.for_jobs.count();
            let mut now = self.now();
            if now.is_closed || self.all.requested() {
                return None;
            }
            if let Some((number, trial)) = now.trials.take() {
                self.begin(&mut now, job, At::Trial(number));
                drop(now);
                self.for_dispatcher.add();
                return Some(Work::Trial(number, trial));
            }
            let (wrong, is_held) = (now.wrong(), now.is_held);
            let is_of_use = |place: &u64| !is_held && wrong.is_none_or(|wrong| *place < wrong);
            if let Some(first) = now.waiting.first_entry().filter(|first| is_of_use(first.key())) {
                let (place, task) = first.remove_entry();
                self.begin(&mut now, job, At::Task(place));
                drop(now);
                self.for_dispatcher.add();
                return Some(Work::Task(place, task));
            }
            drop(now);
            self.for_jobs.wait(changes);
        }
    }

    fn begin(&self, now: &mut Now<M>, job: usize, at: At) {
        self.stops[job].take_back(&self.all);
        now.running[job] = Some(at);
    }

    /// Ends what jobs are at where it is of no use.
    pub(super) fn end_where(&self, now: &Now<M>, is_of_no_use: impl Fn(At) -> bool) {
        let running = now.running.iter().zip(&self.stops);
        running.filter(|(at, _)| at.is_some_and(&is_of_no_use)).for_each(|(_, stop)| stop.request());
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
            self.end_where(&now, |at| matches!(at, At::Task(place) if place > wrong));
        }
        drop(now);
        self.for_dispatcher.add();
    }

    /// Adds a task.
    pub(super) fn give(&self, place: u64, task: Task<M>) {
        self.now().waiting.insert(place, task);
        self.for_jobs.add();
    }

    /// Takes what the task of a place has come to, where it has ended. If that is wrong, no task is
    /// begun before [`Board::go_on`].
    pub(super) fn take_ended(&self, place: u64) -> Option<(Task<M>, Came<M>)> {
        let mut now = self.now();
        let ended = now.ended.remove(&place);
        now.is_held |= ended.as_ref().is_some_and(|(_, came)| came.is_wrong());
        ended
    }

    /// Lets tasks be begun again.
    pub(super) fn go_on(&self) {
        self.now().is_held = false;
        self.for_jobs.add();
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
        let changes = self.for_dispatcher.count();
        let now = self.now();
        Standing {
            waiting: now.waiting.len(),
            is_idle: now.running.iter().all(Option::is_none),
            is_wrong: now.wrong().is_some(),
            changes,
        }
    }

    /// Waits until things stand otherwise than they did, or the run is to stop.
    pub(super) fn wait(&self, since: &Standing) {
        self.for_dispatcher.wait(since.changes);
    }

    /// A job has ended what it was at; what became of a trial.
    pub(super) fn trial_ended(&self, job: usize, end: impl FnOnce(&mut Trials<M>)) {
        let mut now = self.now();
        now.running[job] = None;
        end(&mut now.trials);
        drop(now);
        self.for_dispatcher.add();
    }

    /// What is of interest to who waits for jobs.
    pub(super) fn for_dispatcher(&self) -> &Changes {
        &self.for_dispatcher
    }

    /// Lets jobs look for what there is to do.
    pub(super) fn call_jobs(&self) {
        self.for_jobs.add();
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
        board.for_jobs.add();
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use model::Case;
    use proptest::prelude::*;

    use super::*;
    use crate::system::{Purpose, SystemError};

    struct Nothing;

    impl Model for Nothing {
        type State = ();
        type Command = ();
        type Response = ();

        fn gen_initial_state(&self) -> BoxedStrategy<()> {
            Just(()).boxed()
        }

        fn gen_command(&self, (): &()) -> BoxedStrategy<()> {
            Just(()).boxed()
        }

        fn next_state(&self, (): &(), (): &()) {}

        fn post_condition(&self, (): &(), (): &(), (): &()) -> bool {
            true
        }
    }

    #[test]
    fn a_stop_ends_all_waiting_whoever_is_there_to_be_waited_for() {
        // Of many rounds in some the request comes before somebody waits, and in others after.
        for _ in 0..200 {
            let stop = Stop::default();
            let board = Board::<Nothing>::new(2, &stop);
            let case = Case::sequential((), vec![()]);
            thread::scope(|scope| {
                let job = scope.spawn(|| {
                    // One that hears of the stop only once it has a trial leaves that to nobody.
                    while let Some(Work::Trial(..)) = board.take(0) {}
                });
                let asks = scope.spawn(|| {
                    let trial = |case| Trial { case, order: None, seed: 1.into(), purpose: Purpose::Search };
                    board.try_out(&case, trial).map(|_| ())
                });
                let gives = scope.spawn(|| {
                    let standing = board.standing();
                    if !board.is_to_stop() {
                        board.wait(&standing);
                    }
                });
                stop.request();
                assert!(matches!(asks.join().unwrap(), Err(SystemError::Stopped)));
                job.join().unwrap();
                gives.join().unwrap();
            });
        }
    }
}
