//! What files hold, before it is known what it means.

use std::fmt;
use std::sync::Arc;

use super::Value;

/// A value of JSON or EDN, as far as histories need it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Datum {
    /// `null` or `nil`.
    Nil,
    /// A whole number.
    Number(i64),
    /// A string.
    Text(Arc<str>),
    /// Anything else of one piece, as it is written: `true`, `0.5`, `:keyword`, `\a`.
    Word(Arc<str>),
    /// A vector, a list or a set.
    List(Vec<Datum>),
    /// A map.
    Map(Vec<(Datum, Datum)>),
}

impl Datum {
    /// As what a register can hold.
    pub(super) fn value(&self) -> Value {
        match self {
            Self::Nil => Value::Nil,
            Self::Word(word) if **word == *"nil" => Value::Nil,
            Self::Number(number) => Value::Number(*number),
            other => Value::Text(other.to_string().into()),
        }
    }

    /// As a key or a value of a map of strings: a string's own text, or what else is written.
    pub(super) fn text(&self) -> Arc<str> {
        match self {
            Self::Text(text) | Self::Word(text) => text.clone(),
            Self::Nil => "".into(),
            other => other.to_string().into(),
        }
    }
}

impl fmt::Display for Datum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nil => formatter.write_str("nil"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => write!(formatter, "{text:?}"),
            Self::Word(word) => formatter.write_str(word),
            Self::List(entries) => {
                formatter.write_str("[")?;
                for (number, entry) in entries.iter().enumerate() {
                    write!(formatter, "{}{entry}", if number == 0 { "" } else { " " })?;
                }
                formatter.write_str("]")
            }
            Self::Map(entries) => {
                formatter.write_str("{")?;
                for (number, (key, value)) in entries.iter().enumerate() {
                    write!(formatter, "{}{key} {value}", if number == 0 { "" } else { ", " })?;
                }
                formatter.write_str("}")
            }
        }
    }
}
