//! What a machine's scratch disk may hold, given what was written and what was synced.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

/// What a reader finds of a file.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Found {
    /// There is no such file.
    Absent,
    /// It is empty, or nothing but zeros: its name came through a power cut and its content did not.
    Blank,
    /// What a writer wrote.
    Value(u16),
    /// What no writer wrote.
    Damaged(String),
}

impl fmt::Display for Found {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Absent => f.write_str("no such file"),
            Self::Blank => f.write_str("nothing in it"),
            Self::Value(value) => write!(f, "{value}"),
            Self::Damaged(text) => write!(f, "damaged: {text:?}"),
        }
    }
}

/// What may be in one file.
///
/// Each write puts a whole file in the place of the one before (a new file, renamed over it), so a reader
/// finds one or the other. What nobody has synced may be lost by a power cut, in whole, or but for the
/// name: file systems promise no order between the two. Which it was is found out by whoever reads next.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// What a reader may find now: one thing, but after a power cut.
    now: BTreeSet<Found>,
    /// What a reader may find instead after a power cut.
    unsynced: BTreeSet<Found>,
}

impl Default for File {
    fn default() -> Self {
        Self { now: BTreeSet::from([Found::Absent]), unsynced: BTreeSet::new() }
    }
}

/// What is wrong with a disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ailment {
    /// It does so few kibibytes a second.
    Slow(Kibibytes),
    /// Reads fail.
    Reads,
    /// Writes fail.
    Writes,
    /// Flushes fail.
    Flushes,
    /// Everything fails.
    All,
}

impl Ailment {
    /// Whether something fails that the file system asks for: it may give up for good then.
    #[must_use]
    pub fn breaks(self) -> bool {
        !matches!(self, Self::Slow(_))
    }
}

impl fmt::Display for Ailment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Slow(rate) => write!(f, "{} KiB/s", rate.get()),
            Self::Reads => f.write_str("reads fail"),
            Self::Writes => f.write_str("writes fail"),
            Self::Flushes => f.write_str("flushes fail"),
            Self::All => f.write_str("all fails"),
        }
    }
}

/// How much a slow disk does in a second: enough for what is synced here to take seconds at most.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Kibibytes(u32);

impl Kibibytes {
    /// The least.
    pub const LEAST: u32 = 256;

    /// So many a second.
    ///
    /// # Errors
    /// [`KibibytesError`] for less than [`Kibibytes::LEAST`].
    pub fn new(rate: u32) -> Result<Self, KibibytesError> {
        if rate >= Self::LEAST { Ok(Self(rate)) } else { Err(KibibytesError(rate)) }
    }

    /// In KiB a second.
    #[must_use]
    pub fn get(self) -> u32 {
        self.0
    }
}

/// So slow that it cannot be told from standing still.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a disk of {0} KiB/s is too slow: give {least} or more", least = Kibibytes::LEAST)]
pub struct KibibytesError(u32);

impl TryFrom<u32> for Kibibytes {
    type Error = KibibytesError;

    fn try_from(rate: u32) -> Result<Self, KibibytesError> {
        Self::new(rate)
    }
}

impl From<Kibibytes> for u32 {
    fn from(rate: Kibibytes) -> Self {
        rate.0
    }
}

/// A scratch disk that was blank at first.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Disk(BTreeMap<u8, File>);

impl Disk {
    /// A value is written to a file, and stays in memory for now.
    pub fn write(&mut self, file: u8, value: u16) {
        let file = self.0.entry(file).or_default();
        file.unsynced.append(&mut file.now);
        file.unsynced.insert(Found::Blank);
        file.now.insert(Found::Value(value));
    }

    /// All that was written is on the disk from now on.
    pub fn sync(&mut self) {
        self.0.values_mut().for_each(|file| file.unsynced.clear());
    }

    /// The power goes: what was not synced may be there or not.
    pub fn power_cut(&mut self) {
        self.0.values_mut().for_each(|file| file.now.append(&mut file.unsynced));
    }

    /// What a reader may find in a file of a disk that fails: what is in memory may have been given up for
    /// what is on the disk.
    #[must_use]
    pub fn may_hold_failing(&self, file: u8) -> BTreeSet<Found> {
        let mut file = self.0.get(&file).cloned().unwrap_or_default();
        file.now.append(&mut file.unsynced);
        file.now
    }

    /// What a reader may find in a file.
    #[must_use]
    pub fn may_hold(&self, file: u8) -> BTreeSet<Found> {
        self.0.get(&file).cloned().unwrap_or_default().now
    }

    /// Whether a reader may find this.
    #[must_use]
    pub fn allows(&self, file: u8, found: &Found) -> bool {
        self.0.get(&file).map_or(*found == Found::Absent, |file| file.now.contains(found))
    }

    /// A reader has found this, which the disk [allows](Disk::allows): it is so from now on.
    pub fn was_read(&mut self, file: u8, found: &Found) {
        if let Some(file) = self.0.get_mut(&file) {
            file.now = BTreeSet::from([found.clone()]);
        }
    }

    /// The files that something was written to, whatever came of it.
    pub fn files(&self) -> impl Iterator<Item = u8> {
        self.0.keys().copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_synced_stays_and_what_was_not_may_go() {
        let mut disk = Disk::default();
        disk.write(0, 1);
        disk.sync();
        disk.write(0, 2);
        assert_eq!(disk.may_hold(0), [Found::Value(2)].into());
        disk.power_cut();
        assert_eq!(disk.may_hold(0), [Found::Blank, Found::Value(1), Found::Value(2)].into());
        assert!(!disk.allows(0, &Found::Absent), "its name was synced");
        disk.was_read(0, &Found::Value(1));
        disk.power_cut();
        assert_eq!(disk.may_hold(0), [Found::Value(1)].into());
    }

    #[test]
    fn a_new_file_may_go_with_its_name() {
        let mut disk = Disk::default();
        assert!(disk.allows(3, &Found::Absent) && !disk.allows(3, &Found::Blank));
        disk.write(3, 7);
        disk.power_cut();
        assert_eq!(disk.may_hold(3), [Found::Absent, Found::Blank, Found::Value(7)].into());
        disk.sync();
        disk.power_cut();
        assert_eq!(disk.may_hold(3).len(), 3, "nobody has looked yet");
    }
}
