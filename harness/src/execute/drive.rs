//! The course of a case: commands in sequence, judged at once, then lanes and final commands,
//! judged together.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt::{self, Debug};
use std::sync::atomic::AtomicU64;

use model::panics::{Method, caught, in_model, in_parts};
use model::step::Impossible;
use model::{Case, Judgement, Model, Outcome, Place, Possible, Symbol};

use super::prefixes::{Beginning, Past, Saver};
use super::record::{Began, show_command, show_outcome};
use super::{Evidence, Executor, Halt, Panic, Recorded, Recorder, Spot, Verdict, failed, judge};
use crate::lanes::{self, Lanes, Order};
use crate::system::{System, SystemError};

/// A case on its way.
struct Drive<'a, 'e, M: Model, S: System<M>> {
    executor: &'a Executor<'e, M, S>,
    sut: &'a mut S::Sut,
    recorder: Recorder<'a, M>,
    /// What its lanes are to follow.
    order: Option<&'a Order>,
    /// What was given for symbols, in lanes only for the final commands.
    results: BTreeMap<Symbol, M::Response>,
    history: &'a mut Vec<Recorded<M>>,
    /// What came of commands that the system was given before it was saved.
    past: Past<M>,
    saver: Option<Saver<'a, 'e, M, S>>,
}

/// What ends a case within a sequence, boxed as [`Halt`] is.
enum End {
    Verdict(Verdict),
    Error(SystemError),
}

impl From<Box<Halt>> for Box<End> {
    fn from(halt: Box<Halt>) -> Self {
        Self::new(match *halt {
            Halt::Panicked(Panic { spot, said, .. }) => {
                End::Verdict(Verdict::Falsified(Evidence::panic(spot.number, said)))
            }
            Halt::Error(error) => End::Error(error),
        })
    }
}

/// The command of a sequence that is being given and judged.
struct Current<'a, Command> {
    commands: &'a [Command],
    at: &'a Cell<usize>,
}

impl<Command: Debug> Debug for Current<'_, Command> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.commands[self.at.get()].fmt(f)
    }
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    pub(super) fn drive(
        &self,
        sut: &mut S::Sut,
        beginning: Beginning<M>,
        case: &Case<M>,
        order: Option<&Order>,
        history: &mut Vec<Recorded<M>>,
    ) -> Result<Verdict, SystemError> {
        let recorder = Recorder {
            model: self.model,
            observer: self.observer,
            case: self.number.get(),
            follows: self.observer.follows_cases(),
            watch: self.watch.as_ref(),
            begun: (self.timed.get() || self.observer.follows_cases()).then(Began::now),
            clock: AtomicU64::new(0),
        };
        let (saver, results) = (Saver::new(self, case, &beginning), BTreeMap::new());
        let past = beginning.past;
        Drive { executor: self, sut, recorder, order, results, history, past, saver }.case(case)
    }
}

impl<M: Model, S: System<M>> Drive<'_, '_, M, S> {
    fn case(&mut self, case: &Case<M>) -> Result<Verdict, SystemError> {
        let model = self.executor.model;
        let mut possible = Possible::new(case.initial.clone());
        if let Some(verdict) = self.sequence(&mut possible, &case.commands, Place::Prefix, 1)? {
            return Ok(verdict);
        }
        let first = case.len() - case.finally.len() + 1;
        if case.lanes.is_empty() {
            let ended = self.sequence(&mut possible, &case.finally, Place::Finally, first)?;
            return Ok(ended.unwrap_or(Verdict::Holds));
        }
        if let Some(panic) = self.lanes(case)? {
            return Ok(Verdict::Falsified(judge::panicked(model, case, self.history, panic)));
        }
        for (index, command) in case.finally.iter().enumerate() {
            let spot = Spot { place: Place::Finally(index), number: first + index };
            let bound = self.bind(command);
            match self.give(spot, command, bound.as_deref()).map_err(|halt| *halt) {
                Ok(()) => {}
                Err(Halt::Panicked(panic)) => {
                    return Ok(Verdict::Falsified(judge::panicked(model, case, self.history, panic)));
                }
                Err(Halt::Error(error)) => return Err(error),
            }
        }
        judge::whole(model, case, self.history, self.executor.stop)
    }

    /// Gives commands whose answers can be judged at once, the first of this number; gives the
    /// verdict where that ends the case.
    fn sequence(
        &mut self,
        possible: &mut Possible<M>,
        commands: &[M::Command],
        place: impl Fn(usize) -> Place,
        first: usize,
    ) -> Result<Option<Verdict>, SystemError> {
        if commands.is_empty() {
            return Ok(None);
        }
        let at = Cell::new(0);
        // One look for panics of the model, rather than one for each of its parts.
        let judged = in_parts(&Current { commands, at: &at }, || {
            for (index, command) in commands.iter().enumerate() {
                at.set(index);
                let place = place(index);
                self.judged(possible, Spot { place, number: first + index }, command)?;
                if let Some(saver) = &mut self.saver
                    && matches!(place, Place::Prefix(_))
                {
                    let saved = saver.passed(self.sut, index + 1, self.history);
                    saved.map_err(|error| Box::new(End::Error(error)))?;
                }
            }
            Ok::<_, Box<End>>(())
        });
        match judged {
            Ok(Ok(())) => Ok(None),
            Ok(Err(end)) => match *end {
                End::Verdict(verdict) => Ok(Some(verdict)),
                End::Error(error) => Err(error),
            },
            Err(panicked) => {
                let why = Impossible::Panicked(panicked.to_string());
                Ok(Some(self.forbidden(first + at.get(), &why)))
            }
        }
    }

    /// Gives a command whose answer can be judged at once.
    fn judged(
        &mut self,
        possible: &mut Possible<M>,
        spot: Spot,
        command: &M::Command,
    ) -> Result<(), Box<End>> {
        let model = self.executor.model;
        let bound = self.bind(command);
        let bound = bound.as_deref();
        if let Ok(command) = bound
            && !possible.allows_giving(model, command)
            && !in_model(Method::CanBeRefused, command, || model.can_be_refused(command))
        {
            let (place, shown) = (spot.place, show_command(model, command));
            return Err(Box::new(End::Verdict(Verdict::Inconclusive(format!(
                "{place} ({shown}) makes no sense in a state that an unknown outcome left possible"
            )))));
        }
        self.give(spot, command, bound)?;
        let Some(Recorded { operation, .. }) = self.history.last() else { return Ok(()) };
        let verdict = match possible.observe(model, &operation.command, &operation.outcome) {
            Judgement::Allowed => return Ok(()),
            Judgement::Undecided(reason) => Verdict::Inconclusive(reason),
            Judgement::Forbidden(why) => self.forbidden(spot.number, &why),
        };
        Err(Box::new(End::Verdict(verdict)))
    }

    /// The verdict on the last answer, which was to the command of this number.
    fn forbidden(&self, number: usize, why: &Impossible) -> Verdict {
        let last = self.history.last().map(|recorded| &recorded.operation.outcome);
        let came = last.map(|outcome| show_outcome(self.executor.model, outcome)).unwrap_or_default();
        Verdict::Falsified(Evidence::new(number, why.expected(), came))
    }

    /// The command with real results in the place of symbols, or why there are none.
    fn bind<'c>(&self, command: &'c M::Command) -> Result<Cow<'c, M::Command>, String> {
        lanes::bind(self.executor.model, command, |symbol| self.results.get(&symbol).cloned())
    }

    /// Gives a command outside lanes and records it.
    ///
    /// # Errors
    /// That of the system, or what panicked.
    fn give(
        &mut self,
        spot: Spot,
        command: &M::Command,
        bound: Result<&M::Command, &String>,
    ) -> Result<(), Box<Halt>> {
        let Self { executor, sut, recorder, results, history, past, .. } = self;
        executor.stopped()?;
        let defines = in_model(Method::Defines, command, || executor.model.defines(command));
        let before = match spot.place {
            Place::Prefix(index) => past.outcomes.get(index),
            _ => None,
        };
        if let Some(outcome) = before {
            recorder.recall(history, spot, bound.unwrap_or(command), outcome.clone());
        } else {
            recorder.give(history, spot, bound.unwrap_or(command), |command| match bound {
                Ok(_) => executor.system.run(sut, command),
                Err(why) => Ok(Outcome::Refused(why.clone())),
            })?;
        }
        if let (Some(symbol), Some(recorded)) = (defines, history.last())
            && let Outcome::Answered(response) = &recorded.operation.outcome
        {
            results.insert(symbol, response.clone());
        }
        Ok(())
    }

    /// Runs the lanes and records what came; gives what panicked first.
    fn lanes(&mut self, case: &Case<M>) -> Result<Option<Panic>, SystemError> {
        self.executor.stopped()?;
        let Self { executor, sut, recorder, order, results, history, .. } = self;
        let first = case.commands.len() + 1;
        let lanes = Lanes::new(recorder, &case.lanes, first, results, executor.stop, *order);
        let run = caught(|| executor.system.run_lanes(sut, &lanes));
        let (mut recorded, panic) = lanes.into_recorded();
        let (given, mut given_in_lanes) = (recorded.len(), BTreeMap::new());
        recorded.sort_by_key(|recorded| recorded.operation.called);
        for Recorded { place, operation, .. } in &recorded {
            let Place::Lane { lane, index } = *place else { continue };
            let symbol = in_model(Method::Defines, &operation.command, || {
                executor.model.defines(&case.lanes[lane][index])
            });
            if let (Some(symbol), Outcome::Answered(response)) = (symbol, &operation.outcome) {
                given_in_lanes.insert(symbol, response.clone());
            }
        }
        history.append(&mut recorded);
        results.append(&mut given_in_lanes);
        match run.unwrap_or_else(|panicked| Err(failed("the lanes were run", panicked))) {
            // What a command has panicked on may well be gone afterwards.
            Err(SystemError::Infrastructure(_)) if panic.is_some() => {}
            ran => ran?,
        }
        let all: usize = case.lanes.iter().map(Vec::len).sum();
        if panic.is_none() && given != all {
            let why = format!(
                "System::run_lanes gave {given} of {all} commands and reported no error: call Lanes::run once"
            );
            return Err(SystemError::WrongUse(why.into()));
        }
        Ok(panic)
    }
}
