//! Kernels: which there are, the package of each, and what modules it has.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, PoisonError};

use model::{KernelVersion, Machine, MachineId, Network};

use super::{Debian, digest};
use crate::apt::{Apt, Package};
use crate::base::{Base as _, Context};
use crate::error::Error;
use crate::lock::{Keep, Request, write_whole};
use crate::process::{Job, Limits};
use crate::progress::Progress;

const PREFIX: &str = "linux-image-";
const FLAVOUR: &str = "-cloud-amd64";
/// The package that follows the release's own line of kernels.
const DEFAULT_KERNEL: &str = "linux-image-cloud-amd64";
/// What no guest starts without, and what for.
const NEEDED: [(&str, &str); 6] = [
    ("virtio_pci", "its devices"),
    ("virtio_console", "its control port"),
    ("virtio_blk", "its disks"),
    ("virtio_net", "its network"),
    ("erofs", "its root"),
    ("overlay", "its root"),
];

impl Debian {
    /// The pinned packages of a kernel.
    pub(super) fn kernel(
        &self,
        version: &KernelVersion,
        context: &Context<'_>,
    ) -> Result<Vec<Package>, Error> {
        let request = request(version);
        if let Some(packages) = self.locks.find(&request) {
            return Ok(packages);
        }
        (context.observer)(Progress::Resolving { part: format!("kernel {version}") });
        let apt = self.apt()?;
        let Some(name) = package(version, &apt, context.limits)? else {
            let offered = self.offer(context.limits)?.kernels;
            return Err(Error::UnknownKernel { kernel: version.clone(), machines: Vec::new(), offered });
        };
        self.resolve(&request, vec![name], &apt, context.limits)
    }

    /// Refuses a kernel without a module that one of its machines needs.
    pub(super) fn check_kernels(&self, network: &Network, context: &Context<'_>) -> Result<(), Error> {
        let kernels: BTreeSet<_> = network.machines().iter().map(|machine| &machine.kernel).collect();
        for kernel in kernels {
            let modules = self.modules(kernel, context)?;
            let machines = network.machines().iter().filter(|machine| machine.kernel == *kernel);
            for machine in machines {
                let file_system = (machine.file_system.as_str(), "its scratch disk");
                let needed = NEEDED.into_iter().chain([file_system]);
                if let Some((module, purpose)) = needed.into_iter().find(|(name, _)| !modules.contains(*name))
                {
                    let (kernel, module) = (kernel.clone(), module.to_owned());
                    let machines = concerned(network, machine, purpose == file_system.1);
                    return Err(Error::MissingModule { kernel, module, purpose, machines });
                }
            }
        }
        Ok(())
    }

    /// The names of all modules that a kernel has, in files or built in. Reading its package takes
    /// seconds, so that what was found is kept beside its lock.
    fn modules(&self, kernel: &KernelVersion, context: &Context<'_>) -> Result<Arc<BTreeSet<String>>, Error> {
        let mut known = self.modules.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(modules) = known.get(kernel) {
            return Ok(Arc::clone(modules));
        }
        let packages = self.kernel(kernel, context)?;
        let file = self.locks.beside(&request(kernel), "modules");
        let header = format!("modules of {}\n", digest(&packages));
        let modules = match fs::read_to_string(&file) {
            Ok(text) if text.starts_with(&header) => text.lines().skip(1).map(str::to_owned).collect(),
            _ => {
                let wanted: Vec<_> = packages.iter().collect();
                self.locks.fetch(&wanted, || self.apt(), context.limits, context.observer)?;
                (context.observer)(Progress::Resolving { part: format!("modules of kernel {kernel}") });
                let modules = self.read_modules(&packages, context.limits)?;
                let lines: String = modules.iter().map(|module| format!("{module}\n")).collect();
                write_whole(&file, format!("{header}{lines}").as_bytes())?;
                modules
            }
        };
        let modules = Arc::new(modules);
        known.insert(kernel.clone(), Arc::clone(&modules));
        Ok(modules)
    }

    fn read_modules(&self, packages: &[Package], limits: &Limits) -> Result<BTreeSet<String>, Error> {
        let (shell, dpkg) = (self.programs.find("sh", "dash")?, self.programs.find("dpkg-deb", "dpkg")?);
        let mut modules = BTreeSet::new();
        for package in packages {
            let deb = self.locks.file(package);
            let mut list = Command::new(&dpkg);
            list.arg("--contents").arg(&deb);
            let listed = self.read_package("list the files of a package", list, &deb, limits)?;
            let paths: Vec<_> = listed.iter().filter_map(|line| line.split_whitespace().nth(5)).collect();
            modules.extend(paths.iter().filter_map(|path| module_name(path)));
            let Some(builtin) = paths.iter().find(|path| path.ends_with("/modules.builtin")) else {
                continue;
            };
            let mut extract = Command::new(&shell);
            extract.args(["-c", "\"$1\" --fsys-tarfile \"$2\" | tar -x -O -f - \"$3\"", "sh"]);
            extract.arg(&dpkg).arg(&deb).arg(builtin);
            let built_in = self.read_package("read a file of a package", extract, &deb, limits)?;
            modules.extend(built_in.iter().filter_map(|path| module_name(path)));
        }
        Ok(modules)
    }

    fn read_package(
        &self,
        what: &'static str,
        command: Command,
        deb: &Path,
        limits: &Limits,
    ) -> Result<Vec<String>, Error> {
        let log = self.apt_directory.join("dpkg-deb.log");
        let finished = Job { what, command, log, on_line: &mut |_| {} }.run(limits)?;
        if finished.status.success() {
            Ok(finished.output)
        } else {
            Err(Error::DamagedPackage { path: deb.to_owned(), reason: finished.end.trim().to_owned() })
        }
    }
}

/// The machines that have what this one lacks a module for.
fn concerned(network: &Network, one: &Machine, only_its_file_system: bool) -> Vec<MachineId> {
    let like = |machine: &&Machine| {
        machine.kernel == one.kernel && (!only_its_file_system || machine.file_system == one.file_system)
    };
    network.machines().iter().filter(like).map(|machine| machine.id.clone()).collect()
}

/// The name that `modprobe` knows the module of a file by.
fn module_name(path: &str) -> Option<String> {
    let file = path.rsplit('/').next()?;
    let (name, rest) = file.split_once(".ko")?;
    matches!(rest, "" | ".xz" | ".zst" | ".gz").then(|| name.replace('-', "_"))
}

/// A kernel is its image and modules: of what its package needs, a guest has its own.
pub(super) fn request(version: &KernelVersion) -> Request {
    Request {
        part: format!("kernel-{version}"),
        wanted: vec![version.to_string()],
        keep: Keep::Prefix(PREFIX.to_owned()),
    }
}

/// The version of a kernel's packages: that of the greatest, as the one of a line only names another.
pub(super) fn version(packages: Vec<Package>) -> Option<String> {
    packages.into_iter().max_by_key(|package| package.size).map(|package| package.version)
}

/// The package of a kernel: a line's, the release's own line's, or an exact release's.
fn package(version: &KernelVersion, apt: &Apt, limits: &Limits) -> Result<Option<String>, Error> {
    let line = format!("{PREFIX}{version}{FLAVOUR}");
    let exact = format!("{PREFIX}{version}");
    let names = [line.clone(), DEFAULT_KERNEL.to_owned(), exact.clone()];
    let candidates = apt.candidates(&names, limits)?;
    let has = |name: &str| candidates.iter().any(|(candidate, _)| candidate == name);
    let is_default = candidates.iter().any(|(name, candidate)| {
        name == DEFAULT_KERNEL
            && candidate.strip_prefix(version.as_str()).is_some_and(|rest| rest.starts_with('.'))
    });
    Ok(if has(&line) {
        Some(line)
    } else if is_default {
        Some(DEFAULT_KERNEL.to_owned())
    } else {
        has(&exact).then_some(exact)
    })
}

/// The lines of kernels that apt's lists have, such as 6.1 and 6.12.
pub(super) fn lines_of_apt(apt: &Apt, limits: &Limits) -> Result<BTreeSet<KernelVersion>, Error> {
    let mut lines = BTreeSet::new();
    for name in apt.names(PREFIX, limits)? {
        lines.extend(name.strip_prefix(PREFIX).and_then(|rest| line(rest.strip_suffix(FLAVOUR)?)));
    }
    for (_, version) in apt.candidates(&[DEFAULT_KERNEL.to_owned()], limits)? {
        let numbers: Vec<_> = version.splitn(3, '.').take(2).collect();
        lines.extend(line(&numbers.join(".")));
    }
    Ok(lines)
}

/// A line of kernels, which is two numbers: exact releases are not one.
pub(super) fn line(text: &str) -> Option<KernelVersion> {
    let (major, minor) = text.split_once('.')?;
    let is_number = |part: &str| !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_digit());
    (is_number(major) && is_number(minor)).then(|| KernelVersion::new(text).ok())?
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kernels_are_ordered_by_number() {
        let version = |text| KernelVersion::new(text).unwrap();
        let mut kernels = [version("6.12"), version("6.9"), version("6.1"), version("5.10")];
        kernels.sort_by_key(KernelVersion::numbers);
        let names: Vec<_> = kernels.iter().map(KernelVersion::as_str).collect();
        assert_eq!(names, ["5.10", "6.1", "6.9", "6.12"]);
    }

    #[test]
    fn modules_are_known_by_their_names() {
        assert_eq!(module_name("./lib/modules/6.1/kernel/x/nls_ascii.ko"), Some("nls_ascii".to_owned()));
        assert_eq!(module_name("kernel/drivers/char/virtio-rng.ko.xz"), Some("virtio_rng".to_owned()));
        assert_eq!(module_name("./lib/modules/6.1/modules.order"), None);
        assert_eq!(module_name("./usr/share/x.konf"), None);
    }
}
