//! What a run says, to people and to programs.

use std::process::Output;

use crate::{Place, text};

#[test]
fn a_simulated_run_holds_and_says_so() {
    let place = Place::new();
    let output = place.run(&["run", "--system", "simulated", "--cases", "20", "--seed", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(text(&output.stdout), "holds: 20 cases held\n");
    assert_eq!(text(&output.stderr).lines().filter(|line| line.contains("  holds  ")).count(), 20);
    let quiet = place.run(&["run", "--system", "simulated", "--cases", "2", "-q"]);
    assert_eq!(text(&quiet.stderr), "");
    assert!(!place.path().join("netprop-failures").exists(), "nothing is kept of what holds");
}

#[test]
fn json_messages_are_one_object_a_line() {
    let place = Place::new();
    let arguments = ["run", "--system", "simulated", "--cases", "3", "--message-format", "json"];
    let output = place.run(&arguments);
    let events: Vec<serde_json::Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(events.first().unwrap()["event"], "run-started");
    assert_eq!(events.last().unwrap()["event"], "run-finished");
    assert_eq!(events.last().unwrap()["verdict"], "holds");
    assert_eq!(events.iter().filter(|event| event["event"] == "case-finished").count(), 3);
    let people = text(&output.stderr);
    assert!(people.contains("case 3/3") && people.ends_with("holds: 3 cases held\n"), "{people}");
    let quiet = place.run(&[&arguments[..], &["--quiet"]].concat());
    assert_eq!((text(&quiet.stderr).as_str(), text(&quiet.stdout).lines().count() > 3), ("", true));
}

#[test]
fn what_is_logged_says_of_which_case_and_command_it_is() {
    let place = Place::new();
    let arguments =
        ["run", "--system", "simulated", "--cases", "3", "-vv", "--lane-share", "100", "--seed", "7"];
    let said = text(&place.run(&arguments).stderr);
    let given: Vec<&str> = said.lines().filter(|line| line.ends_with(": given")).collect();
    let case = format!("case{{number=1 seed={}7}}:command{{number=1 text=\"", "0".repeat(63));
    assert!(given.first().is_some_and(|line| line.contains(&case)), "{given:?}");
    assert!(given.iter().all(|line| line.contains("case{number=")), "{given:?}");
    assert!(given.iter().any(|line| line.contains(" lane=2 ")), "lanes have threads of their own: {given:?}");
    assert!(!text(&place.run(&arguments[..5]).stderr).contains("given"));
}

#[test]
fn colours_are_for_those_who_take_them() {
    let place = Place::new();
    let run = |variables: &[(&str, &str)]| {
        let mut command = place.command(&["run", "--system", "simulated", "--cases", "1", "-vvv"]);
        command.env_remove("NO_COLOR").env_remove("CLICOLOR_FORCE").envs(variables.iter().copied());
        let output = command.output().unwrap();
        (text(&output.stderr) + &text(&output.stdout)).contains('\u{1b}')
    };
    assert!(!run(&[]), "there is no terminal");
    assert!(run(&[("CLICOLOR_FORCE", "1")]));
    assert!(!run(&[("CLICOLOR_FORCE", "1"), ("NO_COLOR", "1")]));
}

#[test]
fn a_seed_makes_the_same_run() {
    let place = Place::new();
    // What lanes do at the same time is told in the order in which it happens.
    let arguments =
        ["run", "--system", "simulated", "--cases", "5", "-v", "--seed", "77", "--lane-share", "0"];
    let without_times = |output: Output| {
        let text = text(&output.stderr);
        let keep = |line: &str| line.split("  ").filter(|part| !part.ends_with(" s")).collect::<String>();
        text.lines().filter(|line| !line.starts_with("ran ")).map(keep).collect::<Vec<_>>()
    };
    assert_eq!(without_times(place.run(&arguments)), without_times(place.run(&arguments)));
}
