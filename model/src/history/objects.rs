//! What recorded histories call the operations of the objects that come with the checker.

use super::Value;
use super::datum::Datum;
use super::read::Recordable;
use crate::linearizability::{Map, MapCommand, MapResponse, Register, RegisterCommand, RegisterResponse};
use crate::outcome::Outcome;

/// Whether an answer says just that it was done, or was not.
fn is(answer: &Datum, word: &str) -> bool {
    matches!(answer, Datum::Word(text) if **text == *word)
}

fn refused<R>() -> Outcome<R> {
    Outcome::Refused("the history says that it failed".to_owned())
}

fn unknown<R>() -> Outcome<R> {
    Outcome::Unknown("the history says that nobody knows".to_owned())
}

fn no_answer<T>(command: &impl std::fmt::Display, answer: &Datum, expected: &str) -> Result<T, String> {
    Err(format!("{answer} is no answer to {command}; write {expected}"))
}

fn no_command<O: Recordable, T>(name: &str, arguments: &[Datum]) -> Result<T, String> {
    let given = Datum::List(arguments.to_vec());
    Err(format!("{name:?} with {given} is none of {}", O::OPERATIONS))
}

/// What a register can hold, as the argument of a command or as what was read.
///
/// # Errors
/// Where it is a vector, as several registers are recorded, with the key beside each value; or one
/// of the words that say how an operation ended.
fn held(datum: &Datum) -> Result<Value, String> {
    match datum {
        Datum::List(_) => Err(format!(
            "{datum} is a vector, as if of one of several registers with its key; split the history by \
             key, and check each by itself, or write the vector as a string"
        )),
        Datum::Word(word) if ["ok", "fail", "unknown"].contains(&&**word) => Err(format!(
            "{word} is no value of a register, since it says how an operation ended; \
             write the value, nil where there is none"
        )),
        value => Ok(value.value()),
    }
}

impl Recordable for Register {
    const OPERATIONS: &'static str = "a register's operations: read, write with a value, cas with two";

    fn command(name: &str, arguments: &[Datum]) -> Result<RegisterCommand, String> {
        match (name, arguments) {
            ("read", []) => Ok(RegisterCommand::Read),
            // What several registers are recorded as, with the key beside each value.
            ("read", [Datum::List(_)]) => Err("a read with a key is one of several registers; \
                split the history by key, and check each by itself"
                .to_owned()),
            ("write", [value]) => Ok(RegisterCommand::Write(held(value)?)),
            ("cas", [from, to]) => Ok(RegisterCommand::CompareAndSet(held(from)?, held(to)?)),
            _ => no_command::<Self, _>(name, arguments),
        }
    }

    fn outcome(command: &RegisterCommand, answer: &Datum) -> Result<Outcome<RegisterResponse>, String> {
        Ok(match command {
            _ if is(answer, "unknown") => unknown(),
            RegisterCommand::Read => Outcome::Answered(RegisterResponse::Value(held(answer)?)),
            _ if is(answer, "ok") => Outcome::Answered(RegisterResponse::Done),
            RegisterCommand::CompareAndSet(..) if is(answer, "fail") => {
                Outcome::Answered(RegisterResponse::Failed)
            }
            _ if is(answer, "fail") => refused(),
            _ => return no_answer(command, answer, "\"ok\", \"fail\" or \"unknown\""),
        })
    }
}

impl Recordable for Map {
    const OPERATIONS: &'static str =
        "a map's operations: get with a key, put and append with a key and a value";

    fn command(name: &str, arguments: &[Datum]) -> Result<MapCommand, String> {
        match (name, arguments) {
            ("get", [key] | [key, Datum::Nil]) => Ok(MapCommand::Get(key.text())),
            ("put", [key, value]) => Ok(MapCommand::Put(key.text(), value.text())),
            ("append", [key, more]) => Ok(MapCommand::Append(key.text(), more.text())),
            _ => no_command::<Self, _>(name, arguments),
        }
    }

    fn outcome(command: &MapCommand, answer: &Datum) -> Result<Outcome<MapResponse>, String> {
        Ok(match (command, answer) {
            _ if is(answer, "unknown") => unknown(),
            (MapCommand::Get(_), Datum::List(_) | Datum::Map(_)) => {
                return no_answer(command, answer, "a string");
            }
            (MapCommand::Get(_), value) => Outcome::Answered(MapResponse::Value(value.text())),
            _ if is(answer, "ok") => Outcome::Answered(MapResponse::Done),
            _ if is(answer, "fail") => refused(),
            _ => return no_answer(command, answer, "\"ok\", \"fail\" or \"unknown\""),
        })
    }
}
