//! A network of real machines: built, wired, booted and driven over SSH.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use hypervisor::State;
use hypervisor::fabric::Capture;
use model::{MachineId, Network, Outcome};
use nixgen::Image;
use remote::{Command, ConnectError, Ending, Output, RunError, Session, Target};

use crate::machines::hold::Hardware;
use crate::machines::lab::Lab;
use crate::machines::room::Permit;
use crate::machines::said::Said;
use crate::machines::shared::Shared;
use crate::machines::status::{Power, Status};
use crate::machines::stepwise::Stepwise;
use crate::machines::warm::Begin;
use crate::spans::{self, carried};
use crate::system::SystemError;

/// How long a login may take on a machine that says it is ready.
const LOGIN_LIMIT: Duration = Duration::from_secs(60);

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
///
/// Several lanes can drive it at once. What changes one machine's power happens one after the
/// other; commands over SSH run side by side, each over a session that no other command uses
/// meanwhile, and hold nothing up.
/// [`Lab`] has an example.
pub struct LiveNetwork<'lab> {
    machines: HashMap<MachineId, LiveMachine>,
    /// What is being written of what goes through its switch.
    pub(super) capture: Option<Capture>,
    /// Goes after these: machines are plugged into its switch.
    pub(super) shared: Shared<'lab>,
    /// What it takes of the host, where somebody waited for that.
    pub(super) permit: Option<Permit>,
}

/// One machine, and what is known of it meanwhile.
pub(super) struct LiveMachine {
    pub(super) status: Status,
    pub(super) hardware: Mutex<Hardware>,
    pub(super) said: Said,
    pub(super) stepwise: Stepwise,
}

impl<'lab> LiveNetwork<'lab> {
    /// Builds what the network needs, defines its machines, and boots side by side those that
    /// are to be on. It does so at once, whatever the host has left: [`MachineSystem`] waits for
    /// room.
    ///
    /// [`MachineSystem`]: crate::machines::MachineSystem
    ///
    /// # Errors
    /// [`SystemError`] for whatever fails in that.
    pub fn create(lab: &'lab Lab, network: &Network) -> Result<Self, SystemError> {
        Self::create_so(lab, network, Begin::Cold)
    }

    /// Builds what the network needs, and defines its machines.
    pub(super) fn define(lab: &'lab Lab, network: &Network, begin: Begin) -> Result<Self, SystemError> {
        Self::define_with(lab, network, lab.images(network)?, begin)
    }

    /// As [`LiveNetwork::define`], of machines with these images.
    pub(super) fn define_with(
        lab: &'lab Lab,
        network: &Network,
        images: Vec<Image>,
        begin: Begin,
    ) -> Result<Self, SystemError> {
        let shared = Shared::new(lab, network, begin)?;
        let prepared = thread::scope(|scope| {
            let machines = network.machines().iter().zip(images);
            let shared = &shared;
            let threads: Vec<_> = machines
                .map(|(machine, image)| scope.spawn(carried(move || shared.prepare(machine, image))))
                .collect();
            threads.into_iter().map(join).collect::<Result<Vec<_>, _>>()
        })?;
        let live = |hardware: Hardware| LiveMachine {
            status: Status::new(hardware.address),
            hardware: Mutex::new(hardware),
            said: Said::default(),
            stepwise: Stepwise::default(),
        };
        let machines = network.ids().into_iter().zip(prepared.into_iter().map(live)).collect();
        Ok(Self { machines, capture: None, shared, permit: None })
    }

    /// The network as it was created, but for the software that machines have been given since.
    #[must_use]
    pub fn network(&self) -> Arc<Network> {
        self.shared.network()
    }

    /// Boots the machines that the network says are on and that are not, side by side.
    pub(super) fn boot_running(&self) -> Result<(), SystemError> {
        let network = self.network();
        let running: Vec<_> = network.machines().iter().filter(|machine| self.is_to_boot(machine)).collect();
        let results: Vec<_> = thread::scope(|scope| {
            let boots: Vec<_> =
                running.iter().map(|machine| scope.spawn(carried(move || self.boot(&machine.id)))).collect();
            boots.into_iter().map(join).collect()
        });
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

    fn is_to_boot(&self, machine: &model::Machine) -> bool {
        let live = self.machines.get(&machine.id);
        machine.running && live.is_some_and(|live| live.status.now().power != Power::On)
    }

    /// The names of the machines.
    pub(super) fn ids(&self) -> impl Iterator<Item = &MachineId> {
        self.machines.keys()
    }

    /// Switches a machine on and waits until it serves SSH.
    ///
    /// # Errors
    /// [`SystemError`] where the machine is not to blame, or where none that is made just as it is
    /// ever booted in this run, so that nothing can be found out with it.
    pub fn boot(&self, id: &MachineId) -> Result<Boot, SystemError> {
        self.hold(id)?.boot()
    }

    /// Cuts a machine's power, once nobody else is changing it.
    ///
    /// # Errors
    /// [`SystemError`] where the hypervisor will not.
    pub fn power_cut(&self, id: &MachineId) -> Result<(), SystemError> {
        self.hold(id)?.power_cut()
    }

    /// What the hypervisor says a machine is doing, once nobody is changing its power.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn state(&self, id: &MachineId) -> Result<State, SystemError> {
        Ok(self.hold(id)?.state())
    }

    /// The end of what a machine's console said since it was switched on.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn console(&self, id: &MachineId) -> Result<String, SystemError> {
        Ok(self.hold(id)?.hardware.machine.console())
    }

    /// Runs a command on a machine as root, over a session that is held open for the next one.
    ///
    /// # Errors
    /// [`SystemError`] where the command was not run.
    pub fn run(&self, id: &MachineId, command: &Command) -> Result<Output, SystemError> {
        let live = self.live(id)?;
        let _machine = spans::machine(id).entered();
        let epoch = live.status.now().epoch;
        self.run_in(live, epoch, command).map_err(SystemError::infrastructure)
    }

    /// As [`LiveNetwork::run`], where other lanes may change the machine's power meanwhile: the
    /// command is refused where the machine is not on, or no more before it was sent, and its
    /// outcome is unknown where the machine was cut off under it. An answer is given only where
    /// the machine was on until the command had ended, in whatever way.
    ///
    /// # Errors
    /// [`SystemError`] where a machine that stayed on could not be reached, or the connection to it
    /// was lost.
    pub fn attempt(&self, id: &MachineId, command: &Command) -> Result<Outcome<Output>, SystemError> {
        let live = self.live(id)?;
        let _machine = spans::machine(id).entered();
        let begun = live.status.now();
        if begun.power != Power::On {
            return Ok(Outcome::Refused(format!("{id} is {}", begun.power)));
        }
        let ran = self.run_in(live, begun.epoch, command);
        let ended = live.status.now();
        let is_cut = ended.epoch != begun.epoch;
        match ran {
            Err(error) if is_cut => {
                Ok(Outcome::Refused(format!("{id} was cut off before the command was sent: {error}")))
            }
            // Who stands still answers nobody, for as long as one waits.
            Err(error) if begun.sees_pause_until(ended) => {
                Ok(Outcome::Refused(format!("{id} was paused before the command was sent: {error}")))
            }
            Err(error) => Err(SystemError::infrastructure(error)),
            Ok(_) if begun.sees_restart_until(ended) => {
                Ok(Outcome::Unknown(format!("{id} was restarted under the command")))
            }
            Ok(Output { ending: ending @ (Ending::TimedOut | Ending::ConnectionLost), .. }) if is_cut => {
                Ok(Outcome::Unknown(format!("{id} was cut off under the command: {ending}")))
            }
            Ok(Output { ending: Ending::ConnectionLost, .. }) => match self.state(id)? {
                State::Running => Err(SystemError::infrastructure(format!(
                    "the connection to {id} was lost under a command, though it is on"
                ))),
                state => Ok(Outcome::Unknown(format!("{id} is {state} by itself under the command"))),
            },
            Ok(output) => Ok(Outcome::Answered(output)),
        }
    }

    /// How SSH reaches a machine, for a session or an `ssh` of one's own. A boot may move it to another
    /// port.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn target(&self, id: &MachineId) -> Result<Target, SystemError> {
        Ok(self.shared.target(self.live(id)?.status.address()))
    }

    /// Opens one more session to a machine, if it is on, for a command that is to come: a lane that
    /// begins so loses no time to the login while others go on.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine, or it cannot be reached.
    pub fn connect(&self, id: &MachineId) -> Result<(), SystemError> {
        let status = &self.live(id)?.status;
        let _machine = spans::machine(id).entered();
        let now = status.now();
        if now.power == Power::On {
            let target = self.shared.target(status.address());
            let session = Session::connect(&target, LOGIN_LIMIT).map_err(SystemError::infrastructure)?;
            status.keep_session(now.epoch, session);
        }
        Ok(())
    }

    fn run_in(&self, live: &LiveMachine, epoch: u64, command: &Command) -> Result<Output, NotRun> {
        let mut session = match live.status.take_session(epoch) {
            Some(session) => session,
            None => Session::connect(&self.shared.target(live.status.address()), LOGIN_LIMIT)?,
        };
        let ran = session.run(command);
        live.status.keep_session(epoch, session);
        Ok(ran?)
    }

    pub(super) fn live(&self, id: &MachineId) -> Result<&LiveMachine, SystemError> {
        self.machines.get(id).ok_or_else(|| unknown(id))
    }
}

/// Why a command was certainly not run.
#[derive(Debug, thiserror::Error)]
enum NotRun {
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error(transparent)]
    Run(#[from] RunError),
}

pub(super) fn unknown(id: &MachineId) -> SystemError {
    SystemError::WrongUse(format!("the network has no machine {id}: name one of its machines").into())
}

pub(super) fn join<T>(thread: thread::ScopedJoinHandle<'_, T>) -> T {
    thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}
