//! What a value of a parameter sets in a machine.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, KernelVersion, Machine, Mebibytes,
    Mtu, PackageName, PackageVersion, ParameterName, Processors, Scratch, Service, ServiceName,
};

/// One thing that is set in a machine.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
#[non_exhaustive]
pub enum Setting {
    /// The kernel that it boots.
    Kernel(KernelVersion),
    /// Its main memory.
    Memory(Mebibytes),
    /// How its scratch disk is formatted and mounted.
    Scratch(Scratch),
    /// A package in this version, or not at all.
    Package(PackageName, Option<PackageVersion>),
    /// A file with this content, or none of that name beyond what the image has.
    File(GuestPath, Option<String>),
    /// A service, or none of that name.
    Service(ServiceName, Option<Service>),
    /// A parameter of its kernel, or none of that name.
    KernelParameter(KernelParameterName, Option<KernelParameterValue>),
    /// How many processors it has.
    Processors(Processors),
    /// What its kernel takes the time from, or the kernel's own choice.
    ClockSource(Option<ClockSource>),
    /// The most bytes in a packet on the data network.
    Mtu(Mtu),
    /// A parameter that is a specification's own.
    Own(ParameterName, String),
}

impl Setting {
    /// Sets it in a machine.
    pub fn apply(&self, machine: &mut Machine) {
        match self.clone() {
            Self::Kernel(kernel) => machine.kernel = kernel,
            Self::Memory(memory) => machine.memory = memory,
            Self::Scratch(Scratch { file_system, mkfs_options, mount_options }) => {
                machine.file_system = file_system;
                machine.mkfs_options = mkfs_options;
                machine.mount_options = mount_options;
            }
            Self::Package(name, version) => replace(&mut machine.packages, name, version),
            Self::File(path, content) => replace(&mut machine.files, path, content),
            Self::Service(name, service) => replace(&mut machine.services, name, service),
            Self::KernelParameter(name, value) => replace(&mut machine.kernel_parameters, name, value),
            Self::Processors(processors) => machine.processors = processors,
            Self::ClockSource(clock_source) => machine.clock_source = clock_source,
            Self::Mtu(mtu) => machine.mtu = mtu,
            Self::Own(name, value) => replace(&mut machine.parameters, name, Some(value)),
        }
    }

    /// Whether a machine has it so.
    #[must_use]
    pub fn holds(&self, machine: &Machine) -> bool {
        match self {
            Self::Kernel(kernel) => machine.kernel == *kernel,
            Self::Memory(memory) => machine.memory == *memory,
            Self::Scratch(scratch) => machine.scratch() == *scratch,
            Self::Package(name, version) => machine.packages.get(name) == version.as_ref(),
            Self::File(path, content) => machine.files.get(path) == content.as_ref(),
            Self::Service(name, service) => machine.services.get(name) == service.as_ref(),
            Self::KernelParameter(name, value) => machine.kernel_parameters.get(name) == value.as_ref(),
            Self::Processors(processors) => machine.processors == *processors,
            Self::ClockSource(clock_source) => machine.clock_source == *clock_source,
            Self::Mtu(mtu) => machine.mtu == *mtu,
            Self::Own(name, value) => machine.parameters.get(name) == Some(value),
        }
    }

    /// What it sets, whatever to: such as `kernel`, or `package redis-server`.
    #[must_use]
    pub fn subject(&self) -> String {
        match self {
            Self::Kernel(_) => "kernel".to_owned(),
            Self::Memory(_) => "memory".to_owned(),
            Self::Scratch(_) => "file system".to_owned(),
            Self::Package(name, _) => format!("package {name}"),
            Self::File(path, _) => format!("file {path}"),
            Self::Service(name, _) => format!("service {name}"),
            Self::KernelParameter(name, _) => format!("kernel parameter {name}"),
            Self::Processors(_) => "processors".to_owned(),
            Self::ClockSource(_) => "clock source".to_owned(),
            Self::Mtu(_) => "MTU".to_owned(),
            Self::Own(name, _) => format!("parameter {name}"),
        }
    }

    /// Whether it is part of a machine's software, so that its image changes with it.
    #[must_use]
    pub fn is_software(&self) -> bool {
        matches!(self, Self::Kernel(_) | Self::Package(..))
    }
}

fn replace<K: Ord, V>(map: &mut BTreeMap<K, V>, key: K, value: Option<V>) {
    match value {
        Some(value) => drop(map.insert(key, value)),
        None => drop(map.remove(&key)),
    }
}

impl fmt::Display for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Kernel(kernel) => write!(f, "kernel {kernel}"),
            Self::Memory(memory) => write!(f, "{memory}"),
            Self::Scratch(scratch) => write!(f, "{scratch}"),
            Self::Package(name, Some(version)) => write!(f, "{name} {version}"),
            Self::Package(name, None) => write!(f, "no {name}"),
            Self::File(path, content) => {
                write!(f, "{path} of {} bytes", content.as_ref().map_or(0, String::len))
            }
            Self::Service(name, Some(_)) => write!(f, "service {name}"),
            Self::Service(name, None) => write!(f, "no service {name}"),
            Self::KernelParameter(name, Some(value)) if value.as_str().is_empty() => write!(f, "{name}"),
            Self::KernelParameter(name, Some(value)) => write!(f, "{name}={value}"),
            Self::KernelParameter(name, None) => write!(f, "no {name}"),
            Self::Processors(processors) => write!(f, "{processors} processors"),
            Self::ClockSource(Some(clock_source)) => write!(f, "clock source {clock_source}"),
            Self::ClockSource(None) => f.write_str("the kernel's clock source"),
            Self::Mtu(mtu) => write!(f, "MTU {mtu}"),
            Self::Own(name, value) => write!(f, "{name} {value}"),
        }
    }
}

/// One value of a parameter: what reports call it, and what it sets.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Value {
    /// Its name in reports.
    pub label: String,
    /// What it sets; a machine has this value where all of it holds.
    pub settings: Vec<Setting>,
}

impl Value {
    /// A value that sets one thing.
    #[must_use]
    pub fn new(label: impl Into<String>, setting: Setting) -> Self {
        Self { label: label.into(), settings: vec![setting] }
    }

    /// What it sets, whatever to.
    pub(super) fn subjects(&self) -> BTreeSet<String> {
        self.settings.iter().map(Setting::subject).collect()
    }

    pub(super) fn holds(&self, machine: &Machine) -> bool {
        self.settings.iter().all(|setting| setting.holds(machine))
    }
}
