//! The definition of linearizability, tried out as it stands: every order, one after the other,
//! with nothing kept and nothing left out.

use model::Outcome;
use model::history::{History, Operation};
use model::linearizability::Sequential;

/// Whether some order explains every answer.
pub(crate) fn is_linearizable<O: Sequential>(object: &O, history: &History<O::Command, O::Response>) -> bool {
    let operations = &history.operations;
    let open =
        (0..operations.len()).filter(|&index| !matches!(operations[index].outcome, Outcome::Refused(_)));
    let answered = |index: usize| operations[index].outcome.answer().is_some();
    has_order(object, history, &open.collect::<Vec<_>>(), &answered)
}

/// Whether some of these operations have an order, among them all that it must hold.
pub(crate) fn has_order<O: Sequential>(
    object: &O,
    history: &History<O::Command, O::Response>,
    open: &[usize],
    must: &dyn Fn(usize) -> bool,
) -> bool {
    some_order(object, &history.operations, &object.initial(), open, must)
}

fn some_order<O: Sequential>(
    object: &O,
    operations: &[Operation<O::Command, O::Response>],
    state: &O::State,
    open: &[usize],
    must: &dyn Fn(usize) -> bool,
) -> bool {
    if !open.iter().any(|index| must(*index)) {
        return true;
    }
    open.iter().any(|&index| {
        let next = &operations[index];
        let precedes = |other: usize| must(other) && operations[other].ended.unwrap() < next.called;
        if open.iter().any(|other| precedes(*other)) {
            return false;
        }
        let rest: Vec<usize> = open.iter().copied().filter(|other| *other != index).collect();
        let state = object.step(state, &next.command, next.outcome.answer());
        state.is_some_and(|state| some_order(object, operations, &state, &rest, must))
    })
}

/// Whether an order, given as places in the history, is a legal one, and holds all that it must.
pub(crate) fn explains<O: Sequential>(
    object: &O,
    history: &History<O::Command, O::Response>,
    order: &[usize],
    must: &dyn Fn(usize) -> bool,
) -> bool {
    let operations = &history.operations;
    let each_once = order.iter().enumerate().all(|(place, index)| !order[..place].contains(index));
    let all = (0..operations.len()).filter(|index| must(*index)).all(|index| order.contains(&index));
    let real_time = order.iter().enumerate().all(|(place, &later)| {
        let precedes = |earlier: &usize| {
            must(*earlier) && operations[*earlier].ended.unwrap() < operations[later].called
        };
        !order[place..].iter().any(precedes)
    });
    let mut state = Some(object.initial());
    for &index in order {
        let Operation { command, outcome, .. } = &operations[index];
        state = match outcome {
            Outcome::Refused(_) => None,
            _ => state.and_then(|state| object.step(&state, command, outcome.answer())),
        };
    }
    each_once && all && real_time && state.is_some()
}
