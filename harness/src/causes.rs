//! What of a failing case's initial state matters: for each choice, with which values the case
//! fails and with which it holds, the rest being as it is.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use crate::memory::Finding;

mod text;

/// What probing a case has come to, so far or in the end.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Causes {
    /// Each choice of the initial state that has other values.
    pub choices: Vec<Probed>,
    /// Choices of which none matters by itself, but which hold when all of a set are changed at
    /// once: the values are those that they were changed to.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub together: Vec<Vec<Place>>,
    /// What was run with several choices changed at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub joint: Vec<Joint>,
    /// How many cases were run for it, over all runs that had a part in it.
    pub runs: u32,
    /// Whether nothing is left to be tried.
    pub complete: bool,
}

/// A value at one place of a state.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Place {
    /// Where, such as `machine a`.
    pub site: String,
    /// Of what, such as `kernel`.
    pub factor: String,
    /// The value.
    pub value: String,
}

/// One choice of the failing case, and what came of other values in its place.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Probed {
    /// The choice itself.
    pub place: Place,
    /// Whether its values lie on a scale.
    pub ordered: bool,
    /// What each value that was tried came to, plain to suspect; the case's own is among them.
    pub tried: Vec<Trial>,
    /// How many values are still to be tried; of those on a scale it is at least so many.
    pub open: usize,
}

/// A value, and what came of it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    /// The value.
    pub value: String,
    /// What came.
    pub finding: Finding,
}

/// A case with several choices changed, and what came of it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Joint {
    /// What was changed, and to which values.
    pub changed: Vec<Place>,
    /// What came.
    pub finding: Finding,
}

/// What a choice has to do with the failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Role {
    /// With some other value the case holds.
    Matters,
    /// It fails with every value; it may still matter together with others.
    Irrelevant,
    /// Not every value could be tried, and no value holds so far.
    Undecided,
}

impl Probed {
    /// What it has to do with the failure, by itself.
    #[must_use]
    pub fn role(&self) -> Role {
        if self.tried.iter().any(|trial| trial.finding == Finding::Holds) {
            Role::Matters
        } else if self.open == 0 && self.tried.iter().all(|trial| trial.finding == Finding::Fails) {
            Role::Irrelevant
        } else {
            Role::Undecided
        }
    }
}

impl Causes {
    /// Whether nothing of the state is varied.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.choices.is_empty()
    }

    /// The choices of a role. Those that matter only together are not irrelevant.
    pub fn of_role(&self, role: Role) -> impl Iterator<Item = &Probed> {
        let in_set = |probed: &Probed| {
            let same = |place: &Place| place.site == probed.place.site && place.factor == probed.place.factor;
            self.together.iter().flatten().any(same)
        };
        self.choices
            .iter()
            .filter(move |probed| probed.role() == role && (role != Role::Irrelevant || !in_set(probed)))
    }

    /// What was certain of a choice, by the names of values.
    pub(crate) fn known(&self, place: &Place) -> BTreeMap<&str, &Finding> {
        let probed = self.choices.iter().find(|probed| probed.place == *place);
        let tried = probed.into_iter().flat_map(|probed| &probed.tried);
        let certain = tried.filter(|trial| trial.finding.is_certain());
        certain.map(|trial| (trial.value.as_str(), &trial.finding)).collect()
    }
}
