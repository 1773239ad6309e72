//! A name for what a machine was at one moment.

use std::sync::atomic::{AtomicU64, Ordering};

/// A state that [`Machine::save`](crate::Machine::save) has kept, for
/// [`Machine::revert`](crate::Machine::revert) of the same machine. It holds nothing itself: what
/// is kept lies on the machine's disks.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Snapshot {
    machine: String,
    tag: String,
}

impl Snapshot {
    /// A snapshot of `machine` that no other equals, under whose tag a backend keeps what it has to.
    #[must_use]
    pub fn new(machine: &str) -> Self {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        Self { machine: machine.to_owned(), tag: format!("netprop-{}-{number}", std::process::id()) }
    }

    /// The name of the machine that it is of.
    #[must_use]
    pub fn machine(&self) -> &str {
        &self.machine
    }

    /// What it is kept under: letters, digits and hyphens, distinct on this host for as long as the
    /// process lives.
    #[must_use]
    pub fn tag(&self) -> &str {
        &self.tag
    }
}
