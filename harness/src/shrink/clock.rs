//! What runs take: measured seconds of creating systems and of each kind of command, and from
//! them what a candidate will take.

use std::borrow::Cow;
use std::collections::{BTreeMap, HashMap};

/// What a run took, by its parts.
#[derive(Clone, Debug, Default)]
pub(crate) struct Took {
    /// The whole run, in seconds.
    pub(crate) total: f64,
    /// Each command that was given: its kind, and its seconds.
    pub(crate) commands: Vec<(Cow<'static, str>, f64)>,
}

#[derive(Clone, Copy, Default)]
struct Mean {
    sum: f64,
    count: f64,
}

impl Mean {
    fn add(&mut self, value: f64) {
        self.sum += value;
        self.count += 1.0;
    }

    fn value(self) -> Option<f64> {
        (self.count > 0.0).then(|| self.sum / self.count)
    }
}

/// Seconds that every run costs besides, so that what takes next to none is all alike.
const AT_LEAST: f64 = 0.1;
/// Estimates are told apart by this many seconds: less is noise.
const GRAIN: f64 = 0.02;

/// What was measured so far.
#[derive(Default)]
pub(super) struct Clock {
    kinds: HashMap<Cow<'static, str>, Mean>,
    /// Creating and destroying a system, by the size of its state.
    systems: BTreeMap<usize, Mean>,
}

impl Clock {
    /// Takes in what a run of a case with a state of this size took.
    pub(super) fn learn(&mut self, size: usize, took: &Took) {
        let mut rest = took.total;
        for (kind, seconds) in &took.commands {
            self.kinds.entry(kind.clone()).or_default().add(*seconds);
            rest -= seconds;
        }
        self.systems.entry(size).or_default().add(rest.max(0.0));
    }

    /// What a command of this kind takes, in seconds; nothing where none was measured.
    pub(super) fn command(&self, kind: &str) -> f64 {
        self.kinds.get(kind).and_then(|mean| mean.value()).unwrap_or_default()
    }

    /// What a system takes whose state is of this size, in seconds: from the nearest size that
    /// was measured, in proportion.
    pub(super) fn system(&self, size: usize) -> f64 {
        let nearest = self.systems.iter().min_by_key(|(known, _)| known.abs_diff(size));
        let Some((known, seconds)) = nearest.and_then(|(known, mean)| Some((*known, mean.value()?))) else {
            return 0.0;
        };
        seconds * real(size + 1) / real(known + 1)
    }

    /// The price of a run that takes so many seconds: never nothing, and without noise.
    pub(super) fn price(seconds: f64) -> f64 {
        AT_LEAST + (seconds / GRAIN).floor() * GRAIN
    }
}

/// A count as a number to reckon with.
pub(super) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}
