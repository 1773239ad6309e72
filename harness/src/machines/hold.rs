//! Changing a machine's power or software, which one lane at a time may do.

use std::net::SocketAddr;
use std::sync::{Arc, MutexGuard, PoisonError};

use hypervisor::{DiskFault, Endpoints, State};
use model::machines::Command;
use model::{Machine, MachineId};
use nixgen::Image;
use tracing::Span;

use crate::machines::live::{Boot, LiveMachine, LiveNetwork, unknown};
use crate::machines::scratch::Scratch;
use crate::machines::shared::Shared;
use crate::machines::status::Power;
use crate::machines::warm::Start;
use crate::spans;
use crate::system::SystemError;

/// A machine as the hypervisor has it, and what it was made of.
pub(super) struct Hardware {
    /// Goes first: a machine takes its snapshots off a disk that stays.
    pub(super) scratch: Arc<Scratch>,
    pub(super) machine: Box<dyn hypervisor::Machine>,
    pub(super) address: SocketAddr,
    pub(super) image: Image,
    pub(super) endpoints: Endpoints,
    pub(super) start: Start,
    pub(super) ailing: Ailing,
}

/// What is wrong with a machine's scratch disk in the life that it has.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Ailing {
    /// What decides, should the power be cut, what is lost of what is not flushed.
    pub(super) volatile: Option<u64>,
    pub(super) fault: DiskFault,
}

/// A machine whose power nobody else changes while this is held. Commands over SSH go on.
pub(super) struct Held<'a> {
    pub(super) shared: &'a Shared<'a>,
    pub(super) id: &'a MachineId,
    pub(super) live: &'a LiveMachine,
    pub(super) hardware: MutexGuard<'a, Hardware>,
    /// What is done to it is logged as part of this.
    pub(super) span: Span,
}

impl LiveNetwork<'_> {
    /// Waits until nobody else changes the machine's power.
    pub(super) fn hold<'a>(&'a self, id: &'a MachineId) -> Result<Held<'a>, SystemError> {
        let live = self.live(id)?;
        let hardware = live.hardware.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Held { shared: &self.shared, id, live, hardware, span: spans::machine(id) })
    }
}

impl Held<'_> {
    /// Why the command makes no sense by now, if it does not.
    pub(super) fn refusal(&self, command: &Command) -> Option<String> {
        let on = matches!(self.live.status.now().power, Power::On | Power::Paused);
        let network = self.shared.network().as_ref().clone().with_running(self.id, on);
        command.check(&network).err()
    }

    /// The machine's description as it is by now.
    pub(super) fn described(&self) -> Result<Machine, SystemError> {
        self.shared.network().machine(self.id).cloned().ok_or_else(|| unknown(self.id))
    }

    pub(super) fn state(&self) -> State {
        self.hardware.machine.state()
    }

    pub(super) fn boot(&mut self) -> Result<Boot, SystemError> {
        self.shared.check_switch()?;
        self.keep_what_was_said();
        let machine = self.described()?;
        self.during(Power::Booting, |held| held.boot_as(&machine))
    }

    /// Boots it within what changes its power.
    pub(super) fn boot_as(&mut self, machine: &Machine) -> Result<Boot, SystemError> {
        let boot = self.shared.boot_or_put_back(machine, &mut self.hardware);
        self.found_at_its_address();
        boot
    }

    pub(super) fn power_cut(&mut self) -> Result<(), SystemError> {
        self.during(Power::Ending, |held| {
            match std::mem::take(&mut held.hardware.ailing).volatile {
                Some(seed) => {
                    let lost = held.hardware.machine.power_cut_losing(seed)?;
                    tracing::debug!(%lost, "a disk has lost what it may");
                }
                None => held.hardware.machine.power_cut()?,
            }
            Ok(())
        })
    }

    /// Does what changes the power, such that everybody knows of it from its first moment on.
    pub(super) fn during<T>(&mut self, power: Power, act: impl FnOnce(&mut Self) -> T) -> T {
        let _machine = self.span.clone().entered();
        self.live.status.begin(power);
        let result = act(self);
        self.settle();
        result
    }

    /// Takes note of what the machine is by now.
    pub(super) fn settle(&self) {
        self.live.status.settle(match self.state() {
            State::Off => Power::Off,
            State::Suspended => Power::Paused,
            State::Running | State::Crashed => Power::On,
        });
    }

    /// Has SSH go to where the machine is by now: a boot may have moved it to another port.
    pub(super) fn found_at_its_address(&self) {
        self.live.status.move_to(self.hardware.address);
    }

    /// Puts another machine in the place of this one, which is off, and forgets this one.
    pub(super) fn replace(&mut self, other: Hardware) -> Result<(), SystemError> {
        self.keep_what_was_said();
        let old = std::mem::replace(&mut *self.hardware, other);
        Ok(old.machine.undefine()?)
    }
}
