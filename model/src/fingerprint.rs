//! Numbers for values that can be compared and written, but have no hash: the states of a model.
//!
//! A [`Fingerprint`] is made of what serde is given to write. The entries of a map count in
//! whatever order they come, so that a `HashMap` that was filled anew has the fingerprint that it
//! had. Sets cannot be told from lists, since serde is given both as sequences. An [`Interner`]
//! finds out which sequences are sets: those of two states that are equal, but differ in the order
//! of what is in them.

mod digest;

use std::fmt::{Debug, Write as _};
use std::hash::{BuildHasher as _, Hasher as _};
use std::ops::Deref;

use rustc_hash::{FxBuildHasher, FxHashMap, FxHashSet, FxHasher};
use serde::Serialize;

use digest::{Digest, Notes};

/// What tells a value from most others.
#[derive(Clone, Copy, Debug)]
struct Fingerprint {
    /// Of what is in it, and in which order, except in maps and in what is known to be sets.
    exact: u64,
    /// Of what is in it, in whatever order.
    content: u64,
    /// About how many bytes it has.
    length: usize,
    /// Whether the order of something counts in the one and not in the other.
    ordered: bool,
}

impl Fingerprint {
    fn new<T: Debug + Serialize + ?Sized>(value: &T, sets: &FxHashSet<u64>) -> Self {
        let mut notes = Notes::new(sets);
        match value.serialize(Digest::root(&mut notes)) {
            Ok(sum) => Self {
                exact: sum.exact,
                content: sum.content,
                length: notes.length,
                ordered: sum.exact != sum.content,
            },
            // What serde is not given has a text all the same.
            Err(_) => {
                let (hash, length) = fingerprint_of_text(value);
                Self { exact: hash, content: hash, length, ordered: false }
            }
        }
    }
}

/// A number that is the same for values that are written alike, up to the order of the entries of
/// maps, and another for most others. It is the same in each process.
#[must_use]
pub fn fingerprint<T: Debug + Serialize + ?Sized>(value: &T) -> u64 {
    Fingerprint::new(value, &FxHashSet::default()).exact
}

/// A number for the text that a value is debugged with, and the length of the text.
pub(crate) fn fingerprint_of_text<T: Debug + ?Sized>(value: &T) -> (u64, usize) {
    let mut text = Text::default();
    let _ = write!(text, "{value:?}");
    (text.hasher.finish(), text.length)
}

/// Hashes and counts a text.
#[derive(Default)]
struct Text {
    hasher: FxHasher,
    length: usize,
}

impl std::fmt::Write for Text {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.hasher.write(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// So many values with the same content are compared with a new one, to see whether they differ in
/// the order of sets. Of lists there may be many more, one for each order.
const COMPARED: usize = 8;

/// Distinct values, each kept once behind a pointer and numbered from 0.
pub(crate) struct Interner<Pointer> {
    values: Vec<Pointer>,
    /// The values of each exact fingerprint.
    numbers: FxHashMap<u64, Vec<u32>>,
    /// Of those in which order counts, some of each content.
    alike: FxHashMap<u64, Vec<u32>>,
    /// Which sequences are sets, by the way that leads to them.
    sets: FxHashSet<u64>,
}

impl<Pointer> Default for Interner<Pointer> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            numbers: FxHashMap::default(),
            alike: FxHashMap::default(),
            sets: FxHashSet::default(),
        }
    }
}

impl<Pointer> Interner<Pointer> {
    /// One without values, that knows already which sequences are sets.
    pub(crate) fn emptied(&self) -> Self {
        Self { sets: self.sets.clone(), ..Self::default() }
    }
}

impl<Pointer> Interner<Pointer>
where
    Pointer: Deref,
    Pointer::Target: Debug + PartialEq + Serialize,
{
    /// The value of this number.
    pub(crate) fn value(&self, number: u32) -> &Pointer {
        &self.values[number as usize]
    }

    /// The number of the value that is equal to this one, which is kept if it is the first. Also
    /// about how many bytes it has.
    pub(crate) fn number(&mut self, value: Pointer) -> (u32, usize) {
        let mark = Fingerprint::new(&*value, &self.sets);
        (self.find(&value, &mark).unwrap_or_else(|| self.keep(value, &mark)), mark.length)
    }

    fn find(&mut self, value: &Pointer, mark: &Fingerprint) -> Option<u32> {
        let equal = |number: &&u32| *self.values[**number as usize] == **value;
        if let Some(number) = self.numbers.get(&mark.exact).and_then(|numbers| numbers.iter().find(equal)) {
            return Some(*number);
        }
        if !mark.ordered {
            return None;
        }
        let number = *self.alike.get(&mark.content)?.iter().find(equal)?;
        self.learn(number, value);
        Some(number)
    }

    fn keep(&mut self, value: Pointer, mark: &Fingerprint) -> u32 {
        let number = u32::try_from(self.values.len()).unwrap_or(u32::MAX);
        self.values.push(value);
        self.enter(number, mark);
        number
    }

    fn enter(&mut self, number: u32, mark: &Fingerprint) {
        self.numbers.entry(mark.exact).or_default().push(number);
        if mark.ordered {
            let alike = self.alike.entry(mark.content).or_default();
            if alike.len() < COMPARED {
                alike.push(number);
            }
        }
    }

    /// Takes for sets what differs in its order between a value that is kept and one equal to it.
    fn learn(&mut self, number: u32, other: &Pointer) {
        let (one, other) = (orders(&*self.values[number as usize]), orders(&**other));
        let known = self.sets.len();
        self.sets.extend(one.iter().filter(|(way, order)| other.get(way) != Some(order)).map(|(way, _)| way));
        if self.sets.len() > known {
            self.numbers.clear();
            self.alike.clear();
            for number in 0..self.values.len() {
                let mark = Fingerprint::new(&*self.values[number], &self.sets);
                self.enter(u32::try_from(number).unwrap_or(u32::MAX), &mark);
            }
        }
    }
}

/// For each way that leads to sequences, the order of what is in them.
fn orders<T: Serialize + ?Sized>(value: &T) -> FxHashMap<u64, u64> {
    let none = FxHashSet::default();
    let mut notes = Notes { orders: Some(FxHashMap::default()), ..Notes::new(&none) };
    // Where serde fails nothing is taken for a set.
    let written = value.serialize(Digest::root(&mut notes));
    written.ok().and(notes.orders).unwrap_or_default()
}

/// A number for a text.
fn hash(text: &[u8]) -> u64 {
    FxBuildHasher.hash_one(text)
}

#[cfg(test)]
mod tests {
    use std::collections::{BTreeMap, HashMap, HashSet};

    use serde::Serialize;

    use super::{Interner, fingerprint};

    #[derive(Clone, Debug, PartialEq, Serialize)]
    struct State {
        names: HashMap<u32, HashSet<u32>>,
        seen: HashSet<(u32, String)>,
        queue: Vec<u32>,
        kind: Kind,
    }

    #[derive(Clone, Debug, PartialEq, Serialize)]
    enum Kind {
        None,
        One(u32),
        Two(u32, u32),
        Named { a: u32, b: Option<u32> },
    }

    /// The same each time, but for the order in which hashing leaves it.
    fn state(queue: &[u32]) -> State {
        State {
            names: (0..20).map(|name| (name, (0..name).collect())).collect(),
            seen: (0..20).map(|seen| (seen, seen.to_string())).collect(),
            queue: queue.to_vec(),
            kind: Kind::Two(1, 2),
        }
    }

    #[test]
    fn equal_states_are_one_whatever_the_order_of_their_sets() {
        let mut interner = Interner::default();
        let orders = [[1, 2, 3], [3, 2, 1], [2, 3, 1]];
        for _ in 0..50 {
            for (number, order) in orders.iter().enumerate() {
                assert_eq!(interner.number(Box::new(state(order))).0 as usize, number);
            }
        }
        // Once it is known what is a set, fingerprints alone tell states.
        assert_eq!((interner.sets.len(), interner.numbers.len()), (2, 3));
    }

    #[test]
    fn lists_in_many_orders_are_told_apart_at_once() {
        let mut interner = Interner::default();
        for number in 0..2000_u32 {
            let mut list: Vec<u32> = (0..10).collect();
            list.swap(9, (number % 9) as usize);
            list.rotate_left((number % 10) as usize);
            interner.number(Box::new(list));
        }
        assert!(interner.sets.is_empty());
        assert_eq!(interner.values.len(), 90);
        assert!(interner.numbers.values().all(|numbers| numbers.len() == 1));
        assert!(interner.alike.values().all(|numbers| numbers.len() <= super::COMPARED));
    }

    #[test]
    fn fingerprints_tell_apart_what_differs_and_nothing_else() {
        let entries = || (0..30).map(|key| (key, key * key));
        let (one, other): (HashMap<u32, u32>, HashMap<u32, u32>) =
            (entries().collect(), entries().rev().collect());
        assert_eq!(fingerprint(&one), fingerprint(&other));
        assert_eq!(fingerprint(&one), fingerprint(&entries().collect::<BTreeMap<_, _>>()));
        let kinds = [
            Kind::None,
            Kind::One(1),
            Kind::One(2),
            Kind::Two(1, 2),
            Kind::Two(2, 1),
            Kind::Named { a: 1, b: None },
            Kind::Named { a: 1, b: Some(0) },
            Kind::Named { a: 0, b: Some(1) },
        ];
        let marks: HashSet<u64> = kinds.iter().map(fingerprint).collect();
        assert_eq!(marks.len(), kinds.len());
        let texts = [vec!["a", "b"], vec!["b", "a"], vec!["ab"], vec!["ab", ""], vec![]];
        assert_eq!(texts.iter().map(fingerprint).collect::<HashSet<_>>().len(), texts.len());
        assert_ne!(
            fingerprint(&BTreeMap::from([(1, 2), (3, 4)])),
            fingerprint(&BTreeMap::from([(1, 4), (3, 2)]))
        );
        assert_eq!(fingerprint(&0.0), fingerprint(&-0.0));
    }
}
