//! One virtual machine: what tells it from its neighbours and what it is made of.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

mod scratch;
mod sizes;
mod software;
mod text;

pub use scratch::{FileSystem, Format, Scratch};
pub use sizes::{Mebibytes, Mtu, Processors};
pub use software::{PackageVersion, Software};
pub use text::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, KernelVersion, MachineId, OptionWord,
    PackageName, ParameterName, ServiceName,
};

/// Why a text or number cannot be a part of a machine.
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
    #[error("memory of {0} MiB is out of bounds: use {min} to {max} MiB", min = Mebibytes::MIN.get(), max = Mebibytes::MAX.get())]
    Memory(u64),
    /// No machine has so many processors.
    #[error("{0} processors are out of bounds: use {min} to {max}", min = Processors::MIN.get(), max = Processors::MAX.get())]
    Processors(u32),
    /// No data network has packets of this size.
    #[error("an MTU of {0} bytes is out of bounds: use {min} to {max}", min = Mtu::MIN.get(), max = Mtu::MAX.get())]
    Mtu(u32),
    /// The file system is none that guests can be given.
    #[error("file system {0:?} is unknown: use ext4, xfs or btrfs")]
    FileSystem(String),
    /// The text does not say how a disk is formatted and mounted.
    #[error("scratch disk {0:?} is not understood: write such as `ext4 mkfs:-I,128 mount:noatime`")]
    Scratch(String),
    /// A text is not of its kind.
    #[error("{what} {text:?} is not one: use {rule}")]
    Text {
        /// What the text should be.
        what: &'static str,
        /// The text.
        text: String,
        /// What would be one.
        rule: &'static str,
    },
}

/// A program that a machine runs from its boot on.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// The line of shell that runs it; it stays in the foreground.
    pub command: String,
    /// A line of shell that succeeds once the service serves: the machine is ready no sooner.
    /// Without one, it is ready once the command was started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ready: Option<String>,
}

/// One virtual machine of a network.
///
/// `kernel` and `packages` are its software and decide which image it boots. Everything else
/// reaches it at boot, so that machines which differ in nothing else share one image. In a file,
/// every field from `running` on may be left out.
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
    /// Whether the model holds it to be on.
    #[serde(default)]
    pub running: bool,
    /// What `mkfs` of its scratch disk is given besides what netprop gives it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mkfs_options: Vec<OptionWord>,
    /// What its scratch disk is mounted with.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mount_options: Vec<OptionWord>,
    /// The packages that it has beyond what every guest has.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub packages: BTreeMap<PackageName, PackageVersion>,
    /// Files that are written when it boots, before its services start: their content, in UTF-8.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub files: BTreeMap<GuestPath, String>,
    /// What it runs from its boot on.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub services: BTreeMap<ServiceName, Service>,
    /// What its kernel is told on its command line.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub kernel_parameters: BTreeMap<KernelParameterName, KernelParameterValue>,
    /// How many processors it has.
    #[serde(default, skip_serializing_if = "is_default")]
    pub processors: Processors,
    /// What its kernel takes the time from; the kernel's own choice where there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub clock_source: Option<ClockSource>,
    /// The most bytes in a packet of its on the data network.
    #[serde(default, skip_serializing_if = "is_default")]
    pub mtu: Mtu,
    /// The values of the parameters that are a specification's own.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<ParameterName, String>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Machine {
    /// A machine with nothing beyond what every guest has, switched off.
    #[must_use]
    pub fn new(id: MachineId, uuid: Uuid, address: Ipv4Addr, kernel: KernelVersion) -> Self {
        Self {
            id,
            uuid,
            address,
            kernel,
            memory: Mebibytes::MIN,
            file_system: FileSystem::Ext4,
            running: false,
            mkfs_options: Vec::new(),
            mount_options: Vec::new(),
            packages: BTreeMap::new(),
            files: BTreeMap::new(),
            services: BTreeMap::new(),
            kernel_parameters: BTreeMap::new(),
            processors: Processors::default(),
            clock_source: None,
            mtu: Mtu::default(),
            parameters: BTreeMap::new(),
        }
    }

    /// What decides which image it boots.
    #[must_use]
    pub fn software(&self) -> Software {
        Software { kernel: self.kernel.clone(), packages: self.packages.clone() }
    }

    /// How its scratch disk is formatted.
    #[must_use]
    pub fn format(&self) -> Format {
        Format { file_system: self.file_system, mkfs_options: self.mkfs_options.clone() }
    }

    /// How its scratch disk is formatted and mounted.
    #[must_use]
    pub fn scratch(&self) -> Scratch {
        Scratch {
            file_system: self.file_system,
            mkfs_options: self.mkfs_options.clone(),
            mount_options: self.mount_options.clone(),
        }
    }
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
