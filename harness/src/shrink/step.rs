//! Steps toward a smaller case: what each changes, how much it would gain, and how likely steps of
//! its kind have proved to help.

use std::collections::HashMap;

use model::Model;

use super::alike::Rename;
use super::draft::{Draft, Traced};

/// What steps are counted by.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub(super) enum Kind {
    /// Some commands less, with all that make sense only after them.
    Delete,
    /// Commands less that lead back to the state they began in, such as a Boot and its Shutdown.
    Loop,
    /// Fewer commands that lead to the same state.
    Shortcut,
    /// Two commands less.
    Pair,
    /// A lane less.
    Lane,
    /// A lane's first command given before all lanes.
    Advance,
    /// The lanes one after another.
    Sequence,
    /// Two of several lanes one after the other.
    Join,
    /// A command's effect there from the beginning.
    Hoist,
    /// A smaller or plainer state, such as one with a machine less.
    State,
    /// A simpler command.
    Value,
    /// Commands with the plainest values.
    Plainest,
    /// A plainer value in all commands that share one.
    Rename,
}

impl Kind {
    /// What is taken for its rate of success before anything is known, and how many tries that
    /// belief is worth.
    fn belief(self) -> (f64, f64) {
        match self {
            Self::Plainest => (0.6, 2.0),
            Self::Loop | Self::State | Self::Value => (0.5, 2.0),
            Self::Lane | Self::Advance | Self::Rename => (0.4, 2.0),
            Self::Shortcut | Self::Sequence | Self::Join | Self::Hoist => (0.3, 2.0),
            Self::Delete => (0.2, 2.0),
            Self::Pair => (0.05, 10.0),
        }
    }
}

/// A change of the best case so far.
pub(super) enum Change<M: Model> {
    /// These commands go.
    Delete(Vec<usize>),
    /// The first command of this lane moves to the prefix's end.
    Advance(usize),
    /// The lanes are given one after another, in this order.
    Sequence(Vec<usize>),
    /// What the second of these lanes gives comes after what the first gives.
    Join(usize, usize),
    /// Others come in the place of the prefix's commands from one place up to another.
    Shortcut { from: usize, to: usize, via: Vec<M::Command> },
    /// The command at this place of the prefix goes, and the case begins with its effect.
    Hoist(usize),
    /// The case begins in another state.
    State(Box<M::State>),
    /// Another command comes in the place of this one.
    Replace(usize, M::Command),
    /// All values in these commands become the plainest that there are.
    Plainest(Vec<usize>),
    /// A value that commands share becomes a plainer one in all of them.
    Rename(Rename),
    /// The command becomes simpler as proptest's strategy knows.
    Tree(usize),
    /// The initial state does.
    StateTree,
}

/// A change with what is expected of it.
pub(super) struct Step<M: Model> {
    pub(super) kind: Kind,
    pub(super) change: Change<M>,
    /// How much smaller the case would be, where a command counts one.
    pub(super) gain: f64,
    /// What a run of the candidate is expected to take.
    pub(super) seconds: f64,
    /// What it does, in words that are the same for the same step from another best case.
    pub(super) name: String,
}

/// What was learnt from earlier steps.
#[derive(Clone, Default)]
pub(super) struct Rates {
    /// How often steps of each kind have helped, and how often they were tried.
    kinds: HashMap<Kind, (f64, f64)>,
    /// How often the very same step did not help from an earlier best case.
    in_vain: HashMap<String, i32>,
}

/// How much less likely a step helps than others of its kind for each time that it did not.
const IN_VAIN: f64 = 0.2;

impl Rates {
    pub(super) fn learn(&mut self, kind: Kind, helped: bool) {
        let (successes, tries) = self.kinds.entry(kind).or_default();
        *successes += f64::from(u8::from(helped));
        *tries += 1.0;
    }

    /// The step has not helped.
    pub(super) fn was_in_vain(&mut self, name: &str) {
        *self.in_vain.entry(name.to_owned()).or_default() += 1;
    }

    /// The expected rate of success.
    pub(super) fn of(&self, kind: Kind, name: &str) -> f64 {
        let (successes, tries) = self.kinds.get(&kind).copied().unwrap_or_default();
        let (rate, weight) = kind.belief();
        let in_vain = self.in_vain.get(name).copied().unwrap_or_default();
        (successes + rate * weight) / (tries + weight) * IN_VAIN.powi(in_vain)
    }
}

// Derived, these would ask the model for it.
impl<M: Model> Clone for Change<M> {
    fn clone(&self) -> Self {
        match self {
            Self::Delete(ids) => Self::Delete(ids.clone()),
            Self::Advance(lane) => Self::Advance(*lane),
            Self::Sequence(order) => Self::Sequence(order.clone()),
            Self::Join(first, second) => Self::Join(*first, *second),
            Self::Shortcut { from, to, via } => Self::Shortcut { from: *from, to: *to, via: via.clone() },
            Self::Hoist(index) => Self::Hoist(*index),
            Self::State(state) => Self::State(state.clone()),
            Self::Replace(id, command) => Self::Replace(*id, command.clone()),
            Self::Plainest(ids) => Self::Plainest(ids.clone()),
            Self::Rename(rename) => Self::Rename(rename.clone()),
            Self::Tree(id) => Self::Tree(*id),
            Self::StateTree => Self::StateTree,
        }
    }
}

impl<M: Model> Clone for Step<M> {
    fn clone(&self) -> Self {
        let Self { kind, change, gain, seconds, name } = self;
        Self { kind: *kind, change: change.clone(), gain: *gain, seconds: *seconds, name: name.clone() }
    }
}

impl<M: Model> Change<M> {
    /// What it does, in words that are the same for the same change of another case.
    pub(super) fn name(&self) -> String {
        match self {
            Self::Delete(ids) => format!("delete {ids:?}"),
            Self::Advance(lane) => format!("advance {lane}"),
            Self::Sequence(order) => format!("sequence {order:?}"),
            Self::Join(first, second) => format!("join {first} {second}"),
            Self::Shortcut { via, .. } => format!("shortcut {via:?}"),
            Self::Hoist(index) => format!("hoist {index}"),
            Self::State(state) => format!("state {state:?}"),
            Self::Replace(id, command) => format!("replace {id} {command:?}"),
            Self::Tree(id) => format!("tree {id}"),
            Self::StateTree => "tree of the state".to_owned(),
            Self::Plainest(ids) => format!("plainest {ids:?}"),
            Self::Rename(rename) => format!("{rename:?}"),
        }
    }
}

impl<M: Model> Step<M> {
    pub(super) fn new(kind: Kind, change: Change<M>, gain: f64, seconds: f64) -> Self {
        Self { kind, name: change.name(), change, gain, seconds }
    }
}

impl<M: Model> Draft<M> {
    /// The draft with a change that needs nothing but the draft; `new_id` is the first identity
    /// that no command has yet.
    pub(super) fn changed(&self, change: &Change<M>, new_id: usize) -> Self {
        match change {
            Change::Delete(ids) => self.without(ids),
            Change::Advance(lane) => {
                let mut draft = self.clone();
                let first = draft.lanes[*lane].remove(0);
                draft.prefix.push(first);
                draft
            }
            Change::Sequence(order) => {
                let mut draft = self.clone();
                let lanes = std::mem::take(&mut draft.lanes);
                draft.prefix.extend(order.iter().flat_map(|lane| lanes[*lane].iter().cloned()));
                draft
            }
            Change::Join(first, second) => {
                let mut draft = self.clone();
                let joined = std::mem::take(&mut draft.lanes[*second]);
                draft.lanes[*first].extend(joined);
                draft.lanes.remove(*second);
                draft
            }
            Change::Shortcut { from, to, via } => {
                let mut draft = self.clone();
                let via = via.iter().cloned().zip(new_id..);
                let via: Vec<_> =
                    via.map(|(command, id)| Traced { command, id, tree: None, bare: true }).collect();
                draft.prefix.splice(from..to, via);
                draft
            }
            Change::State(initial) => Self { initial: initial.as_ref().clone(), ..self.clone() },
            Change::Replace(id, command) => self.replacing(*id, command.clone(), None),
            Change::Hoist(_)
            | Change::Plainest(_)
            | Change::Rename(_)
            | Change::Tree(_)
            | Change::StateTree => self.clone(),
        }
    }
}
