//! Histories with one operation a line, as JSON objects.

use std::collections::HashMap;

use serde::Deserialize;

use super::Operation;
use super::datum::Datum;
use super::read::{LOOK, Lines, ReadError, Recordable};
use crate::outcome::Outcome;

/// A line as it is written.
#[derive(Deserialize)]
struct Line {
    id: u64,
    client: usize,
    call: u64,
    ret: Option<u64>,
    op: Vec<serde_json::Value>,
    #[serde(default)]
    out: serde_json::Value,
}

pub(super) fn read<O: Recordable>(
    text: &str,
    go_on: &dyn Fn(usize) -> bool,
) -> Result<Option<Lines<O>>, ReadError> {
    let (mut operations, mut lines) = (Vec::new(), Vec::new());
    let mut ids = HashMap::new();
    for (number, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let number = number + 1;
        if lines.len().is_multiple_of(LOOK) && !go_on(lines.len()) {
            return Ok(None);
        }
        let line: Line = serde_json::from_str(line).map_err(|error| {
            // Each line is a text of its own for the parser.
            let said = error.to_string();
            let said = said.split(" at line ").next().unwrap_or(&said);
            let column = error.column();
            ReadError::new(number, format!("column {column}: {said}; give one whole operation a line"))
        })?;
        if let Some(first) = ids.insert(line.id, number) {
            let what = format!("id {} is that of line {first} already; give each operation its own", line.id);
            return Err(ReadError::new(number, what));
        }
        operations.push(operation::<O>(line).map_err(|what| ReadError::new(number, what))?);
        lines.push(number);
    }
    Ok(Some((operations, lines)))
}

fn operation<O: Recordable>(line: Line) -> Result<Operation<O::Command, O::Response>, String> {
    let Line { client: lane, call: called, ret: ended, op, out, .. } = line;
    let mut op = op.into_iter();
    let Some(serde_json::Value::String(name)) = op.next() else {
        return Err("op does not begin with the name of an operation".to_owned());
    };
    let arguments: Vec<Datum> = op.map(datum).collect();
    let command = O::command(&name, &arguments)?;
    let outcome = match (ended, out) {
        (None, serde_json::Value::Null) => Outcome::Unknown("never answered".to_owned()),
        (None, _) => return Err("there is an answer but no ret; give the position of the answer".to_owned()),
        (Some(_), serde_json::Value::Null) => {
            return Err("there is a ret but no answer; give out, or no ret".to_owned());
        }
        (Some(_), out) => O::outcome(&command, &datum(out))?,
    };
    Ok(Operation { lane, command, called, ended, outcome })
}

fn datum(value: serde_json::Value) -> Datum {
    match value {
        serde_json::Value::Null => Datum::Nil,
        // The format writes what is no value of a register as strings too.
        serde_json::Value::String(text) if ["nil", "ok", "fail", "unknown"].contains(&&*text) => {
            Datum::Word(text.into())
        }
        serde_json::Value::String(text) => Datum::Text(text.into()),
        serde_json::Value::Bool(truth) => Datum::Word(truth.to_string().into()),
        serde_json::Value::Number(number) => {
            number.as_i64().map_or_else(|| Datum::Word(number.to_string().into()), Datum::Number)
        }
        serde_json::Value::Array(entries) => Datum::List(entries.into_iter().map(datum).collect()),
        serde_json::Value::Object(entries) => {
            let entry = |(key, value): (String, _)| (Datum::Text(key.into()), datum(value));
            Datum::Map(entries.into_iter().map(entry).collect())
        }
    }
}
