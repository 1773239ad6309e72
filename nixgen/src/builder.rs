//! From a network to its images: one expression, one `nix-build`, whatever the machines differ in.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use data_encoding::HEXLOWER;
use model::machine::PackageName;
use model::{Format, Machine, MachineId, Network};
use sha2::{Digest, Sha256};

use crate::base::{Base, BaseOffer, Context, ImageRequest, Rendered, Wanted};
use crate::debian::Debian;
use crate::error::Error;
use crate::host::Programs;
use crate::image::Image;
use crate::nix::{Failure, Nix, Run};
use crate::nixos::Nixos;
use crate::options::{BaseChoice, BuildOptions};
use crate::process::Limits;
use crate::progress::Progress;
use crate::sources;
use failure::Failed;

mod failure;

/// Builds the images of networks.
pub struct Builder {
    options: BuildOptions,
    base: Box<dyn Base>,
    nix: Nix,
    authorized_key: String,
    /// What this builder has had built.
    known: Mutex<Known>,
}

/// Results in the store: the directory of each image, and the file of each formatted disk.
#[derive(Clone, Debug, Default)]
struct Known {
    images: BTreeMap<ImageRequest, PathBuf>,
    disks: BTreeMap<Format, PathBuf>,
}

/// A Nix expression for the images of machines.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Expression {
    /// The expression.
    pub text: String,
    /// Which element of its list is the image of each machine, in the order of networks and machines.
    pub images: Vec<usize>,
}

/// A network with the image of each machine.
#[derive(Clone, Debug)]
pub struct Built {
    machines: Vec<(Machine, Image)>,
    built: Vec<String>,
}

impl Built {
    /// Each machine with its image, in the network's order.
    pub fn machines(&self) -> impl Iterator<Item = (&Machine, &Image)> {
        self.machines.iter().map(|(machine, image)| (machine, image))
    }

    /// The image of one machine.
    #[must_use]
    pub fn image(&self, id: &MachineId) -> Option<&Image> {
        self.machines().find_map(|(machine, image)| (machine.id == *id).then_some(image))
    }

    /// The names of the derivations that were not there before, such as `image-6.12`.
    #[must_use]
    pub fn built_anew(&self) -> &[String] {
        &self.built
    }
}

impl Builder {
    /// Prepares to build: finds Nix, reads the key, makes the directories.
    ///
    /// # Errors
    /// Where one of these cannot be had; see [`Error`].
    pub fn new(options: BuildOptions) -> Result<Self, Error> {
        let authorized_key = options.authorized_key()?;
        for directory in [&options.cache_directory, &options.run_directory] {
            fs::create_dir_all(directory).map_err(Error::file("make", directory))?;
        }
        let roots = options.cache_directory.join("roots");
        fs::create_dir_all(&roots).map_err(Error::file("make", roots))?;
        let programs = Programs(options.search_path.clone());
        let nixos = || -> Result<(Box<dyn Base>, Nix), Error> {
            let nix = Nix::of_user(&programs, options.store, &options.cache_directory)?;
            let limits = limits(&options);
            let nixos = Nixos::new(&options.nixos, nix.clone(), &options.run_directory, &limits)?;
            Ok((Box::new(nixos), nix))
        };
        let debian = || -> Result<(Box<dyn Base>, Nix), Error> {
            let nix = Nix::find(&programs, options.store, &options.cache_directory)?;
            Ok((Box::new(Debian::new(&options.cache_directory, programs.clone())?), nix))
        };
        let (base, nix) = match options.base {
            // What cannot be evaluated here is no reason to do without guests.
            BaseChoice::Auto => {
                match nixos().and_then(|found| found.0.offer(&limits(&options)).map(|_| found)) {
                    Ok(found) => found,
                    Err(error @ (Error::Cancelled { .. } | Error::Deadline { .. })) => return Err(error),
                    Err(_) => debian()?,
                }
            }
            BaseChoice::Debian => debian()?,
            BaseChoice::Nixos => nixos()?,
        };
        Ok(Self { options, base, nix, authorized_key, known: Mutex::default() })
    }

    /// Which kernels and file systems machines can have on this host.
    ///
    /// # Errors
    /// Where apt is missing or fails and nothing was pinned before.
    pub fn offer(&self) -> Result<BaseOffer, Error> {
        self.base.offer(&self.limits())
    }

    /// Whether a machine can begin from what another one with the same image was when it asked for its
    /// identity.
    #[must_use]
    pub fn begins_from_snapshots(&self) -> bool {
        self.base.begins_from_snapshots()
    }

    /// The versions of a package that machines can be given here, newest first; none where there is
    /// no such package.
    ///
    /// # Errors
    /// Where apt is missing or fails.
    pub fn versions(&self, package: &PackageName) -> Result<Vec<String>, Error> {
        self.base.versions(package, &self.limits())
    }

    /// How many images and formatted disks of a network this builder has neither built nor found.
    #[must_use]
    pub fn missing(&self, network: &Network) -> usize {
        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted = wanted(&self.requests(network.machines()), &known);
        wanted.images.len() + wanted.formats.len()
    }

    /// What has to be told, beside a network, to build the same again: keys and values, such as
    /// which nixpkgs a NixOS is made of.
    ///
    /// # Errors
    /// Where the base cannot tell; see [`Error`].
    pub fn pins(&self) -> Result<BTreeMap<String, String>, Error> {
        self.base.pins(&self.limits())
    }

    /// The Nix expression whose value is a list of derivations: the images that the machines of
    /// these networks boot, each once, and the disks that they get. Building is not part of it, but
    /// what the base downloads is there afterwards.
    ///
    /// # Errors
    /// What cannot be made into an expression; see [`Error`].
    pub fn expression<'a>(
        &self,
        networks: impl IntoIterator<Item = &'a Network>,
    ) -> Result<Expression, Error> {
        let context = Context { limits: &self.limits(), observer: &self.options.observer };
        let networks: Vec<_> = networks.into_iter().collect();
        for network in &networks {
            self.base.check(network, &context).map_err(|error| with_machines(error, network))?;
        }
        let requests = self.requests(networks.into_iter().flat_map(Network::machines));
        let wanted = wanted(&requests, &Known::default());
        let places: BTreeMap<_, _> = wanted.images.keys().zip(0..).collect();
        let images = requests.iter().filter_map(|(_, request)| places.get(request).copied()).collect();
        let text = self.render(&wanted, &context)?.text;
        Ok(Expression { text, images })
    }

    /// Finds out whether the kernels and packages of these networks can be had, in the versions that
    /// are asked for, without building anything: with Debian apt resolves them, with NixOS Nix
    /// evaluates what they would be.
    ///
    /// # Errors
    /// What cannot be had for which machines; see [`Error`].
    pub fn check<'a>(&self, networks: impl IntoIterator<Item = &'a Network>) -> Result<(), Error> {
        let expression = self.expression(networks)?;
        if !self.base.is_evaluated() {
            return Ok(());
        }
        let run_directory = &self.options.run_directory;
        let (file, log) = (run_directory.join("check.nix"), run_directory.join("nix-instantiate.log"));
        fs::write(&file, &expression.text).map_err(Error::file("write", &file))?;
        match self.nix.derivations(&file, &log, run_directory, &self.limits()) {
            Ok(_) => Ok(()),
            Err(Failure::Other(error)) => Err(error),
            Err(Failure::Failed { end, said }) => {
                let what = "what the machines would be";
                Err(self.base.explain(&said).unwrap_or(Error::Evaluate { what, log, end }))
            }
        }
    }

    /// Builds what a network's machines boot. Networks that differ only in what is not software
    /// (ids, uuids, addresses, memory, file systems) have the same images, built once.
    ///
    /// # Errors
    /// What went wrong with which machine; see [`Error`]. Nothing half-built is left then.
    pub fn build(&self, network: &Network) -> Result<Built, Error> {
        let limits = self.limits();
        // One build at a time: what one network needs, the next finds.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let context = Context { limits: &limits, observer: &self.options.observer };
        self.base.check(network, &context).map_err(|error| with_machines(error, network))?;
        // Asked once: a file that is a package may change while others are built.
        let requests = self.requests(network.machines());
        let wanted = wanted(&requests, &known);
        let mut built = Vec::new();
        if !wanted.images.is_empty() || !wanted.formats.is_empty() {
            built = self.run_nix(&wanted, &mut known, network, &context)?;
        }
        let image = |(machine, request): &(&Machine, ImageRequest)| {
            let directory = known.images.get(request).ok_or_else(|| Error::Build {
                machines: vec![machine.id.clone()],
                log: self.options.run_directory.join("nix-build.log"),
                end: "its results have no image for this machine".to_owned(),
            })?;
            Ok(((*machine).clone(), Image::new(directory, &known.disks)))
        };
        let machines: Vec<_> = requests.iter().map(image).collect::<Result<_, Error>>()?;
        for (_, image) in &machines {
            if let Some((path, reason)) = image.flaw() {
                *known = Known::default();
                let remedy = self.nix.deletion(path.parent().unwrap_or(&path));
                return Err(Error::CorruptImage { path, reason, remedy });
            }
        }
        (self.options.observer)(Progress::Done);
        Ok(Built { machines, built })
    }

    /// Each machine with what its image depends on.
    fn requests<'a>(
        &self,
        machines: impl IntoIterator<Item = &'a Machine>,
    ) -> Vec<(&'a Machine, ImageRequest)> {
        machines.into_iter().map(|machine| (machine, self.base.request(machine))).collect()
    }

    /// Builds what is wanted, and tells what of it was not there before.
    fn run_nix(
        &self,
        wanted: &Wanted,
        known: &mut Known,
        network: &Network,
        context: &Context<'_>,
    ) -> Result<Vec<String>, Error> {
        let expression = self.render(wanted, context).map_err(|error| with_machines(error, network))?;
        let file = self.options.run_directory.join("network.nix");
        fs::write(&file, &expression.text).map_err(Error::file("write", &file))?;
        let log = self.options.run_directory.join("nix-build.log");
        let run = Run {
            expression: &file,
            link: &self.link(wanted),
            log: &log,
            run_directory: &self.options.run_directory,
        };
        let outcome = match self.nix.build(&run, context.limits, &self.options.observer) {
            Ok(outcome) => outcome,
            Err(Failure::Other(error)) => return Err(error),
            Err(Failure::Failed { end, said }) => {
                return Err(self.base.explain(&said).unwrap_or_else(|| {
                    let failed = Failed { end, said: said.clone(), log, file };
                    self.failure(failed, &expression.parts, wanted, network, context)
                }));
            }
        };
        let parts = wanted.images.len() + wanted.formats.len();
        if outcome.paths.len() != parts {
            let end = format!("it names {} results for {parts} parts", outcome.paths.len());
            return Err(Error::Build { machines: Vec::new(), log, end });
        }
        let (images, disks) = outcome.paths.split_at(wanted.images.len());
        known.images.extend(wanted.images.keys().cloned().zip(images.iter().cloned()));
        let disks = disks.iter().map(|path| path.join("scratch"));
        known.disks.extend(wanted.formats.iter().cloned().zip(disks));
        Ok(outcome.built)
    }

    fn render(&self, wanted: &Wanted, context: &Context<'_>) -> Result<Rendered, Error> {
        let sources = self.options.run_directory.join("nix");
        sources::write(&sources)?;
        self.base.expression(wanted, &sources, &self.authorized_key, context)
    }

    /// The link that keeps the results alive. It is named for what was asked, so that what a
    /// newer expression builds replaces what an older one did.
    fn link(&self, wanted: &Wanted) -> PathBuf {
        let asked: Vec<_> = wanted.images.keys().collect();
        let asked = format!("{asked:?} {:?}", wanted.formats);
        let key = HEXLOWER.encode(&Sha256::digest(asked)[..8]);
        self.options.cache_directory.join("roots").join(key)
    }

    fn limits(&self) -> Limits {
        limits(&self.options)
    }
}

/// What machines need of what is not known yet.
fn wanted(requests: &[(&Machine, ImageRequest)], known: &Known) -> Wanted {
    let mut images: BTreeMap<ImageRequest, Vec<MachineId>> = BTreeMap::new();
    for (machine, request) in requests.iter().filter(|(_, request)| !known.images.contains_key(request)) {
        images.entry(request.clone()).or_default().push(machine.id.clone());
    }
    let formats: BTreeSet<_> = requests.iter().map(|(machine, _)| machine.format()).collect();
    let formats = formats.into_iter().filter(|format| !known.disks.contains_key(format)).collect();
    Wanted { images, formats }
}

fn limits(options: &BuildOptions) -> Limits {
    let deadline = options.deadline;
    Limits { until: Instant::now().checked_add(deadline), deadline, cancel: options.cancel.clone() }
}

/// Adds which machines ask for a kernel that there is not.
fn with_machines(error: Error, network: &Network) -> Error {
    match error {
        Error::UnknownKernel { kernel, offered, .. } => {
            let asks = network.machines().iter().filter(|machine| machine.kernel == kernel);
            let machines = asks.map(|machine| machine.id.clone()).collect();
            Error::UnknownKernel { kernel, machines, offered }
        }
        other => other,
    }
}
