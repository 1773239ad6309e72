//! Saving a machine and putting it back, in the process that it has.
//!
//! A snapshot is QEMU's internal one: a state of each disk that is written to, and beside it the
//! memory and the devices in the first of these disks, which has to be a qcow2. It lies in the disk's file,
//! so that a process that begins on the same disk can be put back too.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use virt::domain::Domain;

use super::monitor::Monitor;
use crate::{Snapshot, program};

/// With less room than this, in bytes, a file system is full: memory is written in larger pieces.
const NO_ROOM: u64 = 1 << 20;

/// What was saved of one machine. Its devices and disks are called alike in all its lives.
#[derive(Debug, Default)]
pub(super) struct Snapshots {
    saved: Vec<Saved>,
    disks: Option<Disks>,
}

/// Why nothing was saved.
#[derive(Debug)]
pub(super) enum NotSaved {
    /// The file system of this disk has no room for it.
    NoRoom(PathBuf),
    /// What QEMU said.
    Refused(String),
}

impl From<String> for NotSaved {
    fn from(message: String) -> Self {
        Self::Refused(message)
    }
}

#[derive(Debug)]
struct Saved {
    snapshot: Snapshot,
    kept: Kept,
}

/// What is kept of a machine.
#[derive(Clone, Debug)]
pub(super) enum Kept {
    /// It was on: its memory is there.
    On {
        /// Whether memory was called as that of a template, as it has to be where it is loaded.
        is_named: bool,
    },
    /// It was off: the disks in these files are there.
    Off { files: Vec<PathBuf> },
}

/// The disks that a machine writes to.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Disks {
    /// What QEMU calls them; the first one gets the memory too.
    nodes: Vec<String>,
    files: Vec<PathBuf>,
}

impl Snapshots {
    /// What is kept under this snapshot, if it is one of these.
    pub(super) fn kept(&self, snapshot: &Snapshot) -> Option<&Kept> {
        self.saved.iter().find(|saved| saved.snapshot == *snapshot).map(|saved| &saved.kept)
    }

    /// A disk whose file system has no room left.
    pub(super) fn full_disk(&self) -> Option<&Path> {
        self.disks.as_ref()?.first_without(NO_ROOM)
    }

    /// Saves the machine, which has so many bytes of memory, and is suspended, or goes on afterwards.
    ///
    /// Where its memory may not fit, nothing is written: the room that a snapshot takes up before it fails
    /// is not given back, and other machines could not write to their disks.
    pub(super) fn save(
        &mut self,
        machine: &str,
        domain: &Domain,
        is_named: bool,
        memory: u64,
    ) -> Result<Snapshot, NotSaved> {
        let monitor = Monitor(domain);
        let disks = self.disks(&monitor)?;
        if let Some(full) = disks.first_without(memory) {
            return Err(NotSaved::NoRoom(full.to_owned()));
        }
        let snapshot = Snapshot::new(machine);
        monitor.job("snapshot-save", "netprop-save", &arguments(disks, &snapshot))?;
        self.saved.push(Saved { snapshot: snapshot.clone(), kept: Kept::On { is_named } });
        Ok(snapshot)
    }

    /// Finds the disks while nothing lies over them. A machine without one is told when it is saved.
    pub(super) fn find_disks(&mut self, domain: &Domain) {
        let _ = self.disks(&Monitor(domain));
    }

    fn disks(&mut self, monitor: &Monitor<'_>) -> Result<&Disks, String> {
        match &mut self.disks {
            Some(disks) => Ok(disks),
            none => Ok(none.insert(Disks::find(&monitor.execute("query-block", &json!({}))?)?)),
        }
    }

    /// Saves a machine that is off and writes to the disks in these files.
    pub(super) fn save_off(&mut self, machine: &str, files: Vec<PathBuf>) -> Result<Snapshot, String> {
        let snapshot = Snapshot::new(machine);
        for (index, file) in files.iter().enumerate() {
            if let Err(message) = qemu_img("-c", snapshot.tag(), file) {
                files[..index].iter().for_each(|file| remove(&snapshot, file));
                return Err(message);
            }
        }
        self.saved.push(Saved { snapshot: snapshot.clone(), kept: Kept::Off { files } });
        Ok(snapshot)
    }

    /// Has the disks of a machine that is off be what they were when it was off.
    pub(super) fn apply(&self, snapshot: &Snapshot) -> Result<(), String> {
        match self.kept(snapshot) {
            Some(Kept::Off { files }) => {
                files.iter().try_for_each(|file| qemu_img("-a", snapshot.tag(), file))
            }
            Some(Kept::On { .. }) | None => Err("it was not off".to_owned()),
        }
    }

    /// Takes a snapshot off the disks, which QEMU does where it has them in use.
    pub(super) fn forget(&mut self, domain: Option<&Domain>, snapshot: &Snapshot) -> Result<(), String> {
        if let Some(domain) = domain {
            let monitor = Monitor(domain);
            let disks = self.disks(&monitor)?;
            let arguments = json!({ "tag": snapshot.tag(), "devices": disks.nodes });
            monitor.job("snapshot-delete", "netprop-delete", &arguments)?;
        } else {
            self.files(snapshot).iter().try_for_each(|file| qemu_img("-d", snapshot.tag(), file))?;
        }
        self.saved.retain(|saved| saved.snapshot != *snapshot);
        Ok(())
    }

    /// The files that a snapshot is in.
    fn files(&self, snapshot: &Snapshot) -> &[PathBuf] {
        match self.kept(snapshot) {
            Some(Kept::Off { files }) => files,
            Some(Kept::On { .. }) => self.disks.as_ref().map_or(&[], |disks| &disks.files),
            None => &[],
        }
    }

    /// Has a machine that is suspended be what it was.
    pub(super) fn load(&self, domain: &Domain, snapshot: &Snapshot) -> Result<(), String> {
        let disks = self.disks.as_ref().ok_or("it was never saved")?;
        Monitor(domain).job("snapshot-load", "netprop-load", &arguments(disks, snapshot))
    }

    /// Takes what was saved off the disks of a machine that is off, as far as they are still there.
    pub(super) fn remove(&mut self) {
        for saved in &self.saved {
            let files = self.files(&saved.snapshot).iter();
            files.filter(|file| file.exists()).for_each(|file| remove(&saved.snapshot, file));
        }
        self.saved.clear();
    }
}

fn remove(snapshot: &Snapshot, file: &Path) {
    if let Err(error) = qemu_img("-d", snapshot.tag(), file) {
        tracing::debug!(file = %file.display(), error, "a snapshot stays on its disk");
    }
}

/// Does something about a snapshot of a disk that no QEMU has in use.
pub(super) fn qemu_img(what: &str, tag: &str, file: &Path) -> Result<(), String> {
    let program = program::find("qemu-img", "qemu-utils").map_err(|error| error.to_string())?;
    let output = Command::new(program).args(["snapshot", "-q", what, tag]).arg(file).output();
    let output = output.map_err(|error| format!("qemu-img could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
}

fn arguments(disks: &Disks, snapshot: &Snapshot) -> Value {
    json!({ "tag": snapshot.tag(), "vmstate": disks.nodes.first(), "devices": disks.nodes })
}

impl Disks {
    /// The first whose file system has no room for so many bytes.
    fn first_without(&self, room: u64) -> Option<&Path> {
        let is_full = |file: &&PathBuf| {
            let there = rustix::fs::statvfs(file.as_path());
            there.is_ok_and(|there| there.f_bavail.saturating_mul(there.f_frsize) < room)
        };
        self.files.iter().find(is_full).map(PathBuf::as_path)
    }

    /// The disks that are written to, by what `query-block` returns. The order of the nodes is
    /// QEMU's, but that one that can hold memory comes first.
    fn find(blocks: &Value) -> Result<Self, String> {
        let inserted = blocks.as_array().into_iter().flatten().map(|block| &block["inserted"]);
        let mut written: Vec<_> = inserted.filter(|disk| disk["ro"] == false).collect();
        written.sort_by_key(|disk| disk["drv"] != "qcow2");
        if written.first().is_none_or(|disk| disk["drv"] != "qcow2") {
            return Err(
                "it has no qcow2 disk to keep its memory in: give it one that it may write to".to_owned()
            );
        }
        let texts =
            |key: &str| written.iter().filter_map(|disk| disk[key].as_str()).map(str::to_owned).collect();
        let files: Vec<String> = texts("file");
        Ok(Self { nodes: texts("node-name"), files: files.into_iter().map(PathBuf::from).collect() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_to_a_disk_that_can_hold_it() {
        let disk = |name: &str, format: &str, is_read_only: bool| json!({ "inserted": { "node-name": name, "drv": format, "ro": is_read_only, "file": format!("/{name}") } });
        let empty = json!({ "device": "cd" });
        let blocks =
            json!([disk("root", "raw", true), empty, disk("b", "raw", false), disk("c", "qcow2", false)]);
        let disks = Disks::find(&blocks).unwrap();
        assert_eq!(disks.nodes, ["c", "b"]);
        assert_eq!(disks.files, [Path::new("/c"), Path::new("/b")]);
        for blocks in [json!([]), json!([disk("root", "qcow2", true), disk("b", "raw", false)])] {
            let error = Disks::find(&blocks).unwrap_err();
            assert!(error.starts_with("it has no qcow2 disk to keep its memory in"), "{error}");
        }
    }
}
