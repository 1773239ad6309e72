//! Simpler commands and initial states, as the trees of proptest's strategies know them.

use model::{GeneratedCase, Model, Tree};

use super::draft::Draft;
use super::step::Kind;
use super::{Bench, End, Shrinker};

/// The trees that a case was generated with; none for a case that was read from a file.
pub(crate) struct Trees<M: Model> {
    /// That of the initial state, until it has nothing more to say.
    initial: Option<Tree<M::State>>,
    /// Those of the commands, by the numbers that these had in the first case.
    pub(super) commands: Vec<Tree<M::Command>>,
}

impl<M: Model> Default for Trees<M> {
    fn default() -> Self {
        Self { initial: None, commands: Vec::new() }
    }
}

impl<M: Model> From<GeneratedCase<M>> for Trees<M> {
    fn from(generated: GeneratedCase<M>) -> Self {
        Self { initial: Some(generated.initial_tree), commands: generated.command_trees }
    }
}

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// Follows the tree: simpler while the case fails, back where it does not.
    pub(super) fn simplify_by_tree(&mut self, id: usize) -> Result<bool, End> {
        let mut smaller = false;
        let Some(tree) = self.tree_of(id) else { return Ok(false) };
        let mut moved = self.trees.commands[tree].simplify();
        while moved {
            let command = self.trees.commands[tree].current();
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
            moved = if fails {
                self.trees.commands[tree].simplify()
            } else {
                self.trees.commands[tree].complicate()
            };
        }
        if !smaller {
            // It has nothing more to say.
            self.best = self.best.with_tree_spent(id);
        }
        Ok(smaller)
    }

    /// Whether the tree of the initial state may know simpler ones than that of the best case.
    pub(super) fn has_state_tree(&self) -> bool {
        self.trees.initial.as_ref().is_some_and(|tree| tree.current() == self.best.initial)
    }

    /// Follows the tree of the initial state, once.
    pub(super) fn simplify_state_by_tree(&mut self) -> Result<bool, End> {
        let mut smaller = false;
        let Some(mut tree) = self.trees.initial.take() else { return Ok(false) };
        let mut moved = tree.simplify();
        while moved {
            let initial = tree.current();
            let fails = initial == self.best.initial || {
                let helped = self.attempt(Kind::State, Draft { initial, ..self.best.clone() })?;
                smaller |= helped;
                helped
            };
            moved = if fails { tree.simplify() } else { tree.complicate() };
        }
        Ok(smaller)
    }

    fn tree_of(&self, id: usize) -> Option<usize> {
        self.best.commands().find(|traced| traced.id == id)?.tree
    }
}
