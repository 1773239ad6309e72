//! Taking machines back to the start of a case, rather than making them anew.

use std::sync::atomic::Ordering;
use std::thread;

use hypervisor::{BootError, Booted, Error, Snapshot, State, resume};
use model::{Machine, MachineId, Network};

use crate::machines::hold::{Ailing, Hardware, Held};
use crate::machines::identity;
use crate::machines::live::{Boot, LiveNetwork, join};
use crate::machines::shared::{Begun, Shared};
use crate::machines::status::Power;
use crate::machines::templates::reason_of;
use crate::spans::carried;
use crate::system::SystemError;

mod moments;

pub(super) use moments::Moments;

/// How the machines of a network come to the start of a case.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Begin {
    /// They boot.
    Cold,
    /// They begin from a snapshot of their kind, once one of that kind has booted in this run.
    Known,
    /// They begin from a snapshot of their kind, and are saved as they become ready, so that the
    /// network can be put back.
    Kept,
}

/// What a machine can begin a case with.
#[derive(Debug, Default)]
pub(super) struct Start {
    /// The machine as it first became ready, on a scratch disk that nothing was written to.
    saved: Option<Snapshot>,
    disk: Disk,
}

/// What is on a machine's scratch disk.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
enum Disk {
    /// Nothing yet.
    Blank,
    /// What the machine has left there, which its next boot finds.
    #[default]
    Used,
    /// What a case has left there that is over: the next boot has to find another one.
    Stale,
}

impl Start {
    /// Of a machine whose scratch disk was just made.
    pub(super) fn blank() -> Self {
        Self { saved: None, disk: Disk::Blank }
    }

    /// Of the same machine, defined anew on the same disk: what was saved went with the other one.
    pub(super) fn of_another(&self) -> Self {
        Self { saved: None, disk: self.disk }
    }
}

impl Shared<'_> {
    /// Whether machines may be in each other's memory before a command was given: what is saved of
    /// one of them is of use then only with what is saved of the others.
    fn has_services(&self) -> bool {
        let services = self.network().machines().iter().any(|machine| !machine.services.is_empty());
        services || !self.lab.options.nixos.modules.is_empty()
    }

    /// Boots a machine as [`Shared::boot_machine`] does, or puts it back to what came of its first
    /// boot, where this one is to be the first in a case. Its very first begins from a snapshot of its
    /// kind, and what comes of it is saved.
    pub(super) fn boot_or_put_back(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
    ) -> Result<Boot, SystemError> {
        hardware.ailing = Ailing::default();
        if hardware.start.disk == Disk::Stale {
            match self.put_back(hardware) {
                Ok(booted) => return Ok(Boot::Ready(booted.ready)),
                Err(BootError::Stopped { .. }) => return Err(SystemError::Stopped),
                Err(error) => {
                    self.lab.warn(&format!("machine {} is booted cold: {error}", machine.id));
                    self.blank_disk(machine, hardware)?;
                }
            }
        }
        let is_first = hardware.start.disk == Disk::Blank;
        hardware.start.disk = Disk::Used;
        if !is_first {
            return self.boot_again(machine, hardware);
        }
        let is_kept = self.begin == Begin::Kept;
        if is_kept && !self.lab.can_be_saved(&hardware.image) {
            self.spoil();
        }
        let is_saved = is_kept && !self.has_services() && !self.is_spoiled.load(Ordering::Relaxed);
        if let Some(boot) = self.begin(machine, hardware, Disk::Blank)? {
            // Its guest has been told once already that time has passed.
            if is_saved {
                hardware.machine.suspend()?;
                self.save(hardware);
                self.go_on(hardware)?;
            }
            return Ok(boot);
        }
        hardware.start.disk = Disk::Used;
        let boot = self.boot_machine(machine, hardware)?;
        if matches!(boot, Boot::Ready(_)) {
            self.lab.remember_booted_kind(machine, &hardware.image);
            if is_saved {
                // What a guest does when it goes on is quicker the second time, and it is the second
                // time then in all lives to come.
                hardware.machine.suspend()?;
                self.go_on(hardware)?;
                hardware.machine.suspend()?;
                self.save(hardware);
                self.go_on(hardware)?;
            }
        }
        Ok(boot)
    }

    /// Boots a machine on the scratch disk that it has left. A snapshot of its kind is as good a beginning as
    /// for the first time: its guest has mounted no disk yet.
    fn boot_again(&self, machine: &Machine, hardware: &mut Hardware) -> Result<Boot, SystemError> {
        match self.begin(machine, hardware, Disk::Used)? {
            Some(boot) => Ok(boot),
            None => self.boot_machine(machine, hardware),
        }
    }

    /// Has a machine whose scratch disk is so begin from a snapshot, where it may and can.
    fn begin(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
        disk: Disk,
    ) -> Result<Option<Boot>, SystemError> {
        if !self.may_begin_from_snapshot(machine, hardware) {
            return Ok(None);
        }
        Ok(match self.begin_from_snapshot(machine, hardware)? {
            Begun::Ready(boot) => {
                self.is_reused.store(true, Ordering::Relaxed);
                Some(boot)
            }
            Begun::InVain => {
                match disk {
                    Disk::Blank => self.blank_disk(machine, hardware)?,
                    Disk::Used | Disk::Stale => switch_off(hardware)?,
                }
                None
            }
            Begun::Untried => None,
        })
    }

    fn may_begin_from_snapshot(&self, machine: &Machine, hardware: &Hardware) -> bool {
        match self.begin {
            Begin::Cold => false,
            Begin::Known => self.lab.has_booted_kind(machine, &hardware.image),
            Begin::Kept => true,
        }
    }

    /// Has the machine be what it was when it was saved, and waits until its guest goes on.
    fn put_back(&self, hardware: &mut Hardware) -> Result<Booted, BootError> {
        revert(hardware)?;
        self.go_on(hardware)
    }

    /// Lets the guest of a suspended machine know of the time that has passed, and waits for it.
    pub(super) fn go_on(&self, hardware: &mut Hardware) -> Result<Booted, BootError> {
        resume(hardware.machine.as_mut(), &identity::resumed(), self.lab.patience())
    }

    /// Saves a machine, for cases to come; where that fails there are none on this network.
    fn save(&self, hardware: &mut Hardware) {
        match hardware.machine.save() {
            Ok(snapshot) => hardware.start.saved = Some(snapshot),
            Err(error) => {
                let text = format!("networks are made anew for each case, since none can be kept: {error}");
                self.lab.warn_once(&format!("keep: {}", reason_of(&error)), &text);
                self.spoil();
            }
        }
    }

    /// Makes the scratch disk of a machine anew, which is off then.
    pub(super) fn blank_disk(&self, machine: &Machine, hardware: &mut Hardware) -> Result<(), SystemError> {
        switch_off(hardware)?;
        self.has_lost_snapshots(&machine.id);
        self.lab.blank(&hardware.image, machine, &hardware.scratch)?;
        hardware.start = Start::blank();
        Ok(())
    }

    /// Makes the scratch disk anew if what is on it is of a case that is over.
    pub(super) fn blank_stale_disk(
        &self,
        machine: &Machine,
        hardware: &mut Hardware,
    ) -> Result<(), SystemError> {
        if hardware.start.disk == Disk::Stale {
            self.blank_disk(machine, hardware)?;
        }
        Ok(())
    }

    /// Takes note that the network cannot be put back to its start.
    pub(super) fn spoil(&self) {
        self.is_spoiled.store(true, Ordering::Relaxed);
    }
}

/// Has the machine be what it was when it was saved, suspended.
fn revert(hardware: &mut Hardware) -> Result<(), Error> {
    let Hardware { machine, start, .. } = &*hardware;
    let Some(saved) = &start.saved else {
        return Err(Error::NoSnapshots { machine: machine.name().to_owned() });
    };
    let saved = saved.clone();
    revert_to(hardware, &saved)
}

/// Has the machine be what it was when this was saved: suspended, or off.
fn revert_to(hardware: &mut Hardware, saved: &Snapshot) -> Result<(), Error> {
    hardware.machine.revert(saved)?;
    hardware.ailing = Ailing::default();
    hardware.start.disk = Disk::Used;
    Ok(())
}

fn switch_off(hardware: &mut Hardware) -> Result<(), Error> {
    if hardware.machine.state() == State::Off { Ok(()) } else { hardware.machine.power_cut() }
}

impl<'lab> LiveNetwork<'lab> {
    /// As [`LiveNetwork::create`], of machines that begin in this way.
    pub(super) fn create_so(
        lab: &'lab crate::machines::Lab,
        network: &Network,
        begin: Begin,
    ) -> Result<Self, SystemError> {
        let live = Self::define(lab, network, begin)?;
        live.boot_running()?;
        if live.shared.has_services() && live.is_sound() {
            live.save_running()?;
        }
        Ok(live)
    }

    /// Saves the machines that are on, all of which stand still before the first is saved.
    fn save_running(&self) -> Result<(), SystemError> {
        let network = self.network();
        let on: Vec<_> = network.machines().iter().filter(|machine| machine.running).collect();
        let mut held = on.iter().map(|machine| self.hold(&machine.id)).collect::<Result<Vec<_>, _>>()?;
        each(&mut held, |hardware| hardware.machine.suspend())?;
        each(&mut held, |hardware| {
            self.shared.save(hardware);
            Ok::<_, Error>(())
        })?;
        each(&mut held, |hardware| self.shared.go_on(hardware).map(drop))
    }

    /// Whether it can be put back to the start of a case on this network: the machines are the
    /// same, and what was saved of them is.
    pub(super) fn can_be(&self, network: &Network) -> bool {
        let own = self.network();
        let same = if self.shared.has_services() {
            *own == *network
        } else {
            own.as_ref().clone().all_running() == network.clone().all_running()
        };
        same && self.is_sound()
    }

    /// Whether nothing has happened to it that its machines do not forget.
    pub(super) fn is_sound(&self) -> bool {
        let Shared { begin, is_spoiled, .. } = &self.shared;
        *begin == Begin::Kept && !is_spoiled.load(Ordering::Relaxed) && self.shared.check_switch().is_ok()
    }

    /// Whether some machine was put back, or began from a snapshot.
    pub(super) fn is_reused(&self) -> bool {
        self.shared.is_reused.load(Ordering::Relaxed)
    }

    /// Closes the sessions and has the machines stand still: the case is over.
    pub(super) fn rest(&self) -> Result<(), SystemError> {
        let mut held = self.hold_all(Power::Ending)?;
        held.iter().for_each(Held::forget_what_was_said);
        each(&mut held, |hardware| match hardware.machine.state() {
            State::Running => hardware.machine.suspend(),
            _ => Ok(()),
        })
    }

    /// Puts a network that rests back to the start of a case on this one, which it can be.
    ///
    /// # Errors
    /// [`SystemError`] where a machine cannot be put back; the network is of no use then.
    pub(super) fn put_back(&self, network: &Network) -> Result<(), SystemError> {
        self.shared.is_reused.store(true, Ordering::Relaxed);
        self.shared.begin_case(network);
        let mut held = self.hold_all(Power::Booting)?;
        let (mut on, mut off): (Vec<_>, Vec<_>) = held
            .drain(..)
            .partition(|held| network.is_running(held.id) && held.hardware.start.saved.is_some());
        // One that is to be on and was never booted is off until the others are what they were.
        for held in &mut off {
            held.be_new()?;
            held.live.status.settle(Power::Off);
        }
        each(&mut on, revert)?;
        if let Some(fabric) = self.shared.fabric() {
            fabric.reset();
        }
        each(&mut on, |hardware| self.shared.go_on(hardware).map(drop))?;
        for held in &on {
            held.found_at_its_address();
            held.live.status.settle(Power::On);
        }
        drop((on, off));
        self.boot_running()
    }

    /// Holds all machines, whose power changes from now on.
    fn hold_all(&self, power: Power) -> Result<Vec<Held<'_>>, SystemError> {
        let held = self.ids().map(|id| self.hold(id)).collect::<Result<Vec<_>, _>>()?;
        held.iter().for_each(|held| held.live.status.begin(power));
        Ok(held)
    }
}

impl Held<'_> {
    /// Has a machine be off, and its next boot be the first in a case.
    fn be_new(&mut self) -> Result<(), SystemError> {
        let machine = self.described()?;
        let hardware = &mut *self.hardware;
        switch_off(hardware)?;
        match (&hardware.start.saved, hardware.start.disk) {
            (_, Disk::Blank) => {}
            (Some(_), _) => hardware.start.disk = Disk::Stale,
            (None, _) => self.shared.blank_disk(&machine, hardware)?,
        }
        Ok(())
    }
}

/// Does the same to several machines side by side, and gives the first error after all have ended.
fn each<E: Into<SystemError> + Send>(
    held: &mut [Held<'_>],
    act: impl Fn(&mut Hardware) -> Result<(), E> + Sync,
) -> Result<(), SystemError> {
    let results = on_each(held, |_, hardware| act(hardware));
    results.into_iter().try_for_each(|result| result.map_err(Into::into))
}

/// What comes of doing the same to several machines side by side, in their order.
fn on_each<T: Send>(held: &mut [Held<'_>], act: impl Fn(&MachineId, &mut Hardware) -> T + Sync) -> Vec<T> {
    thread::scope(|scope| {
        let act = &act;
        let parts = held.iter_mut().map(|held| (held.id, &held.span, &mut *held.hardware));
        let threads: Vec<_> = parts
            .map(|(id, span, hardware)| scope.spawn(carried(move || span.in_scope(|| act(id, hardware)))))
            .collect();
        threads.into_iter().map(join).collect()
    })
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::machines::{Boots, Lab, LabOptions};
    use crate::observe::{Event, Observer};
    use crate::stop::Stop;

    #[derive(Default)]
    struct Warnings(Mutex<Vec<String>>);

    impl Observer for Warnings {
        fn event(&self, event: &Event<'_>) {
            if let Event::Warning { text } = event {
                self.0.lock().unwrap().push((*text).to_owned());
            }
        }
    }

    #[test]
    fn machines_that_a_directory_of_the_host_is_served_to_boot_and_one_warning_says_so() {
        // Where something is missing, this says so.
        if Lab::for_test().unwrap().is_none() {
            return;
        }
        let (warnings, place) = (Arc::new(Warnings::default()), tempfile::tempdir().unwrap());
        let snapshots = Some(place.path().join("snapshots"));
        let options = LabOptions { boots: Boots::Warm, snapshots, ..LabOptions::default() };
        let observer: Arc<dyn Observer> = warnings.clone();
        let lab = Lab::open(options, observer, Stop::default()).unwrap();
        let kernel = lab.kernels().unwrap().remove(0);
        let machine = |name: &str, address: u8| {
            format!(
                r#"{{ "id": "{name}", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0000000000{address:02x}",
                     "address": "172.16.2.{address}", "kernel": "{kernel}", "memory": 96,
                     "file_system": "ext4", "running": true }}"#
            )
        };
        let machines = [machine("served-a", 31), machine("served-b", 32)].join(",");
        let network: Network = serde_json::from_str(&format!(r#"{{ "machines": [{machines}] }}"#)).unwrap();
        let mut images = lab.images(&network).unwrap();
        images.iter_mut().for_each(|image| image.store = Some(place.path().to_owned()));
        for _ in 0..2 {
            let live = LiveNetwork::define_with(&lab, &network, images.clone(), Begin::Kept).unwrap();
            live.boot_running().unwrap();
            assert!(!live.is_reused() && !live.is_sound(), "they have booted, and are not kept");
        }
        let warnings = warnings.0.lock().unwrap();
        let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
        assert!(warning.starts_with("machines are booted for each case, since QEMU saves none"), "{warning}");
    }
}
