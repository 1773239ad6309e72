//! What is known of what runs, for those who look on.

use std::collections::BTreeMap;
use std::time::Instant;

use super::words::{counted, rate};

/// What is known of what runs.
pub(super) struct Shown {
    pub(super) phase: Phase,
    /// When this phase began.
    pub(super) since: Instant,
    /// How many cases have ended, and how many there are.
    pub(super) ended: u64,
    pub(super) total: u32,
    /// The cases that run now, by their numbers.
    pub(super) cases: BTreeMap<u32, CaseLine>,
    /// How many commands the case that is made smaller had, and has at best.
    pub(super) at_first: usize,
    pub(super) at_best: usize,
    /// How many smaller cases were tried.
    pub(super) runs: u32,
}

/// What is known of a case that runs, for its one line.
pub(super) struct CaseLine {
    /// Its row on the screen, of those that run side by side.
    pub(super) row: usize,
    pub(super) machines: usize,
    pub(super) commands: usize,
}

/// What the commands are given for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Phase {
    Generated,
    Shrinking,
    Probing,
}

impl Default for Shown {
    fn default() -> Self {
        Self {
            phase: Phase::Generated,
            since: Instant::now(),
            ended: 0,
            total: 0,
            cases: BTreeMap::new(),
            at_first: 0,
            at_best: 0,
            runs: 0,
        }
    }
}

impl Shown {
    /// A row that no case has.
    pub(super) fn free_row(&self) -> usize {
        let is_free = |row: &usize| self.cases.values().all(|line| line.row != *row);
        (0..).find(is_free).unwrap_or_default()
    }

    /// Begins a phase: what is looked for in a failure counts from the failure on.
    pub(super) fn begin(&mut self, phase: Phase) {
        if phase == Phase::Generated || self.phase == Phase::Generated {
            (self.since, self.runs) = (Instant::now(), 0);
        }
        self.phase = phase;
    }

    /// What is looked for once a case has failed: the best so far, and what each step takes.
    pub(super) fn searching(&self) -> String {
        let Self { runs, at_first, at_best, .. } = self;
        let rate = rate((*runs).into(), self.since.elapsed().as_secs_f64(), "run");
        let cost = if rate.is_empty() { rate } else { format!(", {rate}") };
        let runs = counted(*runs as usize, "run");
        match self.phase {
            Phase::Probing => format!("what matters: {runs}{cost}"),
            _ => format!("shrinking: best {at_best} of {at_first} commands, {runs}{cost}"),
        }
    }
}

impl CaseLine {
    /// How many machines the case has, where it has machines.
    pub(super) fn machines(&self) -> String {
        if self.machines == 0 { String::new() } else { format!("{}, ", counted(self.machines, "machine")) }
    }
}
