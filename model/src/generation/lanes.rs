//! Lanes and final commands for a case whose prefix is there.

use proptest::prelude::RngExt as _;
use proptest::test_runner::TestRunner;

use super::draw::{Commands, Draw};
use super::{GenerateError, Tree};
use crate::case::Case;
use crate::lanes::{LaneShape, end_states, interleavings, states_at_end_of};
use crate::specification::Model;
use crate::step::{makes_sense, predict, predict_in_place};

/// How often a command for a lane is drawn before the lane stays as it is.
const LANE_TRIES: u32 = 20;

/// Adds lanes to a case whose prefix ends in this state; returns their trees. A lane that stays
/// alone becomes a part of the prefix, which then ends in another state.
pub(super) fn add_lanes<M: Model>(
    draw: &mut Draw<'_, M>,
    (model, commands): (&M, &Commands<'_, M>),
    shape: &LaneShape,
    case: &mut Case<M>,
    start: &mut M::State,
    runner: &mut TestRunner,
) -> Result<Vec<Tree<M::Command>>, GenerateError> {
    let LaneShape { lanes, commands: lengths, most_interleavings, percent } = shape;
    if lanes.is_empty() || *lanes.start() < 2 || lengths.is_empty() {
        return Err(GenerateError::Lanes { lanes: lanes.clone(), commands: lengths.clone() });
    }
    if runner.rng().random_range(0..100) >= *percent {
        return Ok(Vec::new());
    }
    let count = runner.rng().random_range(lanes.clone());
    let mut wanted: Vec<usize> = (0..count).map(|_| runner.rng().random_range(lengths.clone())).collect();
    while interleavings(&wanted) > *most_interleavings {
        let longest = (0..count).max_by_key(|lane| wanted[*lane]).unwrap_or_default();
        wanted[longest] -= 1;
    }
    case.lanes = vec![Vec::new(); count];
    let mut trees: Vec<Vec<Tree<M::Command>>> = (0..count).map(|_| Vec::new()).collect();
    // A command of each lane in turn, so that each is generated with the others in mind.
    for index in 0..wanted.iter().copied().max().unwrap_or_default() {
        for lane in (0..count).filter(|lane| index < wanted[*lane]) {
            trees[lane].extend(add_to_lane(draw, (model, commands), case, start, lane, runner)?);
        }
    }
    let mut kept: Vec<_> = std::mem::take(&mut case.lanes).into_iter().zip(trees).collect();
    kept.retain(|(lane, _)| !lane.is_empty());
    let (mut lanes, trees): (Vec<_>, Vec<_>) = kept.into_iter().unzip();
    if let [only] = &mut lanes[..] {
        for command in only.iter() {
            predict_in_place(model, start, command);
        }
        case.commands.append(only);
    } else {
        case.lanes = lanes;
    }
    Ok(trees.into_iter().flatten().collect())
}

/// Adds a command to a lane, if one is found that keeps the case valid.
fn add_to_lane<M: Model>(
    draw: &mut Draw<'_, M>,
    (model, commands): (&M, &Commands<'_, M>),
    case: &mut Case<M>,
    start: &M::State,
    lane: usize,
    runner: &mut TestRunner,
) -> Result<Option<Tree<M::Command>>, GenerateError> {
    let Ok(states) = states_at_end_of(model, start.clone(), &case.lanes, lane) else { return Ok(None) };
    for _ in 0..LANE_TRIES {
        let state = &states[runner.rng().random_range(0..states.len())];
        let (tree, command) = draw.command(commands, state, runner)?;
        case.lanes[lane].push(command);
        let valid =
            case.check_symbols(model).is_ok() && end_states(model, start.clone(), &case.lanes).is_ok();
        if valid {
            return Ok(Some(tree));
        }
        case.lanes[lane].pop();
    }
    Ok(None)
}

/// Adds final commands, as far as they make sense wherever the lanes end; `of` draws them up for
/// the state that is predicted there.
pub(super) fn add_final<M: Model>(
    model: &M,
    case: &mut Case<M>,
    start: M::State,
    of: impl Fn(&M::State) -> Vec<M::Command>,
) {
    // Mostly there are no lanes and nothing to add, which takes no list of states to know.
    let without_lanes = case.lanes.is_empty().then(|| of(&start));
    if without_lanes.as_ref().is_some_and(Vec::is_empty) {
        return;
    }
    let Ok(mut ends) = end_states(model, start, &case.lanes) else { return };
    let Some(predicted) = ends.first() else { return };
    for command in without_lanes.unwrap_or_else(|| of(predicted)) {
        case.finally.push(command.clone());
        if case.check_symbols(model).is_err() {
            case.finally.pop();
            continue;
        }
        let sensible: Vec<bool> = ends.iter().map(|state| makes_sense(model, state, &command)).collect();
        if sensible.iter().all(|sensible| *sensible) || model.can_be_refused(&command) {
            for (state, sensible) in ends.iter_mut().zip(sensible) {
                if sensible {
                    *state = predict(model, state, &command);
                }
            }
        } else {
            case.finally.pop();
        }
    }
}
