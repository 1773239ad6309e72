//! The search for an order of one part's operations.

use super::object::Sequential;
use super::plan::Plan;
use super::rows::Row;
use super::states::States;
use super::table::{NONE, Table};

/// Where a search stands after some work.
pub(super) enum Progress {
    /// An order was found; the node has its last step.
    Found(u32),
    /// There is no order.
    Exhausted,
    /// More work is to be done.
    Open,
}

/// A search that can be gone on with.
///
/// It is a depth-first search over configurations, as Wing and Gong (1993) search and Lowe (2017)
/// keeps what was met. Two searches with opposite preferences share what they meet, so a history
/// that is bad luck for one order of trying is found by the other, and nothing is tried twice.
pub(super) struct Search<'a, O: Sequential> {
    pub(super) plan: Plan<'a, O>,
    /// The bytes of the plan.
    laid_out: usize,
    pub(super) states: States<'a, O>,
    pub(super) table: Table,
    paths: [Vec<Frame>; 2],
    /// The node of the highest level with most answered operations in order, and how far it is.
    best: (u32, (u32, u32)),
    /// The words of the configuration that is being made.
    pub(super) words: Vec<u64>,
    found: Option<u32>,
}

struct Frame {
    node: u32,
    /// How many of the node's choices were tried.
    tried: u32,
}

/// An operation that can be the next one.
#[derive(Clone, Copy)]
enum Choice {
    Answered(u32),
    Unanswered(u32),
}

/// Marks the number of never-answered operations in [`super::table::Node::via`].
pub(super) const UNANSWERED: u32 = 1 << 31;

/// What a configuration is while it is made.
pub(super) struct Position {
    pub(super) level: u32,
    pub(super) state: u32,
}

impl<'a, O: Sequential> Search<'a, O> {
    pub(super) fn new(object: &'a O, plan: Plan<'a, O>) -> Self {
        let states = States::new(object, plan.kinds.clone());
        let table = Table::new(plan.mask_words, plan.guards.clone());
        let words = vec![0; table.width()];
        let paths = [Vec::new(), Vec::new()];
        let laid_out = plan.memory();
        let mut search = Self { plan, laid_out, states, table, paths, best: (0, (0, 0)), words, found: None };
        let mut start = Position { level: 0, state: 0 };
        search.settle(&mut start, true, |_| {});
        search.meet(&start, (NONE, NONE));
        let root = || vec![Frame { node: 0, tried: 0 }];
        search.paths = [root(), root()];
        search
    }

    /// About how many bytes all of it takes.
    pub(super) fn memory(&self) -> usize {
        let paths = self.paths.iter().map(|path| path.capacity() * size_of::<Frame>());
        self.laid_out + self.table.memory() + self.states.memory() + paths.sum::<usize>()
    }

    /// The node that explains most answers: the longest row of them without a gap, and then as many
    /// as possible.
    pub(super) fn best(&self) -> u32 {
        self.best.0
    }

    /// The highest level that was come to.
    pub(super) fn highest(&self) -> usize {
        self.best.1.0 as usize
    }

    /// Tries so many choices, or fewer where the object was asked for many new steps or much was
    /// kept.
    pub(super) fn advance(&mut self, choices: usize) -> Progress {
        let (asked, memory) = (self.states.asked(), self.memory());
        for _ in 0..choices.div_ceil(2 * TURN) {
            for path in 0..2 {
                for _ in 0..TURN {
                    if !self.try_next(path) {
                        break;
                    }
                }
                if let Some(found) = self.found {
                    return Progress::Found(found);
                }
            }
            if self.paths.iter().all(Vec::is_empty) {
                return Progress::Exhausted;
            }
            if self.states.asked() - asked > MOST_STEPS || self.memory() - memory > MOST_MEMORY {
                break;
            }
        }
        Progress::Open
    }

    /// Tries the next choice of the last node on a path; false where the path is at its end.
    fn try_next(&mut self, path: usize) -> bool {
        let frame = match self.paths[path].last_mut() {
            Some(frame) if self.found.is_none() => frame,
            _ => return false,
        };
        let (parent, tried) = (frame.node, frame.tried as usize);
        frame.tried += 1;
        let node = self.table.node(parent);
        let (changing, taking) =
            (self.plan.changing(node.level as usize), self.plan.taking(node.level as usize));
        let all = changing.len() + taking.len();
        if tried == all {
            self.paths[path].pop();
            return true;
        }
        let place = if path == 0 { tried } else { all - 1 - tried };
        let choice = match place.checked_sub(changing.len()) {
            None => Choice::Answered(changing.at(place)),
            Some(place) => Choice::Unanswered(taking.at(place)),
        };
        if let Some((position, via)) = self.take(parent, choice)
            && let Some(new) = self.meet(&position, (parent, via))
        {
            self.paths[path].push(Frame { node: new, tried: 0 });
        }
        true
    }

    /// The configuration in which a choice was added to a node's; its words are in `self.words`.
    fn take(&mut self, parent: u32, choice: Choice) -> Option<(Position, u32)> {
        let node = self.table.node(parent);
        let words = self.table.words(parent);
        let (kind, via) = match choice {
            Choice::Answered(number) => {
                let answered = &self.plan.answered[number as usize];
                if bit(words, answered.slot) {
                    return None;
                }
                (answered.kind, number)
            }
            Choice::Unanswered(number) => {
                let unanswered = &self.plan.unanswered[number as usize];
                let next = unanswered.members.get(unanswered.taken(&words[self.plan.mask_words..]))?;
                if next.1 > self.plan.answered[node.level as usize].at {
                    return None;
                }
                (unanswered.kind, UNANSWERED | number)
            }
        };
        let state = self.states.step(node.state, kind)?;
        let changed = state != node.state;
        self.words.copy_from_slice(self.table.words(parent));
        match choice {
            Choice::Answered(number) => set(&mut self.words, self.plan.answered[number as usize].slot),
            // It may as well never take effect.
            Choice::Unanswered(_) if !changed => return None,
            Choice::Unanswered(number) => {
                let counts = &mut self.words[self.plan.mask_words..];
                self.plan.unanswered[number as usize].take(counts);
            }
        }
        let mut position = Position { level: node.level, state };
        self.settle(&mut position, changed, |_| {});
        Some((position, via))
    }

    /// Adds operations that only read, wherever they fit, and goes on to the next level as long
    /// as the level's own operation is in the order. Tells which reads it added.
    pub(super) fn settle(&mut self, position: &mut Position, changed: bool, mut tell: impl FnMut(u32)) {
        let Self { plan, states, words, .. } = self;
        let mut read = |words: &mut [u64], state: u32, numbers: Row<'_>| {
            for number in numbers.iter() {
                let answered = &plan.answered[number as usize];
                if !bit(words, answered.slot) && states.allows(state, answered.kind) {
                    set(words, answered.slot);
                    tell(number);
                }
            }
        };
        let end = plan.answered.len();
        if changed && (position.level as usize) < end {
            read(words, position.state, plan.reading(position.level as usize));
        }
        while let Some(answered) = plan.answered.get(position.level as usize)
            && bit(words, answered.slot)
        {
            clear(words, answered.slot);
            position.level += 1;
            if (position.level as usize) < end {
                read(words, position.state, plan.newly_reading(position.level as usize));
            }
        }
    }

    /// Keeps a configuration whose words are in `self.words`, if it is new.
    fn meet(&mut self, position: &Position, (parent, via): (u32, u32)) -> Option<u32> {
        let new = self.table.add((position.level, position.state), &self.words, (parent, via))?;
        let held = &self.words[..self.plan.mask_words];
        let depth = (position.level, held.iter().map(|word| word.count_ones()).sum());
        if depth > self.best.1 {
            self.best = (new, depth);
        }
        if position.level as usize == self.plan.answered.len() {
            self.found = Some(new);
        }
        Some(new)
    }
}

/// How many choices are tried on one path before the other's turn.
const TURN: usize = 64;
/// After so many new steps the caller has its turn, since an object may be slow.
const MOST_STEPS: usize = 256;
/// After so many more bytes too, since limits are looked at between turns.
const MOST_MEMORY: usize = 16 << 20;

pub(super) fn bit(words: &[u64], slot: u32) -> bool {
    words[(slot / u64::BITS) as usize] >> (slot % u64::BITS) & 1 == 1
}

pub(super) fn set(words: &mut [u64], slot: u32) {
    words[(slot / u64::BITS) as usize] |= 1 << (slot % u64::BITS);
}

fn clear(words: &mut [u64], slot: u32) {
    words[(slot / u64::BITS) as usize] &= !(1 << (slot % u64::BITS));
}
