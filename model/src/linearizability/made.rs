//! Answers that tell of what nobody can have made.
//!
//! Whatever the order, a read of a value comes after an operation that may leave that value. Where
//! none such was called before the answer came, all other operations may take effect whenever
//! they like, and the answer is wrong all the same. A search would try all of their orders.

use rustc_hash::FxHashMap;

use super::object::Sequential;
use super::plan::Item;
use super::verdict::{Counterexample, Obstacle, Why};

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

/// Evidence of such an answer among the items of a part.
pub(super) fn counterexample<O: Sequential>(
    object: &O,
    items: &[Item<'_, O>],
    unmade: Item<'_, O>,
) -> Counterexample<O::State> {
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
    Counterexample {
        part: object.part(unmade.command).map(str::to_owned),
        operations: vec![unmade.index],
        bystanders: others.into_iter().map(|item| item.index).collect(),
        until,
        minimal: true,
        prefix: Vec::new(),
        state,
        obstacles,
    }
}

#[cfg(test)]
mod tests {
    use super::super::{
        Limits, Map, MapCommand, MapResponse, Register, RegisterCommand, RegisterResponse, parts,
    };
    use super::{Sequential, by_nobody};
    use crate::history::{History, Operation, Value};
    use crate::outcome::Outcome;

    /// Random histories of these operations, each with a response or an unknown outcome; where an
    /// answer is found that nobody made, the search has to say the same.
    fn agrees<O: Sequential>(object: &O, operations: &[(O::Command, Option<O::Response>)]) {
        let mut seed = 1_u64;
        let mut below = |end: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            usize::try_from(seed >> 33).unwrap_or(0) % end
        };
        let mut found = 0;
        for _ in 0..4000 {
            let all = (0..1 + below(5)).map(|lane| {
                let (command, response) = operations[below(operations.len())].clone();
                let called = below(10) as u64;
                let outcome = response.map_or(Outcome::Unknown(String::new()), Outcome::Answered);
                Operation { lane, command, called, ended: Some(called + below(6) as u64), outcome }
            });
            let history = History { operations: all.collect() };
            let unmade = parts::parts(object, &history).iter().any(|part| by_nobody(object, part).is_some());
            let linearizable = super::super::is_linearizable(object, &history, Limits::default());
            assert!(!(unmade && linearizable == Ok(true)), "{history:?}");
            found += u32::from(unmade);
        }
        assert!((400..3600).contains(&found), "{found} were found");
    }

    #[test]
    fn what_is_found_has_no_order() {
        let value = |number: i64| if number == 0 { Value::Nil } else { Value::Number(number) };
        let mut operations = Vec::new();
        for one in 0..3 {
            operations.push((RegisterCommand::Read, Some(RegisterResponse::Value(value(one)))));
            for done in [None, Some(RegisterResponse::Done)] {
                operations.push((RegisterCommand::Write(value(one)), done.clone()));
                for other in 0..3 {
                    operations.push((RegisterCommand::CompareAndSet(value(one), value(other)), done.clone()));
                }
            }
        }
        agrees(&Register, &operations);
        let (mut operations, done) = (Vec::new(), Some(MapResponse::Done));
        for text in ["", "a", "b", "ab", "ba", "bb"] {
            let (key, text): (std::sync::Arc<str>, std::sync::Arc<str>) = ("k".into(), text.into());
            operations.push((MapCommand::Get(key.clone()), Some(MapResponse::Value(text.clone()))));
            operations.push((MapCommand::Put(key.clone(), text.clone()), done.clone()));
            operations.push((MapCommand::Append(key, text), done.clone()));
        }
        agrees(&Map::default(), &operations);
    }
}
