//! The way from one port to another.

use std::time::{Duration, Instant};

use super::PORTS;
use super::class::CLASSES;
use super::counts::Counts;
use super::effect::Effect;
use super::fate::Key;
use super::flights::Due;
use super::names::Place;

/// How many bytes may wait for their turn on a link with a limited rate.
pub const BACKLOG_MAX: u64 = 256 << 10;

/// What is known of one ordered pair of ports.
#[derive(Clone, Debug, Default)]
pub(super) struct Link {
    /// What rules do to it by now.
    pub(super) effect: Effect,
    /// Made when a rule is first for it.
    pub(super) key: Option<Key>,
    /// How many frames of each class there were.
    pub(super) numbers: [u64; CLASSES],
    pub(super) counts: Counts,
    /// Frames that the next one overtakes.
    pub(super) held: Vec<Due>,
    /// How many are delayed, those that are held aside.
    pub(super) delayed: u32,
    /// When the last of these is due; no later frame arrives before.
    pub(super) last_due: Option<Instant>,
    /// When the link's rate lets the next one begin.
    pub(super) free: Option<Instant>,
}

impl Link {
    /// Whether a frame passes at once, as if there were no rules.
    pub(super) fn is_plain(&self) -> bool {
        self.delayed == 0 && self.held.is_empty() && self.effect.is_none()
    }

    /// Whether a frame that rules spare passes at once.
    pub(super) fn is_immediate(&self) -> bool {
        let effect = &self.effect;
        let takes_time = effect.rate.is_some() || effect.longest() > Duration::ZERO;
        self.delayed == 0 && self.held.is_empty() && !effect.cut && !takes_time
    }

    /// Begins anew; what rules do stays.
    pub(super) fn reset(&mut self) {
        *self = Self { effect: self.effect, key: self.key, ..Self::default() };
    }
}

/// All links. Those from a port come to be when it is first used.
#[derive(Debug)]
pub(super) struct Links {
    rows: Vec<Vec<Link>>,
}

impl Links {
    pub(super) fn new() -> Self {
        Self { rows: vec![Vec::new(); PORTS] }
    }

    pub(super) fn get(&mut self, from: Place, to: Place) -> &mut Link {
        let row = &mut self.rows[from];
        if row.is_empty() {
            row.resize_with(PORTS, Link::default);
        }
        &mut row[to]
    }

    /// What rules do to a link.
    pub(super) fn effect(&self, from: Place, to: Place) -> Effect {
        self.rows[from].get(to).map(|link| link.effect).unwrap_or_default()
    }

    /// All that were ever used.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Place, Place, &Link)> {
        let rows = self.rows.iter().enumerate();
        rows.flat_map(|(from, row)| row.iter().enumerate().map(move |(to, link)| (from, to, link)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = (Place, Place, &mut Link)> {
        let rows = self.rows.iter_mut().enumerate();
        rows.flat_map(|(from, row)| row.iter_mut().enumerate().map(move |(to, link)| (from, to, link)))
    }
}
