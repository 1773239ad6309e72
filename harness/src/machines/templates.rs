//! What machines begin from instead of booting: snapshots that are kept between runs.
//!
//! One machine of each kind is booted without an identity until its guest asks who it is, and is kept as
//! it is then. It is no machine of any case, and its guest knows nothing that a machine of a case should
//! not; see ARCHITECTURE.md.

use std::collections::{HashMap, HashSet};
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::UNIX_EPOCH;

use hypervisor::{
    BootError, Definition, Error, Switch, Template, TemplateCache, free_loopback_port, make_template,
};
use model::machine::Mtu;
use model::{Machine, MachineId, Network, Subnet};
use nixgen::{Console, Control, Data, Image, Management, Wiring};
use uuid::Uuid;

use crate::components;
use crate::machines::lab::{Boots, Lab, LabOptions};
use crate::machines::shared::PORT_TRIES;
use crate::system::SystemError;

/// What the machine is called that is kept.
const NAME: &str = "snapshot";
/// Its uuid, which the tables of the firmware go on to show. It is no machine's of any case.
const UUID: Uuid = Uuid::from_u128(0x6e65_7470_726f_4000_8000_0000_0000_0000);

/// What was found of one kind, once it was looked for.
type Found = Arc<OnceLock<Option<Arc<Template>>>>;

/// What a run knows of its snapshots.
pub(crate) struct Templates {
    cache: Option<TemplateCache>,
    kinds: Mutex<HashMap<String, Found>>,
    /// Of which kinds a machine has booted in this run.
    booted: Mutex<HashSet<String>>,
    /// What of the host a snapshot depends on, for which QEMU has to be asked.
    host: OnceLock<String>,
    /// Only one machine at a time has that name.
    making: Mutex<()>,
    warned: Mutex<HashSet<String>>,
}

impl Templates {
    pub(super) fn new(options: &LabOptions) -> Self {
        let bound = options.snapshots_bound;
        let chosen = options.snapshots.clone().map(|directory| TemplateCache::new(directory, bound));
        Self {
            cache: chosen.or_else(|| TemplateCache::of_user(bound)),
            kinds: Mutex::default(),
            booted: Mutex::default(),
            host: OnceLock::new(),
            making: Mutex::default(),
            warned: Mutex::default(),
        }
    }

    fn host(&self) -> Result<&str, SystemError> {
        if let Some(host) = self.host.get() {
            return Ok(host);
        }
        let qemu = components::QEMU.find();
        let qemu = qemu.map_err(|missing| SystemError::MissingComponent(Box::new(missing)))?;
        let host = hypervisor::accelerator::describe_host(&qemu)?;
        Ok(self.host.get_or_init(|| host))
    }
}

impl Lab {
    /// What a machine can begin from, made on `switch` where there is none yet; none where it has to boot,
    /// of which a warning tells once unless it is always so.
    pub(super) fn template(
        &self,
        machine: &Machine,
        image: &Image,
        switch: &Switch,
    ) -> Option<Arc<Template>> {
        if self.options.boots == Boots::Cold || !self.begins_from_snapshots() || !self.can_be_saved(image) {
            return None;
        }
        let kind = match self.kind(machine, image) {
            Ok(kind) => kind,
            Err(error) => return self.without_snapshots(&error),
        };
        let found = {
            let mut kinds = self.templates.kinds.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(kinds.entry(kind.clone()).or_default())
        };
        let template = found.get_or_init(|| match self.find_template(&kind, machine, image, switch) {
            Ok(template) => Some(Arc::new(template)),
            Err(error) => self.without_snapshots(&error),
        });
        template.clone()
    }

    /// Whether QEMU saves machines with this image, of which a warning tells where it does not: it saves none
    /// that has mounted a directory of the host.
    pub(super) fn can_be_saved(&self, image: &Image) -> bool {
        if image.store.is_some() {
            let text = "machines are booted for each case, since QEMU saves none that has mounted the host's store by 9p: leave out --nixos-store 9p to have them begin from what was saved";
            self.warn_once("9p", text);
        }
        image.store.is_none()
    }

    /// Uses a snapshot no more that a machine could not begin from; false where that was known.
    pub(super) fn give_up(&self, template: &Arc<Template>) -> bool {
        let mut kinds = self.templates.kinds.lock().unwrap_or_else(PoisonError::into_inner);
        let is_it = |found: &&mut Found| {
            found.get().and_then(Option::as_ref).is_some_and(|found| Arc::ptr_eq(found, template))
        };
        let Some(found) = kinds.values_mut().find(is_it) else { return false };
        *found = Arc::new(OnceLock::from(None));
        template.discard();
        true
    }

    /// Takes note that a machine of this kind has booted.
    pub(super) fn remember_booted_kind(&self, machine: &Machine, image: &Image) {
        if self.options.boots != Boots::Cold
            && let Ok(kind) = self.kind(machine, image)
        {
            self.templates.booted.lock().unwrap_or_else(PoisonError::into_inner).insert(kind);
        }
    }

    /// Whether a machine of this kind has booted in this run, rather than begun from a snapshot.
    pub(super) fn has_booted_kind(&self, machine: &Machine, image: &Image) -> bool {
        let booted = self.templates.booted.lock().unwrap_or_else(PoisonError::into_inner);
        self.kind(machine, image).is_ok_and(|kind| booted.contains(&kind))
    }

    fn without_snapshots<T>(&self, error: &SystemError) -> Option<T> {
        if !matches!(error, SystemError::Stopped) {
            let text = format!("machines are booted, since they cannot begin from a snapshot: {error}");
            self.warn_once(&format!("begin: {}", reason(error)), &text);
        }
        None
    }

    /// Tells of what may be met with every machine, once for each reason.
    pub(super) fn warn_once(&self, reason: &str, text: &str) {
        let mut warned = self.templates.warned.lock().unwrap_or_else(PoisonError::into_inner);
        if warned.insert(reason.to_owned()) {
            self.warn(text);
        } else {
            tracing::debug!("{text}");
        }
    }

    fn find_template(
        &self,
        kind: &str,
        machine: &Machine,
        image: &Image,
        switch: &Switch,
    ) -> Result<Template, SystemError> {
        let Some(cache) = &self.templates.cache else {
            let why = "there is no directory to keep any in: set XDG_CACHE_HOME to one";
            return Err(SystemError::Infrastructure(why.into()));
        };
        let size = machine.memory.get() << 20;
        cache.get(kind, size, &|text| self.warn_once(text, text), |directory| {
            self.make_template(machine, image, switch, directory)
        })
    }

    /// Boots a machine like this one that is nobody, and keeps what it is when it asks who it is.
    fn make_template(
        &self,
        machine: &Machine,
        image: &Image,
        switch: &Switch,
        directory: &Path,
    ) -> Result<(), SystemError> {
        let _alone = self.templates.making.lock().unwrap_or_else(PoisonError::into_inner);
        let mut tries = 1;
        loop {
            match self.try_to_make_template(machine, image, switch, directory)? {
                // Somebody else has it meanwhile: another is chosen.
                Err(BootError::Machine(Error::PortTaken { .. })) if tries < PORT_TRIES => tries += 1,
                made => return Ok(made?),
            }
        }
    }

    fn try_to_make_template(
        &self,
        machine: &Machine,
        image: &Image,
        switch: &Switch,
        directory: &Path,
    ) -> Result<Result<(), BootError>, SystemError> {
        let endpoints = self.run.endpoints(NAME)?;
        let scratch = self.scratch(image, machine, endpoints.console.with_extension("qcow2"))?;
        let wiring = Wiring {
            console: Console::Socket(endpoints.console.clone()),
            control: Control::Socket(endpoints.control.clone()),
            scratch: Some(scratch.path().to_owned()),
            management: Management::Forwarded { port: free_loopback_port()? },
            data: Data::Switch { directory: switch.path().to_owned(), port: None },
            accelerator: self.accelerator(),
            ..Wiring::default()
        };
        let xml = nobody_xml(machine, image, &wiring)?;
        let definition = Definition { name: NAME.to_owned(), xml, endpoints };
        let mut nobody = self.hypervisor.define(&definition)?;
        let made = make_template(nobody.as_mut(), directory, machine.file_system.as_str(), self.patience());
        nobody.undefine()?;
        Ok(made)
    }

    /// All that a snapshot of a machine depends on.
    fn kind(&self, machine: &Machine, image: &Image) -> Result<String, SystemError> {
        // Where a device's other end is does not matter, only that it is there.
        let wiring = Wiring {
            scratch: Some(PathBuf::from("/scratch")),
            management: Management::Forwarded { port: 1 },
            data: Data::Switch { directory: PathBuf::from("/switch"), port: None },
            accelerator: self.accelerator(),
            ..Wiring::default()
        };
        let mut kind = nobody_xml(machine, image, &wiring)?;
        let (kernel, initrd) = image.booted();
        for file in [kernel, initrd, &image.root] {
            let (size, modified) = state(file).map_err(SystemError::infrastructure)?;
            writeln!(kind, "{} of {size} bytes and {modified}", file.display()).ok();
        }
        if let Some(scratch) = image.scratch.get(&machine.format()) {
            // Only its size is known to a guest that has not mounted it.
            let (size, _) = state(scratch).map_err(SystemError::infrastructure)?;
            writeln!(kind, "a scratch disk of {size} bytes").ok();
        }
        kind.push_str(self.templates.host()?);
        Ok(kind)
    }
}

/// What stands for an error that is met again with the next machine, or the next network, whatever path it
/// names there.
fn reason(error: &SystemError) -> String {
    let cause: &(dyn std::error::Error + 'static) = match error {
        SystemError::Infrastructure(cause) | SystemError::Hopeless(cause) => cause.as_ref(),
        _ => return error.to_string(),
    };
    cause.downcast_ref().map_or_else(|| error.to_string(), reason_of)
}

/// As [`reason`], of the hypervisor's errors.
pub(super) fn reason_of(error: &Error) -> String {
    match error {
        Error::DiskFull { .. } | Error::NoRoom { .. } => "no room".to_owned(),
        Error::File { action, source, .. } => format!("{action}: {source}"),
        Error::Refused { message, .. } => message.clone(),
        error => error.to_string(),
    }
}

/// A file's size, and when it was changed.
fn state(file: &Path) -> std::io::Result<(u64, u64)> {
    let metadata = fs::metadata(file)?;
    let modified = metadata.modified()?.duration_since(UNIX_EPOCH).unwrap_or_default();
    Ok((metadata.len(), modified.as_secs()))
}

/// The definition of a machine that is made as this one, and has nothing that is its own; that it has
/// the same file system is in its description.
fn nobody_xml(machine: &Machine, image: &Image, wiring: &Wiring) -> Result<String, SystemError> {
    let subnet = Subnet::default();
    let nobody = Machine {
        id: MachineId::new(NAME).map_err(SystemError::infrastructure)?,
        uuid: UUID,
        address: subnet.address(0).ok_or_else(|| SystemError::infrastructure("the subnet is empty"))?,
        mkfs_options: Vec::new(),
        mount_options: Vec::new(),
        packages: Default::default(),
        files: Default::default(),
        services: Default::default(),
        parameters: Default::default(),
        mtu: Mtu::default(),
        ..machine.clone()
    };
    let network = Network::new(subnet, vec![nobody.clone()]).map_err(SystemError::infrastructure)?;
    Ok(nixgen::domain_xml(&nobody, &network, image, wiring)?)
}
