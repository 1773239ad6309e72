//! The `debian` base: packages that apt resolves, put together by `nix/debian`.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use model::{FileSystem, KernelVersion};
use serde::Serialize;

use crate::apt::{Apt, Package};
use crate::base::{Base, BaseOffer, Context, ImageRequest, Wanted};
use crate::error::Error;
use crate::host::Programs;
use crate::lock::{Keep, Locks, Request};
use crate::process::Limits;
use crate::progress::Progress;
use crate::{host, template};

/// What every guest has; apt adds what these need.
const USERLAND: [&str; 9] = [
    "base-files",
    "base-passwd",
    "btrfs-progs",
    "busybox-static",
    "e2fsprogs",
    "fping",
    "netbase",
    "openssh-server",
    "xfsprogs",
];
/// What builds images out of packages.
const TOOLS: [&str; 10] = [
    "btrfs-progs",
    "busybox-static",
    "e2fsprogs",
    "erofs-utils",
    "kmod",
    "libc-bin",
    "lz4",
    "xfsprogs",
    "xz-utils",
    "zstd",
];
/// What packages need only for being installed, or for programs of theirs that no guest runs.
const LEFT_OUT: [&str; 20] = [
    "adduser",
    "debconf",
    "dpkg",
    "initramfs",
    "libdb5",
    "libfile-",
    "libicu",
    "libnumber-",
    "libperl",
    "libpython",
    "libsqlite",
    "libtext-",
    "mawk",
    "media-types",
    "perl",
    "python",
    "runit-helper",
    "sensible",
    "ucf",
    "usrmerge",
];
/// What the initramfs loads: the ways to the root, the host and the power button. What these need
/// comes by itself; what of them is built in has no file.
const BOOT_MODULES: &str = "virtio_pci virtio_console virtio_blk virtio_net erofs overlay button evdev";
/// The programs of the host that `build.sh` runs, with the packages that have them.
const HOST_TOOLS: [(&str, &str); 11] = [
    ("sh", "dash"),
    ("dpkg-deb", "dpkg"),
    ("tar", "tar"),
    ("awk", "mawk"),
    ("find", "findutils"),
    ("grep", "grep"),
    ("gzip", "gzip"),
    ("od", "coreutils"),
    ("sed", "sed"),
    ("sort", "coreutils"),
    ("xz", "xz-utils"),
];
const PREFIX: &str = "linux-image-";
const FLAVOUR: &str = "-cloud-amd64";
/// The package that follows the release's own line of kernels.
const DEFAULT_KERNEL: &str = "linux-image-cloud-amd64";

/// The base, with its pinned packages.
pub(crate) struct Debian {
    locks: Locks,
    apt_directory: PathBuf,
    programs: Programs,
}

/// A package as `nix/debian/default.nix` takes it.
#[derive(Debug, Serialize)]
struct File {
    file: String,
    sha256: String,
}

/// The packages of one kernel.
#[derive(Debug, Serialize)]
struct Kernel {
    version: String,
    packages: Vec<File>,
}

/// What `templates/network.nix.hbs` is rendered with.
#[derive(Debug, Serialize)]
struct Expression {
    source: String,
    system: &'static str,
    shell: String,
    path: String,
    authorized_key: String,
    boot_modules: &'static str,
    tools: Vec<File>,
    userland: Vec<File>,
    kernels: Vec<Kernel>,
    file_systems: Vec<&'static str>,
}

impl Debian {
    pub(crate) fn new(cache: &Path, programs: Programs) -> Result<Self, Error> {
        Ok(Self { locks: Locks::new(cache)?, apt_directory: cache.join("apt"), programs })
    }

    fn apt(&self) -> Result<Apt, Error> {
        Apt::new(&self.programs, self.apt_directory.clone())
    }

    /// The pinned packages of a part that every guest needs.
    fn common(&self, part: &str, wanted: &[&str], context: &Context<'_>) -> Result<Vec<Package>, Error> {
        let wanted: Vec<_> = wanted.iter().map(|&name| name.to_owned()).collect();
        let keep = Keep::Without(LEFT_OUT.iter().map(|&name| name.to_owned()).collect());
        let request = Request { part: part.to_owned(), wanted, keep };
        if let Some(packages) = self.locks.find(&request) {
            return Ok(packages);
        }
        (context.observer)(Progress::Resolving { part: part.to_owned() });
        let resolved = self.locks.resolve(&request, &request.wanted, &self.apt()?, context.limits)?;
        resolved.map_err(|package| Error::NoPackageLists { package })
    }

    /// The pinned packages of a kernel.
    fn kernel(&self, version: &KernelVersion, context: &Context<'_>) -> Result<Vec<Package>, Error> {
        let request = kernel_request(version);
        if let Some(packages) = self.locks.find(&request) {
            return Ok(packages);
        }
        (context.observer)(Progress::Resolving { part: format!("kernel {version}") });
        let apt = self.apt()?;
        let Some(name) = kernel_package(version, &apt, context.limits)? else {
            let offered = self.offer(context.limits)?.kernels;
            return Err(Error::UnknownKernel { kernel: version.clone(), machines: Vec::new(), offered });
        };
        let resolved = self.locks.resolve(&request, &[name], &apt, context.limits)?;
        resolved.map_err(|package| Error::NoPackageLists { package })
    }

    fn files(&self, packages: &[Package]) -> Result<Vec<File>, Error> {
        let file = |package: &Package| {
            let file = host::text("the path of a package", &self.locks.file(package))?;
            Ok(File { file, sha256: package.sha256.clone() })
        };
        packages.iter().map(file).collect()
    }
}

impl Base for Debian {
    fn offer(&self, limits: &Limits) -> Result<BaseOffer, Error> {
        let mut kernels = BTreeSet::new();
        // What was resolved before is there even where apt is not, or knows it no longer.
        let resolved = self.locks.parts("kernel-");
        kernels.extend(resolved.into_iter().filter_map(|version| KernelVersion::new(version).ok()));
        let pinned = !kernels.is_empty();
        match self.apt().and_then(|apt| lines_of_apt(&apt, limits)) {
            Ok(lines) => kernels.extend(lines),
            Err(Error::ToolMissing { .. }) if pinned => {}
            Err(error) => return Err(error),
        }
        let mut kernels: Vec<_> = kernels.into_iter().collect();
        kernels.sort_by_key(numbers);
        Ok(BaseOffer { kernels, file_systems: FileSystem::ALL.to_vec() })
    }

    fn expression(
        &self,
        wanted: &Wanted,
        sources: &Path,
        authorized_key: &str,
        context: &Context<'_>,
    ) -> Result<String, Error> {
        let (shell, path) = host::tools(&self.programs, &HOST_TOOLS)?;
        let tools = self.common("tools", &TOOLS, context)?;
        let userland = self.common("userland", &USERLAND, context)?;
        let kernels: Vec<_> = wanted
            .images
            .keys()
            .map(|request| self.kernel(&request.software.kernel, context))
            .collect::<Result<_, _>>()?;
        let all: Vec<_> = tools.iter().chain(&userland).chain(kernels.iter().flatten()).collect();
        self.locks.fetch(&all, || self.apt(), context.limits, context.observer)?;

        let versions = wanted.images.keys().zip(&kernels);
        let kernel = |(request, packages): (&ImageRequest, &Vec<Package>)| {
            Ok(Kernel { version: request.software.kernel.to_string(), packages: self.files(packages)? })
        };
        template::expression(&Expression {
            source: host::text("the path of the Nix files", &sources.join("debian"))?,
            system: "x86_64-linux",
            shell,
            path,
            authorized_key: authorized_key.to_owned(),
            boot_modules: BOOT_MODULES,
            tools: self.files(&tools)?,
            userland: self.files(&userland)?,
            kernels: versions.map(kernel).collect::<Result<_, Error>>()?,
            file_systems: wanted.formats.iter().map(|format| format.file_system.as_str()).collect(),
        })
    }
}

/// A kernel is its image and modules: of what its package needs, a guest has its own.
fn kernel_request(version: &KernelVersion) -> Request {
    Request {
        part: format!("kernel-{version}"),
        wanted: vec![version.to_string()],
        keep: Keep::Prefix(PREFIX.to_owned()),
    }
}

/// The package of a kernel: a line's, the release's own line's, or an exact release's.
fn kernel_package(version: &KernelVersion, apt: &Apt, limits: &Limits) -> Result<Option<String>, Error> {
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
fn lines_of_apt(apt: &Apt, limits: &Limits) -> Result<BTreeSet<KernelVersion>, Error> {
    let line = |text: &str| {
        let (major, minor) = text.split_once('.')?;
        let is_number = |part: &str| !part.is_empty() && part.bytes().all(|letter| letter.is_ascii_digit());
        (is_number(major) && is_number(minor)).then(|| KernelVersion::new(text).ok())?
    };
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

/// The numbers in a version, so that 6.12 comes after 6.1 and 6.9.
fn numbers(version: &KernelVersion) -> Vec<u64> {
    let parts = version.as_str().split(|letter: char| !letter.is_ascii_digit());
    parts.filter_map(|part| part.parse().ok()).collect()
}

#[cfg(test)]
mod tests;
