//! The file system of a machine's scratch disk.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::MachineError;
use super::text::OptionWord;
use crate::by_text::by_text;

/// The file system on a machine's scratch disk.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum FileSystem {
    /// The fourth extended file system.
    Ext4,
    /// XFS.
    Xfs,
    /// Btrfs.
    Btrfs,
}

impl FileSystem {
    /// All that guests can be given, plain to suspect.
    pub const ALL: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The name that `mount -t` takes.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
        }
    }
}

impl fmt::Display for FileSystem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for FileSystem {
    type Err = MachineError;

    fn from_str(text: &str) -> Result<Self, MachineError> {
        Self::ALL
            .into_iter()
            .find(|file_system| file_system.as_str() == text)
            .ok_or_else(|| MachineError::FileSystem(text.to_owned()))
    }
}

/// How a disk is formatted: disks of equal format are copies of one template.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct Format {
    /// Its file system.
    pub file_system: FileSystem,
    /// What `mkfs` is given besides what netprop gives it.
    pub mkfs_options: Vec<OptionWord>,
}

impl From<FileSystem> for Format {
    fn from(file_system: FileSystem) -> Self {
        Self { file_system, mkfs_options: Vec::new() }
    }
}

/// How a scratch disk is formatted and mounted.
///
/// As text: the file system, then `mkfs:` and `mount:`, each with options between commas, such
/// as `ext4 mkfs:-O,^has_journal mount:noatime,data=ordered`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Scratch {
    /// Its file system.
    pub file_system: FileSystem,
    /// What `mkfs` is given besides what netprop gives it.
    pub mkfs_options: Vec<OptionWord>,
    /// What `mount -o` is given, one word each.
    pub mount_options: Vec<OptionWord>,
}

impl From<FileSystem> for Scratch {
    fn from(file_system: FileSystem) -> Self {
        Self { file_system, mkfs_options: Vec::new(), mount_options: Vec::new() }
    }
}

impl fmt::Display for Scratch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file_system)?;
        for (what, options) in [("mkfs", &self.mkfs_options), ("mount", &self.mount_options)] {
            if !options.is_empty() {
                let options: Vec<_> = options.iter().map(OptionWord::as_str).collect();
                write!(f, " {what}:{}", options.join(","))?;
            }
        }
        Ok(())
    }
}

impl FromStr for Scratch {
    type Err = MachineError;

    fn from_str(text: &str) -> Result<Self, MachineError> {
        let refuse = || MachineError::Scratch(text.to_owned());
        let mut words = text.split(' ');
        let mut scratch: Self = words.next().ok_or_else(refuse)?.parse::<FileSystem>()?.into();
        for word in words {
            let (what, options) = word.split_once(':').ok_or_else(refuse)?;
            let options = options.split(',').map(OptionWord::new).collect::<Result<_, _>>()?;
            match what {
                "mkfs" => scratch.mkfs_options = options,
                "mount" => scratch.mount_options = options,
                _ => return Err(refuse()),
            }
        }
        Ok(scratch)
    }
}

by_text!(Scratch, MachineError);
