//! The shortest specification: a reference that does what the system is to do.
//!
//! Where each command has exactly one right answer, a function that gives it and changes a state
//! is a whole model. [`reference()`] makes one of it, and [`Reference::check`] tests a system in
//! memory against it, or [`Reference::check_shared`] one that threads share.

use std::fmt::Debug;

use model::{Case, Model, Outcome};
use proptest::prelude::Just;
use proptest::strategy::{BoxedStrategy, Strategy};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::as_test::Call;
use crate::check::{check_by, check_case};
use crate::config::Config;
use crate::lanes::Lanes;
use crate::system::{System, SystemError};

/// A model made of a state and a function that answers; [`reference()`] makes it.
#[derive(Clone, Debug)]
pub struct Reference<State, Commands, Answer> {
    name: String,
    initial: State,
    commands: Commands,
    answer: Answer,
}

/// A model that begins in a state and knows the one right answer to each command.
///
/// `commands` is a strategy for every state; a command that makes no sense in some state has to
/// have an answer that says so. `answer` gives the right answer and changes the state. The name
/// tells replay files of several models apart: letters, digits and hyphens.
/// ```
/// use harness::prelude::*;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// let give_out = |given: &mut u64, (): &()| {
///     *given += 1;
///     *given
/// };
/// let numbers = reference("numbers", 0, Just(()), give_out);
/// numbers.check(|| 1, |next, ()| std::mem::replace(next, *next + 1));
/// // The same of a system that threads share: their answers are those of some order.
/// numbers.check_shared(|| AtomicU64::new(1), |next, ()| next.fetch_add(1, Ordering::SeqCst));
/// ```
pub fn reference<State, Commands, Answer, Response>(
    name: impl Into<String>,
    initial: State,
    commands: Commands,
    answer: Answer,
) -> Reference<State, Commands, Answer>
where
    Commands: Strategy,
    Answer: Fn(&mut State, &Commands::Value) -> Response,
{
    Reference { name: name.into(), initial, commands, answer }
}

impl<State, Commands, Answer, Response> Model for Reference<State, Commands, Answer>
where
    State: Clone + Debug + PartialEq + Serialize + DeserializeOwned + 'static,
    Commands: Strategy + Clone + 'static,
    Commands::Value: Clone + Debug + PartialEq + Serialize + DeserializeOwned,
    Answer: Fn(&mut State, &Commands::Value) -> Response,
    Response: Clone + Debug + PartialEq + Serialize + DeserializeOwned,
{
    type State = State;
    type Command = Commands::Value;
    type Response = Response;

    fn name(&self) -> String {
        self.name.clone()
    }

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(self.initial.clone()).boxed()
    }

    fn gen_command(&self, _: &State) -> BoxedStrategy<Commands::Value> {
        self.commands.clone().boxed()
    }

    fn next_state(&self, state: &State, command: &Commands::Value) -> State {
        let mut state = state.clone();
        (self.answer)(&mut state, command);
        state
    }

    fn advance(&self, state: &mut State, command: &Commands::Value, _: Option<&Response>) {
        (self.answer)(state, command);
    }

    fn post_condition(&self, state: &State, command: &Commands::Value, response: &Response) -> bool {
        (self.answer)(&mut state.clone(), command) == *response
    }

    fn expectation(&self, state: &State, command: &Commands::Value) -> String {
        format!("{:?}", (self.answer)(&mut state.clone(), command))
    }
}

impl<State, Commands, Answer> Reference<State, Commands, Answer> {
    /// Tests a system in memory: `new` makes one, `run` gives it a command. Cases have 1 to 40
    /// commands ([`Config::in_memory`]).
    ///
    /// # Panics
    /// As [`check`](crate::check()) does.
    pub fn check<Sut, New, Run>(&self, new: New, run: Run)
    where
        Self: Model,
        New: Fn() -> Sut,
        Run: Fn(&mut Sut, &<Self as Model>::Command) -> <Self as Model>::Response,
    {
        self.check_with(&Config::in_memory(), new, run);
    }

    /// [`Reference::check`] with a configuration of one's own.
    ///
    /// # Panics
    /// As [`check`](crate::check()) does.
    pub fn check_with<Sut, New, Run>(&self, config: &Config, new: New, run: Run)
    where
        Self: Model,
        New: Fn() -> Sut,
        Run: Fn(&mut Sut, &<Self as Model>::Command) -> <Self as Model>::Response,
    {
        check_by(config, self, &InMemory { new, run }, Call::Reference);
    }

    /// Runs one case as it is against a system in memory, for a `#[test]` that stands alone:
    /// `NETPROP_AS_TEST` prints one for a failing case.
    ///
    /// # Panics
    /// As [`check_case`](crate::check::check_case()) does.
    pub fn check_case<Sut, New, Run>(&self, case: &Case<Self>, new: New, run: Run)
    where
        Self: Model,
        New: Fn() -> Sut,
        Run: Fn(&mut Sut, &<Self as Model>::Command) -> <Self as Model>::Response,
    {
        check_case(self, &InMemory { new, run }, case);
    }

    /// [`Reference::check_case`] for a system that threads share.
    ///
    /// # Panics
    /// As [`check_case`](crate::check::check_case()) does.
    pub fn check_case_shared<Sut, New, Run>(&self, case: &Case<Self>, new: New, run: Run)
    where
        Self: Model + Sync,
        <Self as Model>::Command: Send + Sync,
        <Self as Model>::Response: Send + Sync,
        Sut: Sync,
        New: Fn() -> Sut,
        Run: Fn(&Sut, &<Self as Model>::Command) -> <Self as Model>::Response + Sync,
    {
        check_case(self, &Shared { new, run }, case);
    }

    /// Tests a system that threads share, with lanes of commands side by side in half of the
    /// cases: their answers have to be those of some order in which the commands may have taken
    /// effect.
    ///
    /// # Panics
    /// As [`check`](crate::check()) does.
    pub fn check_shared<Sut, New, Run>(&self, new: New, run: Run)
    where
        Self: Model + Sync,
        <Self as Model>::Command: Send + Sync,
        <Self as Model>::Response: Send + Sync,
        Sut: Sync,
        New: Fn() -> Sut,
        Run: Fn(&Sut, &<Self as Model>::Command) -> <Self as Model>::Response + Sync,
    {
        self.check_shared_with(&Config::default().with_lanes(), new, run);
    }

    /// [`Reference::check_shared`] with a configuration of one's own, whose shape says of the
    /// lanes how they are.
    ///
    /// # Panics
    /// As [`check`](crate::check()) does.
    pub fn check_shared_with<Sut, New, Run>(&self, config: &Config, new: New, run: Run)
    where
        Self: Model + Sync,
        <Self as Model>::Command: Send + Sync,
        <Self as Model>::Response: Send + Sync,
        Sut: Sync,
        New: Fn() -> Sut,
        Run: Fn(&Sut, &<Self as Model>::Command) -> <Self as Model>::Response + Sync,
    {
        check_by(config, self, &Shared { new, run }, Call::SharedReference);
    }
}

/// A system in memory, of two functions.
struct InMemory<New, Run> {
    new: New,
    run: Run,
}

impl<M: Model, Sut, New, Run> System<M> for InMemory<New, Run>
where
    New: Fn() -> Sut,
    Run: Fn(&mut Sut, &M::Command) -> M::Response,
{
    type Sut = Sut;

    fn new_sut(&self, _: &M::State) -> Result<Sut, SystemError> {
        Ok((self.new)())
    }

    fn run(&self, sut: &mut Sut, command: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        Ok(Outcome::Answered((self.run)(sut, command)))
    }
}

/// A system in memory that threads share.
struct Shared<New, Run> {
    new: New,
    run: Run,
}

impl<M, Sut, New, Run> System<M> for Shared<New, Run>
where
    M: Model + Sync,
    M::Command: Send + Sync,
    M::Response: Send + Sync,
    Sut: Sync,
    New: Fn() -> Sut,
    Run: Fn(&Sut, &M::Command) -> M::Response + Sync,
{
    type Sut = Sut;

    fn new_sut(&self, _: &M::State) -> Result<Sut, SystemError> {
        Ok((self.new)())
    }

    fn run(&self, sut: &mut Sut, command: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        Ok(Outcome::Answered((self.run)(sut, command)))
    }

    fn run_lanes(&self, sut: &mut Sut, lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
        let (sut, run) = (&*sut, &self.run);
        lanes.run(|_| Ok(move |command: &M::Command| Ok(Outcome::Answered(run(sut, command)))))
    }
}
