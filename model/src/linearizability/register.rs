//! A register that is read, written, and compared and set.

use std::fmt;
use std::hash::BuildHasher as _;

use rustc_hash::FxBuildHasher;

use super::object::Sequential;
use crate::history::Value;

/// One register; it holds nil at first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Register;

/// What a [`Register`] can be asked to do.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum RegisterCommand {
    /// Answered with the value.
    Read,
    /// Sets the value, and is done.
    Write(Value),
    /// Sets the value to the second where it is the first, and is then done; otherwise it failed.
    CompareAndSet(Value, Value),
}

/// What a [`Register`] may answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum RegisterResponse {
    /// It was read.
    Value(Value),
    /// It was written, or compared and set.
    Done,
    /// It was compared, found different, and not set.
    Failed,
}

impl Sequential for Register {
    type State = Value;
    type Command = RegisterCommand;
    type Response = RegisterResponse;

    fn initial(&self) -> Value {
        Value::Nil
    }

    fn step(
        &self,
        state: &Value,
        command: &RegisterCommand,
        response: Option<&RegisterResponse>,
    ) -> Option<Value> {
        use RegisterCommand::{CompareAndSet, Read, Write};
        use RegisterResponse::{Done, Failed};
        match (command, response) {
            (Read, None) => Some(state.clone()),
            (Read, Some(RegisterResponse::Value(value))) => (value == state).then(|| state.clone()),
            (Write(value), None | Some(Done)) => Some(value.clone()),
            (CompareAndSet(from, to), None | Some(Done)) if from == state => Some(to.clone()),
            (CompareAndSet(..), None) => Some(state.clone()),
            (CompareAndSet(from, _), Some(Failed)) if from != state => Some(state.clone()),
            _ => None,
        }
    }

    fn allows(&self, state: &Value, command: &RegisterCommand, response: Option<&RegisterResponse>) -> bool {
        match (command, response) {
            (RegisterCommand::Read, Some(RegisterResponse::Value(value))) => value == state,
            _ => self.step(state, command, response).is_some(),
        }
    }

    fn only_reads(&self, command: &RegisterCommand, response: Option<&RegisterResponse>) -> bool {
        match command {
            RegisterCommand::Read => true,
            RegisterCommand::Write(_) => false,
            RegisterCommand::CompareAndSet(..) => response == Some(&RegisterResponse::Failed),
        }
    }

    fn needs(&self, command: &RegisterCommand, response: &RegisterResponse) -> Option<Vec<u64>> {
        let value = match (command, response) {
            (RegisterCommand::Read, RegisterResponse::Value(value)) => value,
            (RegisterCommand::CompareAndSet(from, _), RegisterResponse::Done) => from,
            _ => return None,
        };
        (*value != Value::Nil).then(|| vec![FxBuildHasher.hash_one(value)])
    }

    fn makes(&self, command: &RegisterCommand, response: Option<&RegisterResponse>) -> Vec<u64> {
        match command {
            RegisterCommand::Write(value) => vec![FxBuildHasher.hash_one(value)],
            RegisterCommand::CompareAndSet(_, to) if response != Some(&RegisterResponse::Failed) => {
                vec![FxBuildHasher.hash_one(to)]
            }
            _ => Vec::new(),
        }
    }

    fn explain(&self, state: &Value, _: &RegisterCommand, _: Option<&RegisterResponse>) -> String {
        format!("the register holds {state}")
    }
}

impl fmt::Display for RegisterCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Read => formatter.write_str("read"),
            Self::Write(value) => write!(formatter, "write {value}"),
            Self::CompareAndSet(from, to) => write!(formatter, "cas {from} to {to}"),
        }
    }
}

impl fmt::Display for RegisterResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value}"),
            Self::Done => formatter.write_str("ok"),
            Self::Failed => formatter.write_str("fail"),
        }
    }
}
