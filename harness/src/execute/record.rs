//! Giving commands, in sequence or in a lane: each is told of, watched, and recorded with its
//! place in the one order of events.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use model::history::Operation;
use model::panics::{Method, Panicked, caught, in_model};
use model::{Model, Outcome, Place};

use super::watch::Watch;
use crate::observe::{Event, Observer};
use crate::spans;
use crate::system::SystemError;

/// An operation with the place of its command in the case.
#[derive(Debug)]
pub struct Recorded<M: Model> {
    /// Where the command stands.
    pub place: Place,
    /// What was given there, with real results in the place of symbols, and what came of it.
    pub operation: Operation<M::Command, M::Response>,
    /// How long it took, where somebody wants to know: in a run only an observer that follows
    /// cases does, and whatever makes a failing case smaller. None where it was given in an earlier
    /// run, and the system was given back as it was after it.
    pub elapsed: Option<Duration>,
    /// When it was given, on a clock that goes on evenly within a case; none where `elapsed` is.
    pub given: Option<SystemTime>,
}

// Derived, this would ask the model for it.
impl<M: Model> Clone for Recorded<M> {
    fn clone(&self) -> Self {
        let Self { place, operation, elapsed, given } = self;
        Self { place: *place, operation: operation.clone(), elapsed: *elapsed, given: *given }
    }
}

/// The moment at which a case began, by both clocks: one goes on evenly, the other is that of whoever
/// else writes times down.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Began(Instant, SystemTime);

impl Began {
    pub(crate) fn now() -> Self {
        Self(Instant::now(), SystemTime::now())
    }

    /// A later moment.
    fn at(self, moment: Instant) -> SystemTime {
        self.1 + moment.saturating_duration_since(self.0)
    }
}

/// Where a command stands, and the number that goes with it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spot {
    pub(crate) place: Place,
    /// Its place in the order of `Case::places`, counted from 1.
    pub(crate) number: usize,
}

impl Spot {
    /// The lane, counted from 0.
    pub(crate) fn lane(self) -> Option<usize> {
        match self.place {
            Place::Lane { lane, .. } => Some(lane),
            Place::Prefix(_) | Place::Finally(_) => None,
        }
    }
}

/// A command that panicked.
pub(crate) struct Panic {
    pub(crate) spot: Spot,
    /// What it said, with its place in the source.
    pub(crate) said: String,
    /// When it began.
    pub(crate) at: Instant,
}

/// Why no further command of a sequence or a lane is given. Boxed, since most commands end without
/// one, and each result is moved.
pub(crate) enum Halt {
    Panicked(Panic),
    Error(SystemError),
}

impl From<SystemError> for Box<Halt> {
    fn from(error: SystemError) -> Self {
        Self::new(Halt::Error(error))
    }
}

/// Gives commands, tells of them, has them watched, and knows when they were given.
pub(crate) struct Recorder<'a, M> {
    pub(crate) model: &'a M,
    pub(crate) observer: &'a dyn Observer,
    /// The place of the case in the run, where it has one.
    pub(crate) case: Option<u32>,
    /// Whether the observer follows cases. What nobody follows is not put into words.
    pub(crate) follows: bool,
    pub(crate) watch: Option<&'a Watch>,
    /// When the case began, where it measures how long commands take.
    pub(crate) begun: Option<Began>,
    pub(crate) clock: AtomicU64,
}

impl<M: Model> Recorder<'_, M> {
    /// Gives a command by `run` and adds it to `history`; where the system panics, with an unknown
    /// outcome.
    ///
    /// # Errors
    /// That of `run`, or what panicked.
    pub(crate) fn give(
        &self,
        history: &mut Vec<Recorded<M>>,
        spot: Spot,
        command: &M::Command,
        run: impl FnOnce(&M::Command) -> Result<Outcome<M::Response>, SystemError>,
    ) -> Result<(), Box<Halt>> {
        let (case, number) = (self.case, spot.number);
        let lane = spot.lane().map(|lane| lane + 1);
        let shown = self.follows.then(|| show_command(self.model, command));
        if let Some(command) = &shown {
            self.observer.event(&Event::CommandStarted { case, number, lane, command });
        }
        let _command = spans::command(number, lane, shown.as_deref()).entered();
        tracing::debug!("given");
        let watched = self.watch.map(|watch| watch.given(spot));
        let start = self.begun.map(|began| (began, Instant::now()));
        // Command and answer are put where they stay: to move what was just written makes a
        // processor wait, for longer than many a command in memory takes.
        let called = self.tick(lane);
        let operation = Operation {
            lane: spot.lane().unwrap_or(0),
            command: command.clone(),
            called,
            outcome: Outcome::Unknown(String::new()),
            ended: None,
        };
        let given = start.map(|(began, start)| began.at(start));
        history.push(Recorded { place: spot.place, operation, elapsed: None, given });
        let Some(Recorded { operation, elapsed, .. }) = history.last_mut() else { return Ok(()) };
        let Operation { command, outcome, ended, .. } = operation;
        let result = caught(|| match run(command) {
            Ok(Outcome::Answered(response)) => {
                *outcome = Outcome::Answered(response);
                Ok(())
            }
            Ok(other) => {
                *outcome = other;
                Ok(())
            }
            Err(error) => Err(error.into()),
        });
        *ended = Some(self.tick(lane));
        *elapsed = start.map(|(_, start)| start.elapsed());
        drop(watched);
        let given = match result {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => {
                history.pop();
                return Err(error);
            }
            Err(panicked) => {
                let said = panicked.to_string();
                *outcome = Outcome::Unknown(said.clone());
                let at = match panicked {
                    Panicked::Said { at, .. } => at,
                    Panicked::Model(_) => Instant::now(),
                };
                Err(Box::new(Halt::Panicked(Panic { spot, said, at })))
            }
        };
        if let Some(command) = &shown {
            let outcome = &show_outcome(self.model, outcome);
            let seconds = elapsed.unwrap_or_default().as_secs_f64();
            self.observer.event(&Event::CommandFinished { case, number, lane, command, outcome, seconds });
        }
        given
    }

    /// Adds a command to `history` that was given in another run, on the system as it is now, and what
    /// came of it there.
    pub(crate) fn recall(
        &self,
        history: &mut Vec<Recorded<M>>,
        spot: Spot,
        command: &M::Command,
        outcome: Outcome<M::Response>,
    ) {
        let (command, called) = (command.clone(), self.tick(None));
        let ended = Some(self.tick(None));
        let operation = Operation { lane: 0, command, called, outcome, ended };
        history.push(Recorded { place: spot.place, operation, elapsed: None, given: None });
    }

    /// The next place in the order of events.
    fn tick(&self, lane: Option<usize>) -> u64 {
        if lane.is_some() {
            return self.clock.fetch_add(1, Ordering::SeqCst);
        }
        // Outside lanes nobody else counts.
        let tick = self.clock.load(Ordering::Relaxed);
        self.clock.store(tick + 1, Ordering::Relaxed);
        tick
    }
}

/// A command as reports show it.
pub(crate) fn show_command<M: Model>(model: &M, command: &M::Command) -> String {
    in_model(Method::ShowCommand, command, || model.show_command(command))
}

/// An outcome as reports show it.
pub(crate) fn show_outcome<M: Model>(model: &M, outcome: &Outcome<M::Response>) -> String {
    match outcome {
        Outcome::Answered(response) => {
            in_model(Method::ShowResponse, response, || model.show_response(response))
        }
        Outcome::Refused(why) => format!("refused: {why}"),
        Outcome::Unknown(why) => format!("unknown: {why}"),
    }
}
