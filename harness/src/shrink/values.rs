//! Simpler values in a command, as the tree of proptest's strategy knows them.

use model::Model;

use super::step::Kind;
use super::{Bench, End, Shrinker};

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// Follows the tree: simpler while the case fails, back where it does not.
    pub(super) fn simplify_by_tree(&mut self, id: usize) -> Result<bool, End> {
        let mut smaller = false;
        let Some(tree) = self.tree_of(id) else { return Ok(false) };
        let mut moved = self.trees[tree].simplify();
        while moved {
            let command = self.trees[tree].current();
            let own = self.best.commands().find(|traced| traced.id == id);
            let Some(own) = own.filter(|own| own.tree == Some(tree)) else { break };
            // Back at the value that it has, the tree has come to the end of one of its parts.
            let fails = if command == own.command {
                true
            } else {
                let helped = self.attempt(Kind::Value, self.best.replacing(id, command, Some(tree)))?;
                smaller |= helped;
                helped
            };
            moved = if fails { self.trees[tree].simplify() } else { self.trees[tree].complicate() };
        }
        if !smaller {
            // It has nothing more to say.
            self.best = self.best.with_tree_spent(id);
        }
        Ok(smaller)
    }

    fn tree_of(&self, id: usize) -> Option<usize> {
        self.best.commands().find(|traced| traced.id == id)?.tree
    }
}
