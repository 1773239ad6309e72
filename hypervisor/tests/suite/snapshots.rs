//! What machines under libvirt are saved and put back with, and what that leaves.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use hypervisor::{
    Access, ConnectOptions, Definition, Error, Event, Hypervisor, Libvirt, Machine, RunDirectory, State, boot,
};

use crate::guest::Guest;
use crate::support::{Again, in_own_process, is_child, mentioning};

const LIMIT: Duration = Duration::from_secs(60);

/// The run, and a machine that has booted in it.
fn booted(definition: impl FnOnce(&Guest, &Path) -> Definition) -> (RunDirectory, Box<dyn Machine>) {
    let guest = Guest::find().unwrap();
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let libvirt = Libvirt::connect(&run, &ConnectOptions::default()).unwrap();
    let mut machine = libvirt.define(&definition(&guest, run.path())).unwrap();
    boot(&mut *machine, "end\n", LIMIT).unwrap();
    (run, machine)
}

fn ask(machine: &mut dyn Machine, line: &str, answer: &str) {
    machine.send(line).unwrap();
    assert_eq!(machine.next_event(Instant::now() + LIMIT), Event::Control(answer.to_owned()));
}

/// What `qemu-img` finds in a disk that nobody uses.
fn snapshots(disk: &Path) -> String {
    let output = Command::new("qemu-img").args(["snapshot", "-l"]).arg(disk).output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

#[test]
fn a_machine_goes_back_in_the_process_that_it_has() {
    in_own_process("snapshots::a_machine_goes_back_in_the_process_that_it_has", || {
        let (run, mut machine) = booted(|guest, run| guest.savable(run, "m"));
        let disk = run.path().join("m.qcow2");
        let begin = Instant::now();
        let snapshot = machine.save().unwrap();
        let saved = begin.elapsed();
        let processes = mentioning(run.path());
        let (mut files, mut sizes, mut times) = (Vec::new(), Vec::new(), Vec::new());
        for round in 0..20 {
            ask(&mut *machine, &format!("remember round {round}"), "remembered");
            let begin = Instant::now();
            machine.revert(&snapshot).unwrap();
            machine.resume().unwrap();
            ask(&mut *machine, "say back", "back");
            times.push(begin.elapsed());
            files.push(open_files());
            sizes.push(fs::metadata(&disk).unwrap().len() >> 20);
        }
        // libvirt's own thread writes down at any moment that a machine goes on, and has a file open then:
        // what is never closed is there in each round that follows.
        let (early, late) = files.split_at(10);
        assert!(late.iter().min() <= early.iter().min(), "a file stays open: {files:?}");
        // The first rounds take what the disk needs for a second state beside the saved one.
        assert!(sizes[3..].iter().all(|size| *size <= sizes[0] + 2), "the disk grows: {sizes:?} MiB");
        assert_eq!(mentioning(run.path()), processes, "no process comes or goes");
        times.sort();
        eprintln!("saved in {saved:?}, answered after a revert in {:?} (median)", times[10]);

        machine.undefine().unwrap();
        assert_eq!(snapshots(&disk), "", "what was saved goes with the machine");
    });
}

#[test]
fn what_was_saved_goes_with_a_machine_that_is_dropped() {
    in_own_process("snapshots::what_was_saved_goes_with_a_machine_that_is_dropped", || {
        let (run, mut machine) = booted(|guest, run| guest.savable(run, "m"));
        machine.save().unwrap();
        machine.power_cut().unwrap();
        let disk = run.path().join("m.qcow2");
        assert!(snapshots(&disk).contains("netprop-"));
        drop(machine);
        assert_eq!(snapshots(&disk), "");
    });
}

#[test]
fn a_machine_without_a_disk_for_its_memory_says_so() {
    in_own_process("snapshots::a_machine_without_a_disk_for_its_memory_says_so", || {
        let (_run, mut machine) = booted(|guest, run| guest.definition(run, "m", ""));
        let error = machine.save().unwrap_err();
        assert_eq!(
            error.to_string(),
            "could not save machine m: it has no qcow2 disk to keep its memory in: give it one that it may write to"
        );
        ask(&mut *machine, "say still here", "still here");
    });
}

#[test]
fn a_disk_that_fills_up_keeps_nothing() {
    const NAME: &str = "snapshots::a_disk_that_fills_up_keeps_nothing";
    if !is_child(NAME) {
        if Guest::find().is_some() {
            let mut again = Again::same_user(NAME);
            if again.with_own_mounts() {
                again.passes();
            }
        }
        return;
    }
    fs::create_dir("small").unwrap();
    let arguments = ["-t", "tmpfs", "-o", "size=4m", "tmpfs", "small"];
    assert!(Command::new("mount").args(arguments).status().unwrap().success());
    let small = Path::new("small").canonicalize().unwrap();
    let (_run, mut machine) = booted(|guest, _| guest.savable(&small, "m"));
    ask(&mut *machine, "remember the milk", "remembered");
    let error = machine.save().unwrap_err();
    assert!(matches!(error, Error::NoRoom { .. }), "{error}");
    let full = format!("the file system of {} has no room for a snapshot", small.join("m.qcow2").display());
    assert!(error.to_string().starts_with(&full), "{error}");
    assert_eq!(machine.state(), State::Running);
    ask(&mut *machine, "remember the bread", "remembered");
    ask(&mut *machine, "recall", "the bread");

    assert!(Command::new("mount").args(["-o", "remount,size=400m"]).arg(&small).status().unwrap().success());
    let snapshot = machine.save().unwrap();
    ask(&mut *machine, "remember nothing", "remembered");
    machine.revert(&snapshot).unwrap();
    machine.resume().unwrap();
    ask(&mut *machine, "recall", "the bread");
    machine.undefine().unwrap();
    assert_eq!(snapshots(&small.join("m.qcow2")), "");
}
