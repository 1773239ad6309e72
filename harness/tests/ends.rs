//! However a run ends, nothing of it is left after a few seconds, and the next one works.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::machines::Lab;
use harness::results::{RunResult, RunVerdict};

/// How long something of a killed run may be left.
const GRACE: Duration = Duration::from_secs(10);

fn place() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("np").tempdir_in("/tmp").unwrap()
}

/// A run on real machines with everything it makes in `place`, its messages to be read.
fn start(place: &Path, arguments: &[&str]) -> Child {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netprop"));
    command.args(["run", "-v"]).args(arguments);
    command.current_dir(place).env("NETPROP_RUNTIME_DIR", place.join("run"));
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Reads messages until one contains the text.
fn wait_for(child: &mut Child, text: &str) {
    let stderr = child.stderr.as_mut().unwrap();
    let mut seen = Vec::new();
    for line in BufReader::new(stderr).lines() {
        seen.push(line.unwrap());
        if seen.last().is_some_and(|line| line.contains(text)) {
            return;
        }
    }
    panic!("the run never said {text:?}: {seen:#?}");
}

/// Processes that have a path below `place` in their command line or environment.
fn processes_of(place: &Path) -> Vec<String> {
    let needle = place.to_str().unwrap();
    let mentions = |path: &Path| {
        let text = fs::read(path).unwrap_or_default();
        String::from_utf8_lossy(&text).contains(needle)
    };
    let entries = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.ok());
    let processes = entries.filter(|entry| entry.file_name().to_str().unwrap().parse::<u32>().is_ok());
    let of_place = processes
        .filter(|entry| ["cmdline", "environ"].into_iter().any(|file| mentions(&entry.path().join(file))));
    of_place.map(|entry| entry.path().display().to_string()).collect()
}

/// What is left of runs in `place` once nothing goes away any more.
fn left_behind(place: &Path) -> Vec<String> {
    let deadline = Instant::now() + GRACE;
    loop {
        let mut left = processes_of(place);
        let directory = fs::read_dir(place.join("run")).into_iter().flatten();
        left.extend(directory.map(|entry| entry.unwrap().path().display().to_string()));
        if left.is_empty() || Instant::now() > deadline {
            return left;
        }
        // There is nothing that could tell when a process of somebody else has ended.
        thread::sleep(Duration::from_millis(100));
    }
}

fn holds_afterwards(place: &Path) {
    let mut child =
        start(place, &["--cases", "1", "--machines", "1", "--commands", "1", "--failures", "fresh"]);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    assert_eq!(left_behind(place), Vec::<String>::new());
}

/// How many moments are tried; more of them by hand, with `NETPROP_TEST_KILLS`.
fn kills() -> u64 {
    std::env::var("NETPROP_TEST_KILLS").ok().and_then(|kills| kills.parse().ok()).unwrap_or(4)
}

#[test]
fn a_killed_run_leaves_nothing() {
    if Lab::for_test().unwrap().is_none() {
        return;
    }
    let place = place();
    for kill in 0..kills() {
        let seed = (kill + 1).to_string();
        let mut child = start(place.path(), &["--cases", "50", "--machines", "2..3", "--seed", &seed]);
        // From before the first file to well into the cases, at moments that nothing is aligned to.
        let moment = Duration::from_millis(100 + (kill * 7919 + u64::from(std::process::id())) % 15_000);
        thread::sleep(moment);
        child.kill().unwrap();
        assert_eq!(child.wait().unwrap().signal(), Some(9), "it ran until it was killed");
        assert_eq!(left_behind(place.path()), Vec::<String>::new(), "killed after {moment:?}");
    }
    holds_afterwards(place.path());
}

fn interrupt(child: &Child) {
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

/// Interrupts a run that goes on there, which then ends soon, says so, and leaves nothing.
fn ends_at_an_interrupt(place: &Path, mut child: Child) {
    interrupt(&child);
    let asked = Instant::now();
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let status = child.wait().unwrap();
    assert_eq!((status.code(), status.signal()), (Some(130), None), "{said}");
    assert!(asked.elapsed() < GRACE, "it took {:?} to stop", asked.elapsed());
    assert_eq!(left_behind(place), Vec::<String>::new());
}

#[test]
fn an_interrupted_run_stops_soon_and_says_so() {
    if Lab::for_test().unwrap().is_none() {
        return;
    }
    let place = place();
    let mut child = start(place.path(), &["--cases", "50", "--machines", "1..2", "--seed", "3"]);
    wait_for(&mut child, "  1. Boot");
    ends_at_an_interrupt(place.path(), child);
}

/// Small networks, two of them at once.
const SIDE_BY_SIDE: [&str; 8] = ["--jobs", "2", "--machines", "1..2", "--memory", "96", "--commands", "3..6"];

#[test]
fn cases_side_by_side_hold_and_leave_nothing() {
    if Lab::for_test().unwrap().is_none() {
        return;
    }
    let place = place();
    let mut child = start(place.path(), &[&["--cases", "4", "--seed", "11"][..], &SIDE_BY_SIDE].concat());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(0), "{said}");
    let at = |text: &str| said.find(text).unwrap_or_else(|| panic!("{text:?} is not in {said}"));
    assert!(at("case 2/4  seed ") < at("  holds  "), "two cases are begun before one has ended: {said}");
    assert_eq!(said.matches("  holds  ").count(), 4, "{said}");
    assert_eq!(left_behind(place.path()), Vec::<String>::new());
}

#[test]
fn a_second_interrupt_ends_a_run_at_once_and_its_results_are_there() {
    if Lab::for_test().unwrap().is_none() {
        return;
    }
    let place = place();
    let files = ["--json", "result.json", "--junit", "result.xml", "--markdown", "result.md"];
    let mut child =
        start(place.path(), &[&["--cases", "50", "--machines", "2", "--seed", "3"], &files[..]].concat());
    wait_for(&mut child, "  1. Boot");
    interrupt(&child);
    wait_for(&mut child, "again to stop at once");
    ends_at_an_interrupt(place.path(), child);
    let result = fs::read(place.path().join("result.json")).unwrap();
    let result: RunResult = serde_json::from_slice(&result).unwrap();
    assert_eq!((result.verdict, result.cases.len()), (RunVerdict::Stopped, 1), "{result:?}");
    for file in ["result.xml", "result.md"] {
        assert!(fs::metadata(place.path().join(file)).unwrap().len() > 0, "{file}");
    }
}

#[test]
fn an_interrupt_ends_all_cases_that_run() {
    if Lab::for_test().unwrap().is_none() {
        return;
    }
    let place = place();
    let mut child = start(place.path(), &[&["--cases", "50", "--seed", "3"][..], &SIDE_BY_SIDE].concat());
    wait_for(&mut child, "  1. ");
    ends_at_an_interrupt(place.path(), child);
}
