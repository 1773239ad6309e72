//! States and steps that were met, each kept once.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::object::Sequential;

/// Numbers for states, and what each step leads to.
pub(super) struct States<'a, O: Sequential> {
    object: &'a O,
    /// The distinct pairs of a command and its answer, as the plan numbers them.
    kinds: Vec<(&'a O::Command, Option<&'a O::Response>)>,
    states: Vec<O::State>,
    /// Each number with the hash of its state.
    numbers: HashTable<(u64, u32)>,
    steps: FxHashMap<(u32, u32), Option<u32>>,
    /// Whether reads are possible.
    reads: FxHashMap<(u32, u32), bool>,
    /// Bytes in states, as the object counts them.
    held: usize,
}

/// What a state, its number and its place in the table take beside the state itself, in bytes.
const STATE_OVERHEAD: usize = 32;
/// What a remembered step takes, in bytes.
const STEP: usize = 32;

impl<'a, O: Sequential> States<'a, O> {
    /// Has the initial state as number 0.
    pub(super) fn new(object: &'a O, kinds: Vec<(&'a O::Command, Option<&'a O::Response>)>) -> Self {
        let mut states = Self {
            object,
            kinds,
            states: Vec::new(),
            numbers: HashTable::new(),
            steps: FxHashMap::default(),
            reads: FxHashMap::default(),
            held: 0,
        };
        states.number(object.initial());
        states
    }

    pub(super) fn state(&self, number: u32) -> &O::State {
        &self.states[number as usize]
    }

    /// About how many bytes all of it takes.
    pub(super) fn memory(&self) -> usize {
        self.held + self.states.len() * STATE_OVERHEAD + self.asked() * STEP
    }

    /// How many steps were asked of the object.
    pub(super) fn asked(&self) -> usize {
        self.steps.len() + self.reads.len()
    }

    /// The state that an operation of this kind leads to, if it is possible.
    pub(super) fn step(&mut self, state: u32, kind: u32) -> Option<u32> {
        if let Some(known) = self.steps.get(&(state, kind)) {
            return *known;
        }
        let (command, response) = self.kinds[kind as usize];
        let next = self.object.step(self.state(state), command, response);
        let next = next.map(|next| self.number(next));
        self.steps.insert((state, kind), next);
        next
    }

    /// Whether an operation of this kind, which only reads, is possible.
    pub(super) fn allows(&mut self, state: u32, kind: u32) -> bool {
        let Self { object, kinds, states, reads, .. } = self;
        let (command, response) = kinds[kind as usize];
        let allows = || object.allows(&states[state as usize], command, response);
        *reads.entry((state, kind)).or_insert_with(allows)
    }

    fn number(&mut self, state: O::State) -> u32 {
        let Self { states, numbers, .. } = self;
        let hash = FxBuildHasher.hash_one(&state);
        if let Some(number) = numbers.find(hash, |&(_, number)| states[number as usize] == state) {
            return number.1;
        }
        let number = u32::try_from(states.len()).unwrap_or(u32::MAX);
        self.held += self.object.size(&state);
        states.push(state);
        numbers.insert_unique(hash, (hash, number), |&(hash, _)| hash);
        number
    }
}
