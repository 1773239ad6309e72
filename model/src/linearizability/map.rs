//! A map of strings that is asked, put to and appended to.

use std::fmt;
use std::sync::Arc;

use super::object::Sequential;

/// A map from strings to strings; a key that it does not have reads as the empty string.
#[derive(Clone, Copy, Debug, Default)]
pub struct Map {
    /// Checks all keys together, where by default each is checked by itself. The verdict is the
    /// same; the search is harder.
    pub whole: bool,
}

/// What a [`Map`] can be asked to do.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum MapCommand {
    /// Answered with the value of the key.
    Get(Arc<str>),
    /// Gives the key a value, and is done.
    Put(Arc<str>, Arc<str>),
    /// Puts more at the end of the key's value, and is done.
    Append(Arc<str>, Arc<str>),
}

/// What a [`Map`] may answer.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum MapResponse {
    /// The value of the key.
    Value(Arc<str>),
    /// It was put or appended.
    Done,
}

/// What a [`Map`] holds: the keys with a value that is not empty, in order.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Entries(Vec<(Arc<str>, Arc<str>)>);

impl Entries {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.place(key).map_or("", |place| &self.0[place].1)
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|(other, _)| (**other).cmp(key))
    }

    fn with(&self, key: &Arc<str>, value: Arc<str>) -> Self {
        let mut entries = self.0.clone();
        match (self.place(key), value.is_empty()) {
            (Ok(place), true) => drop(entries.remove(place)),
            (Ok(place), false) => entries[place].1 = value,
            (Err(_), true) => {}
            (Err(place), false) => entries.insert(place, (key.clone(), value)),
        }
        Self(entries)
    }
}

impl MapCommand {
    /// The key that it is about.
    #[must_use]
    pub fn key(&self) -> &str {
        match self {
            Self::Get(key) | Self::Put(key, _) | Self::Append(key, _) => key,
        }
    }
}

impl Sequential for Map {
    type State = Entries;
    type Command = MapCommand;
    type Response = MapResponse;

    fn initial(&self) -> Entries {
        Entries::default()
    }

    fn step(&self, state: &Entries, command: &MapCommand, response: Option<&MapResponse>) -> Option<Entries> {
        use MapCommand::{Append, Get, Put};
        use MapResponse::{Done, Value};
        match (command, response) {
            (Get(_), None) => Some(state.clone()),
            (Get(key), Some(Value(value))) => (**value == *state.get(key)).then(|| state.clone()),
            (Put(key, value), None | Some(Done)) => Some(state.with(key, value.clone())),
            (Append(key, more), None | Some(Done)) => {
                Some(state.with(key, [state.get(key), more].concat().into()))
            }
            _ => None,
        }
    }

    fn only_reads(&self, command: &MapCommand, _: Option<&MapResponse>) -> bool {
        matches!(command, MapCommand::Get(_))
    }

    fn part<'a>(&self, command: &'a MapCommand) -> Option<&'a str> {
        (!self.whole).then(|| command.key())
    }

    fn size(&self, state: &Entries) -> usize {
        let texts = state.0.iter().map(|(_, value)| value.len() + size_of::<(Arc<str>, Arc<str>)>());
        size_of::<Entries>() + texts.sum::<usize>()
    }

    fn explain(&self, state: &Entries, command: &MapCommand, _: Option<&MapResponse>) -> String {
        let key = command.key();
        format!("{key:?} holds {:?}", state.get(key))
    }
}

impl fmt::Display for MapCommand {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Get(key) => write!(formatter, "get {key:?}"),
            Self::Put(key, value) => write!(formatter, "put {key:?} {value:?}"),
            Self::Append(key, more) => write!(formatter, "append {key:?} {more:?}"),
        }
    }
}

impl fmt::Display for MapResponse {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Value(value) => write!(formatter, "{value:?}"),
            Self::Done => formatter.write_str("ok"),
        }
    }
}
