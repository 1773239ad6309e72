//! Lanes of commands that run side by side, each over a session of its own.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::hint;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Instant;

use model::panics::{Method, caught, in_model, no_broken_model};
use model::{Model, Outcome, Place, Symbol};

use crate::execute::{Halt, Panic, Recorded, Recorder, Spot, Step, failed};
use crate::spans::carried;
use crate::stop::Stop;
use crate::system::SystemError;

mod order;

use order::Follower;
pub(crate) use order::Order;

/// The lanes of a case, ready to be run by [`System::run_lanes`](crate::System::run_lanes).
///
/// Each invocation and each outcome gets its place in one order of events that all lanes share.
pub struct Lanes<'a, M: Model> {
    recorder: &'a Recorder<'a, M>,
    lanes: &'a [Vec<M::Command>],
    /// The number of the first command.
    first: usize,
    /// What commands before the lanes have given for symbols.
    results: &'a BTreeMap<Symbol, M::Response>,
    stop: &'a Stop,
    /// What they are to follow, if anything.
    follower: Option<Follower<'a>>,
    came: Mutex<(Vec<Recorded<M>>, Option<Panic>)>,
}

impl<'a, M: Model> Lanes<'a, M> {
    pub(crate) fn new(
        recorder: &'a Recorder<'a, M>,
        lanes: &'a [Vec<M::Command>],
        first: usize,
        results: &'a BTreeMap<Symbol, M::Response>,
        stop: &'a Stop,
        order: Option<&'a Order>,
    ) -> Self {
        let follower = order.map(Follower::new);
        Self { recorder, lanes, first, results, stop, follower, came: Mutex::default() }
    }

    /// How many lanes there are.
    #[must_use]
    pub fn count(&self) -> usize {
        self.lanes.len()
    }

    /// What a lane is going to give, in order, with symbols as they are in the case: what its
    /// session may get ready for.
    #[must_use]
    pub fn commands(&self, lane: usize) -> &[M::Command] {
        self.lanes.get(lane).map_or(&[], Vec::as_slice)
    }

    /// What was given so far and what came of it, in no particular order, and what panicked first.
    pub(crate) fn into_recorded(self) -> (Vec<Recorded<M>>, Option<Panic>) {
        self.came.into_inner().unwrap_or_else(PoisonError::into_inner)
    }

    fn came(&self) -> MutexGuard<'_, (Vec<Recorded<M>>, Option<Panic>)> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets others go on that would wait for a lane which has ended.
    fn left(&self, lane: usize) {
        if let Some(follower) = &self.follower {
            let first = self.spot(lane, 0).number;
            follower.left(first..first + self.lanes[lane].len());
        }
    }

    /// The command at this place in a lane.
    fn spot(&self, lane: usize, index: usize) -> Spot {
        let before: usize = self.lanes[..lane].iter().map(Vec::len).sum();
        Spot { place: Place::Lane { lane, index }, number: self.first + before + index }
    }
}

impl<M> Lanes<'_, M>
where
    M: Model + Sync,
    M::Command: Send + Sync,
    M::Response: Send + Sync,
{
    /// Runs each lane on a thread of its own.
    ///
    /// `open` is called on each of these threads with the lane's number, from 0, and gives what
    /// runs that lane's commands: a closure with a session of its own. The first commands are
    /// given once all sessions are open.
    ///
    /// A panic while a command runs falsifies, with what it said as what came; the other lanes end
    /// after the commands that they are at. A panic of `open` is an error of the infrastructure.
    ///
    /// # Errors
    /// The first error of a session; the other lanes end after the commands that they are at. An
    /// error of the infrastructure that comes after a panic has begun is none, since the panic is
    /// what ended the system.
    pub fn run<Session>(
        &self,
        open: impl Fn(usize) -> Result<Session, SystemError> + Sync,
    ) -> Result<(), SystemError>
    where
        Session: FnMut(&M::Command) -> Result<Outcome<M::Response>, SystemError>,
    {
        let (start, gate) = (Barrier::new(self.lanes.len()), Gate::default());
        let ending = AtomicBool::new(false);
        let ended: Vec<thread::Result<Result<(), Ended>>> = thread::scope(|scope| {
            let lane = |lane: usize| {
                let (open, start, gate, ending) = (&open, &start, &gate, &ending);
                scope.spawn(carried(move || {
                    // The others wait at the barrier, whatever becomes of this session.
                    let watched = self.recorder.watch.map(|watch| watch.step(Step::Opening(lane)));
                    let session = caught(|| open(lane));
                    drop(watched);
                    let session =
                        session.unwrap_or_else(|panicked| Err(failed("a session was opened", panicked)));
                    ending.fetch_or(session.is_err(), Ordering::SeqCst);
                    start.wait();
                    gate.pass(self.lanes.len());
                    let mut given = Vec::with_capacity(self.lanes[lane].len());
                    let driven = no_broken_model(|| {
                        self.drive(lane, session.map_err(Ended::now)?, ending, &mut given)
                    });
                    let driven = driven.unwrap_or_else(|broken| Err(Ended::now(broken.into())));
                    ending.fetch_or(driven.is_err(), Ordering::SeqCst);
                    self.came().0.append(&mut given);
                    self.left(lane);
                    driven
                }))
            };
            let lanes: Vec<_> = (0..self.lanes.len()).map(lane).collect();
            lanes.into_iter().map(|lane| lane.join()).collect()
        });
        // Not before all have ended: one lane may have heard of a panic in another while that is
        // still on its way to where it is caught.
        let panicked = self.came().1.as_ref().map(|panic| panic.at);
        let ended = ended.into_iter().map(|lane| lane.unwrap_or_else(|panic| resume_unwind(panic)));
        let counts = |ended: &Ended| {
            let is_due_to_it = panicked.is_some_and(|began| began <= ended.at);
            !(is_due_to_it && matches!(ended.error, SystemError::Infrastructure(_)))
        };
        // What one lane met may be why others then met something else.
        let first = ended.filter_map(Result::err).filter(counts).min_by_key(|ended| ended.at);
        let Some(Ended { error, .. }) = first else { return Ok(()) };
        if matches!(error, SystemError::Infrastructure(_)) {
            // What panics over a system that is gone shows nothing.
            self.came().1 = None;
        }
        Err(error)
    }

    fn drive(
        &self,
        lane: usize,
        mut session: impl FnMut(&M::Command) -> Result<Outcome<M::Response>, SystemError>,
        ending: &AtomicBool,
        given: &mut Vec<Recorded<M>>,
    ) -> Result<(), Ended> {
        let mut own = BTreeMap::new();
        for (index, command) in self.lanes[lane].iter().enumerate() {
            if ending.load(Ordering::SeqCst) {
                return Ok(());
            }
            if self.stop.requested() {
                return Err(Ended::now(SystemError::Stopped));
            }
            let spot = self.spot(lane, index);
            if let Some(follower) = &self.follower {
                follower.wait(spot.number);
            }
            let bound = bind(self.recorder.model, command, |symbol| {
                own.get(&symbol).or_else(|| self.results.get(&symbol)).cloned()
            });
            let bound = bound.as_deref();
            let given_one =
                self.recorder.give(given, spot, bound.unwrap_or(command), |command| match bound {
                    Ok(_) => session(command),
                    Err(why) => Ok(Outcome::Refused(why.clone())),
                });
            let panic = match given_one.map_err(|halt| *halt) {
                Ok(()) => None,
                Err(Halt::Panicked(panic)) => Some(panic),
                Err(Halt::Error(error)) => return Err(Ended::now(error)),
            };
            if let Some(follower) = &self.follower {
                follower.ended(spot.number);
            }
            let defines = in_model(Method::Defines, command, || self.recorder.model.defines(command));
            if let (Some(symbol), Some(recorded)) = (defines, given.last())
                && let Outcome::Answered(response) = &recorded.operation.outcome
            {
                own.insert(symbol, response.clone());
            }
            if let Some(panic) = panic {
                ending.store(true, Ordering::SeqCst);
                let first = &mut self.came().1;
                if first.as_ref().is_none_or(|other| panic.at < other.at) {
                    *first = Some(panic);
                }
            }
        }
        Ok(())
    }
}

/// What a lane ended by, and when: before its session is taken down, by which others may hear of it.
struct Ended {
    error: SystemError,
    at: Instant,
}

impl Ended {
    fn now(error: SystemError) -> Self {
        Self { error, at: Instant::now() }
    }
}

/// Lets all lanes go at one moment. A thread that was asleep wakes up some microseconds after
/// another, in which a lane in memory has long ended, and nothing would have run side by side.
#[derive(Default)]
struct Gate(AtomicUsize);

impl Gate {
    /// Waits for so many, which are all on their way, without going to sleep; but the processor is
    /// left to others now and then, where there are fewer of them than lanes.
    fn pass(&self, lanes: usize) {
        self.0.fetch_add(1, Ordering::SeqCst);
        for look in 1_u32.. {
            if self.0.load(Ordering::SeqCst) >= lanes {
                return;
            }
            if look.is_multiple_of(1000) {
                thread::yield_now();
            } else {
                hint::spin_loop();
            }
        }
    }
}

/// The command with the results in place of its symbols.
///
/// # Errors
/// Which of them has no result.
pub(crate) fn bind<'a, M: Model>(
    model: &M,
    command: &'a M::Command,
    result: impl Fn(Symbol) -> Option<M::Response>,
) -> Result<Cow<'a, M::Command>, String> {
    let uses = in_model(Method::Uses, command, || model.uses(command));
    let Some(first) = uses.first() else { return Ok(Cow::Borrowed(command)) };
    let no_result = |symbol: &Symbol| format!("the command that {symbol} stands for gave no result");
    if let Some(missing) = uses.iter().find(|symbol| result(**symbol).is_none()) {
        return Err(no_result(missing));
    }
    let bound = in_model(Method::Bind, command, || model.bind(command, &result));
    bound.map(Cow::Owned).ok_or_else(|| no_result(first))
}
