//! What the tests of builds share: the example, and hosts of our own making.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::error::Error;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;

use data_encoding::HEXLOWER;
use model::Network;
use nixgen::{BuildOptions, Builder, StoreChoice};
use serde_json::Value;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Whether the real tools are there; where not, a loud skip, or a failure under `CI=true`.
pub(crate) fn have(tools: &[(&str, &str)]) -> bool {
    let mut all = true;
    for (tool, package) in tools {
        if which::which(tool).is_err() {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{tool} is missing: install {package}"
            );
            eprintln!("SKIPPED: {tool} is missing: install Debian's package {package}");
            all = false;
        }
    }
    all
}

pub(crate) const REAL: [(&str, &str); 3] =
    [("nix-build", "nix-bin"), ("apt-get", "apt"), ("dpkg-deb", "dpkg")];

pub(crate) fn example() -> Value {
    serde_json::from_str(include_str!("../../examples/network.json")).unwrap()
}

pub(crate) fn network() -> Network {
    serde_json::from_value(example()).unwrap()
}

/// A host of our own making: real programs, but for those that a test puts before them.
pub(crate) struct Host {
    directory: TempDir,
}

impl Host {
    pub(crate) fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("bin"))?;
        let host = Self { directory };
        // With its only package pinned, a part needs no apt.
        for tool in ["sh", "dpkg-deb", "tar", "awk", "find", "grep", "gzip", "od", "sed", "sort", "xz"] {
            symlink(which::which(tool)?, host.path("bin").join(tool))?;
        }
        Ok(host)
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a shell script in the place of a program.
    pub(crate) fn script(&self, name: &str, text: &str) -> Result {
        let plain = self.path(&format!("{name}.text"));
        fs::write(&plain, format!("#!/bin/sh\n{text}\n"))?;
        // A program that this process has open to write it, or a child of another thread has inherited so,
        // cannot be run: "Text file busy".
        let installed =
            Command::new("install").arg("-m755").arg(plain).arg(self.path("bin").join(name)).status()?;
        assert!(installed.success(), "install: {installed}");
        Ok(())
    }

    pub(crate) fn options(&self) -> Result<BuildOptions> {
        let mut options = BuildOptions::new(self.path("run"))?;
        options.cache_directory = self.path("cache");
        options.search_path = Some(self.path("bin").into_os_string());
        options.store = StoreChoice::Private;
        Ok(options)
    }

    /// An apt that has every package there is, each the same file: a kernel with all its modules.
    pub(crate) fn generous_apt(&self) -> Result {
        self.apt_with_modules(&["virtio_pci", "virtio_console", "virtio_blk", "virtio-net", "overlay", "xfs"])
    }

    /// An apt whose only package is a kernel with these modules in files, and two that are built in.
    pub(crate) fn apt_with_modules(&self, modules: &[&str]) -> Result {
        let package = self.path("package");
        let directory = package.join("lib/modules/1");
        fs::create_dir_all(package.join("DEBIAN"))?;
        fs::create_dir_all(&directory)?;
        let control =
            "Package: linux-image-x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n";
        fs::write(package.join("DEBIAN/control"), control)?;
        fs::write(directory.join("modules.builtin"), "kernel/fs/ext4/ext4.ko\nkernel/fs/erofs/erofs.ko\n")?;
        for module in modules {
            fs::write(directory.join(format!("{module}.ko.xz")), "")?;
        }
        let deb = self.path("linux-image-x_1_all.deb");
        let built = Command::new("dpkg-deb").arg("--build").arg(&package).arg(&deb).output()?;
        assert!(built.status.success(), "{built:?}");
        let content = fs::read(&deb)?;
        let (hash, size) = (HEXLOWER.encode(&Sha256::digest(&content)), content.len());
        let uris = format!("echo \"'x' linux-image-x_1_all.deb {size} SHA256:{hash}\"");
        self.script(
            "apt-get",
            &format!(
                "case \"$*\" in *--print-uris*) {uris};; *download*) {} {} linux-image-x_1_all.deb;; esac",
                which::which("cp")?.display(),
                deb.display(),
            ),
        )?;
        self.script(
            "apt-cache",
            "case \"$*\" in *policy*) echo linux-image-cloud-amd64:; echo '  Candidate: 6.1.2';\n\
             echo linux-image-6.12-cloud-amd64:; echo '  Candidate: 6.12.2';; esac",
        )
    }

    pub(crate) fn error(&self) -> Result<String> {
        let builder = Builder::new(self.options()?);
        Ok(builder.and_then(|builder| builder.build(&network())).err().ok_or("it was built")?.to_string())
    }
}
