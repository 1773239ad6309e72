//! Giving a machine that runs other software.

use std::time::Duration;

use hypervisor::State;
use model::machines::{Command, Response};
use model::{Machine, MachineId, Outcome, Setting};
use remote::{Ending, Output};
use uuid::Uuid;

use crate::machines::faults::SHUTDOWN_LIMIT;
use crate::machines::hold::{Hardware, Held};
use crate::machines::live::{Boot, LiveNetwork, unknown};
use crate::machines::shared::Shared;
use crate::machines::status::Power;
use crate::system::SystemError;

/// Where a mark is left on the scratch disk, to be found again.
const MARK: &str = "/scratch/.netprop-change";

/// Gives the command to change a machine's software as `to` says, by a shutdown in order and a
/// boot, and looks whether a mark on its scratch disk came through.
pub(super) fn change(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    command: &Command,
    to: &Setting,
) -> Result<Outcome<Response>, SystemError> {
    let mut held = live.hold(id)?;
    if let Some(why) = held.refusal(command) {
        return Ok(Outcome::Refused(why));
    }
    let mark = Uuid::new_v4();
    let written = live.run(id, &remote::Command::new(format!("echo {mark} >{MARK}")))?;
    reached(&written)?;
    if !written.ending.is_success() {
        let said = String::from_utf8_lossy(&written.stderr);
        let why = format!("its scratch disk cannot be written ({}): {}", written.ending, said.trim());
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    if let Boot::Failed(why) = held.change_software(id, to)? {
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    let found = live.run(id, &remote::Command::new(format!("cat {MARK} && rm {MARK}")))?;
    reached(&found)?;
    let scratch_kept = String::from_utf8_lossy(&found.stdout).trim() == mark.to_string();
    Ok(Outcome::Answered(Response::Changed { scratch_kept }))
}

/// A command that nothing was heard of says nothing about the disk.
fn reached(output: &Output) -> Result<(), SystemError> {
    match output.ending {
        Ending::TimedOut | Ending::ConnectionLost => Err(SystemError::infrastructure(format!(
            "the scratch disk could not be looked at: {}",
            output.ending
        ))),
        _ => Ok(()),
    }
}

impl LiveNetwork<'_> {
    /// Shuts a machine down in order and boots it with other software, on the scratch disk that
    /// it had; a machine that is off gets it for its next boot.
    ///
    /// # Errors
    /// [`SystemError`] as for [`LiveNetwork::boot`], and where the software cannot be built; the
    /// machine goes on as it is then.
    pub fn change_software(&self, id: &MachineId, to: &Setting) -> Result<Boot, SystemError> {
        self.hold(id)?.change_software(id, to)
    }
}

impl Held<'_> {
    fn change_software(&mut self, id: &MachineId, to: &Setting) -> Result<Boot, SystemError> {
        let network = self.shared.network().as_ref().clone().with_changed(id, |machine| to.apply(machine));
        let machine = network.machine(id).ok_or_else(|| unknown(id))?.clone();
        let images = self.shared.lab.images(&network)?;
        let image =
            network.ids().into_iter().zip(images).find_map(|(other, image)| (other == *id).then_some(image));
        let image = image.ok_or_else(|| unknown(id))?;
        let was_on = self.state() == State::Running;
        self.during(Power::Restarting, |held| {
            if was_on {
                held.hardware.machine.shut_down(SHUTDOWN_LIMIT)?;
            }
            held.shared.blank_stale_disk(&machine, &mut held.hardware)?;
            let Hardware { endpoints, scratch, .. } = &*held.hardware;
            let other = held.shared.define(&machine, image, endpoints.clone(), scratch.clone())?;
            held.replace(other)?;
            held.shared.set_software(id, to);
            if !was_on {
                return Ok(Boot::Ready(Duration::ZERO));
            }
            let booted = held.shared.try_boot(&machine, &mut held.hardware)?;
            if let Boot::Failed(why) = &booted {
                held.boots_fresh(&machine, why)?;
            }
            held.found_at_its_address();
            Ok(booted)
        })
    }

    /// Finds out whether a machine whose new software did not boot on its old scratch disk does so
    /// on a fresh one: then what failed is the change, and else the software by itself.
    fn boots_fresh(&mut self, machine: &Machine, why: &str) -> Result<(), SystemError> {
        let Shared { lab, .. } = self.shared;
        let configurations = lab.configurations();
        if configurations.has_booted(machine) {
            return Ok(());
        }
        if self.state() != State::Off {
            self.hardware.machine.power_cut()?;
        }
        let Hardware { image, endpoints, scratch, .. } = &*self.hardware;
        let fresh = lab.scratch(image, machine, scratch.path().with_extension("fresh"))?;
        let other = self.shared.define(machine, image.clone(), endpoints.clone(), fresh)?;
        self.replace(other)?;
        match self.shared.try_boot(machine, &mut self.hardware)? {
            Boot::Ready(_) => Ok(()),
            Boot::Failed(_) => Err(configurations.not_booted(machine, why)),
        }
    }
}
