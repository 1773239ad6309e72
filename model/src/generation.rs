//! Cases from a model's strategies: an initial state, commands, and lanes.

use std::ops::RangeInclusive;

use proptest::prelude::RngExt as _;
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::case::Case;
use crate::lanes::{LaneShape, end_states, interleavings, states_at_end_of};
use crate::specification::Model;
use crate::step::{makes_sense, predict};

/// How long cases are, and whether they have lanes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Shape {
    /// How many commands are given in sequence before any lanes, and in a case without lanes.
    pub commands: RangeInclusive<usize>,
    /// The lanes; none where every case is sequential.
    pub lanes: Option<LaneShape>,
}

impl Shape {
    /// Cases without lanes, with so many commands.
    #[must_use]
    pub fn sequential(commands: RangeInclusive<usize>) -> Self {
        Self { commands, lanes: None }
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
    /// How each command shrinks, in the order of [`Case::places`];
    /// final commands have none.
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
    /// The ranges of lanes or of their lengths are empty, or do not begin with two lanes.
    #[error(
        "no case has {lanes:?} lanes of {commands:?} commands: give at least 2 lanes, and ranges whose ends are not before their starts"
    )]
    Lanes {
        /// How many lanes were asked for.
        lanes: RangeInclusive<usize>,
        /// How long they were to be.
        commands: RangeInclusive<usize>,
    },
}

/// How often a strategy may make what the model then refuses, for one place in a case.
const TRIES: u32 = 1000;

/// Generates a case of this shape.
///
/// Each command is generated for a state that the model predicts at its place, so nothing is
/// discarded unless the strategy offers what the pre-condition refuses. A lane's command is
/// generated for one of the states that its predecessors and the other lanes can lead to, and kept
/// where the case is then valid in every interleaving.
///
/// # Errors
/// [`GenerateError`] where a strategy gives up or makes nothing that the model takes.
pub fn generate<M: Model>(
    model: &M,
    shape: &Shape,
    runner: &mut TestRunner,
) -> Result<GeneratedCase<M>, GenerateError> {
    let (count, initial_tree) = begin(model, &shape.commands, runner)?;
    let mut case: Case<M> = Case::sequential(initial_tree.current(), Vec::new());
    let (mut state, mut command_trees) = (case.initial.clone(), Vec::new());
    for _ in 0..count {
        let tree = generate_command(model, &state, runner)?;
        let command = tree.current();
        state = predict(model, &state, &command);
        case.commands.push(command);
        command_trees.push(tree);
    }
    if let Some(shape) = &shape.lanes {
        command_trees.extend(add_lanes(model, shape, &mut case, &state, runner)?);
    }
    add_final(model, &mut case, &state);
    Ok(GeneratedCase { case, initial_tree, command_trees })
}

/// How often a command for a lane is drawn before the lane stays as it is.
const LANE_TRIES: u32 = 20;

/// Adds lanes to a case whose prefix ends in this state; returns their trees.
fn add_lanes<M: Model>(
    model: &M,
    shape: &LaneShape,
    case: &mut Case<M>,
    start: &M::State,
    runner: &mut TestRunner,
) -> Result<Vec<Tree<M::Command>>, GenerateError> {
    let LaneShape { lanes, commands, most_interleavings, percent } = shape;
    if lanes.is_empty() || *lanes.start() < 2 || commands.is_empty() {
        return Err(GenerateError::Lanes { lanes: lanes.clone(), commands: commands.clone() });
    }
    if runner.rng().random_range(0..100) >= *percent {
        return Ok(Vec::new());
    }
    let count = runner.rng().random_range(lanes.clone());
    let mut wanted: Vec<usize> = (0..count).map(|_| runner.rng().random_range(commands.clone())).collect();
    while interleavings(&wanted) > *most_interleavings {
        let longest = (0..count).max_by_key(|lane| wanted[*lane]).unwrap_or_default();
        wanted[longest] -= 1;
    }
    case.lanes = vec![Vec::new(); count];
    let mut trees: Vec<Vec<Tree<M::Command>>> = (0..count).map(|_| Vec::new()).collect();
    // A command of each lane in turn, so that each is generated with the others in mind.
    for index in 0..wanted.iter().copied().max().unwrap_or_default() {
        for lane in (0..count).filter(|lane| index < wanted[*lane]) {
            trees[lane].extend(add_to_lane(model, case, start, lane, runner)?);
        }
    }
    let mut kept: Vec<_> = std::mem::take(&mut case.lanes).into_iter().zip(trees).collect();
    kept.retain(|(lane, _)| !lane.is_empty());
    let (mut lanes, trees): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    if let [only] = &mut lanes[..] {
        case.commands.append(only);
    } else {
        case.lanes = lanes;
    }
    Ok(trees.into_iter().flatten().collect())
}

/// Adds a command to a lane, if one is found that keeps the case valid.
fn add_to_lane<M: Model>(
    model: &M,
    case: &mut Case<M>,
    start: &M::State,
    lane: usize,
    runner: &mut TestRunner,
) -> Result<Option<Tree<M::Command>>, GenerateError> {
    let Ok(states) = states_at_end_of(model, start.clone(), &case.lanes, lane) else { return Ok(None) };
    for _ in 0..LANE_TRIES {
        let state = &states[runner.rng().random_range(0..states.len())];
        let tree = generate_command(model, state, runner)?;
        case.lanes[lane].push(tree.current());
        let valid =
            case.check_symbols(model).is_ok() && end_states(model, start.clone(), &case.lanes).is_ok();
        if valid {
            return Ok(Some(tree));
        }
        case.lanes[lane].pop();
    }
    Ok(None)
}

/// Adds the model's final commands, as far as they make sense wherever the lanes end.
fn add_final<M: Model>(model: &M, case: &mut Case<M>, start: &M::State) {
    let Ok(mut ends) = end_states(model, start.clone(), &case.lanes) else { return };
    let Some(predicted) = ends.first() else { return };
    for command in model.final_commands(predicted) {
        let sensible: Vec<bool> = ends.iter().map(|state| makes_sense(model, state, &command)).collect();
        if sensible.iter().all(|sensible| *sensible) || model.can_be_refused(&command) {
            case.finally.push(command.clone());
            // What only a lane was given has no name outside it.
            if case.check_symbols(model).is_err() {
                case.finally.pop();
                continue;
            }
            for (state, sensible) in ends.iter_mut().zip(sensible) {
                if sensible {
                    *state = predict(model, state, &command);
                }
            }
        }
    }
}

/// The initial state of the case that [`generate`] makes of the same runner, without the cost of
/// the commands.
///
/// # Errors
/// As [`generate`], but for what only commands can lack.
pub fn generate_state<M: Model>(
    model: &M,
    shape: &Shape,
    runner: &mut TestRunner,
) -> Result<M::State, GenerateError> {
    begin(model, &shape.commands, runner).map(|(_, initial)| initial.current())
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
        if makes_sense(model, state, &command) {
            return Ok(tree);
        }
        refused = format!("{command:?}");
    }
    Err(GenerateError::CommandRefused { tries: TRIES, state: format!("{state:?}"), command: refused })
}
