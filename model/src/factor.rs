//! What of a state can be varied, in the words of covering arrays: a factor has values, and a
//! state has one of them at each of the factor's sites.

use std::sync::Arc;

/// Something that states differ in, with its values from plain to suspect.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Factor {
    /// Its name in reports, such as `kernel`.
    pub name: String,
    /// Its values as reports show them, plain to suspect; at least one.
    pub values: Vec<String>,
    /// Whether the values lie on a scale, so that of neighbours that behave alike all between
    /// them are taken to do so too.
    pub ordered: bool,
}

/// The value that a state has of a factor at one site.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Choice {
    /// Where in the state: such as `machine a`, or `network` for what all of it shares.
    pub site: String,
    /// The factor.
    pub factor: Arc<Factor>,
    /// The place of the value in [`Factor::values`].
    pub value: usize,
}

impl Choice {
    /// The value as reports show it.
    #[must_use]
    pub fn shown(&self) -> &str {
        self.factor.values.get(self.value).map_or("", String::as_str)
    }
}
