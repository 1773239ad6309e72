//! The ways in which lanes can interleave, and what the model says of them before anything runs.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::case::{InvalidCase, Place, refused};
use crate::specification::Model;
use crate::step::{makes_sense, predict};

/// How many lanes are generated, and how long.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct LaneShape {
    /// How many lanes run side by side; at least two.
    pub lanes: RangeInclusive<usize>,
    /// How many commands a lane has.
    pub commands: RangeInclusive<usize>,
    /// In how many ways the lanes of a case may interleave at most; they are made shorter until
    /// it is no more.
    pub most_interleavings: u128,
    /// Of how many cases in a hundred; the others are sequential.
    pub percent: u32,
}

impl Default for LaneShape {
    /// Two or three lanes of one to four commands, in at most 40,000 ways (three lanes of four
    /// interleave in 34,650), in half of the cases.
    fn default() -> Self {
        Self { lanes: 2..=3, commands: 1..=4, most_interleavings: 40_000, percent: 50 }
    }
}

/// In how many ways lanes of these lengths can interleave: the multinomial coefficient; the
/// greatest number where it is greater still.
#[must_use]
pub fn interleavings(lengths: &[usize]) -> u128 {
    let mut total: u128 = 0;
    let mut ways: u128 = 1;
    for &length in lengths {
        for index in 1..=length as u128 {
            total += 1;
            // The product of consecutive numbers is divisible at each step, so nothing is rounded.
            match ways.checked_mul(total) {
                Some(product) => ways = product / index,
                None => return u128::MAX,
            }
        }
    }
    ways
}

/// More situations (how far each lane is, and a state there) than this are not looked through.
const MOST_SITUATIONS: usize = 20_000;

/// How far each lane is, with the states that the model predicts there.
type Situations<State> = BTreeMap<Vec<usize>, Vec<State>>;

/// The states in which the lanes can end, as predicted, over all their interleavings.
///
/// # Errors
/// The first command that makes no sense in some interleaving and is not one that the system
/// refuses then, or that makes no sense in any; or that there are too many interleavings.
pub fn end_states<M: Model>(
    model: &M,
    start: M::State,
    lanes: &[Vec<M::Command>],
) -> Result<Vec<M::State>, InvalidCase> {
    if lanes.is_empty() {
        return Ok(vec![start]);
    }
    let mut reached = situations(model, start, lanes)?;
    let ends: Vec<usize> = lanes.iter().map(Vec::len).collect();
    Ok(reached.remove(&ends).unwrap_or_default())
}

/// Every state in which a lane can be when it has given its last command, with the others at any
/// point of theirs.
///
/// # Errors
/// As [`end_states`].
pub fn states_at_end_of<M: Model>(
    model: &M,
    start: M::State,
    lanes: &[Vec<M::Command>],
    lane: usize,
) -> Result<Vec<M::State>, InvalidCase> {
    let end = lanes.get(lane).map_or(0, Vec::len);
    let reached = situations(model, start, lanes)?;
    Ok(reached.into_iter().filter(|(at, _)| at[lane] == end).flat_map(|(_, states)| states).collect())
}

fn situations<M: Model>(
    model: &M,
    start: M::State,
    lanes: &[Vec<M::Command>],
) -> Result<Situations<M::State>, InvalidCase> {
    let mut possible: Vec<Vec<bool>> = lanes.iter().map(|lane| vec![false; lane.len()]).collect();
    let mut reached = Situations::from([(vec![0; lanes.len()], vec![start])]);
    let mut count = 1;
    let mut front: Vec<Vec<usize>> = reached.keys().cloned().collect();
    while !front.is_empty() {
        let mut next = Vec::new();
        for at in front {
            for (lane, commands) in lanes.iter().enumerate() {
                let Some(command) = commands.get(at[lane]) else { continue };
                let mut after = at.clone();
                after[lane] += 1;
                for state in reached[&at].clone() {
                    let sensible = makes_sense(model, &state, command);
                    if !sensible && !model.can_be_refused(command) {
                        return Err(refused::<M>(Place::Lane { lane, index: at[lane] }, command));
                    }
                    possible[lane][at[lane]] |= sensible;
                    let state = if sensible { predict(model, &state, command) } else { state };
                    let states = reached.entry(after.clone()).or_default();
                    if states.is_empty() {
                        next.push(after.clone());
                    }
                    if !states.contains(&state) {
                        states.push(state);
                        count += 1;
                    }
                }
                if count > MOST_SITUATIONS {
                    return Err(InvalidCase::TooManyInterleavings(MOST_SITUATIONS));
                }
            }
        }
        front = next;
    }
    // What is refused in every interleaving is not worth giving.
    for (lane, possible) in possible.iter().enumerate() {
        if let Some(index) = possible.iter().position(|possible| !possible) {
            return Err(refused::<M>(Place::Lane { lane, index }, &lanes[lane][index]));
        }
    }
    Ok(reached)
}

#[cfg(test)]
mod tests {
    use super::interleavings;

    #[test]
    fn interleavings_are_counted_exactly() {
        assert_eq!((interleavings(&[]), interleavings(&[5])), (1, 1));
        assert_eq!((interleavings(&[1, 1]), interleavings(&[2, 2])), (2, 6));
        assert_eq!((interleavings(&[4, 4, 4]), interleavings(&[3, 0, 3])), (34_650, 20));
        assert_eq!(interleavings(&[64, 64, 64]), u128::MAX);
    }
}
