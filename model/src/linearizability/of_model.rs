//! Histories of any model's commands.

use std::cell::RefCell;
use std::fmt::Debug;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::limits::Limits;
use super::object::Sequential;
use super::verdict::Verdict;
use crate::fingerprint::{Interner, fingerprint_of_text};
use crate::history::{History, Operation};
use crate::outcome::Outcome;
use crate::specification::Model;
use crate::step;

/// Says whether a history of a model's commands, begun in this state, is linearizable, with
/// evidence where it is not.
///
/// Each command takes effect as [`step::step`] says: pre-condition, post-condition, invariant and
/// next state, all for the state that the command finds in that order.
pub fn check_model<M: Model>(
    model: &M,
    initial: &M::State,
    history: &History<M::Command, M::Response>,
    limits: Limits<'_>,
) -> Verdict<M::State> {
    check_steps(initial, history, limits, |state, command, response| {
        step::step(model, state, command, response)
    })
}

/// [`check_model`] of anything that says what a command leads to: the next state, or why it cannot
/// have got this answer (or have taken effect, where there is none).
pub fn check_steps<State, Command, Response>(
    initial: &State,
    history: &History<Command, Response>,
    limits: Limits<'_>,
    step: impl Fn(&State, &Command, Option<&Response>) -> Result<State, step::Impossible>,
) -> Verdict<State>
where
    State: Clone + Debug + PartialEq + Serialize,
    Command: PartialEq + Debug,
{
    let (mut alike, mut numbered) = (Alike::default(), Vec::new());
    for (number, operation) in history.operations.iter().enumerate() {
        let Operation { lane, command, called, outcome, ended } = operation;
        let outcome = match outcome {
            Outcome::Answered(_) => Outcome::Answered(number),
            Outcome::Refused(_) => Outcome::Refused(String::new()),
            Outcome::Unknown(_) => Outcome::Unknown(String::new()),
        };
        let command = alike.first(number, command, &history.operations);
        numbered.push(Operation { lane: *lane, command, called: *called, outcome, ended: *ended });
    }
    let object = Steps { step, initial, operations: &history.operations, states: RefCell::default() };
    let verdict = super::check(&object, &History { operations: numbered }, limits);
    verdict.map(|Numbered { state, .. }| State::clone(&state))
}

/// Steps as an object. Commands and answers are places in the history.
struct Steps<'a, State, Command, Response, Step> {
    step: Step,
    initial: &'a State,
    operations: &'a [Operation<Command, Response>],
    /// States of a model can be compared, but they have no hash; numbers have one.
    states: RefCell<Interner<Rc<State>>>,
}

impl<State, Command, Response, Step> Steps<'_, State, Command, Response, Step>
where
    State: Debug + PartialEq + Serialize,
    Step: Fn(&State, &Command, Option<&Response>) -> Result<State, step::Impossible>,
{
    fn try_step(
        &self,
        state: &Numbered<State>,
        command: usize,
        response: Option<&usize>,
    ) -> Result<State, step::Impossible> {
        let response = response.and_then(|response| self.operations[*response].outcome.answer());
        (self.step)(&state.state, &self.operations[command].command, response)
    }

    fn number(&self, state: State) -> Numbered<State> {
        let mut states = self.states.borrow_mut();
        let (number, length) = states.number(Rc::new(state));
        Numbered { number, length, state: states.value(number).clone() }
    }
}

impl<State, Command, Response, Step> Sequential for Steps<'_, State, Command, Response, Step>
where
    State: Clone + Debug + PartialEq + Serialize,
    Step: Fn(&State, &Command, Option<&Response>) -> Result<State, step::Impossible>,
{
    type State = Numbered<State>;
    type Command = usize;
    type Response = usize;

    fn initial(&self) -> Self::State {
        self.number(self.initial.clone())
    }

    fn step(&self, state: &Self::State, command: &usize, response: Option<&usize>) -> Option<Self::State> {
        self.try_step(state, *command, response).ok().map(|state| self.number(state))
    }

    fn size(&self, state: &Self::State) -> usize {
        size_of::<Self::State>() + size_of::<State>() + state.length + NUMBERED
    }

    fn explain(&self, state: &Self::State, command: &usize, response: Option<&usize>) -> String {
        self.try_step(state, *command, response).err().map_or_else(String::new, |why| why.to_string())
    }
}

/// What it takes to number a state, in bytes.
const NUMBERED: usize = 96;

/// A state with its number; equal states have the same.
#[derive(Clone, Debug)]
struct Numbered<State> {
    number: u32,
    /// About how many bytes it has.
    length: usize,
    state: Rc<State>,
}

impl<State> Hash for Numbered<State> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u32(self.number);
    }
}

impl<State> PartialEq for Numbered<State> {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl<State> Eq for Numbered<State> {}

/// The first of each commands that are equal.
#[derive(Default)]
struct Alike {
    firsts: FxHashMap<u64, Vec<usize>>,
}

impl Alike {
    fn first<C: PartialEq + Debug, R>(
        &mut self,
        number: usize,
        command: &C,
        operations: &[Operation<C, R>],
    ) -> usize {
        let firsts = self.firsts.entry(fingerprint_of_text(command).0).or_default();
        let equal = firsts.iter().find(|first| operations[**first].command == *command);
        equal.copied().unwrap_or_else(|| {
            firsts.push(number);
            number
        })
    }
}
