//! What all networks of a run share: images, the hypervisor, the run's directory.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use hypervisor::Fabric;
use hypervisor::accelerator::{self, Accelerator};
use hypervisor::fabric::Capture;
use hypervisor::{
    Access, ConnectOptions, Driver, FabricConfig, Hypervisor, Libvirt, Patience, RunDirectory, Switch,
};
use model::{
    BoundsError, KernelVersion, MachineId, Network, NetworkParameters, PackageName, PackageVersion, Parameter,
};
use nixgen::{BaseChoice, BaseOffer, Image, NixosOptions};

use crate::components;
use crate::machines::builds::Builds;
use crate::machines::key;
use crate::machines::scratch::Scratches;
use crate::machines::templates::Templates;
use crate::machines::unfit::Configurations;
use crate::observe::{Event, Observer, Warnings};
use crate::stop::Stop;
use crate::system::SystemError;

/// How SSH reaches a machine.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reach {
    /// Through a port of loopback that is forwarded to the machine's management interface.
    #[default]
    Forwarded,
    /// At the machine's address on the data network, where this host is on the switch.
    Direct,
}

/// What the machines of a network are plugged into.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum SwitchChoice {
    /// A [`Fabric`] for each network.
    #[default]
    Fabric,
    /// A `vde_switch` for each network.
    Vde,
    /// All networks into the VDE switch with this control directory, which somebody else has started.
    Existing(PathBuf),
}

/// How machines come to the start of a case; see ARCHITECTURE.md, "Warm networks".
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Boots {
    /// Of each kind the first is booted in a run; others begin from a snapshot of their kind. While a
    /// case is run again and again, or made smaller, all do, and are put back to what they were when
    /// they first were ready, as long as they are the same machines. What fails so is confirmed on
    /// ones that are booted.
    #[default]
    Auto,
    /// They are made anew and booted, always.
    Cold,
    /// They begin from a snapshot of their kind, and are put back to what they were when they first
    /// were ready where an earlier case had the same ones.
    Warm,
}

/// What machines are made of and run by.
#[derive(Clone, Debug)]
pub struct LabOptions {
    /// What guests are made of.
    pub base: BaseChoice,
    /// What a NixOS is made of.
    pub nixos: NixosOptions,
    /// Which libvirt runs them.
    pub driver: Driver,
    /// How their processors are run; found out by a canary boot where there is none.
    pub accelerator: Option<Accelerator>,
    /// What they are plugged into.
    pub switch: SwitchChoice,
    /// How SSH reaches them.
    pub reach: Reach,
    /// The private key that they let in as root, its public half beside it with `.pub` added;
    /// netprop's test key where this is empty.
    pub key: PathBuf,
    /// How machines come to the start of a case.
    pub boots: Boots,
    /// Whether networks are made whatever memory and cores the host has, rather than waiting until
    /// those that are there leave room.
    pub overcommit: bool,
    /// Where snapshots are kept between runs that machines begin from where [`LabOptions::boots`] says
    /// so; by default `snapshots` in [`hypervisor::cache_directory`].
    pub snapshots: Option<PathBuf>,
    /// How many bytes these may take up; what was used least recently goes first.
    pub snapshots_bound: u64,
    /// How long a machine may take to boot.
    pub boot_limit: Duration,
    /// Where the run's directory is made.
    pub run_directory: Option<PathBuf>,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self {
            base: BaseChoice::Auto,
            nixos: NixosOptions::default(),
            driver: Driver::Embedded,
            accelerator: None,
            switch: SwitchChoice::default(),
            reach: Reach::default(),
            key: PathBuf::new(),
            boots: Boots::default(),
            overcommit: false,
            snapshots: None,
            snapshots_bound: 4 << 30,
            boot_limit: Duration::from_secs(120),
            run_directory: None,
        }
    }
}

/// Everything that networks of real machines are made with. One is enough for a run.
/// ```no_run
/// use harness::prelude::*;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let Some(lab) = Lab::for_test()? else { return Ok(()) };
/// // One of the networks that there can be here, whose machine is on.
/// let network = lab.bounds()?.one_of_each().remove(0).all_running();
/// let live = LiveNetwork::create(&lab, &network)?;
/// let id = &network.ids()[0];
/// let name = live.run(id, &remote::Command::new("hostname"))?;
/// assert_eq!(String::from_utf8(name.stdout)?.trim(), id.as_str());
/// live.power_cut(id)?;
/// assert!(matches!(live.boot(id)?, Boot::Ready(_)));
/// # Ok(())
/// # }
/// ```
pub struct Lab {
    pub(crate) options: LabOptions,
    pub(crate) hypervisor: Box<dyn Hypervisor>,
    builds: Builds,
    accelerator: OnceLock<Accelerator>,
    /// Held by who finds out which it is.
    choosing: Mutex<()>,
    pub(super) scratches: Scratches,
    configurations: Configurations,
    pub(super) templates: Templates,
    networks: AtomicU64,
    /// Where what goes through the networks of cases is written.
    capture: Mutex<Option<PathBuf>>,
    observer: Arc<dyn Observer>,
    /// What ends the run.
    pub(super) stop: Stop,
    /// Goes last: everything above has files in it.
    pub(crate) run: RunDirectory,
}

impl Lab {
    /// Removes what earlier runs have left, makes the run's directory, and connects to libvirt.
    ///
    /// # Errors
    /// [`SystemError`] that says what is missing or refused.
    pub fn open(
        mut options: LabOptions,
        observer: Arc<dyn Observer>,
        stop: Stop,
    ) -> Result<Self, SystemError> {
        let parent = options.run_directory.as_deref();
        let access = access(&options.driver);
        if let Err(error) = hypervisor::clean(parent) {
            observer.event(&Event::Warning { text: &error.to_string() });
        }
        let run = RunDirectory::create(parent, access)?;
        let authorized_key = key::prepare(&mut options, run.path())?;
        let builds = Builds::new(&options, authorized_key, &run, &observer, &stop)?;
        let connect = ConnectOptions { driver: options.driver.clone(), ..ConnectOptions::default() };
        let hypervisor = Box::new(Libvirt::connect(&run, &connect)?);
        let accelerator = OnceLock::new();
        if let Some(chosen) = options.accelerator {
            accelerator.get_or_init(|| chosen);
        }
        Ok(Self {
            templates: Templates::new(&options),
            options,
            hypervisor,
            builds,
            accelerator,
            choosing: Mutex::default(),
            scratches: Scratches::default(),
            configurations: Configurations::default(),
            networks: AtomicU64::new(0),
            capture: Mutex::default(),
            observer,
            stop,
            run,
        })
    }

    /// A lab with default options for a `#[test]`. Where a program is missing it says so loudly and
    /// gives none, so that the test can return; with `CI=true` that is an error.
    ///
    /// # Errors
    /// As [`Lab::open`], and [`SystemError::MissingComponent`] with `CI=true`.
    pub fn for_test() -> Result<Option<Self>, SystemError> {
        Self::for_test_with(LabOptions::default())
    }

    /// As [`Lab::for_test`], with options of one's own.
    ///
    /// # Errors
    /// As [`Lab::for_test`].
    pub fn for_test_with(options: LabOptions) -> Result<Option<Self>, SystemError> {
        let stop = Stop::default();
        let opened = match components::check() {
            Err(missing) => Err(SystemError::MissingComponent(Box::new(missing))),
            Ok(()) => Self::open(options, Arc::new(Warnings), stop),
        };
        match opened {
            Err(error @ SystemError::MissingComponent(_)) if !in_ci() => {
                eprintln!("SKIPPED, nothing was tested: {error}");
                Ok(None)
            }
            opened => opened.map(Some),
        }
    }

    /// What the base offers.
    ///
    /// # Errors
    /// [`SystemError`] where it cannot be asked.
    pub fn offer(&self) -> Result<BaseOffer, SystemError> {
        Ok(self.builds.builder().offer()?)
    }

    /// The kernels that the base offers, plain to suspect.
    ///
    /// # Errors
    /// [`SystemError`] where the base cannot be asked.
    pub fn kernels(&self) -> Result<Vec<KernelVersion>, SystemError> {
        Ok(self.offer()?.kernels)
    }

    /// Bounds of networks that suit the base: its kernels, all file systems, and memory that its
    /// guests start in.
    ///
    /// # Errors
    /// [`SystemError`] where the base cannot be asked, or offers no kernel.
    pub fn bounds(&self) -> Result<NetworkParameters, SystemError> {
        let offer = self.offer()?;
        let memory = Parameter::memory(offer.memory).map_err(BoundsError::from)?;
        Ok(NetworkParameters::new(offer.kernels)?.with(memory))
    }

    /// The versions of a package that machines can be given here, newest first; none where there
    /// is no such package.
    ///
    /// # Errors
    /// [`SystemError`] where the base cannot be asked.
    pub fn versions(&self, package: &PackageName) -> Result<Vec<PackageVersion>, SystemError> {
        let versions = self.builds.builder().versions(package)?;
        Ok(versions.into_iter().map(PackageVersion::Exact).collect())
    }

    /// What has to be told, beside a network, to make the same machines elsewhere, such as which
    /// nixpkgs they are made of: keys and values.
    ///
    /// # Errors
    /// [`SystemError`] where the base cannot tell.
    pub fn pins(&self) -> Result<BTreeMap<String, String>, SystemError> {
        Ok(self.builds.builder().pins()?)
    }

    /// The Nix expression that the images of a network's machines are built by.
    ///
    /// # Errors
    /// [`SystemError`] where it cannot be made.
    pub fn expression(&self, network: &Network) -> Result<String, SystemError> {
        Ok(self.builds.builder().expression([network])?.text)
    }

    /// Refuses bounds of which some value cannot be had here, such as a version of a package that
    /// the base does not offer, before anything is built. What is to be downloaded is there then.
    ///
    /// # Errors
    /// [`SystemError::WrongUse`] with the first such value, or why it could not be found out.
    pub fn check(&self, bounds: &NetworkParameters) -> Result<(), SystemError> {
        match self.builds.builder().check(&bounds.one_of_each()) {
            Err(error) if error.is_configuration() => Err(SystemError::WrongUse(Box::new(error.for_any()))),
            result => Ok(result.map(drop)?),
        }
    }

    /// The images of a network's machines, in their order, built if they are not there yet. The
    /// accelerator is chosen on this occasion too, since that needs a kernel.
    ///
    /// # Errors
    /// [`SystemError`] with the end of the build's log, or what the canary boot met.
    pub fn images(&self, network: &Network) -> Result<Vec<Image>, SystemError> {
        self.configurations.check(network)?;
        let built = self.builds.build(network);
        let built = built.map_err(|error| self.configurations.not_built(error, network))?;
        let images: Vec<Image> = built.machines().map(|(_, image)| image.clone()).collect();
        if let Some(image) = images.first() {
            // Of several jobs one finds out.
            let _one = self.choosing.lock().unwrap_or_else(PoisonError::into_inner);
            if self.accelerator.get().is_none() {
                let chosen = self.choose_accelerator(&image.kernel)?;
                self.accelerator.get_or_init(|| chosen);
            }
        }
        Ok(images)
    }

    /// Builds what the plainest machine needs, and says where it is.
    ///
    /// # Errors
    /// [`SystemError`] where it cannot be built.
    pub fn try_build(&self) -> Result<String, SystemError> {
        let images = self.images(&self.plainest()?)?;
        Ok(images.first().map(|image| image.root.display().to_string()).unwrap_or_default())
    }

    /// Says how processors are run, once something was built.
    ///
    /// # Errors
    /// [`SystemError`] where no canary can be booted.
    pub fn try_accelerator(&self) -> Result<String, SystemError> {
        let images = self.images(&self.plainest()?)?;
        let Some(image) = images.first() else { return Ok(String::new()) };
        let choice = self.canary(&image.kernel)?;
        Ok(format!("{}: {}", choice.accelerator, choice.why))
    }

    fn plainest(&self) -> Result<Network, SystemError> {
        let network = self.bounds()?.one_of_each().into_iter().next();
        network.ok_or_else(|| SystemError::WrongUse("the base offers no machine".into()))
    }

    fn choose_accelerator(&self, kernel: &Path) -> Result<Accelerator, SystemError> {
        let what = "finding out by a canary boot whether KVM works";
        self.observer.event(&Event::Preparing { what, done: None, total: None });
        Ok(self.canary(kernel)?.accelerator)
    }

    /// Boots a kernel under KVM to see whether that works, unless the answer is known.
    fn canary(&self, kernel: &Path) -> Result<accelerator::Choice, SystemError> {
        let qemu =
            components::QEMU.find().map_err(|missing| SystemError::MissingComponent(Box::new(missing)))?;
        let cache = hypervisor::cache_directory();
        Ok(accelerator::choose(&self.run, kernel, &qemu, cache.as_deref())?)
    }

    /// What networks are plugged into.
    pub(crate) fn switch_choice(&self) -> SwitchChoice {
        self.options.switch.clone()
    }

    /// Has all that goes through the network of each case from now on be written to this file, which
    /// Wireshark reads, with the commands as annotations: the last case's is what stays. Networks that
    /// are plugged into another switch than the fabric write none. Until it is called with nothing.
    pub fn capture_into(&self, file: Option<&Path>) {
        *self.capture.lock().unwrap_or_else(PoisonError::into_inner) = file.map(Path::to_owned);
    }

    /// Begins to do so for a network.
    pub(super) fn capture(&self, fabric: Option<&Fabric>) -> Result<Option<Capture>, SystemError> {
        let file = self.capture.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match (fabric, file) {
            (Some(fabric), Some(file)) => Ok(Some(fabric.capture(&file)?)),
            _ => Ok(None),
        }
    }

    /// How processors are run; plain emulation until a network was built.
    #[must_use]
    pub fn accelerator(&self) -> nixgen::Accelerator {
        match self.accelerator.get() {
            Some(Accelerator::Kvm) => nixgen::Accelerator::Kvm,
            Some(Accelerator::Tcg) | None => nixgen::Accelerator::Tcg,
        }
    }

    /// The directory that everything of this run lies in.
    #[must_use]
    pub fn run_directory(&self) -> &RunDirectory {
        &self.run
    }

    /// What the run's machines are defined in.
    #[must_use]
    pub fn hypervisor(&self) -> &dyn Hypervisor {
        self.hypervisor.as_ref()
    }

    /// How long a machine may take to be ready, unless the run is to stop before.
    pub(super) fn patience(&self) -> Patience<'_> {
        Patience::until(self.stop.flag(), self.options.boot_limit)
    }

    /// A name for the next network, distinct in the run and short, since sockets carry it.
    pub(crate) fn network_name(&self) -> String {
        format!("n{}", self.networks.fetch_add(1, Ordering::Relaxed))
    }

    /// The name of a network among all that the libvirt of this run may know, of other runs as well.
    pub(crate) fn known_by(&self, network: &str) -> String {
        let run = self.run.path().file_name().unwrap_or_default().to_string_lossy();
        format!("{run}-{network}")
    }

    /// The switch of the next network.
    pub(crate) fn switch(&self, name: &str, network: &Network) -> Result<Switch, SystemError> {
        let access = access(&self.options.driver);
        Ok(match &self.options.switch {
            SwitchChoice::Existing(path) => Switch::existing(path)?,
            SwitchChoice::Vde => Switch::vde(&self.run, name, access)?,
            SwitchChoice::Fabric => Switch::fabric(&self.run, name, access, &fabric_for(network))?,
        })
    }

    /// Tells whoever watches of something that the run goes on without.
    pub(super) fn warn(&self, text: &str) {
        self.observer.event(&Event::Warning { text });
    }

    /// Whether machines of this base can begin from what another one was.
    pub(super) fn begins_from_snapshots(&self) -> bool {
        self.builds.builder().begins_from_snapshots()
    }

    /// What was found out about configurations.
    pub(super) fn configurations(&self) -> &Configurations {
        &self.configurations
    }

    /// Has what networks of cases to come need built beside the cases before them.
    pub(crate) fn build_ahead(&self, networks: Vec<Network>) {
        self.builds.plan(networks);
    }

    /// How many images and formatted disks of a network this run has not made or found yet.
    pub(crate) fn missing(&self, network: &Network) -> usize {
        self.builds.builder().missing(network)
    }
}

/// A fabric whose ports are called as the machines of a network, which are known to have the addresses
/// that they have: what frames meet depends on no machine's having spoken before.
fn fabric_for(network: &Network) -> FabricConfig {
    let config = FabricConfig::new(0, network.ids().iter().map(MachineId::as_str));
    let machines = network.machines().iter();
    machines.fold(config, |config, machine| {
        config.with_address(machine.id.as_str(), nixgen::mac_bytes(machine.address))
    })
}

/// Who has to get at the files of a run: a daemon may run machines as a user of its own.
fn access(driver: &Driver) -> Access {
    match driver {
        Driver::Embedded => Access::Owner,
        Driver::Uri(_) => Access::Everybody,
    }
}

/// Whether this runs where a skipped test must not look like one that passed.
fn in_ci() -> bool {
    std::env::var_os("CI").is_some_and(|value| value == "true")
}
