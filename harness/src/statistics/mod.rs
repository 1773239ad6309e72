//! What the cases of a run were like: which commands they had, which followed which, which states
//! of the model they met, and the classes that the specification tells apart.

use std::borrow::Cow;
use std::collections::BTreeMap;

use model::panics::in_model;
use model::{Case, Labels, Model};
use rustc_hash::{FxHashMap, FxHashSet};

mod cover;
mod report;

pub use cover::{Confidence, Sufficiency};
pub use report::{Class, Kind, Pairs, States, Statistics};

/// More states than this are not told apart.
const MOST_STATES: usize = 10_000;

/// Counts what cases are like. Only those that had a verdict count.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    cases: u32,
    /// The kinds of commands, each with its place in the others.
    kinds: FxHashMap<Cow<'static, str>, usize>,
    given: Vec<u64>,
    /// Which kind came next after which.
    sequence: FxHashSet<(usize, usize)>,
    /// Which kinds were beside each other in two lanes, the one that was met first as the first.
    across: FxHashSet<(usize, usize)>,
    /// How often each state was met.
    states: BTreeMap<String, u64>,
    /// In how many cases each class was, and what share it has to have.
    classes: BTreeMap<String, (u32, Option<f64>)>,
}

impl Counts {
    /// Takes in a case.
    pub(crate) fn add<M: Model>(&mut self, model: &M, case: &Case<M>) {
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
        let prefix = self.row(model, &case.commands, None);
        let lanes: Vec<Vec<usize>> =
            case.lanes.iter().map(|lane| self.row(model, lane, prefix.last())).collect();
        for (index, lane) in lanes.iter().enumerate() {
            for other in &lanes[index + 1..] {
                let pairs = lane.iter().flat_map(|one| other.iter().map(move |other| (*one, *other)));
                self.across.extend(pairs.map(|(one, other)| (one.min(other), one.max(other))));
            }
        }
        self.row(model, &case.finally, prefix.last().filter(|_| lanes.is_empty()));
        if model.abstraction(&case.initial).is_some() {
            for state in case.states(model).iter().filter_map(|state| model.abstraction(state)) {
                if self.states.len() < MOST_STATES || self.states.contains_key(&state) {
                    *self.states.entry(state).or_default() += 1;
                }
            }
        }
    }

    /// Counts commands that follow each other, after one of this kind.
    fn row<M: Model>(&mut self, model: &M, commands: &[M::Command], after: Option<&usize>) -> Vec<usize> {
        let mut before = after.copied();
        let mut row = Vec::with_capacity(commands.len());
        for command in commands {
            let kind = self.kind(in_model("kind", command, || model.kind(command)));
            self.given[kind] += 1;
            if let Some(before) = before.replace(kind) {
                self.sequence.insert((before, kind));
            }
            row.push(kind);
        }
        row
    }

    fn kind(&mut self, kind: Cow<'static, str>) -> usize {
        if let Some(known) = self.kinds.get(&kind) {
            return *known;
        }
        self.kinds.insert(kind, self.given.len());
        self.given.push(0);
        self.given.len() - 1
    }

    /// Whether some class cannot be judged yet.
    pub(crate) fn is_undecided(&self, confidence: &Confidence) -> bool {
        let required = self.classes.values().filter_map(|(cases, required)| Some((*cases, (*required)?)));
        let mut judged = required.map(|(cases, percent)| confidence.judge(cases, self.cases, percent));
        judged.any(|sufficiency| sufficiency == Sufficiency::Undecided)
    }

    /// What was counted, in words and numbers.
    pub(crate) fn report(&self, confidence: &Confidence) -> Statistics {
        let mut names: Vec<&str> = vec![""; self.given.len()];
        self.kinds.iter().for_each(|(name, kind)| names[*kind] = name);
        let mut commands: Vec<_> = names
            .iter()
            .zip(&self.given)
            .map(|(kind, given)| Kind { kind: (*kind).to_owned(), given: *given })
            .collect();
        commands.sort_by(|one, other| other.given.cmp(&one.given).then_with(|| one.kind.cmp(&other.kind)));
        let all = 0..names.len();
        let missing = |met: &FxHashSet<(usize, usize)>, all: Vec<(usize, usize)>, word: &str| Pairs {
            met: met.len(),
            of: all.len(),
            missing: all
                .into_iter()
                .filter(|pair| !met.contains(pair))
                .map(|(one, other)| format!("{} {word} {}", names[one], names[other]))
                .collect(),
        };
        let ordered = all.clone().flat_map(|one| all.clone().map(move |other| (one, other))).collect();
        let unordered =
            all.clone().flat_map(|one| (one..names.len()).map(move |other| (one, other))).collect();
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
            commands,
            sequence: missing(&self.sequence, ordered, "then"),
            across: (!self.across.is_empty()).then(|| missing(&self.across, unordered, "beside")),
            states: (!states.is_empty()).then(|| States {
                met: states.len(),
                complete: states.len() < MOST_STATES,
                most: states.into_iter().take(20).collect(),
            }),
            classes: self.classes.iter().map(class).collect(),
        }
    }
}
