//! How a command ended, as far as anybody can know.

use serde::{Deserialize, Serialize};

/// What became of one command.
///
/// The three are kept apart because they mean different things to a check: an answer must be one
/// that the model allows, a refusal says that nothing happened, and of an unknown outcome both
/// futures stay possible.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Outcome<Response> {
    /// The system answered.
    Answered(Response),
    /// It certainly had no effect; the text says who refused it, and why.
    Refused(String),
    /// It had no answer in time: it may have taken effect, may do so later, or never; the text
    /// says what was waited for.
    Unknown(String),
}

impl<Response> Outcome<Response> {
    /// The answer, where there was one.
    pub fn answer(&self) -> Option<&Response> {
        match self {
            Self::Answered(response) => Some(response),
            Self::Refused(_) | Self::Unknown(_) => None,
        }
    }
}
