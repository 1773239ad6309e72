//! What the cases of a run were like: which commands they had, which followed which, which states
//! of the model they met, and the classes that the specification tells apart.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::fmt;

use model::panics::{Method, in_model, in_parts};
use model::{Case, Labels, Model, Place};

use crate::execute::Recorded;

mod cover;
mod kinds;
mod report;

pub use cover::{Confidence, Sufficiency};
use kinds::{Kinds, Together};
pub use report::{Class, Kind, Pairs, States, Statistics};

/// More states than this are not told apart.
const MOST_STATES: usize = 10_000;

/// Counts what cases are like. Only those that had a verdict count.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    cases: u32,
    /// The kinds of commands.
    kinds: Kinds,
    /// Which kind came next after which.
    sequence: Together,
    /// Which kinds were beside each other in two lanes, the one that was met first as the first.
    across: Together,
    /// How often each state was met.
    states: BTreeMap<String, u64>,
    /// In how many cases each class was, and what share it has to have.
    classes: BTreeMap<String, (u32, Option<f64>)>,
}

/// The command of a history that is being counted.
struct GivenAt<'a, M: Model> {
    history: &'a [Recorded<M>],
    at: &'a Cell<usize>,
}

impl<M: Model> fmt::Debug for GivenAt<'_, M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.history[self.at.get()].operation.command.fmt(f)
    }
}

impl Counts {
    /// Takes in a case and what came of the commands that were given.
    pub(crate) fn add<M: Model>(&mut self, model: &M, case: &Case<M>, history: &[Recorded<M>]) {
        self.cases += 1;
        let mut labels = Labels::default();
        model.describe(case, &mut labels);
        for (label, class) in labels.classes() {
            let (count, required) = self.classes.entry(label.to_owned()).or_default();
            *count += u32::from(class.holds);
            *required = match (*required, class.required) {
                (Some(one), Some(other)) => Some(one.max(other)),
                (one, other) => one.or(other),
            };
        }
        let at = Cell::new(0);
        // One look for panics of the model for all commands.
        let counted = in_parts(&GivenAt { history, at: &at }, || self.add_given(model, history, &at));
        counted.expect("a kind is no check that could say no");
        if !case.lanes.is_empty() {
            self.add_lanes(model, case);
        }
        if model.abstraction(&case.initial).is_some() {
            for state in case.states(model).iter().filter_map(|state| model.abstraction(state)) {
                if self.states.len() < MOST_STATES || self.states.contains_key(&state) {
                    *self.states.entry(state).or_default() += 1;
                }
            }
        }
    }

    /// Counts the commands that were given, and which followed which outside lanes.
    fn add_given<M: Model>(&mut self, model: &M, history: &[Recorded<M>], at: &Cell<usize>) {
        let mut before = None;
        for (index, recorded) in history.iter().enumerate() {
            at.set(index);
            let command = &recorded.operation.command;
            let kind = self.kinds.place(in_model(Method::Kind, command, || model.kind(command)));
            self.kinds.count(kind, &recorded.operation.outcome);
            let is_alone = !matches!(recorded.place, Place::Lane { .. });
            if let Some(before) = std::mem::replace(&mut before, is_alone.then_some(kind))
                && is_alone
            {
                self.sequence.meet(before, kind);
            }
        }
    }

    /// Counts which kinds follow each other in lanes and are beside each other.
    fn add_lanes<M: Model>(&mut self, model: &M, case: &Case<M>) {
        let kind = |command: &M::Command| in_model(Method::Kind, command, || model.kind(command));
        let mut kinds = |commands: &[M::Command]| -> Vec<usize> {
            commands.iter().map(|command| self.kinds.place(kind(command))).collect()
        };
        let last = case.commands.last().map(|command| kinds(std::slice::from_ref(command)));
        let lanes: Vec<Vec<usize>> = case.lanes.iter().map(|lane| kinds(lane)).collect();
        for (index, lane) in lanes.iter().enumerate() {
            let row: Vec<_> = last.iter().flatten().chain(lane).collect();
            row.windows(2).for_each(|pair| self.sequence.meet(*pair[0], *pair[1]));
            for other in &lanes[index + 1..] {
                let pairs = lane.iter().flat_map(|one| other.iter().map(move |other| (*one, *other)));
                pairs.for_each(|(one, other)| self.across.meet(one.min(other), one.max(other)));
            }
        }
    }

    /// Whether some class cannot be judged yet.
    pub(crate) fn is_undecided(&self, confidence: &Confidence) -> bool {
        let required = self.classes.values().filter_map(|(cases, required)| Some((*cases, (*required)?)));
        let mut judged = required.map(|(cases, percent)| confidence.judge(cases, self.cases, percent));
        judged.any(|sufficiency| sufficiency == Sufficiency::Undecided)
    }

    /// What was counted, in words and numbers.
    pub(crate) fn report(&self, confidence: &Confidence) -> Statistics {
        let class = |(label, (cases, required)): (&String, &(u32, Option<f64>))| Class {
            label: label.clone(),
            cases: *cases,
            percent: 100.0 * f64::from(*cases) / f64::from(self.cases.max(1)),
            required: *required,
            sufficiency: required.map(|percent| confidence.judge(*cases, self.cases, percent)),
        };
        let mut states: Vec<_> = self.states.iter().map(|(state, met)| (state.clone(), *met)).collect();
        states.sort_by_key(|(_, met)| std::cmp::Reverse(*met));
        Statistics {
            cases: self.cases,
            commands: self.kinds.report(),
            sequence: self.kinds.pairs(&self.sequence, true, "then"),
            across: (!self.across.is_empty()).then(|| self.kinds.pairs(&self.across, false, "beside")),
            states: (!states.is_empty()).then(|| States {
                met: states.len(),
                complete: states.len() < MOST_STATES,
                most: states.into_iter().take(20).collect(),
            }),
            classes: self.classes.iter().map(class).collect(),
        }
    }
}
