//! What was counted, for people and for programs.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Sufficiency;

/// What the cases of a run were like that had a verdict.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Statistics {
    /// How many cases.
    pub cases: u32,
    /// Which kinds of commands they had, the most frequent first.
    pub commands: Vec<Kind>,
    /// Which kind came next after which.
    pub sequence: Pairs,
    /// Which kinds were beside each other in two lanes; none where there were no lanes.
    pub across: Option<Pairs>,
    /// The states that they met, where the model tells some apart.
    pub states: Option<States>,
    /// The classes that the specification spoke of, by their labels.
    pub classes: Vec<Class>,
}

/// A kind of commands.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Kind {
    /// Its name.
    pub kind: String,
    /// How many such commands were given.
    pub given: u64,
    /// How many of them the system refused.
    pub refused: u64,
    /// Of how many of them it is unknown what became of them.
    pub unknown: u64,
}

impl Kind {
    /// How many were answered. Where none was, nothing of them was tested.
    #[must_use]
    pub fn answered(&self) -> u64 {
        self.given.saturating_sub(self.refused + self.unknown)
    }
}

/// Pairs of kinds of commands.
#[derive(Clone, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pairs {
    /// How many were met.
    pub met: usize,
    /// How many there are, of the kinds that were met at all. Some may make no sense.
    pub of: usize,
    /// Those that were not met, in words.
    pub missing: Vec<String>,
}

/// States of the model, as far as it tells them apart.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct States {
    /// How many were met.
    pub met: usize,
    /// Whether none was left out of the count since there were too many.
    pub complete: bool,
    /// Those that were met most often, and how often.
    pub most: Vec<(String, u64)>,
}

/// A class of cases.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Class {
    /// Its label.
    pub label: String,
    /// How many cases were of it.
    pub cases: u32,
    /// How many of a hundred that is.
    pub percent: f64,
    /// How many of a hundred have to be.
    pub required: Option<f64>,
    /// Whether they are, where that was required.
    pub sufficiency: Option<Sufficiency>,
}

impl Statistics {
    /// Whether commands were given and none was answered, so that a run says nothing of the system.
    #[must_use]
    pub fn is_void(&self) -> bool {
        let mut commands = self.commands.iter().filter(|kind| kind.given > 0).peekable();
        commands.peek().is_some() && commands.all(|kind| kind.answered() == 0)
    }

    /// The classes that certainly have too few cases.
    pub fn insufficient(&self) -> impl Iterator<Item = &Class> {
        self.classes.iter().filter(|class| class.sufficiency == Some(Sufficiency::Insufficient))
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { label, percent, .. } = self;
        write!(f, "{percent:5.1} % {label}")?;
        let Some(required) = self.required else { return Ok(()) };
        match self.sufficiency {
            Some(Sufficiency::Insufficient) => write!(f, " (insufficient: {required} % are required)"),
            Some(Sufficiency::Sufficient) => write!(f, " (sufficient: {required} % are required)"),
            _ if *percent < required => write!(f, " (below the required {required} %, perhaps by chance)"),
            _ => write!(f, " ({required} % are required)"),
        }
    }
}

impl fmt::Display for Statistics {
    /// A line for the commands and their pairs, one for the states, and one for each class.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total: u64 = self.commands.iter().map(|kind| kind.given).sum();
        let share = |given: u64| 100.0 * given as f64 / total.max(1) as f64;
        let kind = |kind: &Kind| {
            let none = if kind.answered() == 0 { " (none was answered)" } else { "" };
            format!("{:.0} % {}{none}", share(kind.given), kind.kind)
        };
        let commands: Vec<_> = self.commands.iter().map(kind).collect();
        write!(f, "{total} commands: {}", commands.join(", "))?;
        write!(f, "; {} of {} pairs in sequence", self.sequence.met, self.sequence.of)?;
        if let Some(across) = &self.across {
            write!(f, ", {} of {} across lanes", across.met, across.of)?;
        }
        if let Some(States { met, complete, .. }) = &self.states {
            let more = if *complete { "" } else { " or more" };
            write!(f, "\n{met}{more} states of the model")?;
        }
        self.classes.iter().try_for_each(|class| write!(f, "\n{class}"))
    }
}
