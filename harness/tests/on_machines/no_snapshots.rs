//! Where there is no snapshot that machines can begin from, or nothing that they can be put back to, they
//! boot, one warning says why, and no answer is another one for it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::execute::Verdict;
use harness::machines::{Lab, LabOptions, MachineSystem};
use harness::{Config, Runner, Silent, Stop, System as _};
use model::machines::Command as Given;
use model::{Case, MachineId, MachineSpec, Network};
use tempfile::TempDir;

use crate::begun::{NOBODY, files, lab_with, network, run};

/// Says to a process that it is to do what the test does, rather than to run it in a process of its own.
const CHILD: &str = "NETPROP_TEST_CHILD";

/// Whether this is the process that does it. Any other runs the test again in a process that has mounts of
/// its own; where that is not allowed, it says so.
fn is_over_own_mounts(name: &str) -> bool {
    if std::env::var(CHILD).is_ok_and(|child| child == name) {
        return true;
    }
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let options = if root { &["--mount"][..] } else { &["--mount", "--user", "--map-root-user"][..] };
    let unshare = || {
        let mut command = Command::new("unshare");
        command.args(options);
        command
    };
    if !unshare().arg("true").status().is_ok_and(|status| status.success()) {
        let text =
            "SKIPPED, nothing was tested: no mounts of its own: run it as root, or allow user namespaces";
        assert!(std::env::var_os("CI").is_none_or(|value| value != "true"), "{text}");
        eprintln!("{text}");
        return false;
    }
    let program = std::env::current_exe().unwrap();
    let path = format!("{}::{name}", module_path!().split_once("::").unwrap().1);
    let status =
        unshare().arg(program).args(["--exact", &path, "--nocapture"]).env(CHILD, name).status().unwrap();
    assert!(status.success(), "{name} failed over mounts of its own");
    false
}

/// Mounts a file system in memory that has room for so many MiB.
fn mount(place: &Path, mebibytes: u32, more: &str) {
    fs::create_dir_all(place).unwrap();
    let options = format!("size={mebibytes}m{more}");
    let status = Command::new("mount").args(["-t", "tmpfs", "-o", &options, "tmpfs"]).arg(place).status();
    assert!(status.unwrap().success());
}

/// Where snapshots lie, and everything of the run.
struct Places {
    directory: TempDir,
}

impl Places {
    fn new() -> Self {
        Self { directory: TempDir::new().unwrap() }
    }

    fn cache(&self) -> PathBuf {
        self.directory.path().join("cache")
    }

    fn run(&self) -> PathBuf {
        self.directory.path().join("run")
    }

    /// Makes a network of machines of these file systems, then another one, which is given the commands of a
    /// case that holds.
    fn begins(&self, file_systems: [&str; 2]) -> Option<Begun> {
        self.begins_with(file_systems, commands)
    }

    /// The same with these commands. Says whether all machines began from snapshots, or none, whether the
    /// second network was the first put back, and what was warned of.
    fn begins_with(
        &self,
        file_systems: [&str; 2],
        commands: impl Fn(&Network) -> Vec<Given>,
    ) -> Option<Begun> {
        // libvirt's driver stays for good where a process first has it, which is not to be here, where
        // nothing is left after this.
        drop(Lab::for_test().unwrap()?);
        fs::create_dir_all(self.run()).unwrap();
        // What cleans up after a run takes it along where it is empty, at whatever time.
        fs::write(self.run().join("not empty"), "").unwrap();
        let options = LabOptions {
            snapshots: Some(self.cache()),
            run_directory: Some(self.run()),
            ..LabOptions::default()
        };
        let (lab, warnings) = lab_with(options)?;
        let system = MachineSystem::new(&lab);
        let machines = [("a", 71, file_systems[0]), ("b", 72, file_systems[1])];
        let network = network(&lab, "172.16.2", &machines);
        let live = system.new_sut(&network).unwrap();
        let uuid = |id: &MachineId| run(&live, id, "cat /sys/class/dmi/id/product_uuid").trim() == NOBODY;
        let begun: Vec<_> = network.ids().iter().map(uuid).collect();
        assert_eq!(begun[0], begun[1], "both come to be in the same way: {:?}", warnings.take());
        system.destroy_sut(live).unwrap();

        let model = MachineSpec::new(lab.bounds().unwrap()).unwrap();
        let (config, stop) = (Config::default(), Stop::default());
        let runner = Runner::new(&model, &system, &config, &Silent, &stop);
        let case = Case::sequential(network.clone(), commands(&network));
        let ran = runner.run_case(&case, "no-snapshots").unwrap();
        assert_eq!(ran.verdict, Verdict::Holds);
        let kept = system.put_back() > 0;
        drop(system);
        Some(Begun { from_snapshots: begun[0], kept, warnings: warnings.take() })
    }
}

/// A power cut and what the other machine sees of it, and whether each machine is what it is to be.
fn commands(network: &Network) -> Vec<Given> {
    let [a, b] = &network.ids()[..] else { panic!("two machines") };
    let ping = || Given::Ping { from: a.clone(), to: b.clone() };
    let inspect = |id: &MachineId| Given::Inspect(id.clone());
    vec![
        ping(),
        inspect(a),
        inspect(b),
        Given::Shutdown(b.clone()),
        ping(),
        Given::Boot(b.clone()),
        ping(),
        inspect(b),
    ]
}

/// How machines came to be.
#[derive(Debug)]
struct Begun {
    from_snapshots: bool,
    kept: bool,
    warnings: Vec<String>,
}

impl Begun {
    /// The one warning that there is.
    fn warning(&self) -> &str {
        let [warning] = &self.warnings[..] else { panic!("one warning: {:?}", self.warnings) };
        warning
    }

    /// Holds that machines booted, and that one warning says so, and why.
    fn booted(&self, why: &str) {
        let start = "machines are booted, since they cannot begin from a snapshot: ";
        let warning = self.warning();
        assert!(!self.from_snapshots && warning.starts_with(start) && warning.contains(why), "{self:?}");
    }
}

const OF_TWO_KINDS: [&str; 2] = ["ext4", "xfs"];
const OF_ONE_KIND: [&str; 2] = ["ext4", "ext4"];

#[test]
fn a_cache_on_a_full_disk() {
    if !is_over_own_mounts("a_cache_on_a_full_disk") {
        return;
    }
    let places = Places::new();
    mount(&places.cache(), 4, "");
    let Some(begun) = places.begins(OF_TWO_KINDS) else { return };
    begun.booted("has no room for a snapshot of 96 MiB: make room there, or set XDG_CACHE_HOME");
    assert!(begun.kept, "what the run itself keeps lies elsewhere");
}

#[test]
fn a_cache_that_cannot_be_written() {
    if !is_over_own_mounts("a_cache_that_cannot_be_written") {
        return;
    }
    let places = Places::new();
    mount(&places.cache(), 400, ",ro");
    let Some(begun) = places.begins(OF_TWO_KINDS) else { return };
    begun.booted("Read-only file system");
}

#[test]
fn a_cache_where_something_else_is() {
    let places = Places::new();
    fs::write(places.cache(), "a file").unwrap();
    let Some(begun) = places.begins(OF_TWO_KINDS) else { return };
    begun.booted("could not make the directory");
}

#[test]
fn a_run_directory_without_room_for_what_is_kept() {
    if !is_over_own_mounts("a_run_directory_without_room_for_what_is_kept") {
        return;
    }
    let places = Places::new();
    mount(&places.run(), 80, "");
    let Some(begun) = places.begins(OF_TWO_KINDS) else { return };
    let warning = begun.warning();
    assert!(begun.from_snapshots && !begun.kept, "{begun:?}");
    let start = "networks are made anew for each case, since none can be kept: the file system of ";
    let end = "has no room for a snapshot of 96 MiB: make room there, or set NETPROP_RUNTIME_DIR to a directory on another";
    assert!(warning.starts_with(start) && warning.ends_with(end), "{warning}");
}

#[test]
fn snapshots_that_cannot_be_trusted() {
    let places = Places::new();
    let begins = || places.begins_with(OF_ONE_KIND, |_| Vec::new());
    let Some(begun) = begins() else { return };
    assert!(begun.from_snapshots && begun.kept && begun.warnings.is_empty(), "{begun:?}");
    let file = |name: &str| files(&places.cache(), 1).into_iter().find(|file| file.ends_with(name)).unwrap();

    let mut bytes = fs::read(file("memory")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file("memory"), bytes).unwrap();
    let begun = begins().unwrap();
    assert!(begun.from_snapshots, "a damaged one is made anew");
    let warning = begun.warning();
    assert!(warning.ends_with("is dropped and made anew: its file memory is damaged"), "{warning}");

    // One of another kind of machine, such as that of another QEMU, that says so.
    let manifest = fs::read_to_string(file("manifest.json")).unwrap();
    fs::write(file("manifest.json"), manifest.replace("QEMU emulator version ", "QEMU emulator version 1"))
        .unwrap();
    assert_ne!(manifest, fs::read_to_string(file("manifest.json")).unwrap());
    let begun = begins().unwrap();
    assert!(begun.from_snapshots, "it is made anew");
    let warning = begun.warning();
    assert!(warning.ends_with("is dropped and made anew: it was made for something else"), "{warning}");

    // One that matches its checksums and does not say that another QEMU made it, whose machines are of
    // another type.
    let devices = fs::read(file("devices")).unwrap();
    let other = replaced(&devices, b"pc-q35-", b"pc-q36-");
    write_sealed(&places, &devices, &other);
    let begun = places.begins(OF_ONE_KIND).unwrap();
    assert!(!begun.from_snapshots, "it boots");
    let warning = begun.warning();
    let why = "are booted, since it does not begin from a snapshot: could not start";
    assert!(warning.contains(why), "{warning}");

    // The next run makes it anew.
    let begun = begins().unwrap();
    assert!(begun.from_snapshots && begun.warnings.is_empty(), "{begun:?}");

    // One in which nothing is right.
    let devices = fs::read(file("devices")).unwrap();
    write_sealed(&places, &devices, &vec![0; devices.len()]);
    let begun = begins().unwrap();
    assert!(!begun.from_snapshots && begun.warning().contains(why), "{begun:?}");
}

/// The bytes with each of these parts exchanged for one of the same length.
fn replaced(bytes: &[u8], part: &[u8], with: &[u8]) -> Vec<u8> {
    let mut other = bytes.to_vec();
    let places: Vec<_> = memchr::memmem::find_iter(bytes, part).collect();
    assert!(!places.is_empty(), "QEMU writes down what the machine is");
    places.into_iter().for_each(|place| other[place..place + with.len()].copy_from_slice(with));
    other
}

/// Has other devices be those of the one snapshot in the cache, checksum and all.
fn write_sealed(places: &Places, devices: &[u8], other: &[u8]) {
    let file = |name: &str| files(&places.cache(), 1).into_iter().find(|file| file.ends_with(name)).unwrap();
    let sum = |bytes: &[u8]| format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(bytes));
    let manifest = fs::read_to_string(file("manifest.json")).unwrap();
    assert!(manifest.contains(&sum(devices)));
    fs::write(file("manifest.json"), manifest.replace(&sum(devices), &sum(other))).unwrap();
    fs::write(file("devices"), other).unwrap();
}
