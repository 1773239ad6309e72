//! A history taken apart into what can be checked by itself.

use std::collections::BTreeMap;

use super::limits::{Undecided, Watch};
use super::made;
use super::object::Sequential;
use super::plan::{Item, Plan};
use super::search::{Progress, Search};
use crate::history::History;
use crate::outcome::Outcome;

/// How many choices are tried in one part before the next one has its turn; doubled each round.
const FIRST_SLICE: usize = 4096;
/// After so many choices, or so many steps asked of the object, the limits are looked at.
const LOOK: usize = 4096;

/// What checking the parts has come to.
pub(super) enum Outlook<'a, O: Sequential> {
    /// Each part has an order, as places in the history.
    Ordered(Vec<Vec<usize>>),
    /// One part has none.
    Impossible { items: Vec<Item<'a, O>>, search: Box<Search<'a, O>> },
    /// One part has an answer that tells of what nobody can have made.
    Unmade { items: Vec<Item<'a, O>>, unmade: Item<'a, O> },
    /// Nobody knows.
    Undecided(Undecided),
}

/// The operations of each part; those that were refused are in none.
pub(super) fn parts<'a, O: Sequential>(
    object: &O,
    history: &'a History<O::Command, O::Response>,
) -> Vec<Vec<Item<'a, O>>> {
    let items = history.operations.iter().enumerate().filter_map(|(index, operation)| {
        let (response, until) = match &operation.outcome {
            Outcome::Refused(_) => return None,
            // An answer before its call is one at its call.
            Outcome::Answered(response) => {
                (Some(response), operation.ended.map(|ended| ended.max(operation.called)))
            }
            Outcome::Unknown(_) => (None, None),
        };
        Some(Item { index, command: &operation.command, response, called: operation.called, until })
    });
    let items: Vec<Item<'a, O>> = items.collect();
    let mut parts: BTreeMap<&str, Vec<Item<'a, O>>> = BTreeMap::new();
    for item in &items {
        match object.part(item.command) {
            Some(part) => parts.entry(part).or_default().push(*item),
            None => return vec![items],
        }
    }
    parts.into_values().collect()
}

/// Searches each part in turns, so that one that is hard does not hide one that has no order.
pub(super) fn search<'a, O: Sequential>(
    object: &'a O,
    parts: Vec<Vec<Item<'a, O>>>,
    watch: &Watch<'_>,
) -> Outlook<'a, O> {
    let mut orders = vec![Vec::new(); parts.len()];
    let mut open: Vec<Part<'a, O>> = parts
        .into_iter()
        .enumerate()
        .map(|(number, items)| Part { number, items, search: None, memory: 0 })
        .collect();
    let items: usize = open.iter().map(|part| part.items.len()).sum();
    let (mut slice, mut held) = (FIRST_SLICE, items * size_of::<Item<'a, O>>());
    while !open.is_empty() {
        let mut still = Vec::new();
        for mut part in open {
            held -= part.memory;
            let mut search = match part.search.take() {
                Some(search) => search,
                None => match Plan::new(object, &part.items, watch, held) {
                    Ok(plan) => Search::new(object, plan),
                    Err(why) => return made_or(object, part.items, Outlook::Undecided(why)),
                },
            };
            let first = slice == FIRST_SLICE;
            match go_on(&mut search, slice, held, watch) {
                Err(why) => return made_or(object, part.items, Outlook::Undecided(why)),
                Ok(Progress::Exhausted) => {
                    return Outlook::Impossible { items: part.items, search: Box::new(search) };
                }
                Ok(Progress::Found(node)) => orders[part.number] = search.order(node),
                Ok(Progress::Open) => {
                    if first && let Some(unmade) = made::by_nobody(object, &part.items) {
                        return Outlook::Unmade { items: part.items, unmade };
                    }
                    part.memory = search.memory();
                    held += part.memory;
                    still.push(Part { search: Some(search), ..part });
                }
            }
        }
        open = still;
        slice = slice.saturating_mul(2);
    }
    Outlook::Ordered(orders)
}

/// What there is to say of a part that cannot be searched.
fn made_or<'a, O: Sequential>(object: &O, items: Vec<Item<'a, O>>, other: Outlook<'a, O>) -> Outlook<'a, O> {
    match made::by_nobody(object, &items) {
        Some(unmade) => Outlook::Unmade { items, unmade },
        None => other,
    }
}

/// A part that is still searched.
struct Part<'a, O: Sequential> {
    number: usize,
    items: Vec<Item<'a, O>>,
    /// None before its first turn.
    search: Option<Search<'a, O>>,
    /// The bytes that its search held after its last turn.
    memory: usize,
}

/// Tries so many choices, within the limits.
pub(super) fn go_on<O: Sequential>(
    search: &mut Search<'_, O>,
    choices: usize,
    held: usize,
    watch: &Watch<'_>,
) -> Result<Progress, Undecided> {
    let mut left = choices;
    loop {
        let turn = left.min(LOOK);
        let progress = search.advance(turn);
        left -= turn;
        if !matches!(progress, Progress::Open) {
            return Ok(progress);
        }
        if let Some(why) = watch.over(held + search.memory()) {
            return Err(why);
        }
        if left == 0 {
            return Ok(progress);
        }
    }
}

/// One order of all operations, from an order for each part.
///
/// Each operation is given the earliest moment that its part's order leaves it; in the order of
/// those moments no operation comes before one that had ended when it was called.
pub(super) fn merge<C, R>(history: &History<C, R>, orders: Vec<Vec<usize>>) -> Vec<usize> {
    let mut timed = Vec::with_capacity(orders.iter().map(Vec::len).sum());
    for order in orders {
        let mut moment = 0;
        for index in order {
            moment = moment.max(history.operations[index].called);
            timed.push((moment, index));
        }
    }
    // Stable: operations of a part with the same moment stay in their order.
    timed.sort_by_key(|&(moment, _)| moment);
    timed.into_iter().map(|(_, index)| index).collect()
}
