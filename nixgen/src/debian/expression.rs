//! What `templates/network.nix.hbs` is rendered with.

use data_encoding::HEXLOWER;
use model::machine::OptionWord;
use model::{Format, KernelVersion};
use serde::Serialize;
use sha2::{Digest, Sha256};

use super::digest;
use crate::apt::Package;
use crate::base::{self, Part, Wanted};
use crate::error::Error;
use crate::template;

/// The images and disks of a network, all in plain text.
#[derive(Debug, Serialize)]
pub(super) struct Expression {
    pub(super) source: String,
    pub(super) system: &'static str,
    pub(super) shell: String,
    pub(super) path: String,
    pub(super) authorized_key: String,
    pub(super) boot_modules: &'static str,
    pub(super) tools: Vec<File>,
    pub(super) images: Vec<Image>,
    pub(super) disks: Vec<Disk>,
}

/// A package as `nix/debian/default.nix` takes it.
#[derive(Debug, Serialize)]
pub(super) struct File {
    pub(super) file: String,
    pub(super) sha256: String,
}

/// An image, with the packages of each of its parts.
#[derive(Debug, Serialize)]
pub(super) struct Image {
    /// What it is called in the store.
    pub(super) name: String,
    /// What its kernel is called there.
    pub(super) kernel: String,
    pub(super) kernel_packages: Vec<File>,
    pub(super) userland: Vec<File>,
    pub(super) packages: Vec<File>,
}

/// A formatted disk.
#[derive(Debug, Serialize)]
pub(super) struct Disk {
    /// What it is called in the store.
    pub(super) name: String,
    pub(super) file_system: String,
    /// What mkfs is given, between blanks.
    pub(super) options: String,
}

impl Disk {
    pub(super) fn of(format: &Format) -> Self {
        let file_system = format.file_system.to_string();
        let options: Vec<_> = format.mkfs_options.iter().map(OptionWord::as_str).collect();
        let options = options.join(" ");
        let name = match options.as_str() {
            "" => format!("scratch-{file_system}"),
            options => format!("scratch-{file_system}-{}", &HEXLOWER.encode(&Sha256::digest(options))[..8]),
        };
        Self { name, file_system, options }
    }
}

impl Expression {
    /// The text, with what each of its derivations is for.
    pub(super) fn render(&self, wanted: &Wanted) -> Result<base::Rendered, Error> {
        let text = template::expression(self)?;
        let images = self.images.iter().zip(wanted.images.values());
        let images = images.map(|(image, machines)| (image.name.clone(), Part::Image(machines.clone())));
        let disks = self.disks.iter().zip(&wanted.formats);
        let disks = disks.map(|(disk, format)| (disk.name.clone(), Part::Disk(format.clone())));
        Ok(base::Rendered { text, parts: images.chain(disks).collect() })
    }
}

/// A version as it can be in a name of the store, which has no tilde.
pub(super) fn store_name(version: &KernelVersion) -> String {
    version.as_str().replace('~', "-")
}

/// What an image is called: by its kernel, and by its packages where it has any of its own.
pub(super) fn image_name(kernel: &KernelVersion, packages: &[Package]) -> String {
    let kernel = store_name(kernel);
    if packages.is_empty() {
        format!("image-{kernel}")
    } else {
        format!("image-{kernel}-{}", digest(packages))
    }
}
