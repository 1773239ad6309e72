//! How much is covered, in numbers and in words.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::Serialize;

use super::{Covered, Goal, Item, classes};

/// How many goals of one kind are covered.
#[derive(Clone, Copy, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Tally {
    /// How many are covered.
    pub covered: usize,
    /// How many there are.
    pub of: usize,
    /// How many of those that are not covered were met only in what cannot be built or booted.
    pub excluded: usize,
}

/// How much of what states are varied in was met by cases that had a verdict.
#[derive(Clone, Debug, Default, Eq, JsonSchema, PartialEq, Serialize)]
pub struct CoverageReport {
    /// What the states vary at, such as `machine`.
    pub site: String,
    /// Values of factors.
    pub values: Tally,
    /// Pairs of values at one site.
    pub together: Tally,
    /// Pairs of values across two sites.
    pub across: Tally,
    /// Each goal that is not covered, in words; those of `excluded` are not among them.
    pub missing: Vec<String>,
    /// Each goal that was met only in what cannot be built or booted, in words.
    pub excluded: Vec<String>,
}

pub(super) fn report(covered: &Covered) -> CoverageReport {
    // What a whole network shares is not what pairs are counted on.
    let mut kinds = covered.kinds.iter().filter(|kind| *kind != "network");
    let site = match (kinds.next(), kinds.next()) {
        (Some(kind), None) => kind.clone(),
        _ => "site".to_owned(),
    };
    let mut report = CoverageReport { site, ..CoverageReport::default() };
    let space = covered.space();
    let excluded = excluded(covered, &space);
    for goal in &space {
        let tally = match goal {
            Goal::Value(_) => &mut report.values,
            Goal::Together(..) => &mut report.together,
            Goal::Across(..) => &mut report.across,
        };
        tally.of += 1;
        if covered.covered.contains(goal) {
            tally.covered += 1;
        } else if excluded.contains(goal) {
            tally.excluded += 1;
            report.excluded.push(show(covered, goal));
        } else {
            report.missing.push(show(covered, goal));
        }
    }
    report
}

/// The goals that were met only in what cannot be built or booted, and the pairs with such values.
fn excluded(covered: &Covered, space: &BTreeSet<Goal>) -> BTreeSet<Goal> {
    let only_met = |goal: &Goal| covered.suspicion.met.contains(goal) && !covered.covered.contains(goal);
    let impossible = |item: &Item| only_met(&Goal::Value(*item));
    let excluded = |goal: &&Goal| match goal {
        Goal::Value(item) => impossible(item),
        Goal::Together(one, other) => impossible(one) || impossible(other) || only_met(goal),
        // Machines are built one by one, so that a pair across two of them is no reason.
        Goal::Across(one, other) => impossible(one) || impossible(other),
    };
    space.iter().filter(excluded).copied().collect()
}

fn show(covered: &Covered, goal: &Goal) -> String {
    let item = |item: &Item| {
        let factor = &covered.factors[item.factor];
        let values = &factor.values;
        let label = if classes(factor) == values.len() {
            values[item.class].clone()
        } else {
            match item.class {
                0 => values[0].clone(),
                1 => format!("between {} and {}", values[0], values[values.len() - 1]),
                _ => values[values.len() - 1].clone(),
            }
        };
        format!("{} {label}", factor.name)
    };
    match goal {
        Goal::Value(one) => item(one),
        Goal::Together(one, other) => format!("{} with {}", item(one), item(other)),
        Goal::Across(one, other) => format!("{} beside {}", item(one), item(other)),
    }
}

impl fmt::Display for CoverageReport {
    /// One line, such as `12 of 12 values, 41 of 48 pairs on one machine, 60 of 96 pairs across
    /// machines`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site, values, together, across, .. } = self;
        write!(f, "{} of {} values{}", values.covered, values.of, Excluded(values))?;
        if together.of > 0 {
            let Tally { covered, of, .. } = together;
            write!(f, ", {covered} of {of} pairs on one {site}{}", Excluded(together))?;
        }
        if across.of > 0 {
            let Tally { covered, of, .. } = across;
            write!(f, ", {covered} of {of} pairs across {site}s{}", Excluded(across))?;
        }
        Ok(())
    }
}

/// How many are excluded, where some are.
struct Excluded<'a>(&'a Tally);

impl fmt::Display for Excluded<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.excluded {
            0 => Ok(()),
            excluded => write!(f, " ({excluded} excluded)"),
        }
    }
}
