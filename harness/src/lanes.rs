//! Lanes of commands that run side by side, each over a session of its own.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Barrier, Mutex, PoisonError};
use std::thread;

use model::history::Operation;
use model::{Model, Outcome, Place, Symbol};

use crate::stop::Stop;
use crate::system::SystemError;

/// The lanes of a case, ready to be run by [`System::run_lanes`](crate::System::run_lanes).
///
/// Each invocation and each outcome gets its place in one order of events that all lanes share.
pub struct Lanes<'a, M: Model> {
    model: &'a M,
    lanes: &'a [Vec<M::Command>],
    /// What commands before the lanes have given for symbols.
    results: &'a BTreeMap<Symbol, M::Response>,
    clock: &'a AtomicU64,
    recorded: Mutex<Vec<Recorded<M>>>,
    stop: &'a Stop,
}

/// An operation with the place of its command in the case.
#[derive(Debug)]
pub struct Recorded<M: Model> {
    /// Where the command stands.
    pub place: Place,
    /// What was given there, with real results in the place of symbols, and what came of it.
    pub operation: Operation<M::Command, M::Response>,
}

impl<'a, M: Model> Lanes<'a, M> {
    pub(crate) fn new(
        model: &'a M,
        lanes: &'a [Vec<M::Command>],
        results: &'a BTreeMap<Symbol, M::Response>,
        clock: &'a AtomicU64,
        stop: &'a Stop,
    ) -> Self {
        Self { model, lanes, results, clock, recorded: Mutex::default(), stop }
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

    /// What was given so far and what came of it, in no particular order.
    pub(crate) fn into_recorded(self) -> Vec<Recorded<M>> {
        self.recorded.into_inner().unwrap_or_else(PoisonError::into_inner)
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
    /// # Errors
    /// The first error of a session; the other lanes end after the commands that they are at.
    pub fn run<Session>(
        &self,
        open: impl Fn(usize) -> Result<Session, SystemError> + Sync,
    ) -> Result<(), SystemError>
    where
        Session: FnMut(&M::Command) -> Result<Outcome<M::Response>, SystemError>,
    {
        let start = Barrier::new(self.lanes.len());
        let failed = AtomicBool::new(false);
        let ended: Vec<thread::Result<Result<(), SystemError>>> = thread::scope(|scope| {
            let lane = |lane: usize| {
                let (open, start, failed) = (&open, &start, &failed);
                scope.spawn(move || {
                    // The others wait at the barrier, whatever becomes of this session.
                    let session = catch_unwind(AssertUnwindSafe(|| open(lane)));
                    failed.fetch_or(!matches!(session, Ok(Ok(_))), Ordering::SeqCst);
                    start.wait();
                    let session = session.unwrap_or_else(|panic| resume_unwind(panic));
                    let result = session.and_then(|session| self.drive(lane, session, failed));
                    failed.fetch_or(result.is_err(), Ordering::SeqCst);
                    result
                })
            };
            let lanes: Vec<_> = (0..self.lanes.len()).map(lane).collect();
            lanes.into_iter().map(|lane| lane.join()).collect()
        });
        ended.into_iter().try_for_each(|lane| lane.unwrap_or_else(|panic| resume_unwind(panic)))
    }

    fn drive(
        &self,
        lane: usize,
        mut session: impl FnMut(&M::Command) -> Result<Outcome<M::Response>, SystemError>,
        failed: &AtomicBool,
    ) -> Result<(), SystemError> {
        let mut own = BTreeMap::new();
        for (index, command) in self.lanes[lane].iter().enumerate() {
            if failed.load(Ordering::SeqCst) {
                return Ok(());
            }
            if self.stop.requested() {
                return Err(SystemError::Stopped);
            }
            let missing = Cell::new(None);
            let bound = bind(self.model, command, &missing, |symbol| {
                own.get(&symbol).or_else(|| self.results.get(&symbol)).cloned()
            });
            let called = self.tick();
            let outcome = match &bound {
                Some(command) => session(command)?,
                None => Outcome::Refused(no_result(missing.get())),
            };
            let ended = (!matches!(outcome, Outcome::Unknown(_))).then(|| self.tick());
            if let (Some(symbol), Outcome::Answered(response)) = (self.model.defines(command), &outcome) {
                own.insert(symbol, response.clone());
            }
            let command = bound.unwrap_or_else(|| command.clone());
            let operation = Operation { lane, command, called, outcome, ended };
            let recorded = Recorded { place: Place::Lane { lane, index }, operation };
            self.recorded.lock().unwrap_or_else(PoisonError::into_inner).push(recorded);
        }
        Ok(())
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::SeqCst)
    }
}

/// The command with the results in place of its symbols; none where one of them is missing.
pub(crate) fn bind<M: Model>(
    model: &M,
    command: &M::Command,
    missing: &Cell<Option<Symbol>>,
    result: impl Fn(Symbol) -> Option<M::Response>,
) -> Option<M::Command> {
    let uses = model.uses(command);
    if uses.is_empty() {
        return Some(command.clone());
    }
    missing.set(uses.iter().copied().find(|symbol| result(*symbol).is_none()));
    if missing.get().is_some() {
        return None;
    }
    missing.set(uses.first().copied());
    model.bind(command, &result)
}

pub(crate) fn no_result(symbol: Option<Symbol>) -> String {
    let symbol = symbol.map(|symbol| symbol.to_string()).unwrap_or_default();
    format!("the command that {symbol} stands for gave no result")
}
