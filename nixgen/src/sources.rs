//! The Nix files and guest scripts, carried in the library so that it works outside its checkout.

use std::fs;
use std::path::Path;

use crate::error::Error;

/// Each file with its path below `nix/`.
const FILES: [(&str, &str); 16] = [
    ("debian/default.nix", include_str!("../../nix/debian/default.nix")),
    ("debian/build.sh", include_str!("../../nix/debian/build.sh")),
    ("debian/init", include_str!("../../nix/debian/init")),
    ("debian/initramfs-init", include_str!("../../nix/debian/initramfs-init")),
    ("debian/loader.sh", include_str!("../../nix/debian/loader.sh")),
    ("debian/sshd_config", include_str!("../../nix/debian/sshd_config")),
    ("nixos/common.nix", include_str!("../../nix/nixos/common.nix")),
    ("nixos/default.nix", include_str!("../../nix/nixos/default.nix")),
    ("nixos/identity.nix", include_str!("../../nix/nixos/identity.nix")),
    ("nixos/image.nix", include_str!("../../nix/nixos/image.nix")),
    ("nixos/kernels.nix", include_str!("../../nix/nixos/kernels.nix")),
    ("nixos/offer.nix", include_str!("../../nix/nixos/offer.nix")),
    ("nixos/qemu.nix", include_str!("../../nix/nixos/qemu.nix")),
    ("nixos/scratch.nix", include_str!("../../nix/nixos/scratch.nix")),
    ("nixos/software.nix", include_str!("../../nix/nixos/software.nix")),
    ("guest/identity", include_str!("../../nix/guest/identity")),
];

/// Writes all files below a directory. Nix knows them by their content, so where does not matter.
pub(crate) fn write(directory: &Path) -> Result<(), Error> {
    for (path, content) in FILES {
        let path = directory.join(path);
        let place = path.parent().unwrap_or(directory);
        fs::create_dir_all(place).map_err(Error::file("make", place))?;
        fs::write(&path, content).map_err(Error::file("write", &path))?;
    }
    Ok(())
}
