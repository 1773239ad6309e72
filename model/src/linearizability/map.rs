//! A map of strings that is asked, put to and appended to.

use std::fmt;
use std::hash::{BuildHasher as _, Hash, Hasher};
use std::sync::Arc;

use rustc_hash::FxBuildHasher;

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

/// What a [`Map`] holds: the keys with a value that is not empty, in order. Values are shared
/// between states, and hashed once.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub struct Entries(Vec<Arc<Entry>>);

struct Entry {
    key: Arc<str>,
    value: Box<str>,
    hash: u64,
}

impl Entry {
    fn new(key: &Arc<str>, value: Box<str>) -> Arc<Self> {
        let hash = FxBuildHasher.hash_one((key, &value));
        Arc::new(Self { key: key.clone(), value, hash })
    }
}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, hasher: &mut H) {
        hasher.write_u64(self.hash);
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        std::ptr::eq(self, other)
            || self.hash == other.hash && self.value == other.value && self.key == other.key
    }
}

impl Eq for Entry {}

impl fmt::Debug for Entry {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:?}: {:?}", self.key, self.value)
    }
}

impl Entries {
    /// The value of a key.
    #[must_use]
    pub fn get(&self, key: &str) -> &str {
        self.place(key).map_or("", |place| &self.0[place].value)
    }

    fn place(&self, key: &str) -> Result<usize, usize> {
        self.0.binary_search_by(|entry| (*entry.key).cmp(key))
    }

    fn with(&self, key: &Arc<str>, value: Box<str>) -> Self {
        let mut entries = Vec::with_capacity(self.0.len() + 1);
        entries.extend_from_slice(&self.0);
        match (self.place(key), value.is_empty()) {
            (Ok(place), true) => drop(entries.remove(place)),
            (Ok(place), false) => entries[place] = Entry::new(key, value),
            (Err(_), true) => {}
            (Err(place), false) => entries.insert(place, Entry::new(key, value)),
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

/// How a value came to be.
#[derive(Hash)]
enum Made {
    /// As a whole.
    Put,
    /// By what is at its end.
    Append,
}

fn mark(key: &str, bytes: &[u8], made: Made) -> u64 {
    FxBuildHasher.hash_one((key, bytes, made))
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
            (Put(key, value), None | Some(Done)) => Some(state.with(key, (**value).into())),
            (Append(key, more), None | Some(Done)) => {
                Some(state.with(key, [state.get(key), more].concat().into()))
            }
            _ => None,
        }
    }

    fn allows(&self, state: &Entries, command: &MapCommand, response: Option<&MapResponse>) -> bool {
        match (command, response) {
            (MapCommand::Get(key), Some(MapResponse::Value(value))) => **value == *state.get(key),
            _ => self.step(state, command, response).is_some(),
        }
    }

    fn only_reads(&self, command: &MapCommand, _: Option<&MapResponse>) -> bool {
        matches!(command, MapCommand::Get(_))
    }

    fn part<'a>(&self, command: &'a MapCommand) -> Option<&'a str> {
        (!self.whole).then(|| command.key())
    }

    fn independent(&self, one: &MapCommand, other: &MapCommand) -> bool {
        self.whole && one.key() != other.key()
    }

    fn needs(&self, command: &MapCommand, response: &MapResponse) -> Option<Vec<u64>> {
        let (MapCommand::Get(key), MapResponse::Value(value)) = (command, response) else { return None };
        // Either it was put so, or what was appended last is its end.
        let last = value.as_bytes().last()?;
        Some(vec![mark(key, value.as_bytes(), Made::Put), mark(key, &[*last], Made::Append)])
    }

    fn makes(&self, command: &MapCommand, _: Option<&MapResponse>) -> Vec<u64> {
        match command {
            MapCommand::Get(_) => Vec::new(),
            MapCommand::Put(key, value) => vec![mark(key, value.as_bytes(), Made::Put)],
            MapCommand::Append(key, more) => {
                more.as_bytes().last().map(|last| mark(key, &[*last], Made::Append)).into_iter().collect()
            }
        }
    }

    fn size(&self, state: &Entries) -> usize {
        // Of the values, most are those of other states too: each state adds one.
        let longest = state.0.iter().map(|entry| entry.value.len()).max().unwrap_or(0);
        size_of::<Entries>() + state.0.len() * size_of::<Arc<Entry>>() + size_of::<Entry>() + longest
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
