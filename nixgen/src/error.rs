//! What can go wrong between a network and its images, each told once and with its remedy.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use model::machine::PackageName;
use model::{FileSystem, KernelVersion, MachineId};

use crate::evaluation::EvaluationError;

/// Why a network's images were not built, or a machine was not described.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A program of the host is not there.
    #[error("cannot find the program {tool}: install Debian's package {package} (apt-get install {package})")]
    ToolMissing {
        /// The program.
        tool: &'static str,
        /// The package that has it.
        package: &'static str,
    },
    /// No cache directory was given, and the environment names none.
    #[error(
        "cannot tell where to keep built images: neither XDG_CACHE_HOME nor HOME is set; set one of them"
    )]
    NoCacheDirectory,
    /// A file or directory could not be read, written or made.
    #[error("cannot {action} {path}: {source}; make sure that this user may, and that the disk has room")]
    File {
        /// What was tried, such as `write`.
        action: &'static str,
        /// On what.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
    /// The disk that a build writes to is full.
    #[error(
        "no space is left on the disk while {what}: free some in {places} (a first build takes about 2 GB), and try again"
    )]
    DiskFull {
        /// What was going on.
        what: String,
        /// The directories that are written to.
        places: String,
    },
    /// The public key that guests are to accept cannot be used.
    #[error("cannot use {path} as the key that guests accept: {reason}; name the .pub file of an SSH key")]
    AuthorizedKey {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// A text that is to go into the expression holds what Nix cannot express.
    #[error("{what} {text:?} cannot be told to Nix: it {why}; choose another")]
    Unspeakable {
        /// What the text is.
        what: &'static str,
        /// The text.
        text: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// apt does not even know what every guest is made of.
    #[error(
        "apt knows no package {package}: its lists are empty or old; run `apt-get update` as root and try again"
    )]
    NoPackageLists {
        /// The package that was looked for.
        package: String,
    },
    /// No kernel of that version is offered here.
    #[error("no kernel {kernel} for {}: {}", list(.machines, "any machine"), kernels(.offered))]
    UnknownKernel {
        /// What was asked for.
        kernel: KernelVersion,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// What there is.
        offered: Vec<KernelVersion>,
    },
    /// apt has no package of that name.
    #[error("apt has no package {package} for {}: {}", list(.machines, "any machine"), meant(.nearest))]
    UnknownPackage {
        /// What was asked for.
        package: PackageName,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// Names much like it that apt has.
        nearest: Vec<String>,
    },
    /// apt has the package, and not in that version.
    #[error(
        "apt has no version {version} of {package} for {}: use one of {}, newest, or the path of its .deb file",
        list(.machines, "any machine"),
        .offered.join(", ")
    )]
    UnknownVersion {
        /// The package.
        package: PackageName,
        /// What was asked for.
        version: String,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// The versions that apt has, newest first.
        offered: Vec<String>,
    },
    /// A file that was given as a package is none, or another one.
    #[error("cannot give {} the package {package} from {path}: {reason}", list(.machines, "any machine"))]
    PackageFile {
        /// The package that it should be.
        package: PackageName,
        /// The file.
        path: PathBuf,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// What is wrong with it, and what would be right.
        reason: String,
    },
    /// Packages cannot be together in one guest.
    #[error(
        "the packages {packages} of {} cannot be in one guest: {reason}; choose other versions",
        list(.machines, "any machine")
    )]
    Unsatisfiable {
        /// The packages, with their versions.
        packages: String,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// What apt says of it.
        reason: String,
    },
    /// A kernel cannot do what a machine needs of it.
    #[error(
        "the kernel {kernel} has no module {module}, which {} needs for {purpose}: choose another kernel",
        list(.machines, "any machine")
    )]
    MissingModule {
        /// The kernel.
        kernel: KernelVersion,
        /// The module.
        module: String,
        /// What the module is for.
        purpose: &'static str,
        /// The machines that need it.
        machines: Vec<MachineId>,
    },
    /// A disk cannot be formatted in that way.
    #[error(
        "mkfs refuses the options {options:?} for the {file_system} of {}: {reason}; choose others",
        list(.machines, "any machine")
    )]
    Mkfs {
        /// The file system.
        file_system: FileSystem,
        /// The options that were asked for, between blanks.
        options: String,
        /// The machines that asked.
        machines: Vec<MachineId>,
        /// What mkfs said.
        reason: String,
    },
    /// apt failed otherwise, or said what is not understood.
    #[error("apt-get could not {what}: {reason}; see {log}, and try the same by hand")]
    Apt {
        /// What was asked of it.
        what: &'static str,
        /// The end of what it said.
        reason: String,
        /// All that it said.
        log: PathBuf,
    },
    /// A downloaded package is not the one that was pinned.
    #[error(
        "the package {path} has the SHA-256 {found} instead of {expected}: delete the file and try again"
    )]
    BadPackage {
        /// The file.
        path: PathBuf,
        /// The hash that apt's signed lists gave.
        expected: String,
        /// The hash of the file.
        found: String,
    },
    /// A downloaded package cannot be read.
    #[error("the package {path} cannot be read: {reason}; delete the file and try again")]
    DamagedPackage {
        /// The file.
        path: PathBuf,
        /// What dpkg-deb says.
        reason: String,
    },
    /// A build went wrong.
    #[error("nix-build failed for {}: see {log}, which ends so:\n{end}", list(.machines, "all machines"))]
    Build {
        /// The machines whose image could not be built; empty where none can be told apart.
        machines: Vec<MachineId>,
        /// All that the build said.
        log: PathBuf,
        /// The end of it.
        end: String,
    },
    /// Nix cannot evaluate what machines are to be made of.
    #[error(transparent)]
    Evaluation(Box<EvaluationError>),
    /// An evaluation failed in a way that is not understood.
    #[error("Nix cannot tell {what}: see {log}, which ends so:\n{end}")]
    Evaluate {
        /// What was asked.
        what: &'static str,
        /// All that Nix said.
        log: PathBuf,
        /// The end of it.
        end: String,
    },
    /// Nix finds no tree of nixpkgs.
    #[error(
        "cannot find nixpkgs for the NixOS base: set NIX_PATH=nixpkgs=DIRECTORY, or name a directory or a flake's lock"
    )]
    NoNixpkgs,
    /// A directory is no tree of nixpkgs.
    #[error("{path} is no tree of nixpkgs: it has no {missing}; name the directory that has it")]
    NotNixpkgs {
        /// The directory.
        path: PathBuf,
        /// A file that every tree has.
        missing: &'static str,
    },
    /// The lock of a flake does not tell where nixpkgs is.
    #[error("cannot take the input {input} of {file} as nixpkgs: {reason}")]
    FlakeLock {
        /// The lock.
        file: PathBuf,
        /// The name of the input.
        input: String,
        /// What is wrong.
        reason: String,
    },
    /// A child process took longer than it was given.
    #[error("{what} was ended after {} s, its deadline: give it more time; its log is {log}", .deadline.as_secs())]
    Deadline {
        /// What took so long.
        what: &'static str,
        /// The time it was given.
        deadline: Duration,
        /// All that it said.
        log: PathBuf,
    },
    /// The caller wanted no more of it.
    #[error("{what} was cancelled")]
    Cancelled {
        /// What was going on.
        what: &'static str,
    },
    /// A built file is not what it has to be.
    #[error(
        "the image file {path} is corrupt: {reason}; delete it from the store with `{remedy}` and build again"
    )]
    CorruptImage {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// The command that clears the way for a fresh build.
        remedy: String,
    },
    /// A wiring names what libvirt or QEMU cannot be told.
    #[error("machine {machine} cannot be wired: {what} {text:?} {why}")]
    Wiring {
        /// The machine.
        machine: MachineId,
        /// Which part of the wiring.
        what: &'static str,
        /// Its value.
        text: String,
        /// What is wrong with it, and what would be right.
        why: &'static str,
    },
    /// A template of this crate does not fit its data, which is a mistake in this crate.
    #[error("nixgen's own template {name} is broken: {reason}; please report it")]
    Template {
        /// The template.
        name: &'static str,
        /// What handlebars says.
        reason: String,
    },
}

impl Error {
    /// Whether it is the configuration of [`Error::machines`] that cannot be had, whatever is tried:
    /// other machines can be built here.
    #[must_use]
    pub fn is_configuration(&self) -> bool {
        match self {
            Self::UnknownKernel { .. }
            | Self::UnknownPackage { .. }
            | Self::UnknownVersion { .. }
            | Self::PackageFile { .. }
            | Self::Unsatisfiable { .. }
            | Self::MissingModule { .. }
            | Self::Mkfs { .. } => true,
            Self::Evaluation(error) => !error.machines.is_empty(),
            Self::Build { machines, .. } => !machines.is_empty(),
            _ => false,
        }
    }

    /// The machines that it concerns, where these can be told.
    #[must_use]
    pub fn machines(&self) -> &[MachineId] {
        match self {
            Self::UnknownKernel { machines, .. }
            | Self::UnknownPackage { machines, .. }
            | Self::UnknownVersion { machines, .. }
            | Self::PackageFile { machines, .. }
            | Self::Unsatisfiable { machines, .. }
            | Self::MissingModule { machines, .. }
            | Self::Mkfs { machines, .. }
            | Self::Build { machines, .. } => machines,
            Self::Evaluation(error) => &error.machines,
            Self::Wiring { machine, .. } => std::slice::from_ref(machine),
            _ => &[],
        }
    }

    /// The same error of no machine in particular, for machines that nobody has named.
    #[must_use]
    pub fn for_any(mut self) -> Self {
        match &mut self {
            Self::UnknownKernel { machines, .. }
            | Self::UnknownPackage { machines, .. }
            | Self::UnknownVersion { machines, .. }
            | Self::PackageFile { machines, .. }
            | Self::Unsatisfiable { machines, .. }
            | Self::MissingModule { machines, .. }
            | Self::Mkfs { machines, .. }
            | Self::Build { machines, .. } => machines.clear(),
            Self::Evaluation(error) => error.machines.clear(),
            _ => {}
        }
        self
    }

    /// Wraps what the system answered to an action on a path.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull => Self::DiskFull {
                what: format!("trying to {action} {}", path.display()),
                places: path.parent().unwrap_or(&path).display().to_string(),
            },
            _ => Self::File { action, path, source },
        }
    }
}

fn list(machines: &[MachineId], otherwise: &str) -> String {
    let names: Vec<_> = machines.iter().map(MachineId::as_str).collect();
    match names.as_slice() {
        [] => otherwise.to_owned(),
        [one] => format!("machine {one}"),
        many => format!("machines {}", many.join(", ")),
    }
}

fn meant(names: &[String]) -> String {
    match names {
        [] => "check its name, or run `apt-get update` as root".to_owned(),
        names => format!("did you mean {}?", names.join(" or ")),
    }
}

fn kernels(kernels: &[KernelVersion]) -> String {
    if kernels.is_empty() {
        return "none is offered here; run `apt-get update` as root".to_owned();
    }
    let names: Vec<_> = kernels.iter().map(KernelVersion::as_str).collect();
    format!(
        "use one of {}, or the exact release of a package linux-image-RELEASE that apt has",
        names.join(", ")
    )
}
