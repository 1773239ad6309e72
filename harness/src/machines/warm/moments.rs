//! Saving a whole network while a case runs, and putting it back to that moment.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use hypervisor::fabric::FabricState;
use hypervisor::{Error, Fabric, Snapshot, State};
use model::{MachineId, Network};

use super::{Disk, each, on_each, revert_to};
use crate::machines::hold::{Ailing, Hardware, Held};
use crate::machines::kept::{Bounds, Kept};
use crate::machines::live::LiveNetwork;
use crate::machines::shared::Shared;
use crate::machines::status::Power;
use crate::moments::Moment;
use crate::system::SystemError;

/// What one network keeps of moments at most. A machine counts with all its memory: QEMU writes what
/// of it is not zero.
const BOUNDS: Bounds = Bounds { count: 12, bytes: 2 << 30 };

/// The moments that a network can be put back to.
pub(in crate::machines) struct Moments {
    kept: Kept<Saved>,
    /// What is still on disks and of no use any more.
    doomed: Vec<(MachineId, Snapshot)>,
    /// Whether something could not be saved.
    has_failed: bool,
}

impl Default for Moments {
    fn default() -> Self {
        Self { kept: Kept::new(BOUNDS), doomed: Vec::new(), has_failed: false }
    }
}

/// What a network was at a moment.
#[derive(Clone, Default)]
struct Saved {
    machines: HashMap<MachineId, Was>,
    /// What became of frames, where the switch can tell.
    fabric: Option<FabricState>,
}

#[derive(Clone)]
enum Was {
    /// With its disk as unsound.
    On(Snapshot, Ailing),
    /// It was off, and its next boot finds what an earlier one has left.
    Off(Snapshot),
    /// It was off, and its next boot is the first in the case.
    New,
}

impl Was {
    fn snapshot(&self) -> Option<&Snapshot> {
        match self {
            Self::On(snapshot, _) | Self::Off(snapshot) => Some(snapshot),
            Self::New => None,
        }
    }
}

impl Moments {
    /// Forgets what was saved, and keeps in mind that it lies on disks.
    fn doom(&mut self, gone: impl IntoIterator<Item = Saved>) {
        let snapshots = gone
            .into_iter()
            .flat_map(|saved| saved.machines)
            .filter_map(|(id, was)| Some((id, was.snapshot()?.clone())));
        self.doomed.extend(snapshots);
    }
}

impl Shared<'_> {
    fn moments(&self) -> MutexGuard<'_, Moments> {
        self.moments.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes note that nothing is left of what was saved of a machine.
    pub(in crate::machines) fn has_lost_snapshots(&self, id: &MachineId) {
        let mut moments = self.moments();
        let gone = moments
            .kept
            .take_where(|_, saved| saved.machines.get(id).is_some_and(|was| was.snapshot().is_some()));
        moments.doom(gone);
        moments.doomed.retain(|(of, _)| of != id);
    }
}

/// Saves a machine as part of a moment; it stands still, or is off.
fn save(hardware: &mut Hardware) -> Result<Was, Error> {
    let Hardware { machine, start, ailing, .. } = hardware;
    Ok(match (machine.state(), start.disk) {
        (State::Off, Disk::Blank | Disk::Stale) => Was::New,
        (State::Off, Disk::Used) => Was::Off(machine.save()?),
        _ => Was::On(machine.save()?, *ailing),
    })
}

/// Whether a machine is what commands have made of it, and no more than that.
fn is_settled(held: &Held<'_>) -> bool {
    matches!(
        (held.live.status.now().power, held.state()),
        (Power::On, State::Running) | (Power::Off, State::Off)
    )
}

impl LiveNetwork<'_> {
    /// Saves the network as it is, which takes `age` to become so. All machines stand still before the
    /// first is saved; sessions stay, but of those that are put back later nobody has the other end.
    /// None where it is not saved; a warning tells of what was wrong.
    ///
    /// # Errors
    /// [`SystemError`] where a machine does not go on.
    pub(in crate::machines) fn save_moment(&self, age: Duration) -> Result<Option<Moment>, SystemError> {
        if !self.is_sound() || self.shared.moments().has_failed {
            return Ok(None);
        }
        let mut held = self.ids().map(|id| self.hold(id)).collect::<Result<Vec<_>, _>>()?;
        if !held.iter().all(is_settled) {
            return Ok(None);
        }
        let network = self.network();
        let memory = network.machines().iter().filter(|machine| {
            held.iter().any(|held| *held.id == machine.id && held.state() == State::Running)
        });
        let bytes = memory.map(|machine| machine.memory.get() << 20).sum();
        {
            let mut moments = self.shared.moments();
            let Some(gone) = moments.kept.make_room(bytes) else { return Ok(None) };
            moments.doom(gone);
        }
        each(&mut held, |hardware| match hardware.machine.state() {
            State::Running => hardware.machine.suspend(),
            _ => Ok(()),
        })?;
        self.forget_doomed(&mut held);
        let saved = on_each(&mut held, |_, hardware| save(hardware));
        let moment = self.keep(&held, saved, bytes, age);
        each(&mut held, |hardware| match hardware.machine.state() {
            State::Suspended => self.shared.go_on(hardware).map(drop),
            _ => Ok(()),
        })?;
        Ok(moment)
    }

    /// Keeps what was saved of all machines; where some could not be saved nothing, now or later.
    fn keep(
        &self,
        held: &[Held<'_>],
        saved: Vec<Result<Was, Error>>,
        bytes: u64,
        age: Duration,
    ) -> Option<Moment> {
        let fabric = self.shared.fabric().map(Fabric::state);
        let (mut all, mut why) = (Saved { fabric, ..Saved::default() }, None);
        for (held, saved) in held.iter().zip(saved) {
            match saved {
                Ok(was) => drop(all.machines.insert(held.id.clone(), was)),
                Err(error) => why = Some(error),
            }
        }
        let mut moments = self.shared.moments();
        let Some(why) = why else { return Some(moments.kept.add(all, bytes, age)) };
        moments.doom([all]);
        moments.has_failed = true;
        drop(moments);
        self.shared.lab.warn(&format!("a network is not saved while cases run on it: {why}"));
        None
    }

    /// Takes what is of no use any more off the disks.
    fn forget_doomed(&self, held: &mut [Held<'_>]) {
        let doomed = std::mem::take(&mut self.shared.moments().doomed);
        for (id, snapshot) in doomed {
            let Some(held) = held.iter_mut().find(|held| *held.id == id) else { continue };
            if let Err(error) = held.hardware.machine.forget(&snapshot) {
                tracing::debug!(%error, "a snapshot stays on its disk");
            }
        }
    }

    /// The first of these moments that it can be put back to.
    pub(in crate::machines) fn first_of(&self, wanted: &[Moment]) -> Option<usize> {
        let moments = self.shared.moments();
        wanted.iter().position(|moment| moments.kept.has(moment))
    }

    /// Puts a network that rests back to what it was at a moment of a case on this network, which it
    /// has.
    ///
    /// # Errors
    /// [`SystemError`] where a machine cannot be put back; the network is of no use then.
    pub(in crate::machines) fn go_back_to(
        &self,
        network: &Network,
        moment: &Moment,
    ) -> Result<(), SystemError> {
        self.shared.is_reused.store(true, Ordering::Relaxed);
        self.shared.begin_case(network);
        let saved = self.shared.moments().kept.take_up(moment).cloned();
        let saved =
            saved.ok_or_else(|| SystemError::infrastructure("it does not keep this moment any more"))?;
        let mut held = self.hold_all(Power::Booting)?;
        let (mut on, mut off): (Vec<_>, Vec<_>) =
            held.drain(..).partition(|held| matches!(saved.machines.get(held.id), Some(Was::On(..))));
        // Nobody hears of what they were until the others are what they were.
        for held in &mut off {
            match saved.machines.get(held.id) {
                Some(Was::Off(snapshot)) => revert_to(&mut held.hardware, snapshot)?,
                _ => held.be_new()?,
            }
            held.live.status.settle(Power::Off);
        }
        let reverted = on_each(&mut on, |id, hardware| match saved.machines.get(id) {
            Some(Was::On(snapshot, ailing)) => {
                revert_to(hardware, snapshot)?;
                hardware.ail(*ailing)
            }
            _ => Ok(()),
        });
        reverted.into_iter().collect::<Result<(), _>>()?;
        if let (Some(fabric), Some(state)) = (self.shared.fabric(), &saved.fabric) {
            fabric.restore(state)?;
        }
        each(&mut on, |hardware| self.shared.go_on(hardware).map(drop))?;
        for held in &on {
            held.found_at_its_address();
            held.live.status.settle(Power::On);
        }
        Ok(())
    }
}
