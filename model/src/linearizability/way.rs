//! What a search can tell of a node that it met: the order that led there, and what may follow.

use super::object::Sequential;
use super::search::{Position, Search, UNANSWERED, bit, set};
use super::table::NONE;

impl<O: Sequential> Search<'_, O> {
    /// The places in the history of a node's operations, in their order.
    pub(super) fn order(&mut self, node: u32) -> Vec<usize> {
        let mut way = Vec::new();
        let mut at = node;
        while at != NONE {
            way.push(at);
            at = self.table.node(at).parent;
        }
        let mut order = Vec::new();
        self.words.fill(0);
        self.settle_along(&mut Position { level: 0, state: 0 }, true, &mut order);
        for step in way.iter().rev().skip(1) {
            let node = self.table.node(*step);
            let parent = self.table.node(node.parent);
            self.words.copy_from_slice(self.table.words(node.parent));
            if node.via & UNANSWERED == 0 {
                let answered = &self.plan.answered[node.via as usize];
                order.push(answered.index);
                set(&mut self.words, answered.slot);
            } else {
                let unanswered = &self.plan.unanswered[(node.via & !UNANSWERED) as usize];
                let taken = unanswered.taken(&self.words[self.plan.mask_words..]);
                order.push(unanswered.members[taken].0);
            }
            let changed = parent.state != node.state;
            let mut position = Position { level: parent.level, state: node.state };
            self.settle_along(&mut position, changed, &mut order);
        }
        order
    }

    fn settle_along(&mut self, position: &mut Position, changed: bool, order: &mut Vec<usize>) {
        let mut reads = Vec::new();
        self.settle(position, changed, |number| reads.push(number));
        order.extend(reads.into_iter().map(|number| self.plan.answered[number as usize].index));
    }

    /// The state of a node.
    pub(super) fn state(&self, node: u32) -> &O::State {
        self.states.state(self.table.node(node).state)
    }

    /// The operations that could be next after a node, by their places in the history, with the
    /// state that each would lead to, if it is possible.
    pub(super) fn nexts(&mut self, node: u32) -> Vec<(usize, Option<&O::State>)> {
        let at = self.table.node(node);
        let words = self.table.words(node);
        let Some(level) = self.plan.answered.get(at.level as usize) else { return Vec::new() };
        let open =
            self.plan.changing(at.level as usize).iter().chain(self.plan.reading(at.level as usize).iter());
        let open = open.map(|number| &self.plan.answered[number as usize]);
        let open = open.filter(|answered| !bit(words, answered.slot));
        let mut nexts: Vec<_> = open.map(|answered| (answered.index, answered.kind)).collect();
        for number in self.plan.taking(at.level as usize).iter() {
            let unanswered = &self.plan.unanswered[number as usize];
            let taken = unanswered.taken(&words[self.plan.mask_words..]);
            if let Some((index, called)) = unanswered.members.get(taken)
                && *called <= level.at
            {
                nexts.push((*index, unanswered.kind));
            }
        }
        let states = nexts.into_iter().map(|(index, kind)| (index, self.states.step(at.state, kind)));
        let states: Vec<_> = states.collect();
        states
            .into_iter()
            .map(|(index, state)| (index, state.map(|state| self.states.state(state))))
            .collect()
    }
}
