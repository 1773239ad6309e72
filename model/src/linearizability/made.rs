//! Answers that tell of what nobody can have made.
//!
//! Whatever the order, a read of a value comes after an operation that may leave that value. Where
//! none such was called before the answer came, all other operations may take effect whenever
//! they like, and the answer is wrong all the same. A search would try all of their orders.

use rustc_hash::FxHashMap;

use super::object::Sequential;
use super::plan::Item;
use super::verdict::{Counterexample, Obstacle, Why};
use crate::history::History;

/// The first answer of these items that tells of what no other of them can have made.
pub(super) fn by_nobody<'a, O: Sequential>(object: &O, items: &[Item<'a, O>]) -> Option<Item<'a, O>> {
    let needing = items.iter().filter_map(|item| {
        let needs = object.needs(item.command, item.response?)?;
        Some((*item, item.until?, needs))
    });
    let mut needing: Vec<_> = needing.collect();
    if needing.is_empty() {
        return None;
    }
    // Of each mark the first two makers by their calls, of whom one may be who needs it.
    let mut makers: FxHashMap<u64, [Option<(u64, usize)>; 2]> = FxHashMap::default();
    for item in items {
        for mark in object.makes(item.command, item.response) {
            let [first, second] = makers.entry(mark).or_default();
            let maker = Some((item.called, item.index));
            let before = |other: &Option<(u64, usize)>| other.is_none_or(|other| item.called < other.0);
            if before(first) {
                *second = std::mem::replace(first, maker);
            } else if before(second) {
                *second = maker;
            }
        }
    }
    needing.sort_by_key(|(item, until, _)| (*until, item.index));
    let unmade = needing.into_iter().find(|(item, until, needs)| {
        let made = |mark: &u64| {
            let makers = makers.get(mark).into_iter().flatten().flatten();
            makers.into_iter().any(|&(called, index)| called <= *until && index != item.index)
        };
        !needs.iter().any(made)
    });
    unmade.map(|(item, ..)| item)
}

/// Evidence of the first such answer in some part, where there is one.
pub(super) fn counterexample<O: Sequential>(
    object: &O,
    history: &History<O::Command, O::Response>,
    parts: &[Vec<Item<'_, O>>],
) -> Option<Counterexample<O::State>> {
    let (items, unmade) = parts.iter().find_map(|items| Some((items, by_nobody(object, items)?)))?;
    let until = unmade.until.unwrap_or(unmade.called);
    let others = items.iter().filter(|item| {
        item.index != unmade.index && item.called <= until && !object.only_reads(item.command, item.response)
    });
    let mut others: Vec<_> = others.collect();
    others.sort_by_key(|item| (item.called, item.index));
    let state = object.initial();
    let explained = object.explain(&state, unmade.command, unmade.response);
    let why = format!("{explained}, and nothing that was called before the answer makes what it tells");
    let mut obstacles = vec![Obstacle { operation: unmade.index, why: Why::Impossible(why) }];
    obstacles.extend(others.iter().map(|item| Obstacle {
        operation: item.index,
        why: match object.step(&state, item.command, item.response) {
            None => Why::Impossible(object.explain(&state, item.command, item.response)),
            Some(next) if next == state => Why::NoEffect,
            Some(_) => Why::DeadEnd,
        },
    }));
    Some(Counterexample {
        part: object.part(&history.operations[unmade.index].command).map(str::to_owned),
        operations: vec![unmade.index],
        bystanders: others.into_iter().map(|item| item.index).collect(),
        until,
        minimal: true,
        prefix: Vec::new(),
        state,
        obstacles,
    })
}
