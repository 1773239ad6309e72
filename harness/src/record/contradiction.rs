//! The fewest answers of a case with lanes that contradict one another.

use std::time::Duration;

use model::Model;
use model::history::History;
use model::linearizability::{Limits, Verdict, check_model};

use super::Contradiction;
use super::build::Numbered;

/// How long the search for an order may take, and how long that for fewer answers: it is done where a run
/// or a search has ended.
const TIME: Duration = Duration::from_secs(1);
/// How much memory it may take, in bytes.
const MEMORY: usize = 256 << 20;

/// The fewest answers of a history that contradict one another; none where that takes too long, or where
/// they do not.
pub(super) fn of<M: Model>(
    model: &M,
    initial: &M::State,
    history: &[Numbered<'_, M>],
) -> Option<Contradiction> {
    let operations: Vec<_> = history.iter().map(|(_, recorded)| recorded.operation.clone()).collect();
    let limits = Limits { time: Some(TIME), evidence: TIME, memory: MEMORY, cancel: None, since: None };
    let history_of_all = History { operations };
    let Verdict::NotLinearizable(found) = check_model(model, initial, &history_of_all, limits) else {
        return None;
    };
    let numbers = |places: &[usize]| places.iter().map(|place| history[*place].0).collect();
    let is_last = |place: &&usize| history_of_all.operations[**place].ended == Some(found.until);
    Some(Contradiction {
        operations: numbers(&found.operations),
        last: found.operations.iter().find(is_last).map(|place| history[*place].0),
        bystanders: numbers(&found.bystanders),
        is_minimal: found.minimal,
    })
}
