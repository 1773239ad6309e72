//! How much a check may take.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How much a check may take before it is undecided.
#[derive(Clone, Copy, Debug)]
pub struct Limits<'a> {
    /// The time for all of it, evidence too; none for as long as it takes.
    pub time: Option<Duration>,
    /// When the time began; none for when the check begins.
    pub since: Option<Instant>,
    /// Of that time, what may go into making evidence small once it is known that no order exists.
    pub evidence: Duration,
    /// The memory for what the check lays out and has met, in bytes, about; not for the history.
    pub memory: usize,
    /// Ends the check soon once it is set.
    pub cancel: Option<&'a AtomicBool>,
}

impl Default for Limits<'_> {
    /// A minute, 1 GiB, and five seconds for evidence.
    fn default() -> Self {
        Self {
            time: Some(Duration::from_secs(60)),
            since: None,
            evidence: Duration::from_secs(5),
            memory: 1 << 30,
            cancel: None,
        }
    }
}

/// Why a check came to no verdict.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Undecided {
    /// The time ran out, after so long.
    Time(Duration),
    /// More memory was needed than so many bytes.
    Memory(usize),
    /// It was cancelled.
    Cancelled,
}

impl fmt::Display for Undecided {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(formatter, "no verdict within {} s", time.as_secs_f64()),
            Self::Memory(bytes) => write!(formatter, "no verdict within {} MiB of memory", bytes >> 20),
            Self::Cancelled => formatter.write_str("cancelled before a verdict"),
        }
    }
}

/// Limits from a moment on.
pub(super) struct Watch<'a> {
    limits: Limits<'a>,
    start: Instant,
}

impl<'a> Watch<'a> {
    pub(super) fn start(limits: Limits<'a>) -> Self {
        Self { limits, start: limits.since.unwrap_or_else(Instant::now) }
    }

    /// The same for making evidence from now on.
    pub(super) fn for_evidence(&self) -> Self {
        let left = self.limits.time.map(|time| time.saturating_sub(self.start.elapsed()));
        let time = Some(left.map_or(self.limits.evidence, |left| left.min(self.limits.evidence)));
        Self { limits: Limits { time, ..self.limits }, start: Instant::now() }
    }

    pub(super) fn memory(&self) -> usize {
        self.limits.memory
    }

    /// Why to end now, given the bytes in use.
    pub(super) fn over(&self, memory: usize) -> Option<Undecided> {
        let Limits { time, memory: most, cancel, .. } = self.limits;
        if cancel.is_some_and(|cancel| cancel.load(Ordering::Relaxed)) {
            return Some(Undecided::Cancelled);
        }
        if memory > most {
            return Some(Undecided::Memory(most));
        }
        time.filter(|time| self.start.elapsed() > *time).map(Undecided::Time)
    }
}
