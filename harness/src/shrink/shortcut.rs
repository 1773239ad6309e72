//! Fewer commands to the same state: the model alone looks for the shortest way among states, by
//! the commands that a case is made of.

use std::collections::{HashMap, VecDeque};

use model::Model;
use model::step::{makes_sense, predict};

/// The shortest ways from `start` to each of the states in `targets`, with a bound on what is
/// looked through; `targets` says how short a way must be to be worth it. None for those that are
/// not found.
pub(super) fn ways<M: Model>(
    model: &M,
    start: &M::State,
    commands: &[M::Command],
    targets: &[(M::State, usize)],
    most_predictions: usize,
) -> Vec<Option<Vec<M::Command>>> {
    let mut found: Vec<Option<Vec<M::Command>>> = vec![None; targets.len()];
    // States are only asked to be comparable, so their text stands for them.
    let key = |state: &M::State| format!("{state:?}");
    let mut wanted: HashMap<String, Vec<usize>> = HashMap::new();
    for (index, (state, _)) in targets.iter().enumerate() {
        wanted.entry(key(state)).or_default().push(index);
    }
    let mut seen = HashMap::from([(key(start), ())]);
    let mut queue: VecDeque<(M::State, Vec<usize>)> = VecDeque::from([(start.clone(), Vec::new())]);
    let mut predictions = 0;
    let longest = targets.iter().map(|(_, longest)| *longest).max().unwrap_or_default();
    while let Some((state, way)) = queue.pop_front() {
        for index in wanted.remove(&key(&state)).unwrap_or_default() {
            if way.len() <= targets[index].1 {
                found[index] = Some(way.iter().map(|command| commands[*command].clone()).collect());
            }
        }
        if wanted.is_empty() || way.len() >= longest {
            break;
        }
        for (index, command) in commands.iter().enumerate() {
            if !makes_sense(model, &state, command) {
                continue;
            }
            predictions += 1;
            if predictions > most_predictions {
                return found;
            }
            let next = predict(model, &state, command);
            if seen.insert(key(&next), ()).is_none() {
                let mut way = way.clone();
                way.push(index);
                queue.push_back((next, way));
            }
        }
    }
    found
}
