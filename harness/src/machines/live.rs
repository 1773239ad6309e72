//! A network of real machines: built, wired, booted and driven over SSH.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::thread;
use std::time::Duration;

use hypervisor::{BootError, Definition, Endpoints, State, Switch, boot, free_loopback_port};
use model::{Machine, MachineId, Network};
use nixgen::{Console, Control, Data, Image, Management, Wiring};
use remote::{Command, Output, Session, Target};

use crate::machines::identity::{self, NetworkKey};
use crate::machines::lab::{Lab, Reach};
use crate::system::SystemError;

/// How long a login may take on a machine that says it is ready.
const LOGIN_LIMIT: Duration = Duration::from_secs(60);
/// How often a machine is started on another port where its own was taken meanwhile.
const PORT_TRIES: u32 = 5;

/// How a boot ended, where the machine itself decided it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Boot {
    /// It serves SSH, after this time.
    Ready(Duration),
    /// A machine that is made just as one that booted before did not: its kernel panicked, or its guest gave up; with the
    /// end of its console.
    Failed(String),
}

/// Machines on a switch of their own. Dropping it ends them and removes what they wrote.
pub struct LiveNetwork<'lab> {
    pub(super) machines: HashMap<MachineId, LiveMachine>,
    /// Goes last: machines are plugged into its switch.
    pub(super) shared: Shared<'lab>,
}

/// What all machines of a network are made with; they boot side by side.
pub(super) struct Shared<'lab> {
    pub(super) lab: &'lab Lab,
    pub(super) network: Network,
    key: NetworkKey,
    switch: Switch,
}

/// One machine with what is needed to reach it.
pub(super) struct LiveMachine {
    pub(super) machine: Box<dyn hypervisor::Machine>,
    address: SocketAddr,
    pub(super) session: Option<Session>,
    pub(super) image: Image,
    pub(super) endpoints: Endpoints,
    pub(super) scratch: PathBuf,
}

impl<'lab> LiveNetwork<'lab> {
    /// Builds what the network needs, defines its machines, and boots side by side those that
    /// are to be on.
    ///
    /// # Errors
    /// [`SystemError`] for whatever fails in that.
    pub fn create(lab: &'lab Lab, network: &Network) -> Result<Self, SystemError> {
        let images = lab.images(network)?;
        let name = lab.network_name();
        let switch = lab.switch(&name)?;
        let key = NetworkKey::generate().map_err(SystemError::Infrastructure)?;
        let shared = Shared { lab, network: network.clone(), key, switch };
        let prepared = thread::scope(|scope| {
            let machines = network.machines().iter().zip(images);
            let (shared, name) = (&shared, &name);
            let threads: Vec<_> = machines
                .map(|(machine, image)| scope.spawn(move || shared.prepare(machine, image, name)))
                .collect();
            threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        })?;
        let machines = network.ids().into_iter().zip(prepared).collect();
        let mut live = Self { machines, shared };
        live.boot_running()?;
        Ok(live)
    }

    /// The network as it was created.
    #[must_use]
    pub fn network(&self) -> &Network {
        &self.shared.network
    }

    /// Boots the machines that the network says are on, side by side.
    fn boot_running(&mut self) -> Result<(), SystemError> {
        let running: Vec<_> =
            self.shared.network.machines().iter().filter(|machine| machine.running).cloned().collect();
        if running.is_empty() {
            return Ok(());
        }
        let mut taken: Vec<_> = running
            .iter()
            .filter_map(|machine| Some((machine, self.machines.remove(&machine.id)?)))
            .collect();
        let shared = &self.shared;
        let results: Vec<_> = thread::scope(|scope| {
            let boots: Vec<_> = taken
                .iter_mut()
                .map(|(machine, live)| scope.spawn(move || shared.boot_machine(machine, live)))
                .collect();
            boots.into_iter().map(join).collect()
        });
        self.machines.extend(taken.into_iter().map(|(machine, live)| (machine.id.clone(), live)));
        for (machine, result) in running.iter().zip(results) {
            if let Boot::Failed(why) = result? {
                return Err(SystemError::infrastructure(format!(
                    "machine {} did not boot: {why}",
                    machine.id
                )));
            }
        }
        Ok(())
    }

    /// Switches a machine on and waits until it serves SSH.
    ///
    /// # Errors
    /// [`SystemError`] where the machine is not to blame, or where none that is made just as it is
    /// ever booted in this run, so that nothing can be found out with it.
    pub fn boot(&mut self, id: &MachineId) -> Result<Boot, SystemError> {
        self.shared.switch.check()?;
        let machine = self.shared.network.machine(id).ok_or_else(|| unknown(id))?.clone();
        let mut live = self.machines.remove(id).ok_or_else(|| unknown(id))?;
        let result = self.shared.boot_machine(&machine, &mut live);
        self.machines.insert(id.clone(), live);
        result
    }

    /// Cuts a machine's power.
    ///
    /// # Errors
    /// [`SystemError`] where the hypervisor will not.
    pub fn power_cut(&mut self, id: &MachineId) -> Result<(), SystemError> {
        let live = self.live(id)?;
        live.session = None;
        Ok(live.machine.power_cut()?)
    }

    /// What the hypervisor says a machine is doing.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn state(&mut self, id: &MachineId) -> Result<State, SystemError> {
        Ok(self.live(id)?.machine.state())
    }

    /// The end of what a machine's console said since it was switched on.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn console(&mut self, id: &MachineId) -> Result<String, SystemError> {
        Ok(self.live(id)?.machine.console())
    }

    /// Runs a command on a machine as root, over the session that is held open for it.
    ///
    /// # Errors
    /// [`SystemError`] where the command was not run.
    pub fn run(&mut self, id: &MachineId, command: &Command) -> Result<Output, SystemError> {
        let target = Target {
            address: self.live(id)?.address,
            user: "root".to_owned(),
            private_key: self.shared.lab.options.key.clone(),
            host_key: self.shared.key.public.clone(),
        };
        let live = self.live(id)?;
        let session = match live.session.take() {
            Some(session) => session,
            None => Session::connect(&target, LOGIN_LIMIT).map_err(SystemError::infrastructure)?,
        };
        live.session.insert(session).run(command).map_err(SystemError::infrastructure)
    }

    /// Takes note that a machine cannot be had as it is described.
    pub(super) fn unfit(&self, machine: &Machine, why: &str) -> SystemError {
        self.shared.lab.configurations().not_booted(machine, why)
    }

    fn live(&mut self, id: &MachineId) -> Result<&mut LiveMachine, SystemError> {
        self.machines.get_mut(id).ok_or_else(|| unknown(id))
    }
}

impl Shared<'_> {
    /// Makes what a machine of the network `name` needs besides its image, and defines it.
    fn prepare(&self, machine: &Machine, image: Image, name: &str) -> Result<LiveMachine, SystemError> {
        let endpoints = self.lab.run.endpoints(&format!("{name}-{}", machine.id))?;
        let scratch = self.lab.scratch(&image, machine, &endpoints.console.with_extension("qcow2"))?;
        self.define(machine, image, endpoints, scratch)
    }

    pub(super) fn define(
        &self,
        machine: &Machine,
        image: Image,
        endpoints: Endpoints,
        scratch: PathBuf,
    ) -> Result<LiveMachine, SystemError> {
        let port = free_loopback_port()?;
        let address = match self.lab.options.reach {
            Reach::Forwarded => SocketAddr::from((Ipv4Addr::LOCALHOST, port)),
            Reach::Direct => SocketAddr::from((machine.address, 22)),
        };
        let wiring = Wiring {
            console: Console::Socket(endpoints.console.clone()),
            control: Control::Socket(endpoints.control.clone()),
            scratch: Some(scratch.clone()),
            management: Management::Forwarded { port },
            data: Data::Switch(self.switch.path().to_owned()),
            accelerator: self.lab.accelerator(),
            ..Wiring::default()
        };
        let xml = nixgen::domain_xml(machine, &self.network, &image, &wiring)?;
        let definition = Definition { name: machine.id.to_string(), xml, endpoints: endpoints.clone() };
        let defined = self.lab.hypervisor.define(&definition)?;
        Ok(LiveMachine { machine: defined, address, session: None, image, endpoints, scratch })
    }

    /// Boots a machine; where it does not and none like it ever did, that is no answer.
    fn boot_machine(&self, machine: &Machine, live: &mut LiveMachine) -> Result<Boot, SystemError> {
        let configurations = self.lab.configurations();
        match self.try_boot(machine, live)? {
            Boot::Failed(why) if !configurations.has_booted(machine) => {
                Err(configurations.not_booted(machine, &why))
            }
            boot => Ok(boot),
        }
    }

    /// Boots a machine; it has failed where its kernel or its guest said so.
    pub(super) fn try_boot(&self, machine: &Machine, live: &mut LiveMachine) -> Result<Boot, SystemError> {
        let identity = identity::lines(&self.network, machine, &self.key);
        let mut tries = 1;
        loop {
            match boot(live.machine.as_mut(), &identity, self.lab.options.boot_limit) {
                Ok(booted) => {
                    self.lab.configurations().remember_booted(machine);
                    return Ok(Boot::Ready(booted.ready));
                }
                Err(BootError::Machine(hypervisor::Error::PortTaken { .. })) if tries < PORT_TRIES => {
                    tries += 1;
                    *live = self.define(
                        machine,
                        live.image.clone(),
                        live.endpoints.clone(),
                        live.scratch.clone(),
                    )?;
                }
                // A service that is slow says as little as a machine that is: the host may be busy.
                Err(error @ BootError::Failed { .. }) if is_late(&error) => {
                    return Err(SystemError::infrastructure(error));
                }
                Err(error @ (BootError::Panic { .. } | BootError::Failed { .. })) => {
                    return Ok(Boot::Failed(error.to_string()));
                }
                Err(error) => return Err(SystemError::infrastructure(error)),
            }
        }
    }
}

/// Whether the guest only says that something took it too long.
fn is_late(error: &BootError) -> bool {
    matches!(error, BootError::Failed { reason, .. } if reason.starts_with("late: "))
}

pub(super) fn unknown(id: &MachineId) -> SystemError {
    SystemError::WrongUse(format!("the network has no machine {id}: name one of its machines").into())
}

fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
