//! Simpler values in the commands that are left.

use model::Model;

use super::{End, Shrinker, Traced};

impl<M: Model> Shrinker<'_, M> {
    pub(super) fn simplify_commands(&mut self) -> Result<bool, End> {
        let mut smaller = false;
        let mut index = 0;
        while index < self.commands.len() {
            smaller |= self.simplify_by_model(index)?;
            if index < self.commands.len() {
                smaller |= self.simplify_by_tree(index)?;
            }
            index += 1;
        }
        Ok(smaller)
    }

    fn simplify_by_model(&mut self, index: usize) -> Result<bool, End> {
        let mut smaller = false;
        'again: while let Some(traced) = self.commands.get(index) {
            for command in self.model.simpler_commands(&traced.command) {
                if self.try_replacing(index, Traced { command, tree: None })? {
                    smaller = true;
                    continue 'again;
                }
            }
            break;
        }
        Ok(smaller)
    }

    /// Follows the tree of proptest's strategy: simpler while it fails, back where it does not.
    fn simplify_by_tree(&mut self, index: usize) -> Result<bool, End> {
        let Some(tree) = self.commands[index].tree else { return Ok(false) };
        let mut smaller = false;
        let mut moved = self.trees[tree].borrow_mut().simplify();
        while moved && index < self.commands.len() && self.commands[index].tree == Some(tree) {
            let command = self.trees[tree].borrow().current();
            let changed = command != self.commands[index].command;
            if changed && self.try_replacing(index, Traced { command, tree: Some(tree) })? {
                smaller = true;
                moved = self.trees[tree].borrow_mut().simplify();
            } else {
                moved = self.trees[tree].borrow_mut().complicate();
            }
        }
        Ok(smaller)
    }
}
