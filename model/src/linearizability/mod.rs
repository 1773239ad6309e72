//! Whether a history is linearizable: whether each operation can have taken effect at one moment
//! between its call and its answer, such that the object, used by one client at a time in the
//! order of these moments, would have answered just so.
//!
//! [`check`] decides it for any [`Sequential`] object, of which [`Register`] and [`Map`] are two,
//! and [`check_model`] for the commands of any [`crate::Model`].
//! What it builds on:
//! - the definition, and that it is local, so that parts are checked by themselves: Herlihy and
//!   Wing, *Linearizability: a correctness condition for concurrent objects* (1990); Horn and
//!   Kroening, *Faster linearizability checking via P-compositionality* (2015);
//! - the search: Wing and Gong, *Testing and verifying concurrent objects* (1993);
//! - keeping the configurations that were met: Lowe, *Testing for linearizability* (2017), and
//!   Porcupine (Athalye, 2017), a checker in Go.
//!
//! What it adds, so that little is left to search:
//! - a configuration is a level, a few bits and a state (`plan`): sets of operations that real
//!   time forces on each other are not spelled out;
//! - operations that only read are put into the order as soon as they fit. This is right only
//!   for those that change no state at all: to do so with a step that merely happens to leave the
//!   state as it is would lose orders in which it changes it later;
//! - never-answered operations that are alike are taken in one order, and a configuration in
//!   which more of them took effect than in another that is else the same is not gone into;
//! - operations that are declared independent are not tried in both orders;
//! - an answer that tells of what no operation can have made is found without the
//!   search, once that has not ended soon;
//! - states are numbered, and each step is asked for once;
//! - two orders of trying share one search.

mod limits;
mod made;
mod map;
mod minimal;
mod object;
mod of_model;
mod parts;
mod plan;
mod register;
mod rows;
mod search;
mod states;
mod table;
mod verdict;
mod way;

pub use limits::{Limits, Undecided};
pub use map::{Entries, Map, MapCommand, MapResponse};
pub use object::Sequential;
pub use of_model::{check_model, check_steps};
pub use register::{Register, RegisterCommand, RegisterResponse};
pub use verdict::{Counterexample, Obstacle, Verdict, Why};

use crate::history::History;
use limits::Watch;
use parts::Outlook;

/// Says whether the object could have answered as the history has it, with evidence.
///
/// The time is exponential in how many operations overlap in the worst case, since the problem is
/// NP-complete (Gibbons and Korach, 1997); within the limits there may be no verdict.
/// ```
/// use model::history::read;
/// use model::linearizability::{Limits, Register, Verdict, check};
///
/// // Two writes one after the other, and then a read of the first.
/// let stale = read::<Register>(
///     br#"{"id": 0, "client": 0, "call": 0, "ret": 1, "op": ["write", 1], "out": "ok"}
/// {"id": 1, "client": 1, "call": 2, "ret": 3, "op": ["write", 2], "out": "ok"}
/// {"id": 2, "client": 2, "call": 4, "ret": 5, "op": ["read"], "out": 1}"#,
/// )?;
/// assert!(matches!(check(&Register, &stale, Limits::default()), Verdict::NotLinearizable(_)));
/// # Ok::<(), model::history::ReadError>(())
/// ```
pub fn check<O: Sequential>(
    object: &O,
    history: &History<O::Command, O::Response>,
    limits: Limits<'_>,
) -> Verdict<O::State> {
    let watch = Watch::start(limits);
    match parts::search(object, parts::parts(object, history), &watch) {
        Outlook::Ordered(orders) => Verdict::Linearizable { order: parts::merge(history, orders) },
        Outlook::Undecided(why) => Verdict::Undecided(why),
        Outlook::Unmade { items, unmade } => {
            Verdict::NotLinearizable(Box::new(made::counterexample(object, &items, unmade)))
        }
        Outlook::Impossible { items, search } => {
            let evidence = minimal::counterexample(object, history, items, *search, &watch);
            Verdict::NotLinearizable(Box::new(evidence))
        }
    }
}

/// Says just whether the object could have answered as the history has it; where it could not,
/// this takes less time than [`check`].
///
/// # Errors
/// Where the limits do not suffice to know.
pub fn is_linearizable<O: Sequential>(
    object: &O,
    history: &History<O::Command, O::Response>,
    limits: Limits<'_>,
) -> Result<bool, Undecided> {
    match parts::search(object, parts::parts(object, history), &Watch::start(limits)) {
        Outlook::Ordered(_) => Ok(true),
        Outlook::Impossible { .. } | Outlook::Unmade { .. } => Ok(false),
        Outlook::Undecided(why) => Err(why),
    }
}
