//! What a machine says that it is made of, and whether that is what it was given.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::machine::{KernelParameterName, KernelParameterValue, Machine, PackageName, PackageVersion};

/// What was read inside a guest.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// Its host name.
    pub name: String,
    /// The release of its kernel, as `uname -r` prints it.
    pub release: String,
    /// `MemTotal` in `/proc/meminfo`, in KiB.
    pub memory: u64,
    /// The type of the file system on `/scratch`.
    pub file_system: String,
    /// The options that `/scratch` is mounted with, as `/proc/mounts` has them.
    pub mount_options: Vec<String>,
    /// The versions of the packages that it was asked for, without those that it does not have.
    pub packages: BTreeMap<PackageName, String>,
    /// The words of `/proc/cmdline`.
    pub command_line: Vec<String>,
    /// How many processors are on line.
    pub processors: u32,
    /// What its kernel takes the time from.
    pub clock_source: String,
    /// The MTU of `eth1`, in bytes.
    pub mtu: u32,
    /// The contents of the files that it was given, without those that it does not have.
    pub files: BTreeMap<String, String>,
}

/// Mount options that the kernel prints back exactly as they were given, on the file systems that
/// take them. Others may be a default, which is not printed, or be printed in other words.
const PRINTED: [&str; 8] =
    ["noatime", "nodiratime", "sync", "data=writeback", "data=journal", "nodatacow", "nodatasum", "wsync"];

impl Facts {
    /// What a guest would say that is just as its machine was given: for simulations.
    #[must_use]
    pub fn of(machine: &Machine) -> Self {
        let version = |version: &PackageVersion| match version {
            PackageVersion::Exact(version) => version.clone(),
            _ => "1".to_owned(),
        };
        let owned = |text: &dyn fmt::Display| text.to_string();
        Self {
            name: owned(&machine.id),
            release: format!("{}.0", machine.kernel),
            memory: machine.memory.get() * 1000,
            file_system: owned(&machine.file_system),
            mount_options: machine.mount_options.iter().map(|option| owned(option)).collect(),
            packages: machine.packages.iter().map(|(name, asked)| (name.clone(), version(asked))).collect(),
            command_line: machine.kernel_parameters.iter().map(word).collect(),
            processors: machine.processors.get(),
            clock_source: machine
                .clock_source
                .as_ref()
                .map_or_else(|| "tsc".to_owned(), |source| owned(source)),
            mtu: machine.mtu.get(),
            files: machine.files.iter().map(|(path, content)| (owned(path), content.clone())).collect(),
        }
    }

    /// What of this is not as it was given to a machine: each in words; none where all is right.
    #[must_use]
    pub fn differences(&self, machine: &Machine) -> Vec<String> {
        let mut differences = Vec::new();
        let mut check = |what: &str, right: bool, expected: String, found: &dyn fmt::Display| {
            if !right {
                differences.push(format!("{what} is {found}, not {expected}"));
            }
        };
        let text = |value: &dyn fmt::Display| value.to_string();
        check("host name", self.name == machine.id.as_str(), text(&machine.id), &self.name);
        check("kernel", machine.kernel.matches(&self.release), text(&machine.kernel), &self.release);
        // The kernel keeps some of its memory to itself, and never has more than it was given.
        let given = machine.memory.get() * 1024;
        let (least, most) = (given / 2, given);
        let plausible = (least..=most).contains(&self.memory);
        check("memory", plausible, format!("{least} to {most} KiB"), &format!("{} KiB", self.memory));
        let file_system = machine.file_system.as_str();
        check("file system", self.file_system == file_system, text(&file_system), &self.file_system);
        for option in &machine.mount_options {
            let is_on = self.mount_options.iter().any(|on| on == option.as_str());
            let right = is_on || !PRINTED.contains(&option.as_str());
            check("mount", right, format!("with {option}"), &self.mount_options.join(","));
        }
        for (name, version) in &machine.packages {
            let found = self.packages.get(name);
            let right = match (version, found) {
                (_, None) => false,
                (PackageVersion::Exact(version), Some(found)) => refines(found, version),
                (PackageVersion::Newest | PackageVersion::File(_), Some(_)) => true,
            };
            let found = found.map_or("absent", String::as_str);
            check(&format!("package {name}"), right, text(version), &found);
        }
        for word in machine.kernel_parameters.iter().map(word) {
            let right = self.command_line.contains(&word);
            check("command line", right, format!("with {word}"), &self.command_line.join(" "));
        }
        let processors = machine.processors.get();
        check("number of processors", self.processors == processors, text(&processors), &self.processors);
        if let Some(source) = &machine.clock_source {
            check("clock source", self.clock_source == source.as_str(), text(source), &self.clock_source);
        }
        check("MTU", self.mtu == machine.mtu.get(), text(&machine.mtu), &self.mtu);
        for (path, content) in &machine.files {
            let found = self.files.get(path.as_str());
            let shown = found.map_or_else(|| "absent".to_owned(), |found| format!("{found:?}"));
            check(&format!("file {path}"), found == Some(content), format!("{content:?}"), &shown);
        }
        differences
    }
}

/// Whether a version is the one that was asked for, or one of it: nixpkgs has 15.4 for 15.
fn refines(found: &str, asked: &str) -> bool {
    found.strip_prefix(asked).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A kernel parameter as it stands on the command line.
pub(super) fn word((name, value): (&KernelParameterName, &KernelParameterValue)) -> String {
    if value.as_str().is_empty() { name.to_string() } else { format!("{name}={value}") }
}

impl fmt::Display for Facts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, release, memory, file_system, processors, clock_source, mtu, .. } = self;
        write!(
            f,
            "{name}: kernel {release}, {memory} KiB, {file_system} ({}), {processors} processors, {clock_source}, MTU {mtu}",
            self.mount_options.join(",")
        )?;
        self.packages.iter().try_for_each(|(name, version)| write!(f, ", {name} {version}"))
    }
}
