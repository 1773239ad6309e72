//! A machine whose disks fail: what the trait says of it, in terms of `disk_faults.rs` and
//! `power_cut.rs`.

use std::path::Path;

use super::definition;
use super::disk_faults::DiskFaults;
use super::domain::LibvirtMachine;
use super::monitor::Monitor;
use super::power_cut::silence;
use crate::machine::{Machine, State, Transition};
use crate::{DiskFault, Error, Lost};

impl LibvirtMachine {
    /// Does what [`Machine::set_disk_fault`](Machine::set_disk_fault) does.
    pub(super) fn change_disk(&mut self, file: &Path, fault: DiskFault) -> Result<(), Error> {
        Transition::ChangeDisk.check(&self.definition.name, self.state())?;
        let failed = self.failed("set a fault of", file);
        if matches!(fault, DiskFault::Errors(_) | DiskFault::Full) {
            let is_full = fault == DiskFault::Full;
            definition::check_errors_reach_guest(&self.definition.xml, file, is_full).map_err(&failed)?;
        }
        self.with_faults(|machine, faults, monitor| {
            let filter = faults.filter("failing");
            faults.disk(monitor, machine, file)?.set(monitor, fault, filter).map_err(failed)
        })
    }

    /// Does what [`Machine::set_volatile`](Machine::set_volatile) does. The machine stands still
    /// meanwhile, so that it writes nothing between what the disk was and the record.
    pub(super) fn make_volatile(&mut self, file: &Path) -> Result<(), Error> {
        let suspended = self.state() == State::Suspended;
        Transition::ChangeDisk.check(&self.definition.name, self.state())?;
        if !suspended {
            self.suspend()?;
        }
        let failed = self.failed("make volatile", file);
        let made = self.with_faults(|machine, faults, monitor| {
            let names = [faults.filter("record"), faults.filter("failing")];
            let disk = faults.disk(monitor, machine, file)?;
            disk.make_volatile(monitor, machine, names).map_err(failed)
        });
        if !suspended {
            self.resume()?;
        }
        made
    }

    /// Does what [`Machine::power_cut_losing`](Machine::power_cut_losing) does.
    pub(super) fn cut_losing(&mut self, seed: u64) -> Result<Lost, Error> {
        let name = self.definition.name.clone();
        let life = self.life(Transition::PowerCut)?;
        if life.faults.volatile().next().is_none() {
            return Err(Error::NotVolatile { machine: name });
        }
        let action = "lose writes of";
        let silenced = silence(&mut life.faults, &Monitor(&life.domain));
        let losing = silenced.map_err(|(disk, message)| self.failed(action, &disk)(message))?;
        self.end(Transition::PowerCut)?;
        let socket = self.definition.endpoints.control.with_extension("nbd");
        let mut lost = Lost::default();
        for losing in losing {
            lost += losing.lose(seed, &socket).map_err(self.failed(action, &losing.disk))?;
        }
        Ok(lost)
    }

    /// Does something to the faults of a machine that lives.
    fn with_faults(
        &mut self,
        change: impl FnOnce(&str, &mut DiskFaults, &Monitor<'_>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let Some(life) = &mut self.life else { return Ok(()) };
        self.snapshots.find_disks(&life.domain);
        change(&self.definition.name, &mut life.faults, &Monitor(&life.domain))
    }

    fn failed(&self, action: &'static str, file: &Path) -> impl Fn(String) -> Error + use<> {
        let (machine, disk) = (self.definition.name.clone(), file.to_owned());
        move |message| Error::DiskFault { action, machine: machine.clone(), disk: disk.clone(), message }
    }
}
