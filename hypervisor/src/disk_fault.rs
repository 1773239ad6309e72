//! Disks that fail: what can be wrong with one while its machine runs, and what a power cut loses
//! of one with a volatile cache.
//!
//! Faults are values, given to a machine for one of the disks that it writes to, by the disk's file:
//!
//! ```
//! use std::path::Path;
//! use std::time::Instant;
//!
//! use hypervisor::{
//!     Definition, DiskFault, Endpoints, Failing, Hypervisor as _, Machine as _, Simulated, Slowness, boot,
//! };
//!
//! let endpoints = Endpoints::new(Path::new("/run/lab"), "a")?;
//! let definition = Definition { name: "a".to_owned(), xml: String::new(), endpoints };
//! let mut machine = Simulated::new().define(&definition)?;
//! boot(&mut *machine, "end\n", std::time::Duration::from_secs(5))?;
//! let disk = Path::new("/run/lab/a.qcow2");
//!
//! machine.set_disk_fault(disk, DiskFault::Slow(Slowness::bytes(64 << 10)?))?;
//! machine.set_disk_fault(disk, DiskFault::Errors(Failing::Writes))?;
//! machine.set_disk_fault(disk, DiskFault::Healthy)?;
//!
//! // From here on what the guest does not flush is lost by a power cut, or some of it.
//! machine.set_volatile(disk)?;
//! machine.send("put 8 unflushed")?;
//! machine.next_event(Instant::now());
//! let lost = machine.power_cut_losing(7)?;
//! assert_eq!(lost.kept + lost.dropped + lost.torn, 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

use std::fmt;
use std::ops::{AddAssign, RangeInclusive};

use crate::Error;

/// The rates that a disk can be slowed down to, in bytes or operations a second.
pub const DISK_RATES: RangeInclusive<u64> = 1..=1_000_000_000_000_000;

/// What is wrong with a disk. One takes the place of the other.
///
/// As long as a disk fails, or has a volatile cache, what the guest discards stays as it is, which a
/// disk is free to do.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub enum DiskFault {
    /// Nothing.
    #[default]
    Healthy,
    /// It takes its time.
    Slow(Slowness),
    /// Some requests fail, each with EIO, and have no effect.
    Errors(Failing),
    /// No room is left below it: writes fail with ENOSPC on the host, the rest goes on. What the guest
    /// sees is up to the disk's bus: virtio-blk has one error for everything, so there it is EIO.
    Full,
}

/// Which requests fail.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Failing {
    /// Reads.
    Reads,
    /// Writes, of zeros too. A flush goes on, and keeps what was written before.
    Writes,
    /// Flushes, once something has been written since they began to fail: what was written may never be
    /// kept.
    Flushes,
    /// All of them.
    All,
}

impl Failing {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Reads, Self::Writes, Self::Flushes, Self::All];
}

/// How slow a disk is: how much it does in a second, reads and writes together. What it has not done
/// for a tenth of a second it may catch up on.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Slowness {
    bytes: Option<u64>,
    operations: Option<u64>,
}

impl Slowness {
    /// So many bytes a second.
    ///
    /// # Errors
    /// [`Error::DiskRate`] where the rate is not in [`DISK_RATES`].
    pub fn bytes(rate: u64) -> Result<Self, Error> {
        Ok(Self { bytes: Some(checked(rate, "bytes")?), operations: None })
    }

    /// So many operations a second.
    ///
    /// # Errors
    /// [`Error::DiskRate`] where the rate is not in [`DISK_RATES`].
    pub fn operations(rate: u64) -> Result<Self, Error> {
        Ok(Self { bytes: None, operations: Some(checked(rate, "operations")?) })
    }

    /// Both: the lower of two rates in the same unit counts.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let lower = |one: Option<u64>, other: Option<u64>| match (one, other) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        };
        Self { bytes: lower(self.bytes, other.bytes), operations: lower(self.operations, other.operations) }
    }

    /// How many bytes pass in a second, where that is limited.
    #[must_use]
    pub fn bytes_a_second(&self) -> Option<u64> {
        self.bytes
    }

    /// How many operations are done in a second, where that is limited.
    #[must_use]
    pub fn operations_a_second(&self) -> Option<u64> {
        self.operations
    }
}

fn checked(rate: u64, unit: &'static str) -> Result<u64, Error> {
    if DISK_RATES.contains(&rate) {
        return Ok(rate);
    }
    Err(Error::DiskRate { rate, unit, lowest: *DISK_RATES.start(), highest: *DISK_RATES.end() })
}

/// What became of the writes that a power cut found unflushed.
#[derive(Clone, Copy, Debug, Default, Eq, Hash, PartialEq)]
pub struct Lost {
    /// How many are on the disk all the same.
    pub kept: u64,
    /// How many are not.
    pub dropped: u64,
    /// Of how many some sectors are.
    pub torn: u64,
}

impl AddAssign for Lost {
    fn add_assign(&mut self, other: Self) {
        self.kept += other.kept;
        self.dropped += other.dropped;
        self.torn += other.torn;
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} unflushed writes kept, {} dropped, {} torn", self.kept, self.dropped, self.torn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn absurd_rates_are_refused() {
        for (refused, text) in [
            (Slowness::bytes(0), "a disk cannot do 0 bytes a second: give 1 to 1000000000000000"),
            (
                Slowness::operations(u64::MAX),
                "a disk cannot do 18446744073709551615 operations a second: give 1 to 1000000000000000",
            ),
        ] {
            assert_eq!(refused.unwrap_err().to_string(), text);
        }
    }

    #[test]
    fn the_lower_rate_counts() {
        let slow = |rate| Slowness::bytes(rate).unwrap();
        assert_eq!(slow(5).and(slow(3)), slow(3));
        let both = slow(5).and(Slowness::operations(2).unwrap());
        assert_eq!((both.bytes_a_second(), both.operations_a_second()), (Some(5), Some(2)));
    }

    #[test]
    fn what_several_disks_lost_adds_up() {
        let mut lost = Lost { kept: 1, dropped: 2, torn: 3 };
        lost += lost;
        assert_eq!(lost.to_string(), "2 unflushed writes kept, 4 dropped, 6 torn");
    }
}
