//! Cases from a model's strategies: an initial state, commands, and lanes.

use std::ops::RangeInclusive;

use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use crate::case::Case;
use crate::lanes::LaneShape;
use crate::panics::Method;
use crate::scenario;
use crate::specification::Model;
use crate::symbol::Symbol;

pub(crate) mod draw;
mod error;
mod lanes;

use draw::{Commands, Draw, guarded_for};
pub use error::GenerateError;

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

/// Of how many cases in a hundred the commands are of some kinds only, drawn for the case: each
/// kind that [`Model::kind`] tells apart is in it or not, as a coin falls, and one that is not is
/// let in where the model offers nothing else. A case that lacks a kind meets what that kind would
/// have kept it from: many pushes without a pop fill a buffer. (Groce, Zhang, Eide, Chen, Regehr:
/// "Swarm Testing", 2012.)
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Swarm(pub u32);

impl Swarm {
    /// Every case has all kinds.
    pub const OFF: Self = Self(0);
}

impl Default for Swarm {
    /// A quarter of the cases: drawing again what is left out takes time.
    fn default() -> Self {
        Self(25)
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

/// How often a strategy may make what the model then refuses, for one place in a case.
const TRIES: u32 = 1000;

/// [`generate_swarm`] of all kinds of commands.
///
/// # Errors
/// As there.
pub fn generate<M: Model>(
    model: &M,
    shape: &Shape,
    runner: &mut TestRunner,
) -> Result<GeneratedCase<M>, GenerateError> {
    generate_swarm(model, shape, Swarm::OFF, runner)
}

/// Generates a case of this shape: by one of the model's scenarios, or where it has none by its
/// strategy of commands, of which `swarm` may leave out some kinds.
///
/// Each command is generated for a state that the model predicts at its place, so nothing is
/// discarded unless the strategy offers what the pre-condition refuses. A lane's command is
/// generated for one of the states that its predecessors and the other lanes can lead to, and kept
/// where the case is then valid in every interleaving.
///
/// # Errors
/// [`GenerateError`] where a strategy gives up or panics, or makes nothing that the model takes.
pub fn generate_swarm<M: Model>(
    model: &M,
    shape: &Shape,
    swarm: Swarm,
    runner: &mut TestRunner,
) -> Result<GeneratedCase<M>, GenerateError> {
    let mut command_trees = Vec::new();
    let initial = initial_states(model)?;
    let keep = &mut |tree| command_trees.push(tree);
    let (case, initial_tree) = make(model, &initial, shape, swarm, runner, keep)?;
    Ok(GeneratedCase { case, initial_tree, command_trees })
}

/// The strategy of [`Model::gen_initial_state`], which is the same for all cases.
///
/// # Errors
/// [`GenerateError::Panicked`] where the model has none to give.
pub fn initial_states<M: Model>(model: &M) -> Result<BoxedStrategy<M::State>, GenerateError> {
    guarded_for(Method::GenInitialState, || model.gen_initial_state(), String::new)
}

/// The case that [`generate_swarm`] makes of the same runner, without the cost of keeping its
/// trees: only those of the few cases that fail are of use. `initial` is what [`initial_states`]
/// gives.
///
/// # Errors
/// As there.
pub fn generate_case<M: Model>(
    model: &M,
    initial: &BoxedStrategy<M::State>,
    shape: &Shape,
    swarm: Swarm,
    runner: &mut TestRunner,
) -> Result<Case<M>, GenerateError> {
    make(model, initial, shape, swarm, runner, &mut drop).map(|(case, _)| case)
}

/// Takes the tree of each command, in the order of [`Case::places`].
pub(crate) type Keep<'a, M> = dyn FnMut(Tree<<M as Model>::Command>) + 'a;

fn make<M: Model>(
    model: &M,
    initial: &BoxedStrategy<M::State>,
    shape: &Shape,
    swarm: Swarm,
    runner: &mut TestRunner,
    keep: &mut Keep<'_, M>,
) -> Result<(Case<M>, Tree<M::State>), GenerateError> {
    Symbol::restart();
    let (count, initial_tree) = begin(model, initial, &shape.commands, runner)?;
    let mut case: Case<M> = Case::sequential(initial_tree.current(), Vec::with_capacity(count));
    let mut state = case.initial.clone();
    let scenarios = model.scenarios();
    if scenarios.is_empty() {
        let commands: &Commands<'_, M> = &|model, state| model.gen_command(state);
        let mut draw = Draw::new(model, swarm, runner);
        for number in 1..=count {
            case.commands.push(draw.next(commands, &mut state, number, runner, keep)?);
        }
        if let Some(lanes) = &shape.lanes {
            let trees = lanes::add_lanes(&mut draw, (model, commands), lanes, &mut case, &mut state, runner)?;
            trees.into_iter().for_each(keep);
        }
        lanes::add_final(model, &mut case, state, |state| model.final_commands(state));
    } else {
        let mut draw = Draw::new(model, Swarm::OFF, runner);
        let scenario = scenario::choose(&scenarios, runner)?;
        let trees = scenario.phases(&mut draw, shape, &mut case, &mut state, runner)?;
        trees.into_iter().for_each(&mut *keep);
        if let (Some(lanes), Some(commands)) = (&shape.lanes, scenario.beside_commands()) {
            let trees = lanes::add_lanes(&mut draw, (model, commands), lanes, &mut case, &mut state, runner)?;
            trees.into_iter().for_each(keep);
        }
        lanes::add_final(model, &mut case, state, |state| scenario.final_commands(model, state));
    }
    Ok((case, initial_tree))
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
    begin(model, &initial_states(model)?, &shape.commands, runner).map(|(_, initial)| initial.current())
}

/// How many commands a case is to have, and where it begins.
fn begin<M: Model>(
    model: &M,
    initial: &BoxedStrategy<M::State>,
    length: &RangeInclusive<usize>,
    runner: &mut TestRunner,
) -> Result<(usize, Tree<M::State>), GenerateError> {
    let count = draw_length(length, runner)?;
    let initial =
        guarded_for(Method::GenInitialState, || generate_initial(model, initial, runner), String::new)?;
    Ok((count, initial?))
}

/// A number from a range.
pub(crate) fn draw_length(
    length: &RangeInclusive<usize>,
    runner: &mut TestRunner,
) -> Result<usize, GenerateError> {
    let refuse = || GenerateError::Length(length.clone());
    if length.is_empty() {
        return Err(refuse());
    }
    if length.start() == length.end() {
        return Ok(*length.start());
    }
    Ok(length.clone().new_tree(runner).map_err(|_| refuse())?.current())
}

fn generate_initial<M: Model>(
    model: &M,
    strategy: &BoxedStrategy<M::State>,
    runner: &mut TestRunner,
) -> Result<Tree<M::State>, GenerateError> {
    for _ in 0..TRIES {
        let tree = strategy.new_tree(runner).map_err(|why| GenerateError::State(why.to_string()))?;
        if model.initial_pre_condition(&tree.current()) {
            return Ok(tree);
        }
    }
    Err(GenerateError::InitialRefused { tries: TRIES })
}
