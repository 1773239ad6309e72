//! Machines that begin from a snapshot are like those that booted, and know nothing of any that was before
//! them.

use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use harness::System as _;
use harness::machines::{LabOptions, LiveNetwork, MachineSystem};
use model::MachineId;
use tempfile::TempDir;

use crate::begun::{NOBODY, files, lab_with, network, run};

/// Everything that a guest can be told from another by, a fact a line, but for what has to differ each
/// time: the moment when directories were made, and the number that the kernel gives an interface,
/// which is a new one where the driver was bound anew. A process that asks is none of the guest's own.
const OBSERVATIONS: &str = include_str!("begun/observations.sh");

/// What has to differ, or to be true of the moment.
const MOMENT: &str = r#"
cat /proc/sys/kernel/random/boot_id
od -An -N32 -tx1 /dev/urandom | tr -d ' \n'
echo
date +%s
cat /sys/class/dmi/id/product_uuid
"#;

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

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    memchr::memmem::find(bytes, part).is_some()
}

#[test]
fn nothing_of_an_earlier_identity_shows_and_a_guest_is_as_if_it_had_booted() {
    let cache = TempDir::new().unwrap();
    let Some((lab, warnings)) =
        lab_with(LabOptions { snapshots: Some(cache.path().to_owned()), ..LabOptions::default() })
    else {
        return;
    };
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
