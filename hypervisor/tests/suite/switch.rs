//! The switch: ours, somebody else's, and none.

use std::path::Path;
use std::time::Duration;

use hypervisor::{Access, Error, RunDirectory, Switch};
use rustix::process::{Pid, Signal, kill_process};

use crate::support::{lives, missing, within};

fn run() -> Option<RunDirectory> {
    if which::which("vde_switch").is_err() {
        missing("vde_switch", "apt-get install vde2");
        return None;
    }
    Some(RunDirectory::create(None, Access::Owner).unwrap())
}

#[test]
fn a_switch_of_our_own_lives_until_it_is_dropped() {
    let Some(run) = run() else { return };
    let switch = Switch::vde(&run, "fabric", Access::Owner).unwrap();
    assert!(switch.is_alive());
    assert!(switch.path().join("ctl").exists());
    let (pid, path) = (switch.pid().unwrap(), switch.path().to_owned());
    drop(switch);
    assert!(!lives(pid));
    assert!(!path.exists());
    let error = Switch::existing(&path).unwrap_err().to_string();
    assert!(error.contains("is not the control directory of a running VDE switch"), "{error}");
}

#[test]
fn the_death_of_a_switch_is_told() {
    let Some(run) = run() else { return };
    let switch = Switch::vde(&run, "fabric", Access::Owner).unwrap();
    let same = Switch::existing(switch.path()).unwrap();
    assert!(same.is_alive());
    let pid = i32::try_from(switch.pid().unwrap()).unwrap();
    kill_process(Pid::from_raw(pid).unwrap(), Signal::KILL).unwrap();
    within(Duration::from_secs(5), "the end of the switch", || !switch.is_alive());
    let error = switch.check().unwrap_err();
    assert!(matches!(&error, Error::SwitchDied { name, .. } if name == "fabric"), "{error}");
    assert!(error.to_string().starts_with("switch fabric at "), "{error}");
    assert!(!same.is_alive(), "its socket is there, and nobody answers");
}

#[test]
fn two_switches_of_one_name_are_told() {
    let Some(run) = run() else { return };
    let _one = Switch::vde(&run, "fabric", Access::Owner).unwrap();
    let error = Switch::vde(&run, "fabric", Access::Owner).unwrap_err();
    assert!(matches!(error, Error::SwitchStart { .. }), "{error}");
}

#[test]
fn what_is_no_switch_is_told() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("ctl"), "").unwrap();
    for (path, why) in [
        (Path::new("/nonexistent"), "it has no control socket"),
        (Path::new("/etc/passwd"), "it has no control socket"),
        (directory.path(), "its ctl is not a socket"),
    ] {
        let error = Switch::existing(path).unwrap_err();
        assert!(matches!(error, Error::NotASwitch { .. }), "{error}");
        assert!(error.to_string().contains(why), "{error}");
    }
}

#[test]
fn a_name_that_is_too_long_is_told() {
    let Some(run) = run() else { return };
    let error = Switch::vde(&run, &"n".repeat(80), Access::Owner).unwrap_err();
    assert!(matches!(error, Error::PathTooLong { .. }), "{error}");
}
