//! What a check says.

use super::limits::Undecided;

/// Whether a history is linearizable.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Verdict<State> {
    /// There is an order that explains every answer.
    Linearizable {
        /// Such an order, as places in the history: every answered operation, and of the others
        /// those that took effect.
        order: Vec<usize>,
    },
    /// There is none, for this reason.
    NotLinearizable(Box<Counterexample<State>>),
    /// Nobody knows; never to be taken for a failure.
    Undecided(Undecided),
}

impl<State> Verdict<State> {
    /// The same with another kind of state.
    pub(super) fn map<Other>(self, other: impl FnOnce(State) -> Other) -> Verdict<Other> {
        match self {
            Self::Linearizable { order } => Verdict::Linearizable { order },
            Self::Undecided(why) => Verdict::Undecided(why),
            Self::NotLinearizable(evidence) => {
                let Counterexample { part, operations, bystanders, until, minimal, prefix, state, obstacles } =
                    *evidence;
                let state = other(state);
                Verdict::NotLinearizable(Box::new(Counterexample {
                    part,
                    operations,
                    bystanders,
                    until,
                    minimal,
                    prefix,
                    state,
                    obstacles,
                }))
            }
        }
    }
}

/// Evidence that a history is not linearizable. Operations are named by their places in it.
///
/// The evidence is a *minimal sub-history*: a few operations whose answers alone contradict one
/// another. It is made of the history by steps that only ever allow more orders, so any order of
/// the history would be one of the sub-history too:
///
/// - of an object whose parts are checked by themselves, one part is kept;
/// - everything after one moment, [`until`](Self::until), is cut off. What was called later is
///   dropped, what was still open then need not take effect;
/// - every other operation, one that is not among [`operations`](Self::operations), is set free:
///   it may take effect, as it was answered, at any moment after its call, or never. Where it
///   only reads, nothing is left of it; otherwise it is among [`bystanders`](Self::bystanders).
///
/// Operations are never just dropped, since a history without a write that a read needs would
/// contradict itself where the true one does not. Minimal means that with any one more
/// operation set free, or an earlier cut, an order exists, as far as the time for it sufficed
/// ([`minimal`](Self::minimal)).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Counterexample<State> {
    /// The part of the object that it is about, where parts were checked by themselves.
    pub part: Option<String>,
    /// The operations whose answers contradict one another, in the order of their calls.
    pub operations: Vec<usize>,
    /// The operations that may take effect whenever it helps, and do not help, in the order of
    /// their calls.
    pub bystanders: Vec<usize>,
    /// The position of the last answer that counts.
    pub until: u64,
    /// Whether it is known to be minimal; otherwise the time for it ran out.
    pub minimal: bool,
    /// A longest legal prefix: an order of as many of the answers as any order explains.
    pub prefix: Vec<usize>,
    /// The state after it.
    pub state: State,
    /// Everything that could come next, and why it cannot.
    pub obstacles: Vec<Obstacle>,
}

/// An operation that cannot come next in an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Obstacle {
    /// Its place in the history.
    pub operation: usize,
    /// Why it cannot come next.
    pub why: Why,
}

/// Why an operation cannot come next in an order.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Why {
    /// The object would not answer so, for the reason given: "the register holds 1".
    Impossible(String),
    /// Nobody heard of its effect, and here it has none.
    NoEffect,
    /// It can come next, but what follows explains no more of the answers, in any order.
    DeadEnd,
}
