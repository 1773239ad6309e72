//! Which values, and which pairs of values, the cases of a run have met.
//!
//! Most failures that depend on a configuration depend on one value or on two (Kuhn, Wallace,
//! Gallo: "Software Fault Interactions and Implications for Software Testing", 2004), so a run
//! meets every pair soon rather than some pairs often. Its cases are chosen by the greedy random
//! method of AETG (Cohen, Dalal, Fredman, Patton: "The AETG System: An Approach to Testing Based
//! on Combinatorial Design", 1997): of some random candidates, the one that covers most of what
//! is not covered yet.

use std::cmp::Ordering;
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use model::{Choice, Factor};

mod report;
mod suspicion;

pub use report::{CoverageReport, Tally};
use suspicion::Suspicion;

/// What the cases of a run are steered toward.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Coverage {
    /// Nothing: each case is as random as the next.
    None,
    /// Each value of each factor.
    Values,
    /// Each value, and each pair of values of two factors: at one site, and across two sites
    /// (an old client and a new server).
    #[default]
    Pairs,
}

/// Values of an ordered factor with more than these count in classes: the least, those between,
/// the greatest.
const MOST_CLASSES: usize = 3;

/// What running a case is worth beside what it covers, in goals. It is what makes a run give up
/// goals that hardly anything can be built for.
const BY_ITSELF: f64 = 0.5;

/// A value of a factor, or a class of values.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
struct Item {
    factor: usize,
    class: usize,
}

/// Something that a case can cover. Of the two items, the first is never the greater.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
enum Goal {
    Value(Item),
    Together(Item, Item),
    Across(Item, Item),
}

/// What one state covers; it means something to the [`Covered`] that made it.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Goals(HashSet<Goal>);

/// How much a case is worth running. The greater is worth more.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worth {
    /// How many new goals it can be expected to cover.
    gain: f64,
    /// How probably it cannot be built or booted, going by what could not be so far.
    risk: f64,
}

impl PartialOrd for Worth {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        let by_risk = other.risk.total_cmp(&self.risk);
        Some(self.gain.total_cmp(&other.gain).then(by_risk))
    }
}

/// What the cases of a run have covered, of all that its states were seen to have.
#[derive(Clone, Debug, Default)]
pub struct Covered {
    coverage: Coverage,
    factors: Vec<Arc<Factor>>,
    /// Pairs of factors that some state has at one site.
    together: BTreeSet<(usize, usize)>,
    /// Pairs of factors that some state has at two sites; a factor may be paired with itself.
    across: BTreeSet<(usize, usize)>,
    /// The first words of the names of sites, such as `machine`.
    kinds: BTreeSet<String>,
    covered: HashSet<Goal>,
    suspicion: Suspicion,
}

impl Covered {
    /// Nothing is covered yet.
    #[must_use]
    pub fn new(coverage: Coverage) -> Self {
        Self { coverage, ..Self::default() }
    }

    /// What a state with these choices covers. That its factors exist is learnt on the way.
    pub fn goals(&mut self, choices: &[Choice]) -> Goals {
        if self.coverage == Coverage::None || choices.is_empty() {
            return Goals::default();
        }
        let mut goals = HashSet::new();
        let items: Vec<_> = choices.iter().map(|choice| (choice.site.as_str(), self.item(choice))).collect();
        goals.extend(items.iter().map(|(_, item)| Goal::Value(*item)));
        if self.coverage == Coverage::Pairs {
            for (index, (site, one)) in items.iter().enumerate() {
                for (other_site, other) in &items[index + 1..] {
                    let (least, greatest) = (*one.min(other), *one.max(other));
                    let factors = (least.factor, greatest.factor);
                    if site == other_site {
                        self.together.insert(factors);
                        goals.insert(Goal::Together(least, greatest));
                    } else {
                        self.across.insert(factors);
                        goals.insert(Goal::Across(least, greatest));
                    }
                }
            }
        }
        Goals(goals)
    }

    /// Whether no state was seen so far that varies in anything.
    pub(crate) fn is_blank(&self) -> bool {
        self.factors.is_empty()
    }

    /// Takes over what another knows of what there is to be covered, which has seen all states that
    /// this one has, so that goals mean the same to both.
    pub(crate) fn learn(&mut self, other: &Self) {
        self.factors.clone_from(&other.factors);
        self.together.clone_from(&other.together);
        self.across.clone_from(&other.across);
        self.kinds.clone_from(&other.kinds);
    }

    fn item(&mut self, choice: &Choice) -> Item {
        let known = self.factors.iter().position(|factor| *factor == choice.factor);
        let factor = known.unwrap_or_else(|| {
            self.factors.push(Arc::clone(&choice.factor));
            self.factors.len() - 1
        });
        let kind = choice.site.split(' ').next().unwrap_or_default();
        if !self.kinds.contains(kind) {
            self.kinds.insert(kind.to_owned());
        }
        Item { factor, class: class(&choice.factor, choice.value) }
    }

    /// How much a case that covers these goals is worth.
    #[must_use]
    pub fn worth(&self, goals: &Goals) -> Worth {
        let gain = goals.0.iter().filter(|goal| !self.covered.contains(goal)).count();
        let risk = self.suspicion.risk(goals);
        // A case that covers nothing new is still worth more than none.
        Worth { gain: (gain as f64 + BY_ITSELF) * (1.0 - risk), risk }
    }

    /// Takes note of a case that had a verdict.
    pub fn cover(&mut self, goals: &Goals) {
        if goals.0.is_empty() {
            return;
        }
        self.covered.extend(&goals.0);
        self.suspicion.clear(goals);
    }

    /// Takes note of a case that could not be built or booted: one of its values is the reason,
    /// or a pair of them.
    pub fn exclude(&mut self, goals: &Goals) {
        self.suspicion.raise(goals, &self.covered);
    }

    /// Whether nothing is left to be covered, as far as is known.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.factors.is_empty() || self.covered.len() == self.space().len()
    }

    /// How much is covered, and what is not.
    #[must_use]
    pub fn report(&self) -> CoverageReport {
        report::report(self)
    }

    /// All goals that there are, as far as is known.
    fn space(&self) -> BTreeSet<Goal> {
        let items =
            |factor: usize| (0..classes(&self.factors[factor])).map(move |class| Item { factor, class });
        let mut space: BTreeSet<_> = (0..self.factors.len()).flat_map(items).map(Goal::Value).collect();
        for (one, other) in &self.together {
            space.extend(items(*one).flat_map(|least| {
                items(*other).filter(move |item| *item >= least).map(move |item| Goal::Together(least, item))
            }));
        }
        for (one, other) in &self.across {
            space.extend(items(*one).flat_map(|least| {
                items(*other).filter(move |item| *item >= least).map(move |item| Goal::Across(least, item))
            }));
        }
        space
    }
}

/// How many classes the values of a factor fall into.
fn classes(factor: &Factor) -> usize {
    if factor.ordered { factor.values.len().min(MOST_CLASSES) } else { factor.values.len() }
}

/// The class of a value.
fn class(factor: &Factor, value: usize) -> usize {
    let last = factor.values.len().saturating_sub(1);
    match value {
        _ if classes(factor) == factor.values.len() => value,
        0 => 0,
        value if value == last => 2,
        _ => 1,
    }
}
