//! In which way a case fails, so that one failure is not taken for another while it shrinks.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;

use model::panics::{Method, in_model};
use model::step::{Impossible, predict, step};
use model::{Case, Model, Outcome};

use crate::execute::{Evidence, Execution};

/// What is wrong with a system that panicked.
const PANIC: &str = "panic of the system";

/// How a case fails.
///
/// Of commands in sequence it is the kind of the command that got the wrong answer (`Model::kind`)
/// together with what was wrong: an answer that the post-condition refuses, a failure
/// (`Model::is_failure`), no failure where there had to be one, a broken invariant, or a panic. The
/// values in the command and in the answer do not count, since shrinking changes them.
///
/// Of lanes it is only that no order explains all their answers, since which answer that is blamed
/// on depends on how they happened to interleave: it is the same failure as any other of lanes, and
/// as a wrong answer in sequence to a command of one of the kinds that ran side by side.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Way {
    /// One command got a wrong answer.
    Answer {
        /// The command's kind.
        kind: Cow<'static, str>,
        /// What was wrong.
        wrong: &'static str,
    },
    /// Lanes got answers that do not go together; the kinds of the commands that may be to blame.
    Together(BTreeSet<Cow<'static, str>>),
}

impl Way {
    /// How a case failed with this evidence.
    pub(crate) fn of<M: Model>(
        model: &M,
        case: &Case<M>,
        evidence: &Evidence,
        execution: &Execution<M>,
    ) -> Self {
        let blamed = case.places().nth(evidence.number.saturating_sub(1)).map(|(_, command)| command);
        let kind =
            blamed.map(|command| in_model(Method::Kind, command, || model.kind(command))).unwrap_or_default();
        if evidence.is_panic() {
            return Self::Answer { kind, wrong: PANIC };
        }
        if !case.lanes.is_empty() && evidence.number > case.commands.len() {
            let together = case.lanes.iter().flatten().chain(&case.finally);
            return Self::Together(together.map(|command| model.kind(command)).collect());
        }
        Self::Answer { kind, wrong: wrong(model, case, execution) }
    }

    /// Whether both are the same failure.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Together(_), Self::Together(_)) => true,
            (Self::Together(kinds), Self::Answer { kind, wrong })
            | (Self::Answer { kind, wrong }, Self::Together(kinds)) => {
                *wrong != PANIC && kinds.contains(kind)
            }
            (Self::Answer { .. }, Self::Answer { .. }) => self == other,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Answer { kind, wrong } => write!(f, "{kind}: {wrong}"),
            Self::Together(_) => f.write_str("answers of lanes that do not go together"),
        }
    }
}

/// What was wrong with the last answer.
fn wrong<M: Model>(model: &M, case: &Case<M>, execution: &Execution<M>) -> &'static str {
    let mut state = case.initial.clone();
    for given in execution.history.iter().map(|given| &given.operation) {
        let response = match &given.outcome {
            Outcome::Answered(response) => response,
            Outcome::Refused(_) => continue,
            // From here on more than one state is possible, and this is the likeliest.
            Outcome::Unknown(_) => {
                state = predict(model, &state, &given.command);
                continue;
            }
        };
        match step(model, &state, &given.command, Some(response)) {
            Ok(next) => state = next,
            Err(Impossible::DidNotFail) => return "no failure",
            Err(Impossible::Invariant(_)) => return "broken invariant",
            Err(Impossible::Panicked(_)) => return "panic of the post-condition",
            Err(_) if model.is_failure(response) => return "failure",
            Err(_) => return "wrong answer",
        }
    }
    "wrong answer"
}
