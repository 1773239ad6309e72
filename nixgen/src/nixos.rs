//! The `nixos` base: configurations of NixOS, put together by `nix/nixos` from a tree of nixpkgs.
//!
//! Nix evaluates and builds them with the user's own settings in the user's own store, so that what
//! the user's binary caches have is not built. `pin` finds the tree, `expression` renders what Nix is
//! given.

mod expression;
mod pin;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use model::{FileSystem, KernelVersion, Machine, MachineId};
use serde::Deserialize;

use crate::base::{self, Base, BaseOffer, Context, ImageRequest, Rendered, Wanted};
use crate::error::Error;
use crate::evaluation::{EvaluationError, Problem};
use crate::nix::{Failure, Nix};
use crate::process::Limits;
use crate::{host, sources, template};
use expression::{Expression, Images};
use pin::Nixpkgs;

/// Where the tree of nixpkgs comes from that a NixOS is made of: release 18.03 or later.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum NixpkgsSource {
    /// What Nix finds as `<nixpkgs>`, such as by `NIX_PATH`.
    #[default]
    SearchPath,
    /// A directory.
    Path(PathBuf),
    /// What a flake has locked.
    FlakeLock {
        /// The file `flake.lock`.
        file: PathBuf,
        /// The name of the input, usually `nixpkgs`.
        input: String,
    },
}

/// How the store reaches the guests.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum NixosStore {
    /// As a read-only disk that holds the closure: erofs, or squashfs where the kernel or nixpkgs
    /// is too old for that. Machines with equal software share it, and snapshots work.
    #[default]
    Image,
    /// By 9p: guests read the whole store of the host. Nothing has to be packed, each read takes
    /// longer, and QEMU makes no snapshots.
    NineP,
}

/// A NixOS module of the user's.
///
/// Its argument `machine` holds those values of the machine that it, or a file that it imports by a
/// relative path, mentions by name: `kernel`, `packages`, `memory`, `processors`, `file_system`,
/// `parameters` and the others of [`Machine`], each also where it is as for most machines, but no id
/// and no address, as these are in no image.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct UserModule {
    /// The machine that it is for; all where there is none.
    pub machine: Option<MachineId>,
    /// Its file.
    pub path: PathBuf,
}

/// What a NixOS is made of.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct NixosOptions {
    /// Where nixpkgs comes from.
    pub nixpkgs: NixpkgsSource,
    /// The user's modules.
    pub modules: Vec<UserModule>,
    /// Files that hold an overlay of nixpkgs each, applied in their order.
    pub overlays: Vec<PathBuf>,
    /// How the store reaches the guests.
    pub store: NixosStore,
}

/// Which tree of nixpkgs it is, as a replay file has to tell.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct NixpkgsPin {
    /// Where it comes from: a directory, or a URL and a hash.
    pub source: String,
    /// Its release, such as `24.05`.
    pub release: String,
    /// Its revision in version control, where the tree tells.
    pub revision: Option<String>,
}

/// What `nix/nixos/offer.nix` says.
#[derive(Debug, Deserialize)]
struct Offer {
    release: String,
    revision: Option<String>,
    kernels: Vec<KernelVersion>,
}

/// The base, with its tree of nixpkgs.
pub(crate) struct Nixos {
    nix: Nix,
    nixpkgs: Nixpkgs,
    /// The modules with the machines that they are for.
    modules: Vec<UserModule>,
    overlays: Vec<String>,
    store: NixosStore,
    run_directory: PathBuf,
    /// It takes seconds, and a tree does not change during a run.
    offer: OnceLock<Offer>,
}

impl Nixos {
    /// Finds the tree, the modules and the overlays.
    pub(crate) fn new(
        options: &NixosOptions,
        nix: Nix,
        run_directory: &Path,
        limits: &Limits,
    ) -> Result<Self, Error> {
        let whole = |path: &PathBuf| path.canonicalize().map_err(Error::file("read", path));
        let module = |UserModule { machine, path }: &UserModule| {
            Ok(UserModule { machine: machine.clone(), path: whole(path)? })
        };
        let overlay = |path: &PathBuf| host::text("the path of an overlay", &whole(path)?);
        Ok(Self {
            nixpkgs: Nixpkgs::find(&options.nixpkgs, &nix, run_directory, limits)?,
            nix,
            modules: options.modules.iter().map(module).collect::<Result<_, Error>>()?,
            overlays: options.overlays.iter().map(overlay).collect::<Result<_, Error>>()?,
            store: options.store,
            run_directory: run_directory.to_owned(),
            offer: OnceLock::new(),
        })
    }

    fn asked(&self, limits: &Limits) -> Result<&Offer, Error> {
        if let Some(offer) = self.offer.get() {
            return Ok(offer);
        }
        let sources = self.run_directory.join("nix");
        sources::write(&sources)?;
        let text = template::nixos(&self.expression(&sources, "nixos/offer.nix", None)?)?;
        let file = self.run_directory.join("offer.nix");
        fs::write(&file, text).map_err(Error::file("write", &file))?;
        let log = self.run_directory.join("nix-instantiate.log");
        let evaluated = self.nix.evaluate(&file, &log, &self.run_directory, limits);
        let json = evaluated.map_err(|failure| match failure {
            Failure::Other(error) => error,
            Failure::Failed { end, said } => self.explain(&said).unwrap_or(Error::Evaluate {
                what: "what nixpkgs offers",
                log: log.clone(),
                end,
            }),
        })?;
        let unreadable = |error: serde_json::Error| Error::Evaluate {
            what: "what nixpkgs offers",
            log: log.clone(),
            end: error.to_string(),
        };
        let offer = serde_json::from_str(&json).map_err(unreadable)?;
        Ok(self.offer.get_or_init(|| offer))
    }

    fn expression(
        &self,
        sources: &Path,
        function: &str,
        images: Option<Images>,
    ) -> Result<Expression<'_>, Error> {
        Ok(Expression {
            source: host::text("the path of the Nix files", &sources.join(function))?,
            nixpkgs: &self.nixpkgs,
            system: "x86_64-linux",
            overlays: &self.overlays,
            images,
        })
    }

    /// The modules of a machine, in their order.
    fn modules_of(&self, id: &MachineId) -> Vec<PathBuf> {
        let is_its = |module: &&UserModule| module.machine.as_ref().is_none_or(|machine| machine == id);
        self.modules.iter().filter(is_its).map(|module| module.path.clone()).collect()
    }
}

impl Base for Nixos {
    fn offer(&self, limits: &Limits) -> Result<BaseOffer, Error> {
        let kernels = self.asked(limits)?.kernels.clone();
        // A guess: no guest was booted yet.
        let memory = base::memory(512, 1024);
        Ok(BaseOffer { kernels, file_systems: FileSystem::ALL.to_vec(), memory })
    }

    fn request(&self, machine: &Machine) -> ImageRequest {
        let modules = self.modules_of(&machine.id);
        ImageRequest { software: machine.software(), details: expression::details(machine, &modules) }
    }

    fn expression(
        &self,
        wanted: &Wanted,
        sources: &Path,
        authorized_key: &str,
        _: &Context<'_>,
    ) -> Result<Rendered, Error> {
        let images = Images::new(wanted, authorized_key, self.store)?;
        let parts = images.disks(wanted);
        let text = template::nixos(&self.expression(sources, "nixos", Some(images))?)?;
        Ok(Rendered { text, parts })
    }

    fn is_evaluated(&self) -> bool {
        true
    }

    fn explain(&self, said: &str) -> Option<Error> {
        let modules: Vec<_> = self.modules.iter().map(|module| module.path.clone()).collect();
        let mut error = EvaluationError::understand(said, &modules)?;
        if let (Problem::CyclicImport(files), []) = (&error.problem, error.machines.as_slice()) {
            // Nix tells nothing: the machines are those whose modules lead into the circle.
            let concerned = self.modules.iter().filter(|module| files.contains(&module.path));
            let ids: BTreeSet<_> = concerned.filter_map(|module| module.machine.as_ref()).collect();
            error.machines = ids.into_iter().cloned().collect();
        }
        Some(Error::Evaluation(Box::new(error)))
    }

    fn pins(&self, limits: &Limits) -> Result<BTreeMap<String, String>, Error> {
        let Offer { release, revision, .. } = self.asked(limits)?;
        let source = self.nixpkgs.to_string();
        let pin = NixpkgsPin { source, release: release.clone(), revision: revision.clone() };
        Ok(pin.lines())
    }
}

impl NixpkgsPin {
    /// As keys and values for a replay file.
    #[must_use]
    pub fn lines(self) -> BTreeMap<String, String> {
        let mut lines = BTreeMap::from([
            ("nixpkgs".to_owned(), self.source),
            ("nixpkgs-release".to_owned(), self.release),
        ]);
        lines.extend(self.revision.map(|revision| ("nixpkgs-revision".to_owned(), revision)));
        lines
    }
}
