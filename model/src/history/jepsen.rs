//! Jepsen's histories: events as maps of EDN.

use std::collections::HashMap;

use super::Operation;
use super::datum::Datum;
use super::edn::Reader;
use super::read::{LOOK, Lines, ReadError, Recordable};
use crate::outcome::Outcome;

/// An event of a client.
struct Event {
    kind: Kind,
    process: usize,
    name: String,
    key: Option<Datum>,
    /// None where the event has none; an explicit nil is one.
    value: Option<Datum>,
    index: Option<i64>,
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Invoke,
    Ok,
    Fail,
    Info,
}

pub(super) fn read<O: Recordable>(
    text: &str,
    go_on: &dyn Fn(usize) -> bool,
) -> Result<Option<Lines<O>>, ReadError> {
    let mut reader = Reader::new(text);
    let bracket = reader.enter()?;
    let mut recording = Recording::<O>::default();
    let mut values = 0_usize;
    while !reader.leave(bracket)? {
        if values.is_multiple_of(LOOK) && !go_on(recording.lines.len()) {
            return Ok(None);
        }
        values += 1;
        let line = reader.line();
        let datum = reader.value()?;
        if let Some(event) = event(datum).map_err(|what| ReadError::new(line, what))? {
            recording.take(event, line).map_err(|what| ReadError::new(line, what))?;
        }
    }
    if bracket.is_some() && !reader.leave(None)? {
        return Err(ReadError::new(
            reader.line(),
            "there is more after the history's end; give one history a file",
        ));
    }
    Ok(Some((recording.operations, recording.lines)))
}

/// What a map says, or none for an event of something other than a client.
fn event(datum: Datum) -> Result<Option<Event>, String> {
    let Datum::Map(entries) = datum else {
        return Err(format!(
            "{datum} is no event; write a map such as {{:type :invoke, :process 0, :f :read}}"
        ));
    };
    let (mut kind, mut process, mut name, mut key, mut value, mut index) =
        (None, None, None, None, None, None);
    for (field, datum) in entries {
        let Datum::Word(field) = field else { continue };
        let place = match &*field {
            ":type" => &mut kind,
            ":process" => &mut process,
            ":f" => &mut name,
            ":key" => &mut key,
            ":value" => &mut value,
            ":index" => &mut index,
            _ => continue,
        };
        if place.replace(datum).is_some() {
            return Err(format!("the event has {field} twice; leave one out"));
        }
    }
    let process = match process {
        Some(Datum::Number(process)) => usize::try_from(process),
        // The nemesis, and whatever else is not a client.
        Some(Datum::Word(_)) => return Ok(None),
        other => return Err(no_field(":process", other.as_ref(), "a number, or :nemesis")),
    };
    let process = process.map_err(|_| "a process has a negative number; count from 0".to_owned())?;
    let word = |datum: &Option<Datum>| match datum {
        Some(Datum::Word(word)) => word.strip_prefix(':').map(str::to_owned),
        _ => None,
    };
    let kind = match word(&kind).as_deref() {
        Some("invoke") => Kind::Invoke,
        Some("ok") => Kind::Ok,
        Some("fail") => Kind::Fail,
        Some("info") => Kind::Info,
        _ => return Err(no_field(":type", kind.as_ref(), ":invoke, :ok, :fail or :info")),
    };
    let Some(name) = word(&name) else {
        return Err(no_field(":f", name.as_ref(), "a keyword, such as :read"));
    };
    let index = match index {
        None => None,
        Some(Datum::Number(index)) => Some(index),
        other => return Err(no_field(":index", other.as_ref(), "a number")),
    };
    Ok(Some(Event { kind, process, name, key, value, index }))
}

fn no_field(name: &str, given: Option<&Datum>, expected: &str) -> String {
    match given {
        None => format!("the event has no {name}; give it {expected}"),
        Some(given) => format!("{name} is {given}; give it {expected}"),
    }
}

/// A call that waits for its answer, as it was written.
struct Call {
    /// The number of its operation.
    operation: usize,
    name: String,
    key: Option<Datum>,
    arguments: Vec<Datum>,
}

/// A history as far as it is read.
struct Recording<O: Recordable> {
    operations: Vec<Operation<O::Command, O::Response>>,
    lines: Vec<usize>,
    /// For each process that waits, its call.
    waiting: HashMap<usize, Call>,
    events: u64,
    last: Option<i64>,
}

impl<O: Recordable> Default for Recording<O> {
    fn default() -> Self {
        Self { operations: Vec::new(), lines: Vec::new(), waiting: HashMap::new(), events: 0, last: None }
    }
}

impl<O: Recordable> Recording<O> {
    fn take(&mut self, event: Event, line: usize) -> Result<(), String> {
        let Event { kind, process, name, key, value, index } = event;
        if let (Some(last), Some(index)) = (self.last, index)
            && index <= last
        {
            return Err(format!("index {index} comes after index {last}; give each event its own, in order"));
        }
        self.last = index.or(self.last);
        let position = self.events;
        self.events += 1;
        if kind == Kind::Invoke {
            let arguments = arguments(&name, key.clone(), value.unwrap_or(Datum::Nil));
            let command = O::command(&name, &arguments)?;
            if let Some(earlier) = self.waiting.get(&process) {
                return Err(format!(
                    "process {process} calls while its operation of line {} still waits for its answer; \
                     give what goes on a process of its own",
                    self.lines[earlier.operation]
                ));
            }
            let operation = self.operations.len();
            self.waiting.insert(process, Call { operation, name, key, arguments });
            let outcome = Outcome::Unknown("never answered".to_owned());
            self.operations.push(Operation {
                lane: process,
                command,
                called: position,
                ended: None,
                outcome,
            });
            self.lines.push(line);
            return Ok(());
        }
        let Some(call) = self.waiting.remove(&process) else {
            return Err(format!("an answer to process {process} comes before its call; add the :invoke"));
        };
        let called = self.lines[call.operation];
        if name != call.name {
            return Err(format!(
                "process {process} called :{} in line {called}, and this answers :{name}; \
                 give the call and its answer the same :f",
                call.name
            ));
        }
        let operation = &mut self.operations[call.operation];
        operation.ended = Some(position);
        operation.outcome = match kind {
            Kind::Info => Outcome::Unknown("the history says :info".to_owned()),
            Kind::Fail => Outcome::Refused("the history says :fail".to_owned()),
            _ => {
                let answer = call.answer(key, value, called)?;
                match O::outcome(&operation.command, &answer)? {
                    answered @ Outcome::Answered(_) => answered,
                    _ => {
                        return Err(format!("{answer} is no answer of an :ok; write :fail or :info instead"));
                    }
                }
            }
        };
        Ok(())
    }
}

impl Call {
    /// What an event of the type `:ok` answers: what was read, or just that it was done.
    ///
    /// What a read answers is in the event alone. Of anything else the event repeats the call's
    /// value; another one would leave open which of them it was done with.
    fn answer(&self, key: Option<Datum>, value: Option<Datum>, called: usize) -> Result<Datum, String> {
        let Self { name, arguments: given, .. } = self;
        let other = |said: &[Datum]| {
            let (given, said) = (Datum::List(given.clone()), Datum::List(said.to_vec()));
            format!(
                "the call in line {called} is {name} with {given}, and this answers {name} with {said}; \
                 give both the same :key and :value"
            )
        };
        let reads = matches!(&**name, "read" | "get");
        let own_key = key.is_some();
        let key = key.or_else(|| self.key.clone());
        let Some(value) = value else {
            if reads {
                return Err(format!(
                    "the answer to :{name} has no :value; give it what was read, nil where that was nothing"
                ));
            }
            return match key {
                Some(key) if given.first() != Some(&key) => Err(other(&[key])),
                _ => Ok(Datum::Word("ok".into())),
            };
        };
        if !reads {
            let said = arguments(name, key, value);
            return if said == *given { Ok(Datum::Word("ok".into())) } else { Err(other(&said)) };
        }
        let (key, value) = match value {
            Datum::List(mut pair) if name == "get" && !own_key && pair.len() == 2 => {
                let value = pair.swap_remove(1);
                (pair.pop(), value)
            }
            value => (key, value),
        };
        match key {
            Some(key) if given.first() != Some(&key) => Err(other(&[key])),
            _ => Ok(value),
        }
    }
}

/// What a call's value holds: nothing, one argument, or a vector of them.
fn arguments(name: &str, key: Option<Datum>, value: Datum) -> Vec<Datum> {
    let takes_several = matches!(name, "cas" | "get" | "put" | "append");
    let given = match value {
        Datum::Nil if matches!(name, "read" | "get") => Vec::new(),
        Datum::List(several) if takes_several => several,
        one => vec![one],
    };
    key.into_iter().chain(given).collect()
}
