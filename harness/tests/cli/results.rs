//! The files that tell what a run has come to.

use std::fs;
use std::io::{BufRead as _, BufReader};
use std::process::{Command, Stdio};

use harness::results::{CaseVerdict, RunResult, RunVerdict};

use crate::{Place, refused, text};

#[test]
fn results_are_written_whatever_becomes_of_a_run() {
    let place = Place::new();
    let files = ["--json", "out/result.json", "--junit", "junit.xml", "--markdown", "summary.md"];
    let run = |arguments: &[&str]| {
        let arguments = [&["run", "--system", "simulated", "-q"], &files[..], arguments].concat();
        let status = place.run(&arguments).status.code();
        let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
        let result: RunResult = serde_json::from_str(&read("out/result.json")).unwrap();
        (status, result, read("junit.xml"), read("summary.md"))
    };
    let (status, result, junit, markdown) = run(&["--cases", "3", "--seed", "7"]);
    assert_eq!((status, result.verdict, result.cases.len()), (Some(0), RunVerdict::Holds, 3));
    let first = &result.cases[0];
    assert_eq!(
        (first.number, first.verdict, &first.seed),
        (1, CaseVerdict::Holds, &Some(result.seed.clone()))
    );
    assert!(first.commands > 0 && first.seconds > 0.0, "{first:?}");
    let parsed = quick_junit::Report::deserialize_from_str(&junit).unwrap();
    assert_eq!((parsed.tests, parsed.failures, parsed.errors), (3, 0, 0));
    assert!(markdown.starts_with("### netprop: holds\n"), "{markdown}");
    // A run that ends with an error says so in the files too.
    let (status, result, junit, _) = run(&["--cases", "3", "--mtu", "1", "--seed", "7"]);
    assert_eq!((status, result.verdict), (Some(2), RunVerdict::Error));
    assert!(
        result.error.is_some_and(|error| error.contains("MTU of 1 bytes"))
            && junit.contains("MTU of 1 bytes")
    );
    refused(&place, &["run", "--system", "simulated", "--json", "."], 2, "cannot write the result .:");
    refused(&place, &["run", "--system", "simulated", "--json", "junit.xml/a"], 2, "cannot write the result");
}

#[test]
fn a_run_that_is_stopped_leaves_its_results_and_says_how_to_go_on() {
    let place = Place::new();
    let mut command =
        place.command(&["run", "--system", "simulated", "--cases", "1000000", "--json", "result.json"]);
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("  holds  ") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "it has ended before its first case has");
    }
    let reader = std::thread::spawn(move || said.lines().map_while(Result::ok).collect::<Vec<_>>());
    let killed = Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((killed.success(), output.status.code()), (true, Some(130)));
    assert!(reader.join().unwrap().iter().any(|line| line == "stopping (again to stop at once)"));
    let last = text(&output.stdout).lines().last().unwrap_or_default().to_owned();
    assert!(last.starts_with("run the same cases again: ") && last.contains(" --seed "), "{last}");
    let result = fs::read_to_string(place.path().join("result.json")).unwrap();
    let result: RunResult = serde_json::from_str(&result).unwrap();
    assert!(result.verdict == RunVerdict::Stopped && !result.cases.is_empty(), "{result:?}");
}
