//! One command with what came of it: the one place that says what the parts of a model mean
//! together.

use crate::panics::{Method, in_check, in_model, in_parts};
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

impl Impossible {
    /// What should have come instead, as it stands beside what came in a report.
    #[must_use]
    pub fn expected(&self) -> String {
        match self {
            Self::PreCondition => "a refusal, since the pre-condition does not hold there".to_owned(),
            Self::Answer { expected } => expected.clone(),
            Self::DidNotFail => "that it fails".to_owned(),
            Self::Invariant(why) => format!("a state that the invariant allows: {why}"),
            Self::Panicked(said) => format!("what the model takes without a panic: it {said}"),
        }
    }
}

/// Whether the command can be given in this state: [`Model::pre_condition`]. Where that panics,
/// the panic goes on as a [`BrokenModel`](crate::panics::BrokenModel).
pub fn makes_sense<M: Model>(model: &M, state: &M::State, command: &M::Command) -> bool {
    in_model(Method::PreCondition, command, || model.pre_condition(state, command))
}

/// The state that a command leads to, without its answer: [`Model::next_state`], unless the
/// command has to fail and so changes nothing. A panic goes on as from [`makes_sense`].
pub fn predict<M: Model>(model: &M, state: &M::State, command: &M::Command) -> M::State {
    if in_model(Method::MustFail, command, || model.must_fail(state, command)) {
        state.clone()
    } else {
        in_model(Method::NextState, command, || model.next_state(state, command))
    }
}

/// Changes the state as [`predict`] says.
pub fn predict_in_place<M: Model>(model: &M, state: &mut M::State, command: &M::Command) {
    if !in_model(Method::MustFail, command, || model.must_fail(state, command)) {
        in_model(Method::NextState, command, || model.advance(state, command, None));
    }
}

/// The state that a command leads to with this answer, or with an outcome that is unknown.
///
/// A panic of the post-condition or of the invariant counts as no; one of any other part goes on
/// as from [`makes_sense`].
///
/// # Errors
/// Why the model does not allow it.
pub fn step<M: Model>(
    model: &M,
    state: &M::State,
    command: &M::Command,
    response: Option<&M::Response>,
) -> Result<M::State, Impossible> {
    if !makes_sense(model, state, command) {
        return Err(Impossible::PreCondition);
    }
    let Some(response) = response else { return holds(model, predict(model, state, command)) };
    if !changes(model, state, command, response)? {
        return Ok(state.clone());
    }
    let next = || model.next_state_after(state, command, response);
    holds(model, in_model(Method::NextStateAfter, command, next))
}

/// Changes the state to the one that [`step`] gives for an answer. Where it gives none, the state
/// is of no use any more.
///
/// # Errors
/// As [`step`].
pub fn step_in_place<M: Model>(
    model: &M,
    state: &mut M::State,
    command: &M::Command,
    response: &M::Response,
) -> Result<(), Impossible> {
    let stepped = in_parts(command, || {
        if !makes_sense(model, state, command) {
            return Err(Impossible::PreCondition);
        }
        if !changes(model, state, command, response)? {
            return Ok(());
        }
        in_model(Method::NextStateAfter, command, || model.advance(state, command, Some(response)));
        allowed(model, state)
    });
    stepped.unwrap_or_else(|panicked| Err(Impossible::Panicked(panicked.to_string())))
}

/// Whether a command with a right answer takes effect, rather than fails as it has to.
fn changes<M: Model>(
    model: &M,
    state: &M::State,
    command: &M::Command,
    response: &M::Response,
) -> Result<bool, Impossible> {
    if in_model(Method::MustFail, command, || model.must_fail(state, command)) {
        let failed = asserted(|| model.is_failure(response))?;
        return if failed { Ok(false) } else { Err(Impossible::DidNotFail) };
    }
    if !asserted(|| model.post_condition(state, command, response))? {
        let expected = in_model(Method::Expectation, command, || model.expectation(state, command));
        return Err(Impossible::Answer { expected });
    }
    Ok(true)
}

/// The state, if the invariant allows it.
fn holds<M: Model>(model: &M, state: M::State) -> Result<M::State, Impossible> {
    allowed(model, &state).map(|()| state)
}

fn allowed<M: Model>(model: &M, state: &M::State) -> Result<(), Impossible> {
    asserted(|| model.invariant(state))?.map_err(Impossible::Invariant)
}

fn asserted<T>(check: impl FnOnce() -> T) -> Result<T, Impossible> {
    in_check(check).map_err(|panicked| Impossible::Panicked(panicked.to_string()))
}
