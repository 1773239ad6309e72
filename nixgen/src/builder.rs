//! From a network to its images: one expression, one `nix-build`, whatever the machines differ in.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::Instant;

use data_encoding::HEXLOWER;
use model::{FileSystem, KernelVersion, Machine, MachineId, Network};
use sha2::{Digest, Sha256};

use crate::base::{Base, BaseOffer, Context, ImageRequest};
use crate::debian::Debian;
use crate::error::Error;
use crate::host::Programs;
use crate::image::Image;
use crate::nix::{Failure, Nix, Run};
use crate::options::{BaseChoice, BuildOptions};
use crate::process::Limits;
use crate::progress::Progress;
use crate::sources;

/// Builds the images of networks.
pub struct Builder {
    options: BuildOptions,
    base: Box<dyn Base>,
    nix: Nix,
    authorized_key: String,
    /// The images of the expressions that this builder has had built.
    known: Mutex<HashMap<String, BTreeMap<KernelVersion, Image>>>,
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
        let nix = Nix::find(&programs, options.store, &options.cache_directory)?;
        let base: Box<dyn Base> = match options.base {
            BaseChoice::Auto | BaseChoice::Debian => {
                Box::new(Debian::new(&options.cache_directory, programs)?)
            }
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

    /// Builds what a network's machines boot. Networks that differ only in what is not software
    /// (ids, uuids, addresses, memory, file systems) have the same images, built once.
    ///
    /// # Errors
    /// What went wrong with which machine; see [`Error`]. Nothing half-built is left then.
    pub fn build(&self, network: &Network) -> Result<Built, Error> {
        let limits = self.limits();
        let requests = requests(network);
        let sources = self.options.run_directory.join("nix");
        sources::write(&sources)?;
        let context = Context { limits: &limits, observer: &self.options.observer };
        let expression = self.base.expression(&requests, &sources, &self.authorized_key, &context);
        let expression = expression.map_err(|error| with_machines(error, network))?;

        let known = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(&expression).cloned();
        let (images, built) = match known {
            Some(images) => (images, Vec::new()),
            None => self.run_nix(&expression, &requests, network, &limits)?,
        };
        for image in images.values() {
            if let Some((path, reason)) = image.flaw() {
                self.known.lock().unwrap_or_else(PoisonError::into_inner).remove(&expression);
                let remedy = self.nix.deletion(path.parent().unwrap_or(&path));
                return Err(Error::CorruptImage { path, reason, remedy });
            }
        }
        let machine = |machine: &Machine| Some((machine.clone(), images.get(&machine.kernel)?.clone()));
        let machines = network.machines().iter().filter_map(machine).collect();
        self.known.lock().unwrap_or_else(PoisonError::into_inner).insert(expression, images);
        (self.options.observer)(Progress::Done);
        Ok(Built { machines, built })
    }

    fn run_nix(
        &self,
        expression: &str,
        requests: &[ImageRequest],
        network: &Network,
        limits: &Limits,
    ) -> Result<(BTreeMap<KernelVersion, Image>, Vec<String>), Error> {
        let file = self.options.run_directory.join("network.nix");
        fs::write(&file, expression).map_err(Error::file("write", &file))?;
        let log = self.options.run_directory.join("nix-build.log");
        let run = Run {
            expression: &file,
            link: &self.link(requests),
            log: &log,
            run_directory: &self.options.run_directory,
        };
        let outcome = match self.nix.build(&run, limits, &self.options.observer) {
            Ok(outcome) => outcome,
            Err(Failure::Other(error)) => return Err(error),
            Err(Failure::Failed { end }) => return Err(self.failure(end, log, network)),
        };
        if outcome.paths.len() != requests.len() + FileSystem::ALL.len() {
            let end = format!("it names {} results for {} parts", outcome.paths.len(), requests.len() + 3);
            return Err(Error::Build { machines: Vec::new(), log, end });
        }
        let (images, disks) = outcome.paths.split_at(requests.len());
        let disk = |(file_system, path): (FileSystem, &PathBuf)| (file_system, path.join("scratch"));
        let scratch = FileSystem::ALL.into_iter().zip(disks).map(disk).collect();
        let kernels = requests.iter().map(|request| request.kernel.clone());
        let images = kernels.zip(images.iter().map(|path| Image::new(path, &scratch))).collect();
        Ok((images, outcome.built))
    }

    /// The link that keeps the results alive. It is named for what was asked, so that what a
    /// newer expression builds replaces what an older one did.
    fn link(&self, requests: &[ImageRequest]) -> PathBuf {
        let mut hasher = Sha256::new();
        for ImageRequest { kernel, packages } in requests {
            hasher.update(kernel.as_str());
            for package in packages {
                hasher.update([0]);
                hasher.update(package);
            }
            hasher.update([0, 0]);
        }
        let key = HEXLOWER.encode(&hasher.finalize()[..8]);
        self.options.cache_directory.join("roots").join(key)
    }

    fn failure(&self, end: String, log: PathBuf, network: &Network) -> Error {
        if end.contains("No space left on device") {
            let places = format!("{} and {}", self.nix.places(), self.options.run_directory.display());
            return Error::DiskFull { what: "nix-build runs".to_owned(), places };
        }
        let concerns =
            |machine: &&Machine| end.contains(&format!("-netprop-image-{}.drv", store_name(&machine.kernel)));
        let machines = network.machines().iter().filter(concerns).map(|machine| machine.id.clone()).collect();
        // The run's directory goes with the run; whoever reads the message looks later.
        let kept = self.options.cache_directory.join("nix-build.log");
        let log = if fs::copy(&log, &kept).is_ok() { kept } else { log };
        Error::Build { machines, log, end }
    }

    fn limits(&self) -> Limits {
        let deadline = self.options.deadline;
        Limits { until: Instant::now().checked_add(deadline), deadline, cancel: self.options.cancel.clone() }
    }
}

/// A version as it is in the names of the store: `nix/debian/default.nix` does the same.
fn store_name(kernel: &KernelVersion) -> String {
    kernel.as_str().replace('~', "-")
}

/// What the machines of a network ask for, once each and in order.
fn requests(network: &Network) -> Vec<ImageRequest> {
    let request =
        |machine: &Machine| ImageRequest { kernel: machine.kernel.clone(), packages: BTreeSet::new() };
    let requests: BTreeSet<_> = network.machines().iter().map(request).collect();
    requests.into_iter().collect()
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
