//! What a planted bug in a sequential system is made of, and the model and system that it gives.

use std::fmt::Debug;
use std::marker::PhantomData;

use harness::{Outcome, System, SystemError};
use model::{Case, Model};
use proptest::strategy::BoxedStrategy;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A right behaviour and a wrong one, with the smallest case that tells them apart.
pub(crate) trait Bug: Debug + Sized {
    type State: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    type Command: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    type Response: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    type Sut;

    fn initial() -> BoxedStrategy<Self::State>;
    fn command(state: &Self::State) -> BoxedStrategy<Self::Command>;
    fn allowed(_state: &Self::State, _command: &Self::Command) -> bool {
        true
    }
    /// What a right system does and answers.
    fn right(state: &mut Self::State, command: &Self::Command) -> Self::Response;
    fn sut(state: &Self::State) -> Self::Sut;
    /// What the wrong one does and answers.
    fn wrong(sut: &mut Self::Sut, command: &Self::Command) -> Self::Response;
    /// How many commands the smallest case has.
    const COMMANDS: usize;
    /// Whether a case of so many commands has the smallest values too.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool;
}

/// The model of the right behaviour, and a system with the wrong one.
#[derive(Debug)]
pub(crate) struct Planted<B>(PhantomData<fn() -> B>);

impl<B> Planted<B> {
    pub(crate) const fn new() -> Self {
        Self(PhantomData)
    }
}

impl<B: Bug> Model for Planted<B> {
    type State = B::State;
    type Command = B::Command;
    type Response = B::Response;

    fn gen_initial_state(&self) -> BoxedStrategy<B::State> {
        B::initial()
    }

    fn gen_command(&self, state: &B::State) -> BoxedStrategy<B::Command> {
        B::command(state)
    }

    fn pre_condition(&self, state: &B::State, command: &B::Command) -> bool {
        B::allowed(state, command)
    }

    fn next_state(&self, state: &B::State, command: &B::Command) -> B::State {
        let mut next = state.clone();
        B::right(&mut next, command);
        next
    }

    fn post_condition(&self, state: &B::State, command: &B::Command, response: &B::Response) -> bool {
        B::right(&mut state.clone(), command) == *response
    }
}

impl<B: Bug> System<Planted<B>> for Planted<B> {
    type Sut = B::Sut;

    fn new_sut(&self, state: &B::State) -> Result<B::Sut, SystemError> {
        Ok(B::sut(state))
    }

    fn run(&self, sut: &mut B::Sut, command: &B::Command) -> Result<Outcome<B::Response>, SystemError> {
        Ok(Outcome::Answered(B::wrong(sut, command)))
    }
}
