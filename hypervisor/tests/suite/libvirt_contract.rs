//! libvirt's drivers keep the contract, for root and for an ordinary user.

use std::time::Duration;

use hypervisor::contract::{Subject, check, check_disk_faults, check_snapshots, check_templates};
use hypervisor::{Access, ConnectOptions, Driver, Libvirt, RunDirectory};
use rustix::process::{Pid, Signal, geteuid, kill_process};

use crate::guest::Guest;
use crate::support::{Again, in_own_process, is_child, mentioning, missing, within};

/// Holds a driver to the contract, as whoever we are.
fn keeps_the_contract(driver: Driver) {
    let Some(guest) = Guest::find() else { return };
    // The system's driver runs its machines as a user of its own.
    let system = matches!(&driver, Driver::Uri(uri) if uri.ends_with("/system"));
    let access = if system { Access::Everybody } else { Access::Owner };
    let run = RunDirectory::create(None, access).unwrap();
    let libvirt = Libvirt::connect(&run, &ConnectOptions { driver, cache: None }).unwrap();
    let limit = Duration::from_secs(60);
    let definition = |name: &str| guest.savable(run.path(), name);
    let subject = Subject { hypervisor: &libvirt, definition: &definition, limit };
    check_snapshots(&subject);
    let template = run.path().join("template");
    std::fs::create_dir(&template).unwrap();
    check_templates(&subject, &template);
    let definition = |name: &str| guest.definition(run.path(), name, "");
    check(&Subject { hypervisor: &libvirt, definition: &definition, limit });
    let left = mentioning(run.path());
    assert!(left.is_empty(), "machines that are undefined leave no process: {left:?}");
}

/// Holds a driver to what is said of disks that fail.
fn disks_fail(driver: Driver) {
    let Some(guest) = Guest::find() else { return };
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let libvirt = Libvirt::connect(&run, &ConnectOptions { driver, cache: None }).unwrap();
    let definition = |name: &str| guest.savable(run.path(), name);
    let subject = Subject { hypervisor: &libvirt, definition: &definition, limit: Duration::from_secs(60) };
    check_disk_faults(&subject, &|name| run.path().join(format!("{name}.qcow2")));
    let left = mentioning(run.path());
    assert!(left.is_empty(), "machines that are undefined leave no process: {left:?}");
}

/// Runs the test again as an ordinary user and expects it to pass, and to leave nothing.
fn passes_as_ordinary_user(name: &str, end_daemons: bool) {
    let Some(mut again) = Again::ordinary_user(name) else { return };
    let status = again.command.status().unwrap();
    if end_daemons {
        end_session_daemons(&again);
    }
    assert!(status.success(), "as an ordinary user: {status}");
    let path = again.directory.path();
    within(Duration::from_secs(10), "the end of all processes", || mentioning(path).is_empty());
    let left = std::fs::read_dir(path.join("run/netprop")).map_or(0, Iterator::count);
    assert_eq!(left, 0, "no run directory is left");
}

/// Ends the daemons that libvirt has started for the session, which would wait for two minutes.
fn end_session_daemons(again: &Again) {
    for daemon in ["libvirtd", "virtqemud", "virtlogd"] {
        let file = again.directory.path().join(format!("run/libvirt/{daemon}.pid"));
        let pid = std::fs::read_to_string(file).ok().and_then(|pid| pid.trim().parse().ok());
        if let Some(pid) = pid.and_then(Pid::from_raw) {
            kill_process(pid, Signal::KILL).unwrap();
        }
    }
}

#[test]
fn embedded_keeps_the_contract() {
    if geteuid().is_root() && !users_contain("libvirt-qemu") {
        return missing("the user libvirt-qemu, for root", "apt-get install libvirt-daemon-system");
    }
    in_own_process("libvirt_contract::embedded_keeps_the_contract", || {
        keeps_the_contract(Driver::Embedded);
    });
}

#[test]
fn embedded_disks_fail() {
    in_own_process("libvirt_contract::embedded_disks_fail", || disks_fail(Driver::Embedded));
}

#[test]
fn session_disks_fail_for_an_ordinary_user() {
    const NAME: &str = "libvirt_contract::session_disks_fail_for_an_ordinary_user";
    if is_child(NAME) {
        return disks_fail(Driver::Uri("qemu:///session".to_owned()));
    }
    if has_session() {
        passes_as_ordinary_user(NAME, true);
    }
}

/// `NETPROP_TEST_URI=qemu:///system` holds another driver to the contract; without it there is
/// nothing to do, since not every host has one. The guest, which `NETPROP_TEST_GUEST` names, and
/// `NETPROP_RUNTIME_DIR` have to be where that driver's machines get to.
#[test]
fn the_driver_that_was_named_keeps_the_contract() {
    let Ok(uri) = std::env::var("NETPROP_TEST_URI") else {
        return eprintln!("no further driver is tested, since NETPROP_TEST_URI is not set");
    };
    keeps_the_contract(Driver::Uri(uri));
}

fn users_contain(name: &str) -> bool {
    std::fs::read_to_string("/etc/passwd")
        .is_ok_and(|users| users.lines().any(|line| line.split(':').next() == Some(name)))
}

#[test]
fn embedded_keeps_the_contract_for_an_ordinary_user() {
    const NAME: &str = "libvirt_contract::embedded_keeps_the_contract_for_an_ordinary_user";
    if is_child(NAME) {
        return keeps_the_contract(Driver::Embedded);
    }
    passes_as_ordinary_user(NAME, false);
}

#[test]
fn session_keeps_the_contract_for_an_ordinary_user() {
    const NAME: &str = "libvirt_contract::session_keeps_the_contract_for_an_ordinary_user";
    if is_child(NAME) {
        return keeps_the_contract(Driver::Uri("qemu:///session".to_owned()));
    }
    if has_session() {
        passes_as_ordinary_user(NAME, true);
    }
}

/// Whether libvirt can be had as a daemon; false after a loud word.
fn has_session() -> bool {
    let has = which::which("libvirtd").or_else(|_| which::which("virtqemud")).is_ok();
    if !has {
        missing("libvirt's daemon", "apt-get install libvirt-daemon");
    }
    has
}
