//! Commands whose effect on what is varied could have been there from the beginning: a machine
//! that is upgraded and then fails may fail as well if it has the new version at once.

use model::{Choice, Model};

use super::draft::Draft;

impl<M: Model> Draft<M> {
    /// The draft without the command at this place of the prefix, and with the choices that the
    /// command changes changed in the initial state instead; none where that cannot be.
    pub(super) fn hoisted(&self, model: &M, index: usize) -> Option<Self> {
        let states = self.case().states(model);
        let before = model.choices(&states[index]);
        let changed: Vec<Choice> =
            model.choices(&states[index + 1]).into_iter().filter(|choice| !before.contains(choice)).collect();
        let mut changed = changed.iter();
        let first = model.with_choice(&self.initial, changed.next()?)?;
        let initial = changed.try_fold(first, |state, choice| model.with_choice(&state, choice))?;
        let id = self.prefix.get(index)?.id;
        Some(Self { initial, ..self.without(&[id]) })
    }
}
