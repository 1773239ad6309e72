//! A plain search for an order that explains a history.

use std::collections::HashMap;

use model::history::Operation;
use model::step::{Impossible, makes_sense, step};
use model::{Model, Outcome};

/// More configurations than this are not gone into.
const MOST: usize = 1_000_000;

type Operations<'a, M> = &'a [&'a Operation<<M as Model>::Command, <M as Model>::Response>];

pub(super) enum Searched<M: Model> {
    Explained,
    Unexplained(Found<M>),
    Undecided(String),
}

pub(super) struct Found<M: Model> {
    pub(super) order: Vec<usize>,
    pub(super) state: M::State,
    pub(super) obstacles: Vec<(usize, Impossible)>,
    /// A command that may have been given where it makes no sense.
    pub(super) senseless: Option<usize>,
}

pub(super) struct Search<'a, M: Model> {
    model: &'a M,
    operations: Operations<'a, M>,
    seen: HashMap<Vec<bool>, Vec<M::State>>,
    count: usize,
    order: Vec<usize>,
    best: Found<M>,
}

impl<'a, M: Model> Search<'a, M> {
    pub(super) fn new(model: &'a M, initial: M::State, operations: Operations<'a, M>) -> Self {
        let best = Found { order: Vec::new(), state: initial, obstacles: Vec::new(), senseless: None };
        Self { model, operations, seen: HashMap::new(), count: 0, order: Vec::new(), best }
    }

    pub(super) fn run(mut self) -> Searched<M> {
        let done: Vec<bool> =
            self.operations.iter().map(|one| matches!(one.outcome, Outcome::Refused(_))).collect();
        let initial = self.best.state.clone();
        if self.explore(done, &initial) {
            Searched::Explained
        } else if self.count > MOST {
            Searched::Undecided(format!("the lanes lead to more than {MOST} configurations"))
        } else {
            Searched::Unexplained(self.best)
        }
    }

    fn explore(&mut self, done: Vec<bool>, state: &M::State) -> bool {
        let operations = self.operations;
        let open = |index: &usize| !done[*index];
        let first_end = (0..operations.len()).filter(open).filter_map(|index| operations[index].ended).min();
        if first_end.is_none() {
            return true;
        }
        let seen = self.seen.entry(done.clone()).or_default();
        if seen.contains(state) || self.count > MOST {
            return false;
        }
        seen.push(state.clone());
        self.count += 1;
        let mut obstacles = Vec::new();
        for index in (0..operations.len()).filter(open) {
            let Operation { command, called, outcome, .. } = operations[index];
            if first_end.is_some_and(|end| *called > end) {
                continue;
            }
            match step(self.model, state, command, outcome.answer()) {
                Ok(next) => {
                    let mut done = done.clone();
                    done[index] = true;
                    self.order.push(index);
                    if self.explore(done, &next) {
                        return true;
                    }
                    self.order.pop();
                }
                Err(why) => {
                    let answered = outcome.answer().is_some();
                    let sensible = makes_sense(self.model, state, command);
                    if answered && !sensible && !self.model.can_be_refused(command) {
                        self.best.senseless.get_or_insert(index);
                    }
                    if answered {
                        obstacles.push((index, why));
                    }
                }
            }
        }
        if self.order.len() >= self.best.order.len() && !obstacles.is_empty() {
            self.best.order.clone_from(&self.order);
            self.best.state = state.clone();
            self.best.obstacles = obstacles;
        }
        false
    }
}
