//! Values within commands, found by how commands are written down: one that several commands share
//! is changed in all of them at once (a client, a key), and one in a command that no strategy's
//! tree is there for, by itself.
//!
//! Only values are tried that the model's strategy makes in the same place, so nothing is run that
//! could not have been generated.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::ops::Bound;

use model::Model;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Number, Value};

use super::draft::Draft;

/// How many commands are drawn to see which values there are.
const SAMPLES: usize = 100;
/// How many of them are made simpler, to see what the strategy takes for plain.
const SIMPLIFIED: usize = 30;
/// How often at most.
const SIMPLIFICATIONS: u32 = 80;

/// A number or a text within a command, the plainer the less: numbers before texts, those near to
/// zero and short ones first.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Leaf {
    Number(i128),
    Text(String),
}

impl Leaf {
    fn of(value: &Value) -> Option<Self> {
        match value {
            Value::Number(number) => number.as_i128().map(Self::Number),
            Value::String(text) => Some(Self::Text(text.clone())),
            _ => None,
        }
    }

    fn value(&self) -> Value {
        match self {
            Self::Number(number) => Number::from_i128(*number).map_or(Value::Null, Value::Number),
            Self::Text(text) => text.clone().into(),
        }
    }

    /// What it is compared by: its kind, its size, and what tells those of one size apart.
    fn rank(&self) -> (bool, u128, bool, &str) {
        match self {
            Self::Number(number) => (false, number.unsigned_abs(), *number < 0, ""),
            Self::Text(text) => (true, text.chars().count() as u128, false, text),
        }
    }
}

impl Ord for Leaf {
    fn cmp(&self, other: &Self) -> Ordering {
        self.rank().cmp(&other.rank())
    }
}

impl PartialOrd for Leaf {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// Which values there are at each place within a command, by its path.
#[derive(Default)]
pub(super) struct Domain(HashMap<String, BTreeSet<Leaf>>);

/// How many different commands are kept of those that were drawn.
const KEPT: usize = 30;

impl Domain {
    /// The values that commands have where the model's strategy makes them, for these states; and
    /// some of the commands that it makes.
    pub(super) fn of<M: Model>(
        model: &M,
        states: &[M::State],
        commands: &[M::Command],
    ) -> (Self, Vec<M::Command>) {
        let (mut domain, mut drawn) = (Self::default(), Vec::new());
        commands.iter().for_each(|command| domain.learn::<M>(command));
        let rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let mut runner = TestRunner::new_with_rng(Config::default(), rng);
        for (sample, state) in states.iter().cycle().take(SAMPLES).enumerate() {
            let Ok(mut tree) = model.gen_command(state).new_tree(&mut runner) else { continue };
            let command = tree.current();
            domain.learn::<M>(&command);
            if drawn.len() < KEPT && model.defines(&command).is_none() && !drawn.contains(&command) {
                drawn.push(command);
            }
            let mut steps = if sample < SIMPLIFIED { SIMPLIFICATIONS } else { 0 };
            while steps > 0 && tree.simplify() {
                domain.learn::<M>(&tree.current());
                steps -= 1;
            }
        }
        (domain, drawn)
    }

    fn learn<M: Model>(&mut self, command: &M::Command) {
        let Ok(mut value) = serde_json::to_value(command) else { return };
        each_leaf(&mut value, "", &mut |path, value| {
            if let Some(leaf) = Leaf::of(value) {
                self.0.entry(path.to_owned()).or_default().insert(leaf);
            }
        });
    }

    /// Plainer values than this one, the plainest first: some of the least, and the next below.
    fn plainer(&self, path: &str, own: &Leaf) -> Vec<Leaf> {
        const LEAST: usize = 3;
        let Some(leaves) = self.0.get(path) else { return Vec::new() };
        let same_kind = |leaf: &&Leaf| matches!(leaf, Leaf::Number(_)) == matches!(own, Leaf::Number(_));
        let below = leaves.iter().filter(same_kind).take_while(|leaf| *leaf < own);
        let mut plainer: Vec<Leaf> = below.take(LEAST).cloned().collect();
        let next = leaves.range((Bound::Unbounded, Bound::Excluded(own))).next_back();
        let next = next.filter(same_kind).filter(|next| !plainer.contains(next)).cloned();
        plainer.extend(next);
        plainer
    }
}

/// The draft in which each value of these commands is the plainest that there is in its place.
pub(super) fn plainest<M: Model>(draft: &Draft<M>, domain: &Domain, ids: &[usize]) -> Draft<M> {
    let ids: HashSet<usize> = ids.iter().copied().collect();
    changed(draft, |id, path, value| {
        let least = domain.0.get(path).and_then(BTreeSet::first);
        if let Some(least) = least.filter(|_| ids.contains(&id) && Leaf::of(value).is_some()) {
            *value = least.value();
        }
    })
}

/// The draft with `change` made to each value of its commands.
fn changed<M: Model>(draft: &Draft<M>, change: impl Fn(usize, &str, &mut Value)) -> Draft<M> {
    draft.replacing_each(|id, command| {
        let mut value = serde_json::to_value(command).ok()?;
        each_leaf(&mut value, "", &mut |path, value| change(id, path, value));
        serde_json::from_value(value).ok().filter(|other| other != command)
    })
}

/// A value that commands share, and a plainer one to come in its place wherever it can.
#[derive(Clone, Debug)]
pub(super) struct Rename {
    from: Leaf,
    to: Leaf,
    /// In how many places the value is.
    pub(super) places: usize,
}

/// The values that are in several places, with what could come instead.
pub(super) fn renames<M: Model>(draft: &Draft<M>, domain: &Domain) -> Vec<Rename> {
    let mut found: BTreeMap<Leaf, (usize, BTreeSet<Leaf>)> = BTreeMap::new();
    for traced in draft.commands() {
        let Ok(mut value) = serde_json::to_value(&traced.command) else { continue };
        each_leaf(&mut value, "", &mut |path, value| {
            if let Some(leaf) = Leaf::of(value) {
                let plainer = domain.plainer(path, &leaf);
                let (places, instead) = found.entry(leaf).or_default();
                *places += 1;
                instead.extend(plainer);
            }
        });
    }
    let shared = found.into_iter().filter(|(_, (places, _))| *places > 1);
    let rename = |(from, (places, instead)): (Leaf, (usize, BTreeSet<Leaf>))| {
        instead.into_iter().map(move |to| Rename { from: from.clone(), to, places })
    };
    shared.flat_map(rename).collect()
}

/// The draft with the value changed in all places that can have the other.
pub(super) fn renamed<M: Model>(draft: &Draft<M>, domain: &Domain, rename: &Rename) -> Draft<M> {
    changed(draft, |_, path, value| {
        let can = domain.0.get(path).is_some_and(|there| there.contains(&rename.to));
        if can && Leaf::of(value).as_ref() == Some(&rename.from) {
            *value = rename.to.value();
        }
    })
}

/// The command with a plainer value in one place.
pub(super) fn plainer<M: Model>(command: &M::Command, domain: &Domain) -> Vec<M::Command> {
    let Ok(mut whole) = serde_json::to_value(command) else { return Vec::new() };
    let mut changes: Vec<(usize, Leaf)> = Vec::new();
    let mut index = 0;
    each_leaf(&mut whole, "", &mut |path, value| {
        if let Some(leaf) = Leaf::of(value) {
            changes.extend(domain.plainer(path, &leaf).into_iter().map(|leaf| (index, leaf)));
        }
        index += 1;
    });
    let changed = changes.into_iter().filter_map(|(place, leaf)| {
        let (mut value, mut index) = (whole.clone(), 0);
        each_leaf(&mut value, "", &mut |_, value| {
            if index == place {
                *value = leaf.value();
            }
            index += 1;
        });
        serde_json::from_value(value).ok()
    });
    changed.collect()
}

/// Visits every part of a command that has no parts itself, with its path. A command without any
/// parts has none: its name is no value.
fn each_leaf(value: &mut Value, path: &str, visit: &mut impl FnMut(&str, &mut Value)) {
    match value {
        Value::Array(parts) => {
            for (index, part) in parts.iter_mut().enumerate() {
                each_leaf(part, &format!("{path}/{index}"), visit);
            }
        }
        Value::Object(parts) => {
            for (name, part) in parts.iter_mut() {
                each_leaf(part, &format!("{path}/{name}"), visit);
            }
        }
        _ if path.is_empty() => {}
        _ => visit(path, value),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::Leaf;

    #[test]
    fn what_is_near_to_zero_or_short_is_plain() {
        let leaves =
            [json!(0), json!(1), json!(-1), json!(2), json!(u64::MAX), json!(""), json!("b"), json!("aa")];
        let leaves: Vec<_> = leaves.iter().map(|value| Leaf::of(value).unwrap()).collect();
        assert!(leaves.is_sorted() && leaves.windows(2).all(|pair| pair[0] != pair[1]));
        assert_eq!((leaves[2].value(), leaves[4].value()), (json!(-1), json!(u64::MAX)));
        assert_eq!((Leaf::of(&json!(0.5)), Leaf::of(&json!(null))), (None, None));
    }
}
