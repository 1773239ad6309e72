//! A disk with a volatile cache, and power cuts that lose what is in it.
//!
//! While the disk is volatile, QEMU's `blklogwrites` records what the guest writes and flushes in a
//! file beside it, and an internal snapshot keeps what it was when the record began. So the running
//! machine has its disk as ever, and what is lost is decided once its process is gone: the disk goes
//! back to that snapshot, and the record is written to it as far as it survives.
//!
//! Before the process is killed, the device is moved to another filter above the record, through which
//! reads and writes take forever. That waits for the requests that are under way, so that no write is
//! half in the record. Flushes go on, since QEMU has nowhere to hold them: it ends a flush by itself
//! where nothing has been written to a node. Above the record each is in it before the guest learns of
//! it, in a sector that is written whole or not at all.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::json;

use super::disk_faults::{Disk, DiskFaults, delete};
use super::monitor::Monitor;
use super::nbd::Client;
use super::replay::Replay;
use super::snapshots::qemu_img;
use super::write_log;
use crate::{Lost, Snapshot, Survival};

/// How much is read, in bytes, of a disk that may do one a second, so that it does nothing for most of
/// a day.
const DEBT: u64 = 1 << 16;

/// The record of what is written to a disk.
#[derive(Debug)]
pub(super) struct Record {
    /// What makes it, by its name in QEMU.
    pub(super) filter: String,
    log: PathBuf,
    /// What the disk was when it began.
    baseline: Snapshot,
}

impl Record {
    /// Begins one for a disk of a machine that stands still.
    pub(super) fn begin(
        monitor: &Monitor<'_>,
        machine: &str,
        disk: &Disk,
        filter: String,
    ) -> Result<Self, String> {
        if disk.format != "qcow2" {
            return Err(format!("it is {}, and what is lost can be taken back of qcow2 alone", disk.format));
        }
        let mut log = disk.file.clone().into_os_string();
        log.push(".writes");
        let record = Self { filter, log: log.into(), baseline: Snapshot::new(machine) };
        let baseline = json!({ "device": disk.node, "name": record.baseline.tag() });
        monitor.execute("blockdev-snapshot-internal-sync", &baseline)?;
        if let Err(message) = record.add(monitor, disk) {
            record.forget(monitor, &disk.node)?;
            return Err(message);
        }
        Ok(record)
    }

    fn add(&self, monitor: &Monitor<'_>, disk: &Disk) -> Result<(), String> {
        let log = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.log);
        log.map_err(|error| format!("its record {} cannot be made: {error}", self.log.display()))?;
        let arguments = json!({
            "driver": "blklogwrites", "node-name": self.filter, "file": disk.node,
            "log": { "driver": "file", "filename": self.log },
            "log-sector-size": write_log::SECTOR, "log-super-update-interval": 1,
        });
        monitor.execute("blockdev-add", &arguments).map(drop)
    }

    /// Ends it, once the device is attached to something else, with all that was written kept.
    pub(super) fn end(&self, monitor: &Monitor<'_>, node: &str) -> Result<(), String> {
        delete(monitor, &self.filter)?;
        self.forget(monitor, node)
    }

    fn forget(&self, monitor: &Monitor<'_>, node: &str) -> Result<(), String> {
        let _ = std::fs::remove_file(&self.log);
        let baseline = json!({ "device": node, "name": self.baseline.tag() });
        monitor.execute("blockdev-snapshot-delete-internal-sync", &baseline).map(drop)
    }

    /// Takes it off the disk in this file, which no process has in use, with all that was written kept.
    pub(super) fn remove(&self, disk: &Path) {
        let _ = std::fs::remove_file(&self.log);
        // A disk that is gone has gone with it.
        if disk.exists()
            && let Err(error) = qemu_img("-d", self.baseline.tag(), disk)
        {
            tracing::debug!(file = %disk.display(), error, "a snapshot stays on its disk");
        }
    }
}

/// A volatile disk that writes nothing any more, though its machine still lives.
#[derive(Debug)]
pub(super) struct Losing {
    pub(super) disk: PathBuf,
    size: u64,
    record: Record,
}

/// Has no volatile disk end another read or write.
pub(super) fn silence(
    faults: &mut DiskFaults,
    monitor: &Monitor<'_>,
) -> Result<Vec<Losing>, (PathBuf, String)> {
    let names: Vec<String> = {
        let count = faults.volatile().count();
        (0..count).map(|_| faults.filter("silent")).collect()
    };
    // All of them before the first record is taken, since a failure leaves the machine alive.
    let silenced = faults.volatile().zip(names).try_for_each(|(disk, name)| {
        silence_one(disk, monitor, &name).map_err(|message| (disk.file.clone(), message))
    });
    if let Err(failed) = silenced {
        for disk in faults.volatile() {
            // What fails here has failed before, and that is told.
            let _ = disk.attach(monitor);
        }
        return Err(failed);
    }
    let losing = faults.volatile().filter_map(|disk| {
        let record = disk.record.take()?;
        Some(Losing { disk: disk.file.clone(), size: disk.size, record })
    });
    Ok(losing.collect())
}

fn silence_one(disk: &Disk, monitor: &Monitor<'_>, name: &str) -> Result<(), String> {
    let Some(record) = &disk.record else { return Ok(()) };
    let group = format!("{name}-group");
    let limits = json!({ "qom-type": "throttle-group", "id": group, "limits": { "bps-total": 1 } });
    monitor.execute("object-add", &limits)?;
    let filter = json!({
        "driver": "throttle", "node-name": name, "throttle-group": group, "file": record.filter,
    });
    monitor.execute("blockdev-add", &filter)?;
    // The first request is free, and who comes next pays for it.
    let read = format!("qemu-io {name} \"read -q 0 {}\"", disk.size.min(DEBT));
    monitor.execute("human-monitor-command", &json!({ "command-line": read }))?;
    disk.attach_to(monitor, name)
}

impl Losing {
    /// Makes a disk that no process has in use what the power cut with this seed leaves.
    pub(super) fn lose(&self, seed: u64, socket: &Path) -> Result<Lost, String> {
        let log = &self.record.log;
        let open = File::open(log);
        let mut file = open.map_err(|error| format!("its record {} is gone: {error}", log.display()))?;
        let length = file.metadata().map_err(|error| format!("its record cannot be read: {error}"))?.len();
        let entries = write_log::read(&mut file, length, self.size / write_log::SECTOR)
            .map_err(|error| error.to_string())?;
        let replay = Replay::after(&entries, Survival::new(seed));
        qemu_img("-a", self.record.baseline.tag(), &self.disk)?;
        let written = Client::open(&self.disk, socket).and_then(|mut client| {
            replay.apply(&file, &mut client)?;
            client.end()
        });
        written.map_err(|error| format!("what survives could not be written to it: {error}"))?;
        self.record.remove(&self.disk);
        Ok(replay.lost)
    }
}
