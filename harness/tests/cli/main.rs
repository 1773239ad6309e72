//! The `netprop` command: what it prints, how it exits, and that it leaves nothing behind.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../built/mod.rs"]
mod built;
mod bundles;
mod exports;
mod output;
mod own;
mod pages;
mod refusals;
mod results;
mod settings;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// A place of its own for one run of the command.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        // Sockets live in it, and their paths are short.
        Self(tempfile::Builder::new().prefix("np").tempdir_in("/tmp").unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_netprop"));
        command.args(arguments).current_dir(self.path()).env("NETPROP_RUNTIME_DIR", self.path().join("run"));
        for name in ["PROPTEST_CASES", "PROPTEST_RNG_SEED", "NETPROP_LOG", "NETPROP_CONFIG"] {
            command.env_remove(name);
        }
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }

    /// What a run would have left in the directory of runs.
    fn left_behind(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path().join("run")).into_iter().flatten();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the command and checks its exit status and what it says.
fn refused(place: &Place, arguments: &[&str], status: i32, said: &str) {
    check_refusal(place, &mut place.command(arguments), status, said);
}

fn check_refusal(place: &Place, command: &mut Command, status: i32, said: &str) {
    let output = command.output().unwrap();
    let error = text(&output.stderr);
    assert_eq!(output.status.code(), Some(status), "{command:?}: {error}");
    assert!(error.contains(said), "{command:?} does not say {said:?}: {error}");
    assert!(!error.contains("panicked") && !error.contains("RUST_BACKTRACE"), "{command:?}: {error}");
    assert_eq!(place.left_behind(), Vec::<String>::new(), "{command:?}");
}

/// A case of faults on one machine that is off, as a replay file has it.
fn case_of_faults(commands: &str) -> String {
    let machine = r#"{"id":"a","uuid":"07070707-0707-0707-0707-070707070707","address":"172.16.2.9","kernel":"6.1","memory":96,"file_system":"ext4","running":false}"#;
    let seed = "0".repeat(64);
    format!(
        r#"{{"format":"netprop-replay","version":1,"specification":"faults","netprop":"0.1.0","seed":"{seed}","smallest":true,
            "failure":{{"number":1,"expected":"","came":""}},
            "case":{{"initial":{{"network":{{"machines":[{machine}]}},"seed":7}},"commands":{commands},"lanes":[],"finally":[]}}}}"#
    )
}
