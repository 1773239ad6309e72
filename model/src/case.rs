//! A test case: a state to begin in and the commands to give, with how they were generated.

use std::fmt;
use std::ops::RangeInclusive;

use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;
use serde::{Deserialize, Serialize};

use crate::specification::Model;

/// A state to begin in and commands to give one after another.
#[derive(Deserialize, Serialize)]
#[serde(bound = "", deny_unknown_fields)]
pub struct Case<M: Model> {
    /// The state in which the system is created.
    pub initial: M::State,
    /// What is done to it, in this order.
    pub commands: Vec<M::Command>,
}

// Derived, these would ask of the model what only its states and commands need.
impl<M: Model> fmt::Debug for Case<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Case").field("initial", &self.initial).field("commands", &self.commands).finish()
    }
}

impl<M: Model> Clone for Case<M> {
    fn clone(&self) -> Self {
        Self { initial: self.initial.clone(), commands: self.commands.clone() }
    }
}

impl<M: Model> PartialEq for Case<M> {
    fn eq(&self, other: &Self) -> bool {
        self.initial == other.initial && self.commands == other.commands
    }
}

/// The first thing that makes a case impossible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCase {
    /// The model does not begin there.
    #[error("the case begins in a state that the model's initial pre-condition refuses")]
    Initial,
    /// The command makes no sense where it stands.
    #[error("command {number} ({command}) is one that the model's pre-condition refuses at that point")]
    Command {
        /// Its place in the case, counted from 1.
        number: usize,
        /// The command, as `Debug` prints it.
        command: String,
    },
}

impl<M: Model> Case<M> {
    /// The predicted state before each command, and after the last: one more than commands.
    pub fn states(&self, model: &M) -> Vec<M::State> {
        let mut states = vec![self.initial.clone()];
        for command in &self.commands {
            states.push(model.next_state(&states[states.len() - 1], command));
        }
        states
    }

    /// Whether the model lets the case begin and each command follow.
    ///
    /// # Errors
    /// The first state or command that it refuses.
    pub fn validate(&self, model: &M) -> Result<(), InvalidCase> {
        if !model.initial_pre_condition(&self.initial) {
            return Err(InvalidCase::Initial);
        }
        let mut state = self.initial.clone();
        for (index, command) in self.commands.iter().enumerate() {
            if !model.pre_condition(&state, command) {
                return Err(InvalidCase::Command { number: index + 1, command: format!("{command:?}") });
            }
            state = model.next_state(&state, command);
        }
        Ok(())
    }
}

/// A value with what proptest knows of how to make it smaller.
pub type Tree<Value> = Box<dyn ValueTree<Value = Value>>;

/// A case fresh from the strategies, with a tree for each generated value.
pub struct GeneratedCase<M: Model> {
    /// The case.
    pub case: Case<M>,
    /// How the initial state shrinks.
    pub initial_tree: Tree<M::State>,
    /// How each command shrinks, in the order of [`Case::commands`].
    pub command_trees: Vec<Tree<M::Command>>,
}

/// Why no case came out of the model's strategies.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The strategy of initial states gave up.
    #[error("no initial state could be generated ({0}): loosen the filters of gen_initial_state")]
    State(String),
    /// The model refuses what its own strategy makes.
    #[error(
        "gen_initial_state made {tries} states, and initial_pre_condition refused each: make the two agree"
    )]
    InitialRefused {
        /// How often it was tried.
        tries: u32,
    },
    /// The strategy of commands gave up.
    #[error("no command could be generated for state {state} ({why}): loosen the filters of gen_command")]
    Command {
        /// The state, as `Debug` prints it.
        state: String,
        /// What proptest said.
        why: String,
    },
    /// The model refuses what its own strategy makes.
    #[error(
        "gen_command made {tries} commands for state {state}, and pre_condition refused each (the last: {command}): make the two agree"
    )]
    CommandRefused {
        /// How often it was tried.
        tries: u32,
        /// The state, as `Debug` prints it.
        state: String,
        /// The last command that was made.
        command: String,
    },
    /// The range of lengths is empty.
    #[error("no case has {0:?} commands: give a range whose end is not before its start")]
    Length(RangeInclusive<usize>),
}

/// How often a strategy may make what the model then refuses, for one place in a case.
const TRIES: u32 = 1000;

/// Generates a case whose number of commands lies in `length`.
///
/// Each command is generated for the state that the model predicts at its place, so nothing is
/// discarded unless the strategy offers what the pre-condition refuses.
///
/// # Errors
/// [`GenerateError`] where a strategy gives up or makes nothing that the model takes.
pub fn generate<M: Model>(
    model: &M,
    length: &RangeInclusive<usize>,
    runner: &mut TestRunner,
) -> Result<GeneratedCase<M>, GenerateError> {
    let (count, initial_tree) = begin(model, length, runner)?;
    let initial = initial_tree.current();
    let (mut state, mut commands, mut command_trees) = (initial.clone(), Vec::new(), Vec::new());
    for _ in 0..count {
        let tree = generate_command(model, &state, runner)?;
        let command = tree.current();
        state = model.next_state(&state, &command);
        commands.push(command);
        command_trees.push(tree);
    }
    Ok(GeneratedCase { case: Case { initial, commands }, initial_tree, command_trees })
}

/// The initial state of the case that [`generate`] makes of the same runner, without the cost of
/// the commands.
///
/// # Errors
/// As [`generate`], but for what only commands can lack.
pub fn generate_state<M: Model>(
    model: &M,
    length: &RangeInclusive<usize>,
    runner: &mut TestRunner,
) -> Result<M::State, GenerateError> {
    begin(model, length, runner).map(|(_, initial)| initial.current())
}

/// How many commands a case is to have, and where it begins.
fn begin<M: Model>(
    model: &M,
    length: &RangeInclusive<usize>,
    runner: &mut TestRunner,
) -> Result<(usize, Tree<M::State>), GenerateError> {
    let refuse = || GenerateError::Length(length.clone());
    if length.is_empty() {
        return Err(refuse());
    }
    let count = length.clone().new_tree(runner).map_err(|_| refuse())?.current();
    Ok((count, generate_initial(model, runner)?))
}

fn generate_initial<M: Model>(model: &M, runner: &mut TestRunner) -> Result<Tree<M::State>, GenerateError> {
    let strategy = model.gen_initial_state();
    for _ in 0..TRIES {
        let tree = strategy.new_tree(runner).map_err(|why| GenerateError::State(why.to_string()))?;
        if model.initial_pre_condition(&tree.current()) {
            return Ok(tree);
        }
    }
    Err(GenerateError::InitialRefused { tries: TRIES })
}

fn generate_command<M: Model>(
    model: &M,
    state: &M::State,
    runner: &mut TestRunner,
) -> Result<Tree<M::Command>, GenerateError> {
    let strategy = model.gen_command(state);
    let mut refused = String::new();
    for _ in 0..TRIES {
        let tree = strategy
            .new_tree(runner)
            .map_err(|why| GenerateError::Command { state: format!("{state:?}"), why: why.to_string() })?;
        let command = tree.current();
        if model.pre_condition(state, &command) {
            return Ok(tree);
        }
        refused = format!("{command:?}");
    }
    Err(GenerateError::CommandRefused { tries: TRIES, state: format!("{state:?}"), command: refused })
}
