//! Machines that begin from a snapshot are like those that booted, know nothing of any that was before
//! them, and boot wherever there is no snapshot that can be trusted.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::{Event, Observer, Stop, System as _};
use model::{MachineId, Network};
use tempfile::TempDir;

/// Machines of two tests would have the same names.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// What DMI shows of a machine that began from a snapshot.
const NOBODY: &str = "6e657470-726f-4000-8000-000000000000";

/// Everything that a guest can be told from another by, a fact a line, but for what has to differ each
/// time: the moment when directories were made, and the number that the kernel gives an interface,
/// which is a new one where the driver was bound anew. A process that asks is none of the guest's own.
const OBSERVATIONS: &str = r#"
echo "hostname $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname) $(hostname)"
echo "machine-id $(cat /etc/machine-id)"
sed 's/^/hosts /' /etc/hosts
for nic in eth0 eth1; do
	for what in address addr_assign_type mtu operstate flags name_assign_type; do
		echo "$nic $what $(cat /sys/class/net/$nic/$what)"
	done
done
ls /sys/class/net | sed 's/^/nic /'
ip -o -4 address | sed 's/^[0-9]*:/address/; s/ valid_lft.*//'
ip -o -6 address | sed 's/^[0-9]*:/address/; s/ valid_lft.*//; s/ tentative//'
ip link show eth1 | sed 's/^[0-9]*://; s/^/link /'
ip route | sed 's/^/route /'
echo "neighbours on the data network: $(ip neigh show dev eth1 | wc -l)"
sed 's/^/mount /' /proc/mounts
echo "cmdline $(cat /proc/cmdline)"
echo "release $(uname -a)"
sed 's/ .*//; s/^/module /' /proc/modules | sort
sed -n 's/^MemTotal: */memory /p' /proc/meminfo
ls -lA --full-time /scratch | sed 's/^/scratch /'
echo "scratch writes $(echo here >/scratch/mark && sync && cat /scratch/mark && rm /scratch/mark)"
echo "host key $(sha256sum </run/netprop/ssh_host_ed25519_key)"
ls -l /run/netprop/ssh_host_ed25519_key | sed 's/ *[A-Z][a-z][a-z] .*//; s/^/host key /'
for process in /proc/[0-9]*; do
	read -r name <$process/comm && [ "$(readlink $process/exe)" ] && echo "process $name"
done 2>/dev/null | sort | grep -v -E ' (sshd|sh|sort|grep|ls|sed|readlink|busybox)$'
echo "listens $(grep -c ' 0A ' /proc/net/tcp)"
"#;

/// What has to differ, or to be true of the moment.
const MOMENT: &str = r#"
cat /proc/sys/kernel/random/boot_id
od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
echo
date +%s
cat /sys/class/dmi/id/product_uuid
"#;

/// Keeps the warnings of a lab.
#[derive(Debug, Default)]
struct Warnings(Mutex<Vec<String>>);

impl Warnings {
    fn take(&self) -> Vec<String> {
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

fn lab(snapshots: &Path) -> Option<(Lab, Arc<Warnings>)> {
    // Where something is missing, this says so.
    Lab::for_test().unwrap()?;
    let warnings = Arc::new(Warnings::default());
    let snapshots = Some(snapshots.to_owned());
    let options = LabOptions { boots: Boots::Warm, snapshots, ..LabOptions::default() };
    let observer: Arc<dyn Observer> = warnings.clone();
    Some((Lab::open(options, observer, Stop::default()).unwrap(), warnings))
}

/// A network of machines: name, last part of the address, file system.
fn network(lab: &Lab, subnet: &str, machines: &[(&str, u8, &str)]) -> Network {
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

fn run(live: &LiveNetwork<'_>, id: &MachineId, command: &str) -> String {
    let output = live.run(id, &remote::Command::new(command)).unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.ending.is_success(), "{command}: {}: {errors}", output.ending);
    String::from_utf8(output.stdout).unwrap()
}

/// What is seen on each machine of a network.
fn observe(live: &LiveNetwork<'_>) -> Vec<String> {
    live.network().ids().iter().map(|id| run(live, id, OBSERVATIONS)).collect()
}

/// What differs from machine to machine: boot id, random bytes, and the uuid that DMI shows.
fn moments(live: &LiveNetwork<'_>) -> Vec<[String; 3]> {
    let moment = |id: &MachineId| {
        let text = run(live, id, MOMENT);
        let [boot, random, clock, uuid] = text.lines().collect::<Vec<_>>()[..] else { panic!("{text}") };
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        assert!(clock.parse::<u64>().unwrap().abs_diff(now) <= 3, "{id}: {clock} is not {now}");
        [boot, random, uuid].map(str::to_owned)
    };
    live.network().ids().iter().map(moment).collect()
}

/// The text without what is another with each host key, which is a network's own.
fn without_key(text: &str) -> String {
    let lines = text.lines().filter(|line| !(line.starts_with("host key ") && line.ends_with('-')));
    lines.map(|line| format!("{line}\n")).collect()
}

/// The files of the snapshots in a cache, which are of so many kinds.
fn files(cache: &Path, kinds: usize) -> Vec<PathBuf> {
    let paths = |directory: &Path| fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    let entries: Vec<_> = paths(cache).filter(|entry| entry.is_dir()).collect();
    assert_eq!(entries.len(), kinds, "one kind has one snapshot: {entries:?}");
    entries.iter().flat_map(|entry| paths(entry)).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

#[test]
fn nothing_of_an_earlier_identity_shows_and_a_guest_is_as_if_it_had_booted() {
    let _alone = alone();
    let cache = TempDir::new().unwrap();
    let Some((lab, warnings)) = lab(cache.path()) else { return };
    let system = MachineSystem::new(&lab);
    let earlier = network(&lab, "172.16.2", &[("quincefirst", 71, "ext4"), ("quincesecond", 72, "ext4")]);
    let live = system.new_sut(&earlier).unwrap();
    let mut seen = moments(&live);
    let key = run(&live, &earlier.ids()[0], "sed -n 3p /run/netprop/ssh_host_ed25519_key");
    run(&live, &earlier.ids()[0], "echo quincemark >/root/mark; echo quincemark >/scratch/mark; sync");
    system.destroy_sut(live).unwrap();

    let later = [("medlar", 33, "ext4"), ("sorb", 34, "xfs"), ("service", 35, "btrfs")];
    let later = network(&lab, "10.77.8", &later);
    let live = system.new_sut(&later).unwrap();
    let begun = observe(&live);
    let marks = ["quince", "172.16.2.7", "ac100247", "52:54:00:10:02:47", "52:54:00:10:02:48", key.trim()];
    let pattern: String = marks.map(|mark| format!(" -e '{mark}'")).concat();
    for id in later.ids() {
        let command = format!(
            "{{ find /etc /root /run /scratch /tmp /var -xdev -type f -print0 | xargs -0 grep -l -F{pattern}; dmesg | grep -F{pattern}; }} || :"
        );
        assert_eq!(run(&live, &id, &command), "", "{id} shows something of an earlier machine");
        let command = format!("echo 'quince' >/tmp/mark; {command}; rm /tmp/mark");
        assert_eq!(run(&live, &id, &command), "/tmp/mark\n", "what there is would be found");
    }
    seen.extend(moments(&live));
    for [_, _, uuid] in &seen {
        assert_eq!(uuid, NOBODY, "it began from a snapshot");
    }
    system.destroy_sut(live).unwrap();
    drop(system);
    assert_eq!(warnings.take(), Vec::<String>::new());

    // The snapshot is of none of them: so it holds of what is not looked for above as well.
    for file in files(cache.path(), 3) {
        let bytes = fs::read(&file).unwrap();
        for mark in marks.into_iter().chain(["quincemark"]) {
            assert!(!contains(&bytes, mark.as_bytes()), "{} has {mark}", file.display());
        }
        for [boot, random, _] in &seen {
            assert!(!contains(&bytes, boot.as_bytes()) && !contains(&bytes, random.as_bytes()));
        }
    }

    let live = LiveNetwork::create(&lab, &later).unwrap();
    let booted = observe(&live);
    for (begun, booted) in begun.iter().zip(&booted) {
        assert!(begun.lines().count() > 50, "much was observed: {begun}");
        assert_eq!(without_key(begun), without_key(booted));
    }
    let cold = moments(&live);
    for ([_, _, uuid], machine) in cold.iter().zip(later.machines()) {
        assert_eq!(*uuid, machine.uuid.to_string(), "a machine that booted shows its own");
    }
    seen.extend(cold);
    let mut drawn: Vec<_> = seen.iter().flat_map(|[boot, random, _]| [boot, random]).collect();
    let count = drawn.len();
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len(), count, "each life draws random numbers of its own: {seen:?}");
}

/// Makes a network of one machine, and says whether it began from a snapshot, and what was warned of.
fn begins(snapshots: &Path) -> Option<(bool, Vec<String>)> {
    let (lab, warnings) = lab(snapshots)?;
    let system = MachineSystem::new(&lab);
    let live = system.new_sut(&network(&lab, "172.16.2", &[("a", 71, "ext4"), ("b", 72, "ext4")])).unwrap();
    let uuids: Vec<_> = moments(&live).into_iter().map(|[_, _, uuid]| uuid == NOBODY).collect();
    assert_eq!(uuids[0], uuids[1], "both come to be in the same way");
    system.destroy_sut(live).unwrap();
    drop(system);
    Some((uuids[0], warnings.take()))
}

#[test]
fn what_cannot_be_trusted_is_never_begun_from() {
    let _alone = alone();
    let place = TempDir::new().unwrap();
    let blocked = place.path().join("blocked");
    fs::write(&blocked, "a file").unwrap();
    let Some((begun, warnings)) = begins(&blocked) else { return };
    assert!(!begun);
    let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
    let expected =
        "machines are booted, since they cannot begin from a snapshot: could not make the directory";
    assert!(warning.starts_with(expected), "{warning}");

    let cache = place.path().join("cache");
    assert_eq!(begins(&cache).unwrap(), (true, Vec::new()));
    let file = |name: &str| files(&cache, 1).into_iter().find(|file| file.ends_with(name)).unwrap();
    let mut bytes = fs::read(file("memory")).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(file("memory"), bytes).unwrap();
    let (begun, warnings) = begins(&cache).unwrap();
    assert!(begun, "a damaged one is made anew");
    let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
    assert!(warning.ends_with("is dropped and made anew: its file memory is damaged"), "{warning}");

    // One that matches its checksums and that QEMU does not take all the same.
    let devices = fs::read(file("devices")).unwrap();
    let broken = vec![0; devices.len()];
    let sum = |bytes: &[u8]| format!("{:x}", <sha2::Sha256 as sha2::Digest>::digest(bytes));
    let manifest = fs::read_to_string(file("manifest.json")).unwrap();
    assert!(manifest.contains(&sum(&devices)));
    fs::write(file("manifest.json"), manifest.replace(&sum(&devices), &sum(&broken))).unwrap();
    fs::write(file("devices"), broken).unwrap();
    let (begun, warnings) = begins(&cache).unwrap();
    assert!(!begun, "it boots");
    let [warning] = &warnings[..] else { panic!("one warning: {warnings:?}") };
    assert!(
        warning.contains("are booted, since it does not begin from a snapshot: could not start"),
        "{warning}"
    );
    assert_eq!(begins(&cache).unwrap(), (true, Vec::new()), "the next run makes it anew");
}
