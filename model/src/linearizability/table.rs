//! The configurations that a search has met.
//!
//! A configuration is a set of operations that the order holds already, and the state that they
//! led to. The set is told by the level, the bits of the open operations that it holds, and the
//! counts of never-answered ones that took effect.

use std::hash::BuildHasher as _;

use hashbrown::HashTable;
use rustc_hash::FxBuildHasher;

/// No node: the end of a list, or of the way back.
pub(super) const NONE: u32 = u32::MAX;

/// How a node was come to, and where its words are.
#[derive(Clone, Copy)]
pub(super) struct Node {
    pub(super) level: u32,
    pub(super) state: u32,
    /// The node before it, and the operation between them as the search numbers it.
    pub(super) parent: u32,
    pub(super) via: u32,
    /// The next node that differs from this one in its counts alone.
    next: u32,
}

/// Configurations, each kept once, with their words of bits and of counts.
pub(super) struct Table {
    nodes: Vec<Node>,
    words: Vec<u64>,
    /// For each level, state and bits the last node met, with their hash.
    heads: HashTable<(u32, u32)>,
    mask_words: usize,
    guards: Vec<u64>,
}

impl Table {
    pub(super) fn new(mask_words: usize, guards: Vec<u64>) -> Self {
        Self { nodes: Vec::new(), words: Vec::new(), heads: HashTable::new(), mask_words, guards }
    }

    /// About how many bytes it takes.
    pub(super) fn memory(&self) -> usize {
        self.nodes.capacity() * size_of::<Node>()
            + self.words.capacity() * size_of::<u64>()
            + self.heads.capacity() * (size_of::<(u32, u32)>() + 1)
    }

    pub(super) fn node(&self, number: u32) -> Node {
        self.nodes[number as usize]
    }

    /// The bits of a node, then its counts.
    pub(super) fn words(&self, number: u32) -> &[u64] {
        let width = self.width();
        &self.words[number as usize * width..][..width]
    }

    pub(super) fn width(&self) -> usize {
        self.mask_words + self.guards.len()
    }

    /// Adds a configuration, unless what it can lead to is known to be met from another one.
    ///
    /// That is so if the other one differs only in that fewer never-answered operations took
    /// effect: whatever can follow here can follow there.
    pub(super) fn add(
        &mut self,
        (level, state): (u32, u32),
        words: &[u64],
        (parent, via): (u32, u32),
    ) -> Option<u32> {
        let (mask, counts) = words.split_at(self.mask_words);
        let (full_hash, width) = (FxBuildHasher.hash_one((level, state, mask)), self.width());
        // Half of the hash is kept beside each head, so that growing does not visit the nodes.
        let hash = fold(full_hash);
        let same = |nodes: &[Node], all: &[u64], number: u32| {
            let node = &nodes[number as usize];
            node.level == level
                && node.state == state
                && all[number as usize * width..][..mask.len()] == *mask
        };
        let new = u32::try_from(self.nodes.len()).unwrap_or(NONE);
        let found = self.heads.find_mut(spread(hash), |&(_, head)| same(&self.nodes, &self.words, head));
        let next = match found {
            None => {
                self.heads.insert_unique(spread(hash), (hash, new), |&(hash, _)| spread(hash));
                NONE
            }
            Some((_, head)) => {
                let mut other = *head;
                while other != NONE {
                    let others = &self.words[other as usize * width + mask.len()..][..counts.len()];
                    if at_most(others, counts, &self.guards) {
                        return None;
                    }
                    other = self.nodes[other as usize].next;
                }
                std::mem::replace(head, new)
            }
        };
        self.nodes.push(Node { level, state, parent, via, next });
        self.words.extend_from_slice(words);
        Some(new)
    }
}

fn fold(hash: u64) -> u32 {
    (hash ^ (hash >> 32)) as u32
}

/// The table reads a hash at both of its ends.
fn spread(hash: u32) -> u64 {
    u64::from(hash) << 32 | u64::from(hash)
}

/// Whether each count is at most the other's. A guard bit above each count keeps what is taken
/// away from one out of the next, and is gone where it was too much.
fn at_most(counts: &[u64], others: &[u64], guards: &[u64]) -> bool {
    let words = counts.iter().zip(others).zip(guards);
    words.into_iter().all(|((count, other), guard)| ((other | guard) - count) & guard == *guard)
}

#[cfg(test)]
mod tests {
    use super::{NONE, Table, at_most};

    #[test]
    fn counts_are_compared_each_by_itself() {
        // Counts of two and of three bits, each with a guard above.
        let (guards, counts) = ([0b100_0100], |low: u64, high: u64| [low | high << 3]);
        for (low, high) in (0..4).flat_map(|low| (0..8).map(move |high| (low, high))) {
            for (lower, higher) in (0..4).flat_map(|low| (0..8).map(move |high| (low, high))) {
                let expected = low <= lower && high <= higher;
                assert_eq!(at_most(&counts(low, high), &counts(lower, higher), &guards), expected);
            }
        }
    }

    #[test]
    fn a_configuration_is_kept_once_and_not_where_another_took_less() {
        let mut table = Table::new(1, vec![0b100_0100]);
        let mut add = |level, state, mask, counts| table.add((level, state), &[mask, counts], (NONE, NONE));
        assert_eq!(add(0, 0, 1, 0b1001), Some(0));
        assert_eq!(add(0, 0, 1, 0b1001), None);
        assert_eq!(add(0, 0, 1, 0b1010), None);
        assert_eq!(add(0, 0, 1, 0b0010), Some(1));
        assert_eq!(add(0, 0, 1, 0b0001), Some(2));
        assert_eq!((add(0, 0, 1, 0b0011), add(0, 0, 0, 0b0011)), (None, Some(3)));
        assert_eq!((add(1, 0, 1, 0b1001), add(0, 1, 1, 0b1001)), (Some(4), Some(5)));
    }
}
