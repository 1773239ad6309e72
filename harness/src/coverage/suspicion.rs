//! Why cases could not be built or booted, as far as the others tell.

use std::collections::{HashMap, HashSet};

use super::{Goal, Goals};

/// How probable it is that one value alone is the reason rather than a pair, where either may be.
const VALUE_ALONE: f64 = 0.5;

/// What may be the reason of each case that could not be built or booted: the values and the
/// pairs at one site that no other case was fine with.
#[derive(Clone, Debug, Default)]
pub(super) struct Suspicion {
    cases: Vec<Suspects>,
    /// In how many of these cases a suspect is.
    counts: HashMap<Goal, u32>,
    /// All goals of such cases.
    pub(super) met: HashSet<Goal>,
}

#[derive(Clone, Debug, PartialEq)]
struct Suspects {
    values: HashSet<Goal>,
    pairs: HashSet<Goal>,
}

impl Suspects {
    fn clear(&mut self, goals: &HashSet<Goal>) {
        self.values.retain(|goal| !goals.contains(goal));
        self.pairs.retain(|goal| !goals.contains(goal));
    }

    fn is_subset(&self, other: &Self) -> bool {
        self.values.is_subset(&other.values) && self.pairs.is_subset(&other.pairs)
    }

    fn is_empty(&self) -> bool {
        self.values.is_empty() && self.pairs.is_empty()
    }

    /// How probably a case with these goals has the reason too.
    fn share(&self, goals: &HashSet<Goal>, counts: &HashMap<Goal, u32>) -> f64 {
        // What is in many of the cases explains them better than what is in few.
        let weight = |goal: &Goal| counts.get(goal).map_or(1.0, |count| f64::from(*count).powi(2));
        let share = |suspects: &HashSet<Goal>| {
            let common: f64 = suspects.iter().filter(|goal| goals.contains(goal)).map(weight).sum();
            common / suspects.iter().map(weight).sum::<f64>().max(1.0)
        };
        let alone = match (self.values.is_empty(), self.pairs.is_empty()) {
            (false, true) => 1.0,
            (true, _) => 0.0,
            (false, false) => VALUE_ALONE,
        };
        alone * share(&self.values) + (1.0 - alone) * share(&self.pairs)
    }
}

impl Suspicion {
    /// Suspects what is in a case that could not be built or booted and was never `fine`.
    pub(super) fn raise(&mut self, goals: &Goals, fine: &HashSet<Goal>) {
        let of = |kind: fn(&Goal) -> bool| goals.0.iter().filter(|goal| kind(goal)).copied().collect();
        let mut suspects = Suspects {
            values: of(|goal| matches!(goal, Goal::Value(_))),
            pairs: of(|goal| matches!(goal, Goal::Together(..))),
        };
        suspects.clear(fine);
        self.met.extend(&goals.0);
        self.cases.push(suspects);
        self.settle();
    }

    /// Suspects no more what was fine in another case.
    pub(super) fn clear(&mut self, goals: &Goals) {
        if !self.cases.is_empty() {
            self.cases.iter_mut().for_each(|suspects| suspects.clear(&goals.0));
            self.settle();
        }
    }

    /// Forgets cases that no suspect explains, and those that another with fewer suspects does:
    /// they would have the same reason count twice.
    fn settle(&mut self) {
        self.cases.sort_by_key(|suspects| suspects.values.len() + suspects.pairs.len());
        let mut least: Vec<Suspects> = Vec::new();
        for suspects in self.cases.drain(..) {
            if !suspects.is_empty() && !least.iter().any(|other| other.is_subset(&suspects)) {
                least.push(suspects);
            }
        }
        self.cases = least;
        self.counts.clear();
        for goal in self.cases.iter().flat_map(|suspects| suspects.values.iter().chain(&suspects.pairs)) {
            *self.counts.entry(*goal).or_default() += 1;
        }
    }

    /// How probably a case with these goals cannot be built or booted.
    pub(super) fn risk(&self, goals: &Goals) -> f64 {
        let fine = |suspects: &Suspects| 1.0 - suspects.share(&goals.0, &self.counts);
        1.0 - self.cases.iter().map(fine).product::<f64>()
    }
}
