//! One choice that is probed: which of its values are known, and which to try next.

use std::collections::BTreeMap;

use model::Choice;

use crate::causes::{Causes, Finding, Place, Probed, Trial};

/// A choice of the failing case, and what is known of the values in its place.
pub(super) struct Subject {
    pub(super) choice: Choice,
    findings: BTreeMap<usize, Finding>,
}

/// A choice by its names.
pub(super) fn place(choice: &Choice) -> Place {
    let Choice { site, factor, .. } = choice;
    Place { site: site.clone(), factor: factor.name.clone(), value: choice.shown().to_owned() }
}

impl Subject {
    /// Nothing is known but that the case fails with its own value, and what an earlier search
    /// is certain of.
    pub(super) fn new(choice: Choice, earlier: &Causes) -> Self {
        let place = place(&choice);
        let known = earlier.known(&place);
        let values = choice.factor.values.iter().enumerate();
        let mut findings: BTreeMap<_, _> = values
            .filter_map(|(value, label)| known.get(label.as_str()).map(|finding| (value, (*finding).clone())))
            .collect();
        findings.insert(choice.value, Finding::Fails);
        Self { choice, findings }
    }

    pub(super) fn know(&mut self, value: usize, finding: Finding) {
        self.findings.insert(value, finding);
    }

    /// Of how many values something is known.
    pub(super) fn known(&self) -> usize {
        self.findings.len()
    }

    /// The values of which nothing is known.
    pub(super) fn unknown(&self) -> Vec<usize> {
        let values = 0..self.choice.factor.values.len();
        values.filter(|value| !self.findings.contains_key(value)).collect()
    }

    pub(super) fn shown(&self, value: usize) -> String {
        let Place { site, factor, value } = place(&Choice { value, ..self.choice.clone() });
        format!("{site}: {factor} {value}")
    }

    /// The values to try next: all that are left, or of an ordered factor the ends, then the
    /// middles between neighbours that behave differently.
    pub(super) fn wanted(&self) -> Vec<usize> {
        let unknown = |value: &usize| !self.findings.contains_key(value);
        let count = self.choice.factor.values.len();
        if !self.choice.factor.ordered {
            return self.unknown();
        }
        let ends: Vec<_> = [0, count - 1].into_iter().filter(unknown).collect();
        if !ends.is_empty() {
            return ends;
        }
        let decided = self.findings.iter();
        let decided: Vec<_> =
            decided.filter(|(_, finding)| matches!(finding, Finding::Fails | Finding::Holds)).collect();
        let different = decided.windows(2).filter(|pair| pair[0].1 != pair[1].1);
        let middles = different.filter_map(|pair| {
            let (below, above) = (*pair[0].0, *pair[1].0);
            let middle = below.midpoint(above);
            (below + 1..above).filter(unknown).min_by_key(|value| value.abs_diff(middle))
        });
        middles.collect()
    }

    /// The choice with the most suspect other value, where the case fails with every value.
    pub(super) fn most_suspect(&self) -> Option<Choice> {
        let fails = self.findings.values().all(|finding| *finding == Finding::Fails);
        let mut others = self.findings.keys().rev().filter(|value| **value != self.choice.value);
        let value = *others.next()?;
        (fails && self.wanted().is_empty()).then(|| Choice { value, ..self.choice.clone() })
    }

    pub(super) fn probed(&self) -> Probed {
        let trial = |(value, finding): (&usize, &Finding)| Trial {
            value: self.choice.factor.values[*value].clone(),
            finding: finding.clone(),
        };
        Probed {
            place: place(&self.choice),
            ordered: self.choice.factor.ordered,
            tried: self.findings.iter().map(trial).collect(),
            open: self.wanted().len(),
        }
    }
}
