//! What a specification says of a case, for the summary: QuickCheck's `label`, `classify` and
//! `cover` (Claessen, Hughes: "QuickCheck: A Lightweight Tool for Random Testing of Haskell
//! Programs", 2000).

use std::collections::BTreeMap;

/// The labels of one case; [`Model::describe`](crate::Model::describe) fills them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Labels {
    classes: BTreeMap<String, Class>,
}

/// What one case says of a class.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Class {
    /// Whether the case is of the class.
    pub holds: bool,
    /// How many cases in a hundred have to be, where it was said.
    pub required: Option<f64>,
}

impl Labels {
    /// Counts the case under this label.
    pub fn label(&mut self, label: impl Into<String>) {
        self.classify(true, label);
    }

    /// Counts the case under this label if it is so.
    pub fn classify(&mut self, is_so: bool, label: impl Into<String>) {
        self.classes.entry(label.into()).or_default().holds |= is_so;
    }

    /// As [`Labels::classify`], and of a hundred cases so many have to be of this class. What is
    /// missing is reported; it is an error only where the configuration of the run asks for that.
    ///
    /// It has to be called for every case, whether it is so or not.
    pub fn cover(&mut self, percent: f64, is_so: bool, label: impl Into<String>) {
        let class = self.classes.entry(label.into()).or_default();
        class.holds |= is_so;
        class.required = Some(class.required.map_or(percent, |other| other.max(percent)));
    }

    /// Every class that was spoken of.
    pub fn classes(&self) -> impl Iterator<Item = (&str, Class)> {
        self.classes.iter().map(|(label, class)| (label.as_str(), *class))
    }
}
