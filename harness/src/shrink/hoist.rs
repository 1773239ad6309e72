//! Commands whose effect on what is varied could have been there from the beginning: a machine
//! that is upgraded and then fails may fail as well if it has the new version at once.

use model::{Choice, Model};

use super::{End, Shrinker, Traced};

impl<M: Model> Shrinker<'_, M> {
    /// Deletes commands that change choices, and changes them in the initial state instead.
    pub(super) fn hoist(&mut self) -> Result<bool, End> {
        let mut smaller = false;
        let mut index = 0;
        while index < self.commands.len() {
            let Some(initial) = self.with_effect_of(index) else {
                index += 1;
                continue;
            };
            let commands = self.repaired(&initial, self.without(|other| other == index));
            if self.attempt(initial, commands)? {
                smaller = true;
            } else {
                index += 1;
            }
        }
        Ok(smaller)
    }

    /// The initial state with the choices that the command at this place changes; none where it
    /// changes none.
    fn with_effect_of(&self, index: usize) -> Option<M::State> {
        let next = |state: M::State, traced: &Traced<M>| self.model.next_state(&state, &traced.command);
        let before = self.commands[..index].iter().fold(self.initial.clone(), next);
        let after = next(before.clone(), &self.commands[index]);
        let before = self.model.choices(&before);
        let changed: Vec<Choice> =
            self.model.choices(&after).into_iter().filter(|choice| !before.contains(choice)).collect();
        let mut changed = changed.iter();
        let first = self.model.with_choice(&self.initial, changed.next()?)?;
        changed.try_fold(first, |state, choice| self.model.with_choice(&state, choice))
    }
}
