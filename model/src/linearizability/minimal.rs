//! The least of a history that still has no order.

use super::limits::Watch;
use super::object::Sequential;
use super::parts::go_on;
use super::plan::{Item, Plan};
use super::search::{Progress, Search};
use super::verdict::{Counterexample, Obstacle, Why};
use crate::history::{History, Operation};

/// A candidate that takes more choices than this, or than so many for each operation, is given up.
const CHOICES: usize = 1 << 17;
const CHOICES_EACH: usize = 16;

/// Makes evidence of a part for which the search ended without an order.
pub(super) fn counterexample<'a, O: Sequential>(
    object: &'a O,
    history: &History<O::Command, O::Response>,
    items: Vec<Item<'a, O>>,
    search: Search<'a, O>,
    watch: &Watch<'_>,
) -> Counterexample<O::State> {
    let mut least = Least { object, watch: watch.for_evidence(), items, search, given_up: false };
    least.cut();
    least.forget();
    least.describe(history)
}

/// The least items so far that have no order, and the search that found that out.
struct Least<'a, 'w, O: Sequential> {
    object: &'a O,
    watch: Watch<'w>,
    items: Vec<Item<'a, O>>,
    search: Search<'a, O>,
    /// Whether some candidate was given up.
    given_up: bool,
}

impl<'a, O: Sequential> Least<'a, '_, O> {
    /// Takes the candidate instead if it has no order either.
    fn try_instead(&mut self, items: Vec<Item<'a, O>>) -> bool {
        let held = self.search.memory() + (self.items.len() + items.len()) * size_of::<Item<'a, O>>();
        let search = Plan::new(self.object, &items, &self.watch, held).ok();
        let search = search.map(|plan| Search::new(self.object, plan));
        let Some(mut search) = search else { return self.give_up() };
        let choices = CHOICES.max(CHOICES_EACH * items.len());
        match go_on(&mut search, choices, held, &self.watch) {
            Ok(Progress::Exhausted) => {
                (self.items, self.search) = (items, search);
                true
            }
            Ok(Progress::Found(_)) => false,
            Ok(Progress::Open) | Err(_) => self.give_up(),
        }
    }

    fn give_up(&mut self) -> bool {
        self.given_up = true;
        false
    }

    fn out_of_time(&self) -> bool {
        self.watch.over(0).is_some()
    }

    /// Cuts off what came after the first answer that has no order.
    fn cut(&mut self) {
        let mut answers: Vec<u64> = self.items.iter().filter_map(|item| item.until).collect();
        answers.sort_unstable();
        // All earlier answers were put in order. Cutting at the first one that was not forgets
        // the answers of what was open then, so it may still take a later one.
        let (mut low, mut high) = (self.search.highest(), answers.len().saturating_sub(1));
        let mut at = low;
        while low < high && !self.out_of_time() {
            if self.try_instead(cut_off(&self.items, answers[at])) {
                high = at;
            } else {
                low = at + 1;
            }
            at = low.midpoint(high);
        }
        self.given_up |= low < high;
        let last = answers.get(high).copied().unwrap_or(0);
        self.items = cut_off(&self.items, last);
    }

    /// Forgets the answers that are not needed, many at a time at first.
    fn forget(&mut self) {
        let mut size = self.items.len();
        while size > 0 {
            let mut start = 0;
            while start < self.items.len() {
                if self.out_of_time() {
                    self.given_up = true;
                    return;
                }
                let end = (start + size).min(self.items.len());
                let mut items = self.items.clone();
                let forgotten = items[start..end].iter_mut().filter_map(|item| item.until.take()).count();
                if forgotten > 0 {
                    self.try_instead(items);
                }
                start = end;
            }
            size /= 2;
        }
    }

    fn describe(mut self, history: &History<O::Command, O::Response>) -> Counterexample<O::State> {
        self.items.sort_by_key(|item| (item.called, item.index));
        let places = |items: &mut dyn Iterator<Item = &Item<'a, O>>| items.map(|item| item.index).collect();
        let changes = |item: &&Item<'a, O>| {
            item.until.is_none() && !self.object.only_reads(item.command, item.response)
        };
        let node = self.search.best();
        let state = self.search.state(node).clone();
        let mut obstacles = Vec::new();
        for (operation, next) in self.search.nexts(node) {
            let Operation { command, .. } = &history.operations[operation];
            let item = self.items.iter().find(|item| item.index == operation);
            let response = item.and_then(|item| item.response);
            let why = match next {
                None => Why::Impossible(self.object.explain(&state, command, response)),
                Some(next) if *next == state && item.is_none_or(|item| item.until.is_none()) => Why::NoEffect,
                Some(_) => Why::DeadEnd,
            };
            obstacles.push(Obstacle { operation, why });
        }
        Counterexample {
            part: self.items.first().and_then(|item| self.object.part(item.command)).map(str::to_owned),
            operations: places(&mut self.items.iter().filter(|item| item.until.is_some())),
            bystanders: places(&mut self.items.iter().filter(changes)),
            until: self.items.iter().filter_map(|item| item.until).max().unwrap_or(0),
            minimal: !self.given_up,
            prefix: self.search.order(node),
            state,
            obstacles,
        }
    }
}

/// The items as they looked right after a moment.
fn cut_off<'a, O: Sequential>(items: &[Item<'a, O>], moment: u64) -> Vec<Item<'a, O>> {
    let called = items.iter().filter(|item| item.called <= moment);
    let until = |item: &Item<'a, O>| Item { until: item.until.filter(|until| *until <= moment), ..*item };
    called.map(until).collect()
}
