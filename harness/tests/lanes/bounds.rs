//! What ends in time and is said: systems without lanes, lanes that are not run, commands that
//! never return.

use std::process::Command as Process;
use std::sync::{Condvar, Mutex, Once};
use std::time::{Duration, Instant};

use harness::replay::Replay;
use harness::{Config, Lanes, Outcome, RunError, Runner, Shape, Silent, Stop, System, SystemError};

use crate::register::{Command, Register};
use crate::support::config;

/// A register that knows of no lanes, or forgets to run them.
struct NoLanes {
    forgets: bool,
}

impl System<Register> for NoLanes {
    type Sut = ();

    fn new_sut(&self, _: &u8) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), _: &Command) -> Result<Outcome<u8>, SystemError> {
        Ok(Outcome::Refused("not here".to_owned()))
    }

    fn run_lanes(&self, (): &mut (), lanes: &Lanes<'_, Register>) -> Result<(), SystemError> {
        if self.forgets {
            return Ok(());
        }
        /// All that a system has that says nothing of lanes.
        struct Plain;
        impl System<Register> for Plain {
            type Sut = ();
            fn new_sut(&self, _: &u8) -> Result<(), SystemError> {
                Ok(())
            }
            fn run(&self, (): &mut (), _: &Command) -> Result<Outcome<u8>, SystemError> {
                Ok(Outcome::Refused("not here".to_owned()))
            }
        }
        Plain.run_lanes(&mut (), lanes)
    }
}

#[test]
fn a_system_without_lanes_says_so() {
    for (forgets, said) in [(false, "implement System::run_lanes"), (true, "call Lanes::run once")] {
        let (system, config, stop) = (NoLanes { forgets }, config(5), Stop::default());
        let error = Runner::new(&Register, &system, &config, &Silent, &stop).run().err().unwrap();
        assert!(matches!(error, RunError::System(SystemError::WrongUse(_))), "{error}");
        assert!(error.to_string().contains(said), "{error}");
    }
}

/// A register that never answers a Read.
struct Mute;

impl System<Register> for Mute {
    type Sut = ();

    fn new_sut(&self, _: &u8) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), command: &Command) -> Result<Outcome<u8>, SystemError> {
        if *command == Command::Read {
            let (never, nobody) = (Condvar::new(), Mutex::new(()));
            drop(never.wait_while(nobody.lock().unwrap(), |()| true).unwrap());
        }
        Ok(Outcome::Unknown("nobody listens".to_owned()))
    }

    fn run_lanes(&self, (): &mut (), lanes: &Lanes<'_, Register>) -> Result<(), SystemError> {
        lanes.run(|_| Ok(|command: &Command| self.run(&mut (), command)))
    }
}

/// Set in the process that is to end by itself, to the directory where it keeps its case.
const KEEP: &str = "NETPROP_TEST_KEEP";

#[test]
fn a_command_that_never_returns_ends_the_process_and_keeps_its_case() {
    if let Some(directory) = std::env::var_os(KEEP) {
        let command_limit = Some(Duration::from_millis(200));
        let config = Config { failures: Some(directory.into()), command_limit, ..config(100) };
        let ended = Runner::new(&Register, &Mute, &config, &Silent, &Stop::default()).run().is_ok();
        unreachable!("a case with a Read ends the process, but the run ended: {ended}");
    }
    let directory = tempfile::tempdir().unwrap();
    let start = Instant::now();
    let output = Process::new(std::env::current_exe().unwrap())
        .args(["--exact", "bounds::a_command_that_never_returns_ends_the_process_and_keeps_its_case"])
        .arg("--nocapture")
        .env(KEEP, directory.path())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(3), "{said}");
    assert!(start.elapsed() > Duration::from_millis(200));
    let file = Replay::list(&Register, directory.path()).unwrap().pop().expect("the case is kept");
    let replay = Replay::read(&Register, &file).unwrap();
    let number = replay.failure.number;
    let named = replay.case.places().nth(number - 1).map(|(_, command)| *command);
    assert_eq!(named, Some(Command::Read), "{:?}", replay.case);
    for text in [format!("command {number} (\"Read\")"), replay.seed, file.display().to_string()] {
        assert!(said.contains(&text), "{text} is not in {said}");
    }
}

/// A register of a process that is stopped, as by a Ctrl-Z, while it is given its first command, for longer
/// than any may take.
struct Stopped(Once);

impl System<Register> for Stopped {
    type Sut = ();

    fn new_sut(&self, _: &u8) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), _: &Command) -> Result<Outcome<u8>, SystemError> {
        self.0.call_once(|| {
            // Not before its command has been seen to run.
            let line = "sleep 0.3; kill -STOP $PPID; sleep 3; kill -CONT $PPID";
            assert!(Process::new("sh").args(["-c", line]).status().unwrap().success());
        });
        Ok(Outcome::Unknown("nobody listens".to_owned()))
    }

    fn run_lanes(&self, (): &mut (), lanes: &Lanes<'_, Register>) -> Result<(), SystemError> {
        lanes.run(|_| Ok(|command: &Command| self.run(&mut (), command)))
    }
}

#[test]
fn a_process_that_stands_still_loses_no_time() {
    /// Set in the process that stands still, to how many commands there are before the lanes.
    const BEFORE: &str = "NETPROP_TEST_BEFORE";
    if let Ok(before) = std::env::var(BEFORE) {
        let (command_limit, before) = (Some(Duration::from_secs(1)), before.parse().unwrap());
        let shape = Shape { commands: before..=before, ..config(1).shape };
        let config = Config { command_limit, shape, ..config(3) };
        let summary = Runner::new(&Register, &Stopped(Once::new()), &config, &Silent, &Stop::default()).run();
        assert_eq!(summary.unwrap().held, 3);
        return;
    }
    for before in ["0", "2"] {
        let output = Process::new(std::env::current_exe().unwrap())
            .args(["--exact", "bounds::a_process_that_stands_still_loses_no_time", "--nocapture"])
            .env(BEFORE, before)
            .output()
            .unwrap();
        assert!(output.status.success(), "{before}: {}", String::from_utf8_lossy(&output.stderr));
    }
}
