//! A program of one's own has all commands from one line in its `main`.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::{Place, built, text};

pub(crate) fn run(place: &Place, program: &Path, arguments: &[&str]) -> (Option<i32>, String, String) {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place.path()).env("NETPROP_CONFIG", "").env_remove("PROPTEST_CASES");
    let output = command.output().unwrap();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_system_in_memory_is_run_replayed_and_made_smaller() {
    let (place, program) = (Place::new(), built::example("harness", "own_commands"));
    let (status, said, error) =
        run(&place, &program, &["run", "--seed", "7", "--cases", "200", "--json", "result.json"]);
    assert_eq!(status, Some(1), "{said}{error}");
    let again = format!("run it again: {} replay ", program.display());
    let file = said.lines().find_map(|line| line.strip_prefix(&again));
    let file = file.unwrap_or_else(|| panic!("{said} does not say how to run it again"));
    assert!(said.contains("falsified: command 3 of the smallest case"), "{said}");
    for command in ["replay", "shrink"] {
        let (status, said, error) = run(&place, &program, &[command, file]);
        assert_eq!((status, said.starts_with("falsified: command 3")), (Some(1), true), "{said}{error}");
    }
    let (status, test, _) = run(&place, &program, &["replay", "--as-test", file]);
    assert!(status == Some(0) && test.contains("#[test]"), "{test}");
    assert!(place.path().join("result.json").exists());
    let (status, said, error) = run(&place, &program, &["report", file]);
    assert_eq!((status, said.trim().ends_with(".html")), (Some(0), true), "{said}{error}");
}

/// As [`run`], by a person who types this.
fn typed(place: &Place, program: &Path, arguments: &[&str], lines: &str) -> String {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(place.path()).env("NETPROP_CONFIG", "").env_remove("PROPTEST_CASES");
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(lines.as_bytes()).unwrap();
    text(&child.wait_with_output().unwrap().stdout)
}

#[test]
fn one_steps_into_a_case_and_into_what_has_just_failed() {
    let (place, program) = (Place::new(), built::example("harness", "own_commands"));
    let run = ["run", "--seed", "7", "--keep-on-failure", "--failures", "kept"];
    let said = typed(&place, &program, &run, "state\nnext\nssh a\nleave\n");
    let stands =
        "it failed, and stands as it failed: expected an answer that the post-condition allows; came 2\n";
    assert!(said.contains(stands), "{said}");
    assert!(said.contains("the model: it knows nothing any more"), "{said}");
    assert!(said.contains("there are no machines here"), "{said}");
    assert!(said.contains("falsified: command 3 of the smallest case"), "it goes on then: {said}");

    let kept = std::fs::read_dir(place.path().join("kept")).unwrap().map(|entry| entry.unwrap().path());
    let is_replay = |path: &PathBuf| !path.to_str().unwrap().ends_with(".record.json");
    let file = kept.into_iter().find(is_replay).unwrap();
    let said = typed(&place, &program, &["resume", file.to_str().unwrap()], "\ncase\n");
    let begin = "  1. ()  (command 1)\n     came:     1, as the model says\n";
    assert!(said.starts_with(begin), "{said}");
    assert!(said.contains("next:   3. ()  (command 3)\n"), "{said}");
    assert!(said.contains("came:     2\n"), "{said}");
    assert!(said.ends_with("nothing comes next\n"), "{said}");
}

#[test]
fn what_is_about_machines_is_not_there() {
    let (place, program) = (Place::new(), built::example("harness", "own_commands"));
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
    let (place, program) = (Place::new(), built::example("harness", "own_machines"));
    let (_, help, _) = run(&place, &program, &["run", "--help"]);
    assert!(help.contains("--kernels") && !help.contains("--specification"), "{help}");
    let (status, _, error) = run(&place, &program, &["run", "--system", "simulated"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("this specification has no simulation"), "{error}");
}
