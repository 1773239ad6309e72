//! A program on a machine that is killed, stopped and started.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What is done to a machine's service: a program that counts, started by the first of these.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Start it, unless it is there.
    Start,
    /// Kill it (SIGKILL).
    Kill,
    /// Have it stand still (SIGSTOP).
    Stop,
    /// Let it go on (SIGCONT).
    Continue,
    /// Kill it and start it.
    Restart,
}

/// What a machine's service does.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Service {
    /// There is none.
    #[default]
    Down,
    /// It counts.
    Going,
    /// It is there and does not.
    Stopped,
}

impl Service {
    /// What it does once this was done to it.
    #[must_use]
    pub fn after(self, act: Act) -> Self {
        match (act, self) {
            (Act::Start, Self::Down) | (Act::Restart, _) | (Act::Continue, Self::Stopped) => Self::Going,
            (Act::Kill, _) => Self::Down,
            (Act::Stop, Self::Going) => Self::Stopped,
            (Act::Start | Act::Stop | Act::Continue, as_it_was) => as_it_was,
        }
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Start => "start",
            Self::Kill => "kill",
            Self::Stop => "stop",
            Self::Continue => "continue",
            Self::Restart => "restart",
        })
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Down => "down",
            Self::Going => "going on",
            Self::Stopped => "stopped",
        })
    }
}

/// What a machine has too much of to do.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Strain {
    /// Twice as many programs as processors that do nothing but run.
    Processors,
    /// So much memory taken up that little more is left than what is there needs.
    Memory,
}

impl fmt::Display for Strain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Processors => "its processors",
            Self::Memory => "its memory",
        })
    }
}
