//! Names for results that nobody has yet when a case is generated: a lease, a generated key.

use std::cell::Cell;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a command's result, by which later commands can speak of it.
///
/// A command that gives a result carries a symbol of its own (`Grant { lease: Symbol::fresh() }`,
/// in [`Model::gen_command`](crate::Model::gen_command)), and later ones carry the same, which
/// they find in the model's state. The model
/// says which is which by [`Model::defines`](crate::Model::defines) and
/// [`Model::uses`](crate::Model::uses). While a case runs, [`Model::bind`](crate::Model::bind)
/// puts the real result in its place. No case is run, and none comes out of shrinking, in which a
/// symbol is used that nothing before it defines.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Symbol(pub u32);

thread_local! {
    static NEXT: Cell<u32> = const { Cell::new(0) };
}

impl Symbol {
    /// A symbol that no other command of the case has which is being generated, in its lanes
    /// either. A case begins with 0, so it stays a function of its seed.
    #[must_use]
    pub fn fresh() -> Self {
        Self(NEXT.replace(NEXT.get().wrapping_add(1)))
    }

    /// Begins with 0 again.
    pub(crate) fn restart() {
        NEXT.set(0);
    }
}

impl fmt::Display for Symbol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "${}", self.0)
    }
}

/// A result that is a symbol in a generated case, and the real thing once the case runs.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Named<Value> {
    /// What an earlier command will give.
    Symbol(Symbol),
    /// What it gave.
    Value(Value),
}

impl<Value> Named<Value> {
    /// The symbol, where it is still one.
    pub fn symbol(&self) -> Option<Symbol> {
        match self {
            Self::Symbol(symbol) => Some(*symbol),
            Self::Value(_) => None,
        }
    }

    /// The real thing, where it is there.
    pub fn value(&self) -> Option<&Value> {
        match self {
            Self::Symbol(_) => None,
            Self::Value(value) => Some(value),
        }
    }
}

impl<Value: fmt::Display> fmt::Display for Named<Value> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Symbol(symbol) => write!(f, "{symbol}"),
            Self::Value(value) => write!(f, "{value}"),
        }
    }
}
