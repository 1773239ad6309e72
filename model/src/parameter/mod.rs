//! Parameters of machines: what is varied, from plain to suspect.

use std::collections::{BTreeSet, HashSet};
use std::ops::RangeInclusive;
use std::sync::Arc;

use crate::factor::Factor;
use crate::machine::{Machine, MachineError};

mod ready;
mod setting;

pub use setting::{Setting, Value};

/// Why a parameter cannot be one.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// There is nothing to choose from.
    #[error("parameter {0:?} has no values: give it at least one")]
    NoValues(String),
    /// A range ends before it starts.
    #[error(
        "parameter {name:?} has the empty range {start}..{end}: give one that does not end before it starts"
    )]
    EmptyRange {
        /// The parameter.
        name: String,
        /// Where it would start.
        start: u64,
        /// Where it would end.
        end: u64,
    },
    /// A range with steps that lead nowhere, or too many of them.
    #[error(
        "parameter {name:?} has {start}..{end} in steps of {step}: give steps of at least 1 and not more than {MOST_VALUES} values"
    )]
    Steps {
        /// The parameter.
        name: String,
        /// Where it would start.
        start: u64,
        /// Where it would end.
        end: u64,
        /// How far its values would lie apart.
        step: u64,
    },
    /// Two values are the same.
    #[error("parameter {name:?} has the value {value:?} twice: give each once")]
    Twice {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
    /// Two values set different things, so that going from one to the other would leave a rest.
    #[error(
        "value {value:?} of parameter {name:?} does not set the same things as its first value: have each set all of them"
    )]
    Uneven {
        /// The parameter.
        name: String,
        /// The value.
        value: String,
    },
    /// A value is not one of its kind.
    #[error("parameter {name:?} cannot have that value: {source}")]
    Value {
        /// The parameter.
        name: String,
        /// Why not.
        source: MachineError,
    },
}

/// The most values that a parameter has.
const MOST_VALUES: usize = 4096;

/// What a parameter's value is the same for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Scope {
    /// Each machine has a value of its own.
    #[default]
    Machine,
    /// All machines of a network have one value.
    Network,
}

/// Something that machines are varied in, with its values from plain to suspect.
///
/// It takes part in generation, in coverage (each value, each pair of values), in shrinking
/// (toward the plain end) and in the search for what matters to a failure.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Parameter {
    factor: Arc<Factor>,
    values: Vec<Value>,
    scope: Scope,
}

impl Parameter {
    /// A parameter with these values, plain to suspect; each sets the same things in its own way.
    ///
    /// # Errors
    /// [`ParameterError::NoValues`], [`ParameterError::Twice`] or [`ParameterError::Uneven`].
    pub fn new(name: impl Into<String>, values: Vec<Value>) -> Result<Self, ParameterError> {
        let name = name.into();
        if values.is_empty() {
            return Err(ParameterError::NoValues(name));
        }
        let mut seen = HashSet::new();
        if let Some(twice) = values.iter().find(|value| !seen.insert(&value.label)) {
            return Err(ParameterError::Twice { name, value: twice.label.clone() });
        }
        let subjects = values[0].subjects();
        if let Some(uneven) = values.iter().find(|value| value.subjects() != subjects) {
            return Err(ParameterError::Uneven { name, value: uneven.label.clone() });
        }
        let labels = values.iter().map(|value| value.label.clone()).collect();
        let factor = Arc::new(Factor { name, values: labels, ordered: false });
        Ok(Self { factor, values, scope: Scope::Machine })
    }

    fn listed<T>(
        name: &str,
        values: impl IntoIterator<Item = T>,
        value: impl Fn(T) -> (String, Setting),
    ) -> Result<Self, ParameterError> {
        let values = values.into_iter().map(value).map(|(label, setting)| Value::new(label, setting));
        Self::new(name, values.collect())
    }

    fn range(
        name: &str,
        range: RangeInclusive<u64>,
        step: u64,
        value: impl Fn(u64) -> Result<(String, Setting), MachineError>,
    ) -> Result<Self, ParameterError> {
        let (start, end) = range.clone().into_inner();
        let named = || name.to_owned();
        if range.is_empty() {
            return Err(ParameterError::EmptyRange { name: named(), start, end });
        }
        if step == 0 || (end - start) / step >= MOST_VALUES as u64 {
            return Err(ParameterError::Steps { name: named(), start, end, step });
        }
        let steps = (0..=(end - start) / step).map(|index| start + index * step);
        let values = steps.map(|number| value(number).map(|(label, setting)| Value::new(label, setting)));
        let values = values.collect::<Result<_, _>>();
        let values = values.map_err(|source| ParameterError::Value { name: named(), source })?;
        Ok(Self::new(name, values)?.on_a_scale())
    }

    /// The same parameter, whose values lie on a scale.
    #[must_use]
    pub fn on_a_scale(mut self) -> Self {
        self.factor = Arc::new(Factor { ordered: true, ..(*self.factor).clone() });
        self
    }

    /// The same parameter, of which all machines of a network have one value.
    #[must_use]
    pub fn for_network(mut self) -> Self {
        self.scope = Scope::Network;
        self
    }

    /// Its name in reports.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.factor.name
    }

    /// Its values, plain to suspect.
    #[must_use]
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// What its value is the same for.
    #[must_use]
    pub fn scope(&self) -> Scope {
        self.scope
    }

    /// What it sets, whatever to.
    #[must_use]
    pub fn subjects(&self) -> BTreeSet<String> {
        self.values.first().map(Value::subjects).unwrap_or_default()
    }

    /// How coverage and reports know it.
    #[must_use]
    pub fn factor(&self) -> &Arc<Factor> {
        &self.factor
    }

    /// The place of the value that a machine has; none where it has another, such as one of a
    /// file that somebody wrote.
    #[must_use]
    pub fn value_of(&self, machine: &Machine) -> Option<usize> {
        self.values.iter().position(|value| value.holds(machine))
    }

    /// Gives a machine the value of this place; leaves it as it is where there is none.
    pub fn set(&self, machine: &mut Machine, value: usize) {
        if let Some(value) = self.values.get(value) {
            value.settings.iter().for_each(|setting| setting.apply(machine));
        }
    }
}
