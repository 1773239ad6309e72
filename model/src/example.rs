//! Cases that a person has written down.

use std::fmt;

use crate::case::Case;
use crate::specification::Model;

/// A case that every run begins with, and its name in what a run tells.
pub struct Example<M: Model> {
    /// What it is an example of.
    pub name: String,
    /// The case.
    pub case: Case<M>,
}

impl<M: Model> Example<M> {
    /// A case without lanes.
    pub fn new(name: impl Into<String>, initial: M::State, commands: impl Into<Vec<M::Command>>) -> Self {
        Self { name: name.into(), case: Case::sequential(initial, commands.into()) }
    }
}

// Derived, these would ask of the model what only its states and commands need.
impl<M: Model> Clone for Example<M> {
    fn clone(&self) -> Self {
        Self { name: self.name.clone(), case: self.case.clone() }
    }
}

impl<M: Model> fmt::Debug for Example<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Example").field("name", &self.name).field("case", &self.case).finish()
    }
}
