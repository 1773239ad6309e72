//! What is wrong with a machine's disks, for as long as it lives.
//!
//! Each fault but a slow disk is a filter of QEMU's over the disk that libvirt has attached:
//! `blkdebug`, which has requests fail, above `blklogwrites`, which records what is written (see
//! `power_cut.rs`). The device is moved between them by its property `drive`, which waits for the
//! requests that are under way. libvirt knows nothing of it, and snapshots are taken of its own node.
//!
//! Filters are added without `discard`, so that nothing that the guest discards passes them: a record
//! of writes says all that happened to the disk.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::monitor::Monitor;
use super::power_cut::Record;
use crate::{DiskFault, Error, Failing, Slowness};

/// The errors of the host that requests fail with.
const EIO: i32 = 5;
const ENOSPC: i32 = 28;

/// The disks of a life that a fault was ever asked of, or that lie beside such a one.
#[derive(Debug, Default)]
pub(super) struct DiskFaults {
    /// What the machine writes to, once it was looked up.
    disks: Vec<Disk>,
    /// How many filters there have been, each of which has a name of its own.
    filters: u64,
}

/// A disk that the machine writes to.
#[derive(Debug)]
pub(super) struct Disk {
    pub(super) file: PathBuf,
    /// Its device, by its path among QEMU's objects.
    device: String,
    /// What libvirt has attached.
    pub(super) node: String,
    pub(super) format: String,
    /// In bytes.
    pub(super) size: u64,
    /// The filter that has requests fail.
    failing: Option<String>,
    fault: DiskFault,
    /// What is written while it is volatile.
    pub(super) record: Option<Record>,
}

impl DiskFaults {
    /// The disk with this file.
    pub(super) fn disk(
        &mut self,
        monitor: &Monitor<'_>,
        machine: &str,
        file: &Path,
    ) -> Result<&mut Disk, Error> {
        if self.disks.is_empty() {
            let blocks = monitor.execute("query-block", &json!({})).map_err(|message| Error::DiskFault {
                action: "find",
                machine: machine.to_owned(),
                disk: file.to_owned(),
                message,
            })?;
            self.disks = Disk::all(&blocks);
        }
        match self.disks.iter().position(|disk| disk.file == file) {
            Some(place) => Ok(&mut self.disks[place]),
            None => {
                let known: Vec<_> = self.disks.iter().map(|disk| disk.file.display().to_string()).collect();
                let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
                Err(Error::NoSuchDisk { machine: machine.to_owned(), disk: file.to_owned(), known })
            }
        }
    }

    /// A name that no filter of this life has had.
    pub(super) fn filter(&mut self, what: &str) -> String {
        self.filters += 1;
        format!("netprop-{what}-{}", self.filters)
    }

    /// The disks that are volatile.
    pub(super) fn volatile(&mut self) -> impl Iterator<Item = &mut Disk> {
        self.disks.iter_mut().filter(|disk| disk.record.is_some())
    }

    /// Takes all faults off a machine that stands still.
    pub(super) fn heal(&mut self, monitor: &Monitor<'_>) -> Result<(), String> {
        for disk in &mut self.disks {
            disk.set(monitor, DiskFault::Healthy, String::new())?;
            if let Some(record) = disk.record.take() {
                disk.attach(monitor)?;
                record.end(monitor, &disk.node)?;
            }
        }
        Ok(())
    }

    /// Takes what faults have left off the disks of a machine whose process is gone.
    pub(super) fn remove(&mut self) {
        for disk in self.disks.drain(..) {
            if let Some(record) = disk.record {
                record.remove(&disk.file);
            }
        }
    }
}

impl Disk {
    /// The disks that are written to, by what `query-block` returns of a machine without faults.
    fn all(blocks: &Value) -> Vec<Self> {
        let written = |block: &Value| {
            let inserted = &block["inserted"];
            let text = |value: &Value| value.as_str().map(str::to_owned);
            (inserted["ro"] == false).then_some(())?;
            Some(Self {
                file: text(&inserted["file"])?.into(),
                device: text(&block["qdev"])?,
                node: text(&inserted["node-name"])?,
                format: text(&inserted["drv"])?,
                size: inserted["image"]["virtual-size"].as_u64()?,
                failing: None,
                fault: DiskFault::Healthy,
                record: None,
            })
        };
        blocks.as_array().into_iter().flatten().filter_map(written).collect()
    }

    /// Makes this be what is wrong with it, by a filter of this name where it takes one.
    pub(super) fn set(
        &mut self,
        monitor: &Monitor<'_>,
        fault: DiskFault,
        filter: String,
    ) -> Result<(), String> {
        let rules = rules(fault);
        let slowness = if let DiskFault::Slow(slowness) = fault { Some(slowness) } else { None };
        if !rules.is_empty() {
            let arguments = json!({
                "driver": "blkdebug", "node-name": filter, "image": self.below(), "inject-error": rules,
            });
            monitor.execute("blockdev-add", &arguments)?;
        }
        let old = std::mem::replace(&mut self.failing, (!rules.is_empty()).then_some(filter));
        let changed = if old == self.failing { Ok(()) } else { self.attach(monitor) };
        if let Err(message) = changed.and_then(|()| self.slow_down(monitor, slowness)) {
            let new = std::mem::replace(&mut self.failing, old);
            self.attach(monitor)?;
            new.map_or(Ok(()), |new| delete(monitor, &new))?;
            return Err(message);
        }
        self.fault = fault;
        old.map_or(Ok(()), |old| delete(monitor, &old))
    }

    /// What the device would be attached to if nothing failed.
    fn below(&self) -> &str {
        self.record.as_ref().map_or(&self.node, |record| &record.filter)
    }

    /// Moves the device to what is topmost now, once the requests that are under way have ended.
    pub(super) fn attach(&self, monitor: &Monitor<'_>) -> Result<(), String> {
        self.attach_to(monitor, self.failing.as_deref().unwrap_or(self.below()))
    }

    pub(super) fn attach_to(&self, monitor: &Monitor<'_>, node: &str) -> Result<(), String> {
        let arguments = json!({ "path": self.device, "property": "drive", "value": node });
        monitor.execute("qom-set", &arguments).map(drop)
    }

    fn slow_down(&self, monitor: &Monitor<'_>, slowness: Option<Slowness>) -> Result<(), String> {
        if !matches!(self.fault, DiskFault::Slow(_)) && slowness.is_none() {
            return Ok(());
        }
        let rate = |of: fn(&Slowness) -> Option<u64>| slowness.as_ref().and_then(of).unwrap_or(0);
        let arguments = json!({
            "id": self.device,
            "bps": rate(Slowness::bytes_a_second), "bps_rd": 0, "bps_wr": 0,
            "iops": rate(Slowness::operations_a_second), "iops_rd": 0, "iops_wr": 0,
        });
        monitor.execute("block_set_io_throttle", &arguments).map(drop)
    }

    /// Has a disk of a machine that stands still begin a record anew, below what has requests fail.
    pub(super) fn make_volatile(
        &mut self,
        monitor: &Monitor<'_>,
        machine: &str,
        [filter, failing]: [String; 2],
    ) -> Result<(), String> {
        let fault = self.fault;
        self.set(monitor, DiskFault::Healthy, String::new())?;
        let recorded = self.record_anew(monitor, machine, filter);
        let again = self.set(monitor, fault, failing);
        recorded.and(again)
    }

    /// Begins a record of a healthy disk, in place of another.
    fn record_anew(&mut self, monitor: &Monitor<'_>, machine: &str, filter: String) -> Result<(), String> {
        if let Some(record) = self.record.take() {
            self.attach(monitor)?;
            record.end(monitor, &self.node)?;
        }
        self.record = Some(Record::begin(monitor, machine, self, filter)?);
        self.attach(monitor)
    }
}

pub(super) fn delete(monitor: &Monitor<'_>, node: &str) -> Result<(), String> {
    monitor.execute("blockdev-del", &json!({ "node-name": node })).map(drop)
}

/// What `blkdebug` is told of the requests that fail.
fn rules(fault: DiskFault) -> Vec<Value> {
    const WRITES: &[&str] = &["write", "write-zeroes"];
    let (kinds, errno): (&[&str], i32) = match fault {
        DiskFault::Healthy | DiskFault::Slow(_) => (&[], EIO),
        DiskFault::Errors(Failing::Reads) => (&["read"], EIO),
        DiskFault::Errors(Failing::Writes) => (WRITES, EIO),
        DiskFault::Errors(Failing::Flushes) => (&["flush"], EIO),
        DiskFault::Errors(Failing::All) => (&["read", "write", "write-zeroes", "flush"], EIO),
        DiskFault::Full => (WRITES, ENOSPC),
    };
    let rule = |kind: &&str| json!({ "event": "none", "iotype": kind, "errno": errno, "once": false, "immediately": true });
    kinds.iter().map(rule).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_disks_that_are_written_to_can_fail() {
        let disk = |name: &str, is_read_only: bool| {
            json!({
                "qdev": format!("/machine/{name}"),
                "inserted": {
                    "node-name": name, "drv": "qcow2", "ro": is_read_only, "file": format!("/{name}"),
                    "image": { "virtual-size": 4096 },
                },
            })
        };
        let disks = Disk::all(&json!([disk("root", true), { "device": "cd" }, disk("scratch", false)]));
        let found: Vec<_> = disks.iter().map(|disk| (&*disk.file, &*disk.device, disk.size)).collect();
        assert_eq!(found, [(Path::new("/scratch"), "/machine/scratch", 4096)]);
        assert!(Disk::all(&json!([])).is_empty());
    }

    #[test]
    fn healthy_and_slow_disks_need_no_filter() {
        assert!(rules(DiskFault::Healthy).is_empty());
        assert!(rules(DiskFault::Slow(Slowness::bytes(1).unwrap())).is_empty());
        let full = rules(DiskFault::Full);
        assert!(full.len() == 2 && full.iter().all(|rule| rule["errno"] == ENOSPC), "{full:?}");
        assert_eq!(rules(DiskFault::Errors(Failing::All)).len(), 4);
    }
}
