//! The programs that real machines need, and how to get each.

use std::path::PathBuf;

/// A program that is run beside netprop.
#[derive(Clone, Copy, Debug)]
pub struct Component {
    /// Its name on `PATH`.
    pub program: &'static str,
    /// The Debian package that has it.
    pub package: &'static str,
    /// What makes it tell its version.
    pub(crate) version_arguments: &'static [&'static str],
}

/// A program is not there.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("{} was not found on PATH: apt-get install {}", .0.program, .0.package)]
pub struct MissingComponent(Component);

const fn component(
    program: &'static str,
    package: &'static str,
    version_arguments: &'static [&'static str],
) -> Component {
    Component { program, package, version_arguments }
}

/// What runs the machines.
pub const QEMU: Component = component("qemu-system-x86_64", "qemu-system-x86", &["--version"]);

/// All of them.
pub const ALL: &[Component] = &[
    QEMU,
    component("qemu-img", "qemu-utils", &["--version"]),
    component("nix-build", "nix-bin", &["--version"]),
    component("nix-instantiate", "nix-bin", &["--version"]),
    component("apt-get", "apt", &["--version"]),
    component("dpkg-deb", "dpkg", &["--version"]),
    component("mkfs.erofs", "erofs-utils", &["-V"]),
    component("cpio", "cpio", &["--version"]),
];

impl Component {
    /// Where it is.
    ///
    /// # Errors
    /// [`MissingComponent`] with the package to install.
    pub fn find(&self) -> Result<PathBuf, MissingComponent> {
        which::which(self.program).map_err(|_| MissingComponent(*self))
    }
}

/// The first program that is not there.
///
/// # Errors
/// [`MissingComponent`].
pub fn check() -> Result<(), MissingComponent> {
    ALL.iter().try_for_each(|component| component.find().map(drop))
}
