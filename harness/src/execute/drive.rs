//! The course of a case: commands in sequence, judged at once, then lanes and final commands,
//! judged together.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicU64;

use model::panics::{caught, in_model};
use model::{Case, Judgement, Model, Outcome, Place, Possible, Symbol};

use super::record::{Came, show_outcome};
use super::{Evidence, Executor, Recorded, Recorder, Spot, Verdict, failed, judge};
use crate::lanes::{self, Lanes, Order};
use crate::system::{System, SystemError};

/// What panicked, and where in the case.
pub(crate) type Panic = (Spot, String);

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
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    pub(super) fn drive(
        &self,
        sut: &mut S::Sut,
        case: &Case<M>,
        order: Option<&Order>,
        history: &mut Vec<Recorded<M>>,
    ) -> Result<Verdict, SystemError> {
        let recorder = Recorder {
            model: self.model,
            observer: self.observer,
            watch: self.watch.as_ref(),
            timed: self.timed.get(),
            clock: AtomicU64::new(0),
        };
        Drive { executor: self, sut, recorder, order, results: BTreeMap::new(), history }.case(case)
    }
}

impl<M: Model, S: System<M>> Drive<'_, '_, M, S> {
    fn case(&mut self, case: &Case<M>) -> Result<Verdict, SystemError> {
        let model = self.executor.model;
        let mut possible = Possible::new(case.initial.clone());
        for (index, command) in case.commands.iter().enumerate() {
            let spot = Spot { place: Place::Prefix(index), number: index + 1 };
            if let Some(verdict) = self.judged(&mut possible, spot, command)? {
                return Ok(verdict);
            }
        }
        let first = case.len() - case.finally.len() + 1;
        let last = case.finally.iter().enumerate();
        let last = last
            .map(|(index, command)| (Spot { place: Place::Finally(index), number: first + index }, command));
        if case.lanes.is_empty() {
            for (spot, command) in last {
                if let Some(verdict) = self.judged(&mut possible, spot, command)? {
                    return Ok(verdict);
                }
            }
            return Ok(Verdict::Holds);
        }
        if let Some(panic) = self.lanes(case)? {
            return Ok(Verdict::Falsified(judge::panicked(model, case, self.history, panic)));
        }
        for (spot, command) in last {
            let bound = self.bound(command);
            if let Some(panic) = self.give(spot, command, bound)? {
                return Ok(Verdict::Falsified(judge::panicked(model, case, self.history, panic)));
            }
        }
        judge::whole(model, case, self.history, self.executor.stop)
    }

    /// Gives a command whose answer can be judged at once; gives the verdict where that ends the
    /// case.
    fn judged(
        &mut self,
        possible: &mut Possible<M>,
        spot: Spot,
        command: &M::Command,
    ) -> Result<Option<Verdict>, SystemError> {
        let model = self.executor.model;
        let bound = self.bound(command);
        if let Ok(command) = &bound
            && !possible.allows_giving(model, command)
            && !model.can_be_refused(command)
        {
            let reason = format!(
                "{} ({}) makes no sense in a state that an unknown outcome left possible",
                spot.place,
                model.show_command(command)
            );
            return Ok(Some(Verdict::Inconclusive(reason)));
        }
        if let Some((_, came)) = self.give(spot, command, bound)? {
            return Ok(Some(Verdict::Falsified(Evidence::panic(spot.number, came))));
        }
        let Some(Recorded { operation, .. }) = self.history.last() else { return Ok(None) };
        Ok(match possible.observe(model, &operation.command, &operation.outcome) {
            Judgement::Allowed => None,
            Judgement::Undecided(reason) => Some(Verdict::Inconclusive(reason)),
            Judgement::Forbidden(why) => {
                let came = show_outcome(model, &operation.outcome);
                Some(Verdict::Falsified(Evidence::new(spot.number, why.expected(), came)))
            }
        })
    }

    /// The command with real results in the place of symbols, or why there are none.
    fn bound(&self, command: &M::Command) -> Result<M::Command, String> {
        lanes::bind(self.executor.model, command, |symbol| self.results.get(&symbol).cloned())
    }

    /// Gives a command outside lanes and records it; gives what panicked.
    fn give(
        &mut self,
        spot: Spot,
        command: &M::Command,
        bound: Result<M::Command, String>,
    ) -> Result<Option<Panic>, SystemError> {
        self.executor.stopped()?;
        let Self { executor, sut, recorder, results, history, .. } = self;
        let came = match bound {
            Ok(bound) => recorder.give(spot, bound, |command| executor.system.run(sut, command))?,
            Err(why) => recorder.give(spot, command.clone(), |_| Ok(Outcome::Refused(why)))?,
        };
        let (recorded, panicked) = match came {
            Came::Outcome(recorded) => (recorded, None),
            Came::Panic(recorded, panicked) => (recorded, Some((spot, panicked.to_string()))),
        };
        if let (Some(symbol), Outcome::Answered(response)) =
            (in_model("defines", command, || executor.model.defines(command)), &recorded.operation.outcome)
        {
            results.insert(symbol, response.clone());
        }
        history.push(recorded);
        Ok(panicked)
    }

    /// Runs the lanes and records what came; gives what panicked first.
    fn lanes(&mut self, case: &Case<M>) -> Result<Option<Panic>, SystemError> {
        self.executor.stopped()?;
        let Self { executor, sut, recorder, order, results, history } = self;
        let first = case.commands.len() + 1;
        let lanes = Lanes::new(recorder, &case.lanes, first, results, executor.stop, *order);
        let run = caught(|| executor.system.run_lanes(sut, &lanes));
        let (mut recorded, panic) = lanes.into_recorded();
        let (given, mut given_in_lanes) = (recorded.len(), BTreeMap::new());
        recorded.sort_by_key(|recorded| recorded.operation.called);
        for Recorded { place, operation, .. } in &recorded {
            let Place::Lane { lane, index } = *place else { continue };
            let symbol =
                in_model("defines", &operation.command, || executor.model.defines(&case.lanes[lane][index]));
            if let (Some(symbol), Outcome::Answered(response)) = (symbol, &operation.outcome) {
                given_in_lanes.insert(symbol, response.clone());
            }
        }
        history.append(&mut recorded);
        results.append(&mut given_in_lanes);
        run.unwrap_or_else(|panicked| Err(failed("the lanes were run", panicked)))?;
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
