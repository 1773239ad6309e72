//! Machines that begin from snapshots, and what is warned of meanwhile.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use harness::machines::{Boots, Lab, LabOptions, LiveNetwork};
use harness::{Event, Observer, Stop};
use model::{MachineId, Network};

/// What DMI shows of a machine that began from a snapshot.
pub(crate) const NOBODY: &str = "6e657470-726f-4000-8000-000000000000";

/// Keeps the warnings of a lab.
#[derive(Debug, Default)]
pub(crate) struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    pub(crate) fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.0.lock().unwrap())
    }
}

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            self.0.lock().unwrap().push((*text).to_owned());
        }
    }
}

/// A lab whose machines begin from snapshots, and what it warns of.
pub(crate) fn lab_with(options: LabOptions) -> Option<(Lab, Arc<Warnings>)> {
    if let Err(missing) = harness::components::check() {
        // This says so.
        assert!(Lab::for_test().unwrap().is_none(), "{missing}");
        return None;
    }
    let warnings = Arc::new(Warnings::default());
    let options = LabOptions { boots: Boots::Warm, ..options };
    let observer: Arc<dyn Observer> = warnings.clone();
    Some((Lab::open(options, observer, Stop::default()).unwrap(), warnings))
}

/// A network of machines: name, last part of the address, file system.
pub(crate) fn network(lab: &Lab, subnet: &str, machines: &[(&str, u8, &str)]) -> Network {
    let kernel = lab.kernels().unwrap().remove(0);
    let machine = |(name, address, file_system): &(&str, u8, &str)| {
        format!(
            r#"{{ "id": "{name}", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0000000000{address:02x}",
                 "address": "{subnet}.{address}", "kernel": "{kernel}", "memory": 96,
                 "file_system": "{file_system}", "running": true }}"#
        )
    };
    let machines: Vec<_> = machines.iter().map(machine).collect();
    let text = format!(r#"{{ "subnet": "{subnet}.0/24", "machines": [ {} ] }}"#, machines.join(","));
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn run(live: &LiveNetwork<'_>, id: &MachineId, command: &str) -> String {
    let output = live.run(id, &remote::Command::new(command)).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.ending.is_success(), "{command}: {}: {errors}", output.ending);
    String::from_utf8(output.stdout).unwrap()
}

/// The files of the snapshots in a cache, which are of so many kinds.
pub(crate) fn files(cache: &Path, kinds: usize) -> Vec<PathBuf> {
    let paths = |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let entries: Vec<_> = paths(cache).filter(|entry| entry.is_dir()).collect();
    assert_eq!(entries.len(), kinds, "one kind has one snapshot: {entries:?}");
    entries.iter().flat_map(|entry| paths(entry)).collect()
}
