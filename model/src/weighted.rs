//! Choosing among strategies by weight.

use proptest::strategy::{BoxedStrategy, Strategy, Union};

/// What a strategy weighs beside the others: a number, or a condition, which weighs 1 where it is
/// true and 0 where it is not.
pub trait Weight {
    /// The weight as a number.
    fn weight(self) -> u32;
}

impl Weight for u32 {
    fn weight(self) -> u32 {
        self
    }
}

impl Weight for bool {
    fn weight(self) -> u32 {
        self.into()
    }
}

/// A choice among strategies, made by [`weighted`].
#[derive(Clone, Debug)]
#[must_use = "a choice becomes a strategy by `boxed`"]
pub struct Weighted<Value>(Vec<(u32, BoxedStrategy<Value>)>);

/// A choice among strategies whose weights depend on the state, for
/// [`Model::gen_command`](crate::Model::gen_command). What has no weight is left out, and is not
/// even made:
///
/// ```
/// # use model::weighted;
/// # use proptest::{prelude::*, sample::select};
/// # #[derive(Clone, Debug)] enum Command { Push(u8), Pop, Remove(u8) }
/// # use Command::*;
/// fn commands(state: &Vec<u8>) -> BoxedStrategy<Command> {
///     weighted()
///         .or(4, || any::<u8>().prop_map(Push))
///         .or(state.len() as u32, || Just(Pop))
///         .or(!state.is_empty(), || select(state.clone()).prop_map(Remove))
///         .boxed()
/// }
/// # commands(&vec![]); commands(&vec![1]);
/// ```
pub fn weighted<Value>() -> Weighted<Value> {
    Weighted(Vec::new())
}

impl<Value: std::fmt::Debug + 'static> Weighted<Value> {
    /// Adds a strategy.
    pub fn or<S: Strategy<Value = Value> + 'static>(
        mut self,
        weight: impl Weight,
        strategy: impl FnOnce() -> S,
    ) -> Self {
        let weight = weight.weight();
        if weight > 0 {
            self.0.push((weight, strategy().boxed()));
        }
        self
    }

    /// The choice as a strategy.
    ///
    /// # Panics
    /// Where nothing was added with a weight: a state in which nothing can be done. A run tells
    /// of it with the state, rather than panic.
    pub fn boxed(mut self) -> BoxedStrategy<Value> {
        assert!(!self.0.is_empty(), "each weight is 0 in this state: give one command at least a weight");
        match self.0.len() {
            1 => self.0.remove(0).1,
            _ => Union::new_weighted(self.0).boxed(),
        }
    }
}
