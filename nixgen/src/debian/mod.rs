//! The `debian` base: packages that apt resolves, put together by `nix/debian`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use data_encoding::HEXLOWER;
use model::machine::{PackageName, PackageVersion};
use model::{FileSystem, KernelVersion, Machine, Network};
use sha2::{Digest, Sha256};

use crate::apt::{Apt, Closure, Package, Problem};
use crate::base::{self, Base, BaseOffer, Context, ImageRequest, Wanted};
use crate::error::Error;
use crate::host;
use crate::host::Programs;
use crate::lock::{Keep, Locks, Request};
use crate::process::Limits;
use crate::progress::Progress;
use expression::File;

mod expression;
mod file;
mod kernel;
mod software;

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
/// comes by itself; what of them is built in has no file. crc32c is asked for by a name that no list
/// of dependencies has (erofs, ext4 and others do it where they compute a checksum).
const BOOT_MODULES: &str =
    "crc32c_generic virtio_pci virtio_console virtio_blk virtio_net erofs overlay button evdev";
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
/// The base, with its pinned packages.
pub(crate) struct Debian {
    locks: Locks,
    apt_directory: PathBuf,
    programs: Programs,
    /// The modules of each kernel that was looked at.
    modules: Mutex<BTreeMap<KernelVersion, Arc<BTreeSet<String>>>>,
}

impl Debian {
    pub(crate) fn new(cache: &Path, programs: Programs) -> Result<Self, Error> {
        let (locks, apt_directory) = (Locks::new(cache)?, cache.join("apt"));
        Ok(Self { locks, apt_directory, programs, modules: Mutex::default() })
    }

    fn apt(&self) -> Result<Apt, Error> {
        Apt::new(&self.programs, self.apt_directory.clone())
    }

    /// The pinned packages of a part that every guest needs.
    fn common(&self, request: &Request, context: &Context<'_>) -> Result<Vec<Package>, Error> {
        if let Some(packages) = self.locks.find(request) {
            return Ok(packages);
        }
        (context.observer)(Progress::Resolving { part: request.part.clone() });
        self.resolve(request, request.wanted.clone(), &self.apt()?, context.limits)
    }

    /// Pins what apt says that packages need which it has to know.
    fn resolve(
        &self,
        request: &Request,
        wanted: Vec<String>,
        apt: &Apt,
        limits: &Limits,
    ) -> Result<Vec<Package>, Error> {
        match apt.closure(&Problem { wanted, ..Problem::default() }, limits)? {
            Closure::Packages(packages) => self.locks.pin(request, packages),
            Closure::Unknown(package) | Closure::NoVersion { name: package, .. } => {
                Err(Error::NoPackageLists { package })
            }
            Closure::Impossible(reason) => Err(apt.failed("solve the packages of a guest", reason)),
        }
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
    fn begins_from_snapshots(&self) -> bool {
        true
    }

    fn offer(&self, limits: &Limits) -> Result<BaseOffer, Error> {
        // What was resolved before is there even where apt is not, or knows it no longer.
        let resolved = self.locks.parts("kernel-");
        let mut kernels: BTreeSet<_> = resolved.iter().filter_map(|version| kernel::line(version)).collect();
        match self.apt().and_then(|apt| kernel::lines_of_apt(&apt, limits)) {
            Ok(lines) => kernels.extend(lines),
            Err(Error::ToolMissing { .. }) if !resolved.is_empty() => {}
            Err(error) => return Err(error),
        }
        if kernels.is_empty() {
            kernels.extend(resolved.iter().filter_map(|version| KernelVersion::new(version).ok()));
        }
        let mut kernels: Vec<_> = kernels.into_iter().collect();
        kernels.sort_by_key(KernelVersion::numbers);
        Ok(BaseOffer { kernels, file_systems: FileSystem::ALL.to_vec(), memory: base::memory(96, 256) })
    }

    fn versions(&self, package: &PackageName, limits: &Limits) -> Result<Vec<String>, Error> {
        let versions = self.apt()?.versions(package.as_str(), limits)?;
        Ok(versions.into_iter().map(|(version, _)| version).collect())
    }

    fn request(&self, machine: &Machine) -> ImageRequest {
        let files = machine.packages.values().filter_map(|version| match version {
            PackageVersion::File(path) => Some((format!("file {path}"), file::stamp(path))),
            _ => None,
        });
        ImageRequest { details: files.collect(), software: machine.software() }
    }

    fn check(&self, network: &Network, context: &Context<'_>) -> Result<(), Error> {
        self.check_kernels(network, context)
    }

    fn expression(
        &self,
        wanted: &Wanted,
        sources: &Path,
        authorized_key: &str,
        context: &Context<'_>,
    ) -> Result<crate::base::Rendered, Error> {
        let (shell, path) = host::tools(&self.programs, &HOST_TOOLS)?;
        let tools = self.common(&common("tools", &TOOLS), context)?;
        let userland = self.common(&common("userland", &USERLAND), context)?;
        let mut images = Vec::new();
        for (request, machines) in &wanted.images {
            let kernel = self.kernel(&request.software.kernel, context)?;
            let software = self.software(&request.software.packages, machines, &userland, context)?;
            images.push((&request.software.kernel, kernel, software));
        }
        let mut all: Vec<_> = tools.iter().chain(&userland).collect();
        for (_, kernel, software) in &images {
            all.extend(kernel.iter().chain(&software.packages));
        }
        self.locks.fetch(&all, || self.apt(), context.limits, context.observer)?;

        let images = images.iter().map(|(version, kernel, software)| {
            Ok(expression::Image {
                name: expression::image_name(version, &software.packages),
                kernel: expression::store_name(version),
                kernel_packages: self.files(kernel)?,
                userland: self.files(&software.userland)?,
                packages: self.files(&software.packages)?,
            })
        });
        let expression = expression::Expression {
            source: host::text("the path of the Nix files", &sources.join("debian"))?,
            system: "x86_64-linux",
            shell,
            path,
            authorized_key: authorized_key.to_owned(),
            boot_modules: BOOT_MODULES,
            tools: self.files(&tools)?,
            images: images.collect::<Result<_, Error>>()?,
            disks: wanted.formats.iter().map(expression::Disk::of).collect(),
        };
        expression.render(wanted)
    }

    /// What is resolved by now: the version of each line of kernels, which moves on with apt's lists,
    /// and which packages the userland and the tools are.
    fn pins(&self, _: &Limits) -> Result<BTreeMap<String, String>, Error> {
        let mut pins = BTreeMap::new();
        for request in [common("tools", &TOOLS), common("userland", &USERLAND)] {
            let packages = self.locks.find(&request);
            pins.extend(packages.map(|packages| (format!("debian-{}", request.part), digest(&packages))));
        }
        for line in self.locks.parts("kernel-").iter().filter_map(|version| kernel::line(version)) {
            let version = self.locks.find(&kernel::request(&line)).and_then(kernel::version);
            pins.extend(version.map(|version| (format!("debian-kernel-{line}"), version)));
        }
        Ok(pins)
    }
}

/// What is asked of apt for a part that every guest needs.
fn common(part: &str, wanted: &[&str]) -> Request {
    let wanted = wanted.iter().map(|&name| name.to_owned()).collect();
    let keep = Keep::Without(LEFT_OUT.iter().map(|&name| name.to_owned()).collect());
    Request { part: part.to_owned(), wanted, keep }
}

/// The SHA-256 of packages' hashes, of which a part of 16 digits tells closures apart.
fn digest(packages: &[Package]) -> String {
    let mut hasher = Sha256::new();
    packages.iter().for_each(|package| hasher.update(&package.sha256));
    HEXLOWER.encode(&hasher.finalize()[..8])
}

#[cfg(test)]
mod tests;
