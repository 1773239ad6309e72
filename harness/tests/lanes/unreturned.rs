//! What never returns beside commands, or once something has failed: each test runs itself in a
//! process that is to end by itself.

use std::path::{Path, PathBuf};
use std::process::Command as Process;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use harness::replay::Replay;
use harness::{Config, Lanes, Outcome, Runner, Shape, Silent, Stop, System, SystemError};

use crate::register::{Command, Register};
use crate::support::config;

/// Where a register hangs.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Creating,
    OpeningASecondSession,
    Destroying,
    /// Once a Read had a wrong answer.
    DestroyingAfterAWrongAnswer,
    /// At a Read that no Write came before; any other has a wrong answer.
    ReadingFirst,
}

struct Hangs(At);

/// The value, whether it was written, and whether an answer was wrong.
type Value = (u8, bool, bool);

impl Hangs {
    fn at(&self, at: At) {
        if self.0 == at {
            let (never, nobody) = (Condvar::new(), Mutex::new(()));
            drop(never.wait_while(nobody.lock().unwrap(), |()| true).unwrap());
        }
    }
}

impl System<Register> for Hangs {
    type Sut = Value;

    fn new_sut(&self, value: &u8) -> Result<Value, SystemError> {
        self.at(At::Creating);
        Ok((*value, false, false))
    }

    fn run(&self, value: &mut Value, command: &Command) -> Result<Outcome<u8>, SystemError> {
        use harness::Model as _;
        if *command == Command::Read && !value.1 {
            self.at(At::ReadingFirst);
        }
        value.0 = Register.next_state(&value.0, command);
        value.1 |= matches!(command, Command::Write(_));
        let wrong = matches!(self.0, At::ReadingFirst | At::DestroyingAfterAWrongAnswer);
        value.2 = wrong && *command == Command::Read;
        Ok(Outcome::Answered(if value.2 { 200 } else { value.0 }))
    }

    fn run_lanes(&self, value: &mut Value, lanes: &Lanes<'_, Register>) -> Result<(), SystemError> {
        let value = Mutex::new(value);
        lanes.run(|lane| {
            if lane == 1 {
                self.at(At::OpeningASecondSession);
            }
            Ok(|command: &Command| self.run(&mut value.lock().unwrap(), command))
        })
    }

    fn destroy_sut(&self, value: Value) -> Result<(), SystemError> {
        self.at(At::Destroying);
        if value.2 {
            self.at(At::DestroyingAfterAWrongAnswer);
        }
        Ok(())
    }
}

/// Set in the process that is to end by itself, to the directory where it keeps its case.
const KEEP: &str = "NETPROP_TEST_KEEP";

/// What a process has said that ran a test of this name, its exit status, and the files it has kept.
fn ended(test: &str, at: At, lanes: bool) -> (String, Option<i32>, Vec<PathBuf>) {
    let limit = Some(Duration::from_millis(300));
    if let Some(directory) = std::env::var_os(KEEP) {
        let shape = if lanes { config(0).shape } else { Shape::sequential(5..=10) };
        // A limit for commands alone would not do, nor one for systems alone.
        let reads = at == At::ReadingFirst;
        let (command_limit, system_limit) = if reads { (limit, None) } else { (None, limit) };
        let failures = Some(directory.into());
        let config = Config { shape, failures, command_limit, system_limit, ..config(100) };
        let ended = Runner::new(&Register, &Hangs(at), &config, &Silent, &Stop::default()).run().is_ok();
        unreachable!("it hangs, but the run ended: {ended}");
    }
    let directory = tempfile::tempdir().unwrap().keep();
    let output = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", &format!("unreturned::{test}"), "--nocapture"])
        .env(KEEP, &directory)
        .output()
        .unwrap();
    let files = Replay::list(&Register, &directory).unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.code(), files)
}

fn remove(files: &[PathBuf]) {
    std::fs::remove_dir_all(files[0].parent().unwrap()).unwrap();
}

fn inconclusive(test: &str, at: At, lanes: bool, phase: &str) {
    let (said, status, files) = ended(test, at, lanes);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains(&format!("inconclusive: {phase} of the case of seed ")), "{said}");
    assert!(
        said.contains("Config::system_limit") && said.contains(&files[0].display().to_string()),
        "{said}"
    );
    assert!(Replay::read(&Register, &files[0]).unwrap().failure.expected.contains(phase));
    remove(&files);
}

#[test]
fn a_system_that_is_never_made_ends_the_process() {
    let test = "a_system_that_is_never_made_ends_the_process";
    inconclusive(test, At::Creating, false, "making the system");
}

#[test]
fn a_session_that_never_opens_ends_the_process() {
    let test = "a_session_that_never_opens_ends_the_process";
    inconclusive(test, At::OpeningASecondSession, true, "opening the session of lane 2");
}

#[test]
fn a_system_that_is_never_taken_down_ends_the_process() {
    let test = "a_system_that_is_never_taken_down_ends_the_process";
    inconclusive(test, At::Destroying, false, "taking the system down");
}

#[test]
fn a_wrong_answer_counts_even_where_its_system_is_never_taken_down() {
    let test = "a_wrong_answer_counts_even_where_its_system_is_never_taken_down";
    let (said, status, files) = ended(test, At::DestroyingAfterAWrongAnswer, false);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.contains("falsified by command ") && said.contains("came 200"), "{said}");
    assert!(said.contains("taking the system down has not returned"), "{said}");
    assert_eq!(Replay::read(&Register, &files[0]).unwrap().failure.came, "200");
    remove(&files);
}

#[test]
fn a_smaller_case_that_never_returns_leaves_the_failure_that_was_found() {
    let test = "a_smaller_case_that_never_returns_leaves_the_failure_that_was_found";
    let (said, status, files) = ended(test, At::ReadingFirst, false);
    assert_eq!(status, Some(1), "{said}");
    let failed = files.iter().find(|file| !is_unreturned(file)).unwrap();
    let hung = files.iter().find(|file| is_unreturned(file)).unwrap();
    let report = ["register\nfalsified: command ", "came:     200", "smallest known case", "seed "];
    let ended = ["the run ended early: command ", "(\"Read\")", "Config::command_limit"];
    for text in report.iter().chain(&ended) {
        assert!(said.contains(text), "{text} is not in {said}");
    }
    assert!(said.contains(&format!("saved as {}\n", failed.display())), "{said}");
    assert!(said.contains(&format!("the case is kept in {}", hung.display())), "{said}");
    remove(&files);
}

fn is_unreturned(file: &Path) -> bool {
    file.to_string_lossy().contains("never-returned")
}
