//! What a guest can be made of. A base fills the guest contract (`nix/guest/README.md`) in its own
//! way; the rest of this crate knows it by the trait here.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::Path;

use model::machine::PackageName;
use model::{FileSystem, Format, KernelVersion, Machine, MachineId, Mebibytes, Network, Software};

use crate::error::Error;
use crate::process::Limits;
use crate::progress::Observer;

/// What decides on an image: machines that ask for the same share one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ImageRequest {
    /// The kernel and the packages.
    pub(crate) software: Software,
    /// What else a base makes its images depend on, such as the modules of a user.
    pub(crate) details: BTreeMap<String, String>,
}

/// What is to be built: each image with the machines that boot it, and templates of scratch disks.
pub(crate) struct Wanted {
    pub(crate) images: BTreeMap<ImageRequest, Vec<MachineId>>,
    pub(crate) formats: Vec<Format>,
}

/// What a base offers on this host, as far as it can tell without a network.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BaseOffer {
    /// The kernels, oldest line first.
    pub kernels: Vec<KernelVersion>,
    /// The file systems that a scratch disk can have.
    pub file_systems: Vec<FileSystem>,
    /// From the least memory that its guests start in to what is plenty for them.
    pub memory: RangeInclusive<Mebibytes>,
}

/// A range of memory that is within the bounds of machines.
pub(crate) fn memory(least: u64, plenty: u64) -> RangeInclusive<Mebibytes> {
    let size = |mebibytes| Mebibytes::new(mebibytes).unwrap_or(Mebibytes::MIN);
    size(least)..=size(plenty)
}

/// An expression whose value is a list of derivations.
pub(crate) struct Rendered {
    /// The expression.
    pub(crate) text: String,
    /// What each derivation is called in the store and what it is for. A base whose images get
    /// their names only as they are evaluated has no images here.
    pub(crate) parts: Vec<(String, Part)>,
}

/// What a derivation is for.
#[derive(Clone, Debug)]
pub(crate) enum Part {
    /// The image of these machines.
    Image(Vec<MachineId>),
    /// The template of disks in this format.
    Disk(Format),
}

/// How the tools of a base are called for.
pub(crate) struct Context<'a> {
    pub(crate) limits: &'a Limits,
    pub(crate) observer: &'a Observer,
}

/// A way to make guests.
pub(crate) trait Base: Send + Sync {
    /// What it offers here.
    fn offer(&self, limits: &Limits) -> Result<BaseOffer, Error>;

    /// Whether its guests know nothing of who they are before they have said hello, and draw nothing
    /// by lot that tells one from another: then one can begin from what another was at that moment.
    fn begins_from_snapshots(&self) -> bool {
        false
    }

    /// What a machine's image depends on.
    fn request(&self, machine: &Machine) -> ImageRequest {
        ImageRequest { software: machine.software(), details: BTreeMap::new() }
    }

    /// The versions of a package that machines can have, newest first.
    fn versions(&self, _package: &PackageName, _limits: &Limits) -> Result<Vec<String>, Error> {
        Ok(Vec::new())
    }

    /// Refuses what can be told to be impossible before anything is built.
    fn check(&self, _network: &Network, _context: &Context<'_>) -> Result<(), Error> {
        Ok(())
    }

    /// Gets ready whatever the images need and renders the expression whose value is a list of
    /// derivations: the image of each request, then a disk of each format, in their order.
    /// `sources` is where the Nix files of [`crate::sources`] lie.
    fn expression(
        &self,
        wanted: &Wanted,
        sources: &Path,
        authorized_key: &str,
        context: &Context<'_>,
    ) -> Result<Rendered, Error>;

    /// Whether only an evaluation of the expression tells that all of it can be had.
    fn is_evaluated(&self) -> bool {
        false
    }

    /// What is wrong where Nix said this on its standard error; none where the base knows no more.
    fn explain(&self, _said: &str) -> Option<Error> {
        None
    }

    /// What has to be told, beside the machines, to build the same again: keys and values.
    fn pins(&self, _limits: &Limits) -> Result<BTreeMap<String, String>, Error> {
        Ok(BTreeMap::new())
    }
}
