//! One virtual machine: what tells it from its neighbours and what it is made of.

use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// Why a text or number cannot be a machine's id, kernel, memory or file system.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum MachineError {
    /// The id would not do as a host name.
    #[error(
        "machine id {0:?} is not a host name: use 1 to 63 lower-case letters, digits and inner hyphens, beginning with a letter"
    )]
    Id(String),
    /// The kernel is not a version or release.
    #[error(
        "kernel version {0:?} is not one: use up to 64 letters, digits and the signs . + ~ -, beginning with a digit (such as 6.12)"
    )]
    Kernel(String),
    /// The memory is less than a kernel needs, or more than a host has.
    #[error("memory of {0} MiB is out of bounds: use {min} to {max} MiB", min = Mebibytes::MIN.0, max = Mebibytes::MAX.0)]
    Memory(u64),
    /// The file system is none that guests can be given.
    #[error("file system {0:?} is unknown: use ext4, xfs or btrfs")]
    FileSystem(String),
}

/// A machine's name on its network: a host name, by default eight lower-case letters.
///
/// It is safe to use in file names, XML and shell words as it is.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineId(String);

impl MachineId {
    /// Takes a host name of at most 63 characters.
    ///
    /// # Errors
    /// [`MachineError::Id`] where it is not a lower-case host name.
    pub fn new(id: impl Into<String>) -> Result<Self, MachineError> {
        let id = id.into();
        let letters = id.as_bytes();
        let well_formed = (1..=63).contains(&letters.len())
            && letters[0].is_ascii_lowercase()
            && letters[letters.len() - 1] != b'-'
            && letters.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-');
        if well_formed { Ok(Self(id)) } else { Err(MachineError::Id(id)) }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The line or release of a guest's kernel, such as `6.12`; a base says which it offers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelVersion(String);

impl KernelVersion {
    /// Takes a version of at most 64 characters.
    ///
    /// # Errors
    /// [`MachineError::Kernel`] where it holds anything that no release name has.
    pub fn new(version: impl Into<String>) -> Result<Self, MachineError> {
        let version = version.into();
        let well_formed = version.len() <= 64
            && version.starts_with(|c: char| c.is_ascii_digit())
            && !version.contains("..")
            && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c));
        if well_formed { Ok(Self(version)) } else { Err(MachineError::Kernel(version)) }
    }

    /// The version as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Lets a checked text type be written, parsed and read with serde by its constructor.
macro_rules! text_type {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = MachineError;

            fn from_str(text: &str) -> Result<Self, MachineError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = MachineError;

            fn try_from(text: String) -> Result<Self, MachineError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

text_type!(MachineId);
text_type!(KernelVersion);

/// A size of memory in units of 2²⁰ bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Mebibytes(u64);

impl Mebibytes {
    /// The least memory that a guest's kernel, root and SSH server start in.
    pub const MIN: Self = Self(96);
    /// More than any host that networks of machines are tested on has (1 TiB).
    pub const MAX: Self = Self(1 << 20);

    /// Takes a number of mebibytes from [`Mebibytes::MIN`] to [`Mebibytes::MAX`].
    ///
    /// # Errors
    /// [`MachineError::Memory`] outside these bounds.
    pub fn new(mebibytes: u64) -> Result<Self, MachineError> {
        if (Self::MIN.0..=Self::MAX.0).contains(&mebibytes) {
            Ok(Self(mebibytes))
        } else {
            Err(MachineError::Memory(mebibytes))
        }
    }

    /// The number of mebibytes.
    #[must_use]
    pub fn get(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Mebibytes {
    type Error = MachineError;

    fn try_from(mebibytes: u64) -> Result<Self, MachineError> {
        Self::new(mebibytes)
    }
}

impl From<Mebibytes> for u64 {
    fn from(memory: Mebibytes) -> Self {
        memory.0
    }
}

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0)
    }
}

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

/// One virtual machine of a network.
///
/// `id`, `uuid`, `address`, `memory` and `file_system` are its identity and reach it at boot;
/// only `kernel` decides which image it runs.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Machine {
    /// Its name, distinct in its network.
    pub id: MachineId,
    /// Its identity towards the hypervisor, distinct in its network.
    pub uuid: Uuid,
    /// Its address on the data network, distinct there.
    pub address: Ipv4Addr,
    /// The kernel that it boots.
    pub kernel: KernelVersion,
    /// Its main memory, in MiB.
    pub memory: Mebibytes,
    /// The file system of its scratch disk.
    pub file_system: FileSystem,
    /// Whether the model holds it to be on; in a file it may be left out, and is off then.
    #[serde(default)]
    pub running: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_host_names() {
        let longest = "a".repeat(63);
        for id in ["a", "abcdefgh", "db-1", longest.as_str()] {
            assert_eq!(MachineId::new(id).unwrap().as_str(), id);
        }
        let too_long = "a".repeat(64);
        for id in ["", "A", "1a", "a-", "a_b", "a.b", "ä", "../a", "a b", too_long.as_str()] {
            assert_eq!(MachineId::new(id), Err(MachineError::Id(id.to_owned())));
        }
    }

    #[test]
    fn kernel_versions_are_release_names() {
        for version in ["6.1", "6.12", "6.1.0-56-cloud-amd64", "6.12.117+deb12"] {
            assert_eq!(KernelVersion::new(version).unwrap().as_str(), version);
        }
        for version in ["", "x6", "6/1", "6..1", "6.1 ", "6.1\n", "6.1${x}"] {
            assert!(KernelVersion::new(version).is_err(), "{version:?} was taken");
        }
    }

    #[test]
    fn memory_has_bounds() {
        assert_eq!(Mebibytes::new(95), Err(MachineError::Memory(95)));
        assert_eq!(Mebibytes::new(96).unwrap().get(), 96);
        assert!(Mebibytes::new((1 << 20) + 1).is_err());
    }

    #[test]
    fn reading_checks_what_the_constructors_check() {
        assert!(serde_json::from_str::<MachineId>("\"A\"").is_err());
        assert!(serde_json::from_str::<Mebibytes>("3").is_err());
        assert!(serde_json::from_str::<Mebibytes>("-3").is_err());
        assert!(serde_json::from_str::<KernelVersion>("\"${x}\"").is_err());
        assert!(serde_json::from_str::<FileSystem>("\"ntfs\"").is_err());
        assert_eq!(serde_json::from_str::<FileSystem>("\"xfs\"").unwrap(), FileSystem::Xfs);
        assert_eq!("btrfs".parse(), Ok(FileSystem::Btrfs));
    }
}
