//! Giving a machine that runs other software.

use std::time::Duration;

use hypervisor::State;
use model::machines::Response;
use model::{Machine, MachineId, Outcome, Setting};
use remote::{Command, Ending, Output};
use uuid::Uuid;

use crate::machines::live::{Boot, LiveMachine, LiveNetwork, Shared, unknown};
use crate::system::SystemError;

/// Where a mark is left on the scratch disk, to be found again.
const MARK: &str = "/scratch/.netprop-change";

/// How long a machine may take to shut down in order.
const SHUTDOWN_LIMIT: Duration = Duration::from_secs(60);

/// Changes a machine's software as `to` says, by a shutdown in order and a boot, and looks
/// whether a mark on its scratch disk came through.
pub(super) fn change(
    live: &mut LiveNetwork<'_>,
    id: &MachineId,
    to: &Setting,
) -> Result<Outcome<Response>, SystemError> {
    let mark = Uuid::new_v4();
    let written = live.run(id, &Command::new(format!("echo {mark} >{MARK}")))?;
    reached(&written)?;
    if !written.ending.is_success() {
        let said = String::from_utf8_lossy(&written.stderr);
        let why = format!("its scratch disk cannot be written ({}): {}", written.ending, said.trim());
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    if let Boot::Failed(why) = live.change_software(id, to)? {
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    let found = live.run(id, &Command::new(format!("cat {MARK} && rm {MARK}")))?;
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
    pub fn change_software(&mut self, id: &MachineId, to: &Setting) -> Result<Boot, SystemError> {
        let network = self.shared.network.clone().with_changed(id, |machine| to.apply(machine));
        let machine = network.machine(id).ok_or_else(|| unknown(id))?.clone();
        let images = self.shared.lab.images(&network)?;
        let image =
            network.ids().into_iter().zip(images).find_map(|(other, image)| (other == *id).then_some(image));
        let image = image.ok_or_else(|| unknown(id))?;
        let mut live = self.machines.remove(id).ok_or_else(|| unknown(id))?;
        let was_on = live.machine.state() == State::Running;
        live.session = None;
        if was_on {
            live.machine.shut_down(SHUTDOWN_LIMIT)?;
        }
        live.machine.undefine()?;
        let (endpoints, scratch) = (live.endpoints, live.scratch);
        self.shared.network = network;
        let mut live = self.shared.define(&machine, image, endpoints, scratch)?;
        let result =
            if was_on { self.shared.try_boot(&machine, &mut live) } else { Ok(Boot::Ready(Duration::ZERO)) };
        let result = match result? {
            Boot::Failed(why) => {
                live = self.shared.boots_fresh(&machine, live, &why)?;
                Boot::Failed(why)
            }
            ready => ready,
        };
        self.machines.insert(id.clone(), live);
        Ok(result)
    }
}

impl Shared<'_> {
    /// Whether a machine whose new software did not boot on its old scratch disk does so on a
    /// fresh one: then what failed is the change, and else the software by itself.
    fn boots_fresh(
        &self,
        machine: &Machine,
        live: LiveMachine,
        why: &str,
    ) -> Result<LiveMachine, SystemError> {
        let configurations = self.lab.configurations();
        if configurations.has_booted(machine) {
            return Ok(live);
        }
        let LiveMachine { machine: mut old, image, endpoints, scratch, .. } = live;
        if old.state() != State::Off {
            old.power_cut()?;
        }
        old.undefine()?;
        let fresh = self.lab.scratch(&image, machine, &scratch.with_extension("fresh"))?;
        let mut live = self.define(machine, image, endpoints, fresh)?;
        match self.try_boot(machine, &mut live)? {
            Boot::Ready(_) => Ok(live),
            Boot::Failed(_) => Err(configurations.not_booted(machine, why)),
        }
    }
}
