//! One phase of a scenario.

use std::fmt;
use std::ops::RangeInclusive;

use proptest::strategy::{BoxedStrategy, Strategy};

use crate::specification::Model;

/// A strategy of commands for each state.
pub(super) type Mix<M> = Box<dyn Fn(&M, &<M as Model>::State) -> BoxedStrategy<<M as Model>::Command>>;

/// Something to be true of a state.
type Condition<M> = Box<dyn Fn(&<M as Model>::State) -> bool>;

/// How many commands a phase that ends by a condition may have, unless it says otherwise.
const MOST: usize = 100;

/// Commands of one mix, until something is so or there are enough.
#[must_use = "a phase is part of a scenario: add it by `Scenario::then`"]
pub struct Phase<M: Model> {
    pub(super) name: String,
    pub(super) mix: Mix<M>,
    pub(super) length: Length<M>,
}

/// When a phase ends.
pub(super) enum Length<M: Model> {
    /// After as many commands as the shape of the run's cases says.
    Shape,
    /// After so many.
    Times(RangeInclusive<usize>),
    /// Once this is so, after so many commands at most.
    Until(Condition<M>, usize),
}

impl<M: Model> Phase<M> {
    /// A phase of commands that this makes for each state, several kinds of them by
    /// [`weighted`](crate::weighted()). It has as many as the shape of the run's cases says.
    pub fn new<S>(name: impl Into<String>, mix: impl Fn(&M, &M::State) -> S + 'static) -> Self
    where
        S: Strategy<Value = M::Command> + 'static,
    {
        let mix = move |model: &M, state: &M::State| mix(model, state).boxed();
        Self { name: name.into(), mix: Box::new(mix), length: Length::Shape }
    }

    /// A phase of the model's own commands.
    pub fn free(name: impl Into<String>) -> Self {
        let mix: Mix<M> = Box::new(|model, state| model.gen_command(state));
        Self { name: name.into(), mix, length: Length::Shape }
    }

    /// The phase with so many commands.
    pub fn times(self, range: RangeInclusive<usize>) -> Self {
        Self { length: Length::Times(range), ..self }
    }

    /// The phase, ended once this is so of the predicted state: perhaps at once, and after 100
    /// commands at most. Where it is not so by then the phase is generated anew, and after some
    /// tries the run ends with an error.
    pub fn until(self, is_so: impl Fn(&M::State) -> bool + 'static) -> Self {
        Self { length: Length::Until(Box::new(is_so), MOST), ..self }
    }

    /// As [`Phase::until`], after so many commands at most.
    pub fn until_at_most(self, is_so: impl Fn(&M::State) -> bool + 'static, most: usize) -> Self {
        Self { length: Length::Until(Box::new(is_so), most), ..self }
    }
}

impl<M: Model> fmt::Debug for Phase<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Phase").field("name", &self.name).finish_non_exhaustive()
    }
}
