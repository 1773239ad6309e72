//! Histories of any model's commands.

use std::fmt::{Debug, Write};
use std::hash::{Hash, Hasher};

use rustc_hash::{FxHashMap, FxHasher};
use serde::Serialize;

use super::limits::Limits;
use super::object::Sequential;
use super::verdict::Verdict;
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
    let object = Steps { step, initial, operations: &history.operations };
    super::check(&object, &History { operations: numbered }, limits).map(|state| state.state)
}

/// Steps as an object. Commands and answers are places in the history.
struct Steps<'a, State, Command, Response, Step> {
    step: Step,
    initial: &'a State,
    operations: &'a [Operation<Command, Response>],
}

impl<State, Command, Response, Step> Steps<'_, State, Command, Response, Step>
where
    Step: Fn(&State, &Command, Option<&Response>) -> Result<State, step::Impossible>,
{
    fn try_step(
        &self,
        state: &Fingerprinted<State>,
        command: usize,
        response: Option<&usize>,
    ) -> Result<State, step::Impossible> {
        let response = response.and_then(|response| self.operations[*response].outcome.answer());
        (self.step)(&state.state, &self.operations[command].command, response)
    }
}

impl<State, Command, Response, Step> Sequential for Steps<'_, State, Command, Response, Step>
where
    State: Clone + Debug + PartialEq + Serialize,
    Step: Fn(&State, &Command, Option<&Response>) -> Result<State, step::Impossible>,
{
    type State = Fingerprinted<State>;
    type Command = usize;
    type Response = usize;

    fn initial(&self) -> Self::State {
        Fingerprinted::new(self.initial.clone())
    }

    fn step(&self, state: &Self::State, command: &usize, response: Option<&usize>) -> Option<Self::State> {
        self.try_step(state, *command, response).ok().map(Fingerprinted::new)
    }

    fn size(&self, state: &Self::State) -> usize {
        size_of::<Self::State>() + state.length
    }

    fn explain(&self, state: &Self::State, command: &usize, response: Option<&usize>) -> String {
        self.try_step(state, *command, response).err().map_or_else(String::new, |why| why.to_string())
    }
}

/// A state that is told from most others by a number. States of a model can be compared, but they
/// have no hash; what they are written as has one.
#[derive(Clone, Debug)]
struct Fingerprinted<State> {
    fingerprint: u64,
    /// The bytes that it is written in.
    length: usize,
    state: State,
}

impl<State: Debug + Serialize> Fingerprinted<State> {
    fn new(state: State) -> Self {
        let mut sink = Sink::default();
        // What JSON cannot write, such as a map whose keys are no strings, is written as debug
        // output; what was written until then does no harm.
        if serde_json::to_writer(&mut sink, &state).is_err() {
            let _ = write!(sink, "{state:?}");
        }
        Self { fingerprint: sink.hasher.finish(), length: sink.length, state }
    }
}

impl<State> Hash for Fingerprinted<State> {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.fingerprint);
    }
}

impl<State: PartialEq> PartialEq for Fingerprinted<State> {
    fn eq(&self, other: &Self) -> bool {
        self.fingerprint == other.fingerprint && self.state == other.state
    }
}

impl<State: PartialEq> Eq for Fingerprinted<State> {}

/// Hashes and counts what is written to it.
#[derive(Default)]
struct Sink {
    hasher: FxHasher,
    length: usize,
}

impl std::io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.hasher.write(bytes);
        self.length += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Write for Sink {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.hasher.write(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

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
        let mut sink = Sink::default();
        let _ = write!(sink, "{command:?}");
        let firsts = self.firsts.entry(sink.hasher.finish()).or_default();
        let equal = firsts.iter().find(|first| operations[**first].command == *command);
        equal.copied().unwrap_or_else(|| {
            firsts.push(number);
            number
        })
    }
}
