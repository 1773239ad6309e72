//! What can be done to machines and their network beside switching machines on and off: a
//! specification of one's own gives its faults by these.

use std::fmt::Display;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use hypervisor::fabric::{Pairs, Rule};
use hypervisor::{DiskFault, Fabric};
use model::MachineId;

use crate::machines::hold::{Ailing, Hardware, Held};
use crate::machines::live::{Boot, LiveNetwork};
use crate::machines::status::Power;
use crate::system::SystemError;

mod clock;
mod disk;
mod give;
pub(crate) mod lines;
mod service;

pub use give::give;

/// How long a machine may take to shut down in order.
pub(super) const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);

impl LiveNetwork<'_> {
    /// The switch that the machines are plugged into, each at the port that has its id for a name:
    /// what becomes of frames is told to it. All rules go where the network is put back to its
    /// start, and with the network.
    ///
    /// # Errors
    /// [`SystemError::WrongUse`] where the switch is another one, which takes no rules.
    pub fn fabric(&self) -> Result<&Fabric, SystemError> {
        self.shared.fabric().ok_or_else(|| {
            let why = "the switch of this network takes no rules: have it plugged into the fabric (--switch fabric)";
            SystemError::WrongUse(why.into())
        })
    }

    /// Has rules hold from one moment on, until [`LiveNetwork::heal`].
    ///
    /// # Errors
    /// As [`LiveNetwork::fabric`]; [`SystemError::WrongUse`] where a rule names a machine that is not
    /// there, after which nothing has changed.
    pub fn disturb(&self, rules: &[Rule]) -> Result<(), SystemError> {
        let fabric = self.fabric()?;
        let guard = fabric.apply(rules).map_err(|error| SystemError::WrongUse(Box::new(error)))?;
        self.shared.changes.fetch_add(1, Ordering::SeqCst);
        guard.keep();
        Ok(())
    }

    /// Cuts these ordered pairs of machines off from each other, from one moment on.
    ///
    /// # Errors
    /// As [`LiveNetwork::disturb`].
    pub fn cut(&self, pairs: Pairs) -> Result<(), SystemError> {
        self.disturb(&[Rule::cut(pairs)])
    }

    /// Takes all rules of the fabric back at one moment.
    ///
    /// # Errors
    /// As [`LiveNetwork::fabric`].
    pub fn heal(&self) -> Result<(), SystemError> {
        self.fabric()?.heal();
        self.shared.changes.fetch_add(1, Ordering::SeqCst);
        Ok(())
    }

    /// Has a machine that is on stand still, as a host that swaps or a migration does: it answers
    /// nothing, and keeps all that it has. A command that runs on it meanwhile waits.
    ///
    /// # Errors
    /// [`SystemError`] where it is not on, or the hypervisor will not.
    pub fn pause(&self, id: &MachineId) -> Result<(), SystemError> {
        self.hold(id)?.pause()
    }

    /// Lets a paused machine go on. Its clock jumps to the time that it is by now, as a host's does
    /// that asks for the time (one that a case has set by some seconds stays as far off); no other clock of
    /// it has noticed anything.
    ///
    /// # Errors
    /// [`SystemError`] where it is not paused, or does not go on.
    pub fn resume(&self, id: &MachineId) -> Result<(), SystemError> {
        self.hold(id)?.resume()
    }

    /// Has a machine's scratch disk lose, should its power be cut before it is off otherwise, of what is not
    /// flushed then what this seed decides: writes are dropped, overtaken or torn.
    ///
    /// # Errors
    /// [`SystemError`] where it is not on, or the hypervisor cannot.
    pub fn set_volatile(&self, id: &MachineId, seed: u64) -> Result<(), SystemError> {
        self.hold(id)?.set_volatile(seed)
    }

    /// Has this be wrong with a machine's scratch disk, until something else is or the machine is off.
    ///
    /// # Errors
    /// [`SystemError`] where it is not on, or the hypervisor cannot.
    pub fn set_disk_fault(&self, id: &MachineId, fault: DiskFault) -> Result<(), SystemError> {
        self.hold(id)?.set_disk_fault(fault)
    }

    /// Presses a machine's power button and waits until it has shut down in order.
    ///
    /// # Errors
    /// [`SystemError`] where it is not on, or still runs after a minute.
    pub fn shut_down(&self, id: &MachineId) -> Result<(), SystemError> {
        self.hold(id)?.shut_down()
    }

    /// Has a capture of what goes through the switch say what was done when.
    pub(super) fn annotate(&self, text: &impl Display) {
        if let (Some(fabric), Some(_)) = (self.shared.fabric(), &self.capture) {
            fabric.annotate(&text.to_string());
        }
    }

    /// Whether frames from one machine to another are surely lost at this moment, whatever became of
    /// the machines.
    pub(super) fn is_cut(&self, from: &MachineId, to: &MachineId) -> bool {
        let Some(fabric) = self.shared.fabric() else { return false };
        from != to && fabric.effect(from.as_str(), to.as_str()).is_ok_and(|effect| effect.is_cut())
    }

    /// Held by who finds out whether a way is worse already, and makes it so.
    fn worsening(&self) -> MutexGuard<'_, ()> {
        self.shared.worsening.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How often the fabric was told something, or a machine stood still or went on, so far.
    pub(super) fn changes(&self) -> u64 {
        self.shared.changes.load(Ordering::SeqCst)
    }
}

impl Hardware {
    /// Has its disk be as unsound as that.
    pub(super) fn ail(&mut self, ailing: Ailing) -> Result<(), hypervisor::Error> {
        if ailing.volatile.is_some() {
            self.machine.set_volatile(self.scratch.path())?;
        }
        if ailing.fault != self.ailing.fault {
            self.machine.set_disk_fault(self.scratch.path(), ailing.fault)?;
        }
        self.ailing = ailing;
        Ok(())
    }
}

impl Held<'_> {
    pub(super) fn pause(&mut self) -> Result<(), SystemError> {
        let _machine = self.span.clone().entered();
        self.shared.changes.fetch_add(1, Ordering::SeqCst);
        // Nobody begins to speak to it from now on. Sessions stay.
        self.live.status.settle(Power::Pausing);
        let suspended = self.hardware.machine.suspend();
        self.settle();
        Ok(suspended?)
    }

    pub(super) fn resume(&mut self) -> Result<(), SystemError> {
        let _machine = self.span.clone().entered();
        self.shared.changes.fetch_add(1, Ordering::SeqCst);
        // Who pings it from now on is not to take it for one that cannot answer.
        self.live.status.settle(Power::Resuming);
        let gone_on = self.shared.go_on(&mut self.hardware);
        self.settle();
        Ok(gone_on.map(drop)?)
    }

    /// Has its disk lose, should its power be cut in this life, of what is not flushed then what this seed
    /// decides.
    pub(super) fn set_volatile(&mut self, seed: u64) -> Result<(), SystemError> {
        let _machine = self.span.clone().entered();
        let volatile = Some(seed);
        let ailing = Ailing { volatile, ..self.hardware.ailing };
        Ok(self.hardware.ail(ailing)?)
    }

    pub(super) fn set_disk_fault(&mut self, fault: DiskFault) -> Result<(), SystemError> {
        let _machine = self.span.clone().entered();
        let Hardware { machine, scratch, ailing, .. } = &mut *self.hardware;
        machine.set_disk_fault(scratch.path(), fault)?;
        ailing.fault = fault;
        Ok(())
    }

    /// Presses its power button, and boots it once it is off: for other lanes it is one step, in which it stays
    /// on.
    pub(super) fn reboot(&mut self) -> Result<Boot, SystemError> {
        self.shared.check_switch()?;
        let machine = self.described()?;
        self.during(Power::Restarting, |held| {
            held.hardware.machine.shut_down(SHUTDOWN_LIMIT)?;
            held.keep_what_was_said();
            held.boot_as(&machine)
        })
    }

    pub(super) fn shut_down(&mut self) -> Result<(), SystemError> {
        self.during(Power::Ending, |held| Ok(held.hardware.machine.shut_down(SHUTDOWN_LIMIT)?))
    }
}
