//! One command with what came of it: the one place that says what the parts of a model mean
//! together.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::specification::Model;

/// Why a command cannot have got this answer in this state.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum Impossible {
    /// The command makes no sense there.
    #[error("the pre-condition refuses it there")]
    PreCondition,
    /// The post-condition refuses the answer.
    #[error("expected {expected}")]
    Answer {
        /// What a right answer would have been.
        expected: String,
    },
    /// The command had to fail, and did not.
    #[error("expected that it fails")]
    DidNotFail,
    /// The answer leads to a state that must not be.
    #[error("the invariant is broken: {0}")]
    Invariant(String),
    /// The post-condition or the invariant panicked, which is how an assertion says no.
    #[error("{0}")]
    Panicked(String),
}

/// The state that a command leads to, without its answer: [`Model::next_state`], unless the
/// command has to fail and so changes nothing.
pub fn predict<M: Model>(model: &M, state: &M::State, command: &M::Command) -> M::State {
    if model.must_fail(state, command) { state.clone() } else { model.next_state(state, command) }
}

/// Changes the state as [`predict`] says.
pub fn predict_in_place<M: Model>(model: &M, state: &mut M::State, command: &M::Command) {
    if !model.must_fail(state, command) {
        model.advance(state, command, None);
    }
}

/// The state that a command leads to with this answer, or with an outcome that is unknown.
///
/// # Errors
/// Why the model does not allow it.
pub fn step<M: Model>(
    model: &M,
    state: &M::State,
    command: &M::Command,
    response: Option<&M::Response>,
) -> Result<M::State, Impossible> {
    if !model.pre_condition(state, command) {
        return Err(Impossible::PreCondition);
    }
    let Some(response) = response else { return holds(model, predict(model, state, command)) };
    if model.must_fail(state, command) {
        return if model.is_failure(response) { Ok(state.clone()) } else { Err(Impossible::DidNotFail) };
    }
    if !asserted(|| model.post_condition(state, command, response))? {
        return Err(Impossible::Answer { expected: model.expectation(state, command) });
    }
    holds(model, model.next_state_after(state, command, response))
}

/// The state, if the invariant allows it.
fn holds<M: Model>(model: &M, state: M::State) -> Result<M::State, Impossible> {
    match asserted(|| model.invariant(&state))? {
        Ok(()) => Ok(state),
        Err(why) => Err(Impossible::Invariant(why)),
    }
}

fn asserted<T>(check: impl FnOnce() -> T) -> Result<T, Impossible> {
    catch_unwind(AssertUnwindSafe(check))
        .map_err(|panic| Impossible::Panicked(format!("panicked: {}", panic_text(panic.as_ref()))))
}

/// What a panic said, in one line.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    text.unwrap_or("for a reason that is no text").split_whitespace().collect::<Vec<_>>().join(" ")
}
