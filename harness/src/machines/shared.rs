//! What all machines of a network are made with: they are defined and booted side by side.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::SystemTime;

use hypervisor::{
    BootError, Booted, Definition, Endpoints, Fabric, State, Switch, boot_as, boot_from, free_loopback_port,
};
use model::{Machine, MachineId, Network, Setting};
use nixgen::{Console, Control, Data, Image, Management, Wiring};
use remote::Target;

use crate::machines::hold::{Ailing, Hardware};
use crate::machines::identity::{self, NetworkKey};
use crate::machines::lab::{Lab, Reach};
use crate::machines::live::Boot;
use crate::machines::scratch::Scratch;
use crate::machines::warm::{Begin, Moments, Start};
use crate::spans;
use crate::system::SystemError;

/// How often a machine is started on another port where its own was taken meanwhile.
pub(super) const PORT_TRIES: u32 = 5;

/// What all machines of a network are made with.
pub(super) struct Shared<'lab> {
    pub(super) lab: &'lab Lab,
    network: RwLock<Arc<Network>>,
    /// What the network is called, distinct in the run.
    name: String,
    key: NetworkKey,
    switch: Switch,
    pub(super) begin: Begin,
    /// Whether a machine was put back to its start, or began from a snapshot.
    pub(super) is_reused: AtomicBool,
    /// Whether the network can no longer be put back to its start.
    pub(super) is_spoiled: AtomicBool,
    /// How often what lies between machines, or whether one of them stands still, was changed.
    pub(super) changes: AtomicU64,
    /// Held by who makes ways worse.
    pub(super) worsening: Mutex<()>,
    /// What it can be put back to in the middle of a case.
    pub(super) moments: Mutex<Moments>,
    /// When the case began that it is used by.
    since: Mutex<SystemTime>,
}

/// What came of having a machine begin from a snapshot.
pub(super) enum Begun {
    /// It did.
    Ready(Boot),
    /// It was tried, and it has to boot.
    InVain,
    /// There is nothing that it could begin from.
    Untried,
}

impl<'lab> Shared<'lab> {
    pub(super) fn new(lab: &'lab Lab, network: &Network, begin: Begin) -> Result<Self, SystemError> {
        let key = NetworkKey::generate().map_err(SystemError::Infrastructure)?;
        let name = lab.network_name();
        let switch = lab.switch(&name, network)?;
        let network = RwLock::new(Arc::new(network.clone()));
        let (is_reused, is_spoiled) = (AtomicBool::new(false), AtomicBool::new(false));
        let (changes, worsening, moments) = (AtomicU64::new(0), Mutex::default(), Mutex::default());
        Ok(Self {
            lab,
            network,
            name,
            key,
            switch,
            begin,
            is_reused,
            is_spoiled,
            changes,
            worsening,
            moments,
            since: Mutex::new(SystemTime::now()),
        })
    }

    pub(super) fn network(&self) -> Arc<Network> {
        Arc::clone(&self.network.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Takes note that a case begins, which may be with other machines on.
    pub(super) fn begin_case(&self, network: &Network) {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner) = SystemTime::now();
        *self.network.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(network.clone());
    }

    /// When the case began that it is used by.
    pub(super) fn since(&self) -> SystemTime {
        *self.since.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that a machine has other software.
    pub(super) fn set_software(&self, id: &MachineId, to: &Setting) {
        self.spoil();
        let mut network = self.network.write().unwrap_or_else(PoisonError::into_inner);
        *network = Arc::new(network.as_ref().clone().with_changed(id, |machine| to.apply(machine)));
    }

    /// Which port of the switch is a machine's, where its ports have owners.
    fn port_of(&self, id: &MachineId) -> Option<u16> {
        self.switch.as_fabric()?;
        let index = self.network().ids().iter().position(|other| other == id)?;
        u16::try_from(index + 1).ok()
    }

    /// What becomes of frames, where the switch can be told.
    pub(super) fn fabric(&self) -> Option<&Fabric> {
        self.switch.as_fabric()
    }

    pub(super) fn check_switch(&self) -> Result<(), SystemError> {
        Ok(self.switch.check()?)
    }

    /// How SSH reaches the machine at this address, as root.
    pub(super) fn target(&self, address: SocketAddr) -> Target {
        Target {
            address,
            user: "root".to_owned(),
            private_key: self.lab.options.key.clone(),
            host_key: self.key.public.clone(),
        }
    }

    /// Makes what a machine needs besides its image, and defines it.
    pub(super) fn prepare(&self, machine: &Machine, image: Image) -> Result<Hardware, SystemError> {
        let _machine = spans::machine(&machine.id).entered();
        let endpoints = self.lab.run.endpoints(&format!("{}-{}", self.name, machine.id))?;
        let scratch = self.lab.scratch(&image, machine, endpoints.console.with_extension("qcow2"))?;
        Ok(Hardware { start: Start::blank(), ..self.define(machine, image, endpoints, scratch)? })
    }

    pub(super) fn define(
        &self,
        machine: &Machine,
        image: Image,
        endpoints: Endpoints,
        scratch: Arc<Scratch>,
    ) -> Result<Hardware, SystemError> {
        let port = free_loopback_port()?;
        let address = match self.lab.options.reach {
            Reach::Forwarded => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Reach::Direct => SocketAddr::from((machine.address, 22)),
        };
        let wiring = Wiring {
            console: Console::Socket(endpoints.console.clone()),
            control: Control::Socket(endpoints.control.clone()),
            scratch: Some(scratch.path().to_owned()),
            scratch_io: self.lab.scratch_io(&scratch),
            management: Management::Forwarded { port },
            data: Data::Switch { directory: self.switch.path().to_owned(), port: self.port_of(&machine.id) },
            accelerator: self.lab.accelerator(),
            network: Some(self.lab.known_by(&self.name)),
            ..Wiring::default()
        };
        let xml = nixgen::domain_xml(machine, &self.network(), &image, &wiring)?;
        let definition = Definition { name: machine.id.to_string(), xml, endpoints: endpoints.clone() };
        let defined = self.lab.hypervisor.define(&definition)?;
        let start = Start::default();
        Ok(Hardware {
            machine: defined,
            address,
            image,
            endpoints,
            scratch,
            start,
            ailing: Ailing::default(),
        })
    }

    /// Boots a machine; where it does not and none like it ever did, that is no answer.
    pub(super) fn boot_machine(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
    ) -> Result<Boot, SystemError> {
        let configurations = self.lab.configurations();
        match self.try_boot(machine, hardware)? {
            Boot::Failed(why) if !configurations.has_booted(machine) => {
                Err(configurations.not_booted(machine, &why))
            }
            boot => Ok(boot),
        }
    }

    /// Boots a machine; it has failed where its kernel or its guest said so.
    pub(super) fn try_boot(&self, machine: &Machine, hardware: &mut Hardware) -> Result<Boot, SystemError> {
        let identity = || identity::lines(&self.network(), machine, &self.key);
        let booted = self.on_a_free_port(machine, hardware, |hypervised| {
            boot_as(hypervised, &identity, self.lab.patience())
        })?;
        match booted {
            Ok(booted) => {
                self.lab.configurations().remember_booted(machine);
                Ok(Boot::Ready(booted.ready))
            }
            // A service that is slow says as little as a machine that is: the host may be busy.
            Err(error @ BootError::Failed { .. }) if is_late(&error) => {
                Err(SystemError::infrastructure(error))
            }
            Err(error @ (BootError::Panic { .. } | BootError::Failed { .. })) => {
                Ok(Boot::Failed(error.to_string()))
            }
            Err(BootError::Stopped { .. }) => Err(SystemError::Stopped),
            Err(error) => Err(SystemError::infrastructure(error)),
        }
    }

    /// Has a machine that is off begin from a snapshot of its kind. Where that is tried in vain it may be
    /// on, and have written to its scratch disk.
    pub(super) fn begin_from_snapshot(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
    ) -> Result<Begun, SystemError> {
        if hardware.machine.state() != State::Off {
            return Ok(Begun::Untried);
        }
        let Some(template) = self.lab.template(machine, &hardware.image, &self.switch) else {
            return Ok(Begun::Untried);
        };
        let identity = identity::lines_when_resumed(&self.network(), machine, &self.key);
        let begun = self.on_a_free_port(machine, hardware, |hypervised| {
            boot_from(hypervised, template.directory(), &identity::resumed, &identity, self.lab.patience())
        })?;
        match begun {
            Ok(booted) => {
                self.lab.configurations().remember_booted(machine);
                Ok(Begun::Ready(Boot::Ready(booted.ready)))
            }
            Err(BootError::Stopped { .. }) => Err(SystemError::Stopped),
            Err(error) => {
                if self.lab.give_up(&template) {
                    self.lab.warn(&format!(
                        "machines like {} are booted, since it does not begin from a snapshot: {error}",
                        machine.id
                    ));
                }
                Ok(Begun::InVain)
            }
        }
    }

    /// Starts a machine, on another port where its own was taken meanwhile.
    fn on_a_free_port(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
        start: impl Fn(&mut dyn hypervisor::Machine) -> Result<Booted, BootError>,
    ) -> Result<Result<Booted, BootError>, SystemError> {
        let mut tries = 1;
        loop {
            match start(hardware.machine.as_mut()) {
                Err(BootError::Machine(hypervisor::Error::PortTaken { .. })) if tries < PORT_TRIES => {
                    tries += 1;
                    self.has_lost_snapshots(&machine.id);
                    let Hardware { image, endpoints, scratch, start, .. } = &*hardware;
                    let other = self.define(machine, image.clone(), endpoints.clone(), scratch.clone())?;
                    *hardware = Hardware { start: start.of_another(), ..other };
                }
                ended => return Ok(ended),
            }
        }
    }
}

/// Whether the guest only says that something took it too long.
fn is_late(error: &BootError) -> bool {
    matches!(error, BootError::Failed { reason, .. } if reason.starts_with("late: "))
}
