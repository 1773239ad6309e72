//! What a command left behind, and how it ended.

use std::fmt;
use std::time::Duration;

/// How a command ended, as far as can be known from here.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub enum Ending {
    /// Its shell exited with this status; 0 is success.
    ///
    /// A program that a signal killed *inside* the line is reported by the shell, as 128 and the
    /// signal's number, as in any shell.
    Exited(u8),
    /// Its shell itself (`$$`, or the program that `exec` put in its place) was killed by the
    /// signal of this name, written without `SIG`, such as `KILL`.
    Signalled(String),
    /// It was not over at its limit. It may have taken effect, in part or in full.
    ///
    /// Where the machine still answers, it has been killed by now; where not, the machine's own
    /// `timeout` kills it within two seconds of the limit.
    TimedOut,
    /// The connection broke while it ran. It may have taken effect, or may still.
    ConnectionLost,
}

impl Ending {
    /// Whether the command exited with status 0.
    #[must_use]
    pub fn is_success(&self) -> bool {
        *self == Self::Exited(0)
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exited(status) => write!(f, "exited with status {status}"),
            Self::Signalled(name) => write!(f, "killed by signal {name}"),
            Self::TimedOut => f.write_str("timed out"),
            Self::ConnectionLost => f.write_str("connection lost"),
        }
    }
}

/// What a command printed, and how it ended.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Output {
    /// How it ended.
    pub ending: Ending,
    /// What it wrote to standard output before its shell ended, up to the output limit.
    pub stdout: Vec<u8>,
    /// What it wrote to standard error before its shell ended, up to the output limit.
    pub stderr: Vec<u8>,
    /// How many bytes of standard output were dropped because of the output limit.
    pub stdout_dropped: u64,
    /// How many bytes of standard error were dropped because of the output limit.
    pub stderr_dropped: u64,
    /// From the call of [`Session::run`](crate::Session::run) to the answer.
    pub elapsed: Duration,
}

impl Output {
    /// Whether the output limit cut either stream.
    #[must_use]
    pub fn is_truncated(&self) -> bool {
        self.stdout_dropped > 0 || self.stderr_dropped > 0
    }
}
