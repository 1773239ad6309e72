//! What a recorded history holds in a register.

use std::fmt::{Display, Formatter, Result};
use std::sync::Arc;

/// A value as a history has it: nothing, a number, or any other text.
#[derive(Clone, Debug, Default, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Value {
    /// Nothing: `nil`, or JSON's `null`.
    #[default]
    Nil,
    /// A whole number.
    Number(i64),
    /// Anything else, as it was written, strings with their quotation marks.
    Text(Arc<str>),
}

impl Display for Value {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> Result {
        match self {
            Self::Nil => formatter.write_str("nil"),
            Self::Number(number) => write!(formatter, "{number}"),
            Self::Text(text) => formatter.write_str(text),
        }
    }
}
