//! A run that is killed leaves nothing.
//!
//! The test starts itself again as a runner with machines, a switch and something like a build,
//! and kills that with SIGKILL at moments of its life that are spread over all of it.

use std::fs;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use hypervisor::{Access, ConnectOptions, Libvirt, RunDirectory, Switch, boot, clean};
use hypervisor::{Hypervisor, Machine};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use crate::guest::Guest;
use crate::support::{Again, is_child, lives, mentioning, missing, within};

/// How soon nothing may be left of a run.
const LIMIT: Duration = Duration::from_secs(10);
/// How often a run is killed; `NETPROP_TEST_KILLS` sets another number.
const KILLS: u32 = 8;
/// How late at most, by when all machines of the runner are up.
const LATEST: Duration = Duration::from_secs(5);

/// What is killed: it boots machines on a switch until then.
fn runner() {
    let guest = Guest::find().unwrap();
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    fs::write("guardian", run.guardian().unwrap().to_string()).unwrap();
    let _switch = Switch::vde(&run, "fabric", Access::Owner).unwrap();
    // A build has the mark, its builders have nothing but a place in the run directory.
    let mut build = run
        .command(Path::new("/bin/sh"))
        .args(["-c", "cd $NETPROP_RUN; env -i setsid sleep 1000 & sleep 1000"])
        .spawn()
        .unwrap();
    let cache = std::path::absolute("capabilities").unwrap();
    let options = ConnectOptions { cache: Some(cache), ..ConnectOptions::default() };
    let libvirt = Libvirt::connect(&run, &options).unwrap();
    let machine = |name| libvirt.define(&guest.definition(run.path(), name, "")).unwrap();
    let mut machines: Vec<Box<dyn Machine>> = ["one", "two"].map(machine).into();
    fs::write("defined", "").unwrap();
    loop {
        std::thread::scope(|scope| {
            for machine in &mut machines {
                scope.spawn(|| boot(&mut **machine, "end\n", Duration::from_secs(60)).unwrap());
            }
        });
        fs::write("up", "").unwrap();
        std::thread::sleep(Duration::from_secs(1));
        machines.iter_mut().for_each(|machine| machine.power_cut().unwrap());
        assert!(build.try_wait().unwrap().is_none(), "the build goes on");
    }
}

/// The runner in a process of its own, which is the leader of its group.
fn start(again: &mut Again) -> Child {
    for mark in ["defined", "up", "guardian"] {
        let _ = fs::remove_file(again.directory.path().join(mark));
    }
    let log = fs::File::create(again.directory.path().join("log")).unwrap();
    again.command.process_group(0).stdout(Stdio::null()).stderr(log).spawn().unwrap()
}

fn components_are_there() -> bool {
    if which::which("vde_switch").is_err() {
        missing("vde_switch", "apt-get install vde2");
        return false;
    }
    Guest::find().is_some()
}

/// What of the runner's run is left: processes, and entries of the directory for runs.
fn left_over(again: &Again) -> Vec<String> {
    let parent = again.directory.path().join("run/netprop");
    let mut left = mentioning(&parent);
    left.extend(
        fs::read_dir(parent).into_iter().flatten().map(|entry| format!("{:?}", entry.unwrap().path())),
    );
    left
}

fn guardian(again: &Again) -> Option<u32> {
    fs::read_to_string(again.directory.path().join("guardian")).ok()?.parse().ok()
}

#[test]
fn a_killed_run_leaves_nothing() {
    const NAME: &str = "kill::a_killed_run_leaves_nothing";
    if is_child(NAME) {
        return runner();
    }
    if !components_are_there() {
        return;
    }
    let kills = std::env::var("NETPROP_TEST_KILLS").map_or(KILLS, |kills| kills.parse().unwrap());
    let mut again = Again::same_user(NAME);
    let (mut worst, mut met) = (Duration::ZERO, 0);
    for kill in 0..kills {
        let mut child = start(&mut again);
        std::thread::sleep(LATEST * kill / kills);
        let pid = Pid::from_child(&child);
        // Half of the time the whole group goes, as a terminal or a supervisor would have it.
        if kill % 2 == 0 {
            kill_process(pid, Signal::KILL).unwrap();
        } else {
            kill_process_group(pid, Signal::KILL).unwrap();
        }
        let begin = Instant::now();
        child.wait().unwrap();
        met += usize::from(!left_over(&again).is_empty());
        while !left_over(&again).is_empty() {
            assert!(begin.elapsed() < LIMIT, "left after kill {kill}: {:?}", left_over(&again));
            std::thread::sleep(Duration::from_millis(50));
        }
        worst = worst.max(begin.elapsed());
        if let Some(guardian) = guardian(&again) {
            within(LIMIT, "the end of the guardian", || !lives(guardian));
        }
    }
    eprintln!("{kills} kills, {met} of them with something to end; nothing left after {worst:.1?} at most");
    assert!(met > 0, "some kills came late enough to leave something");
}

#[test]
fn where_the_guardian_is_killed_too_the_next_start_cleans() {
    const NAME: &str = "kill::where_the_guardian_is_killed_too_the_next_start_cleans";
    if is_child(NAME) {
        return runner();
    }
    if !components_are_there() {
        return;
    }
    let mut again = Again::same_user(NAME);
    let parent = again.directory.path().join("run/netprop");
    let mut child = start(&mut again);
    let up = again.directory.path().join("up");
    let log = again.directory.path().join("log");
    within(Duration::from_secs(60), "the runner's machines", || {
        assert!(child.try_wait().unwrap().is_none(), "{}", fs::read_to_string(&log).unwrap());
        up.exists()
    });
    let guardian = i32::try_from(guardian(&again).unwrap()).unwrap();
    kill_process(Pid::from_raw(guardian).unwrap(), Signal::KILL).unwrap();

    let report = clean(Some(&parent)).unwrap();
    assert_eq!((report.removed.len(), report.live.len()), (0, 1), "a live run is not touched");
    assert!(child.try_wait().unwrap().is_none());

    child.kill().unwrap();
    child.wait().unwrap();
    std::thread::sleep(Duration::from_millis(500));
    assert!(!left_over(&again).is_empty(), "nobody has cleaned yet");
    let begin = Instant::now();
    let report = clean(Some(&parent)).unwrap();
    eprintln!("cleaned {} processes in {:?}", report.ended, begin.elapsed());
    assert_eq!(report.removed.len(), 1);
    assert!(report.failed.is_empty() && report.ended >= 3, "{report:?}");
    assert_eq!(left_over(&again), Vec::<String>::new());
}
