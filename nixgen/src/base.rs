//! What a guest can be made of. A base fills the guest contract (`nix/guest/README.md`) in its own
//! way; the rest of this crate knows it by the trait here.

use std::collections::BTreeSet;
use std::path::Path;

use model::{FileSystem, KernelVersion};

use crate::error::Error;
use crate::process::Limits;
use crate::progress::Observer;

/// The software of an image: machines that ask for the same share one.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) struct ImageRequest {
    /// The kernel that it boots.
    pub(crate) kernel: KernelVersion,
    /// What it has beyond what every guest has; no machine can ask for any yet.
    pub(crate) packages: BTreeSet<String>,
}

/// What a base offers on this host, as far as it can tell without a network.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct BaseOffer {
    /// The kernels, oldest line first.
    pub kernels: Vec<KernelVersion>,
    /// The file systems that a scratch disk can have.
    pub file_systems: Vec<FileSystem>,
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

    /// Gets ready whatever the images need and renders the expression whose value is a list of
    /// derivations: an image for each request, then a scratch disk for each of
    /// [`FileSystem::ALL`]. `sources` is where the Nix files of [`crate::sources`] lie.
    fn expression(
        &self,
        requests: &[ImageRequest],
        sources: &Path,
        authorized_key: &str,
        context: &Context<'_>,
    ) -> Result<String, Error>;
}
