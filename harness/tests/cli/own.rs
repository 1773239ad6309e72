//! A program of one's own has all commands from one line in its `main`.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Place, text};

/// An example, built as the tests are: `cargo test --test` alone builds none.
fn example(name: &str) -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let (profile, target) = (tests.ancestors().nth(2).unwrap(), tests.ancestors().nth(3).unwrap());
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--example", name, "--target-dir"]).arg(target);
    build.args((!cfg!(debug_assertions)).then_some("--release")).current_dir(env!("CARGO_MANIFEST_DIR"));
    assert!(build.status().unwrap().success(), "{build:?}");
    profile.join("examples").join(name)
}

fn run(place: &Place, program: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place.path()).env("NETPROP_CONFIG", "").env_remove("PROPTEST_CASES");
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_system_in_memory_is_run_replayed_and_made_smaller() {
    let (place, program) = (Place::new(), example("own_commands"));
    let (status, said, error) =
        run(&place, &program, &["run", "--seed", "7", "--cases", "200", "--json", "result.json"]);
    assert_eq!(status, Some(1), "{said}{error}");
    let last = said.lines().last().unwrap();
    let file = last.strip_prefix(&format!("run it again: {} replay ", program.display()));
    let file = file.unwrap_or_else(|| panic!("{last:?} does not say how to run it again"));
    assert!(said.contains("falsified: command 3 of the smallest case"), "{said}");
    for command in ["replay", "shrink"] {
        let (status, said, error) = run(&place, &program, &[command, file]);
        assert_eq!((status, said.starts_with("falsified: command 3")), (Some(1), true), "{said}{error}");
    }
    let (status, test, _) = run(&place, &program, &["replay", "--as-test", file]);
    assert!(status == Some(0) && test.contains("#[test]"), "{test}");
    assert!(place.path().join("result.json").exists());
}

#[test]
fn what_is_about_machines_is_not_there() {
    let (place, program) = (Place::new(), example("own_commands"));
    let (_, help, _) = run(&place, &program, &["run", "--help"]);
    assert!(help.contains("--cases") && help.contains("--command-limit"), "{help}");
    assert!(!help.contains("--kernels") && !help.contains("--specification"), "{help}");
    assert!(help.contains("Usage: own_commands run"), "{help}");
    let (status, _, error) = run(&place, &program, &["run", "--kernels", "6.1"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("--kernels means nothing for what this program tests"), "{error}");
    let (_, script, _) = run(&place, &program, &["completions", "bash"]);
    assert!(script.contains("_own_commands"), "{script}");
}

#[test]
fn a_specification_of_machines_has_their_options() {
    let (place, program) = (Place::new(), example("own_machines"));
    let (_, help, _) = run(&place, &program, &["run", "--help"]);
    assert!(help.contains("--kernels") && !help.contains("--specification"), "{help}");
    let (status, _, error) = run(&place, &program, &["run", "--system", "simulated"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("this specification has no simulation"), "{error}");
}
