//! Cases become tests of other kinds, and runs are laid side by side.

use std::fs;

use serde_json::Value;

use crate::own::run;
use crate::{Place, built, case_of_faults, refused, text};

/// A case with a command that NixOS's driver has no counterpart of.
const COMMANDS: &str =
    r#"[{"boot":"a"},{"volatile":{"machine":"a","seed":7}},{"write":{"machine":"a","file":0,"value":8}}]"#;

#[test]
fn a_case_of_machines_becomes_a_test_of_nixos() {
    let place = Place::new();
    let file = place.file("case.json", &case_of_faults(COMMANDS));
    let file = file.to_str().unwrap();
    let output = place.run(&["export", file, "--as", "nixos"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let warning =
        "warning: 1 command has no counterpart in NixOS's driver and is only a comment in the script\n";
    assert_eq!(text(&output.stderr), warning);
    let test = text(&output.stdout);
    let lines = ["with subtest(\"1. Boot a\"):", "boot(a)", "# 2. Volatile disk of a (seed 7): left out: "];
    lines.iter().for_each(|line| assert!(test.contains(line), "{line} is not in {test}"));

    let bundle = place.path().join("case.bundle.json");
    assert_eq!(place.run(&["bundle", file, "--system", "simulated"]).status.code(), Some(0));
    let of_bundle = place.run(&["export", bundle.to_str().unwrap(), "--as", "nixos"]);
    assert_eq!(text(&of_bundle.stdout), test);

    let rust = text(&place.run(&["export", file]).stdout);
    assert!(rust.contains("#[test]\nfn faults_000000000000()"), "{rust}");
    assert_eq!(rust, text(&place.run(&["replay", "--as-test", file]).stdout));
    refused(&place, &["export", "nowhere.json"], 2, "cannot read replay file nowhere.json");
    refused(&place, &["export", file, "--as", "perl"], 2, "invalid value 'perl'");
}

#[test]
fn a_case_of_ones_own_becomes_what_is_known_of_it() {
    let place = Place::new();
    let machines = case_of_faults(r#"[{"boot":"a"}]"#).replace("\"faults\"", "\"machines\"");
    let machine = machines.find("{\"machines\":[").unwrap();
    let network = &machines[machine..machines[machine..].find("},\"seed\":7}").unwrap() + machine + 1];
    let machines = machines.replace(&format!("{{\"network\":{network},\"seed\":7}}"), network);
    let file = place.file("case.json", &machines);
    let arguments = ["export", file.to_str().unwrap(), "--as", "nixos"];
    let (status, test, warning) = run(&place, &built::example("harness", "own_machines"), &arguments);
    assert_eq!(status, Some(0), "{warning}");
    assert!(warning.contains("1 command has no counterpart"), "{warning}");
    assert!(test.contains("# 1. Boot a: left out: fill in what it is on these machines"), "{test}");
    assert!(test.contains("address = \"172.16.2.9\""), "{test}");

    let program = built::example("harness", "own_commands");
    let (_, said, _) = run(&place, &program, &["run", "--seed", "7", "--failures", "kept"]);
    assert!(said.contains("falsified"), "{said}");
    let kept = "kept/counter-000000000007.json";
    let (status, _, error) = run(&place, &program, &["export", kept, "--as", "nixos"]);
    assert_eq!(status, Some(2), "{error}");
    assert!(error.contains("has no machines that a test of NixOS could boot"), "{error}");
    let (_, rust, _) = run(&place, &program, &["export", kept]);
    assert_eq!(rust, run(&place, &program, &["replay", "--as-test", kept]).1);
}

#[test]
fn two_runs_are_the_same_or_differ_and_the_status_says_so() {
    let place = Place::new();
    let file = place.file("case.json", &case_of_faults(COMMANDS));
    let record = |name: &str| {
        let replay = ["replay", file.to_str().unwrap(), "--system", "simulated", "--record", name];
        assert_eq!(place.run(&replay).status.code(), Some(0));
    };
    record("one.record.json");
    record("other.record.json");
    let output = place.run(&["diff", "one.record.json", "other.record.json"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let said = text(&output.stdout);
    assert!(said.starts_with("< one.record.json: faults, seed 000000000000, netprop "), "{said}");
    assert!(said.contains("\n  1. Boot a: done\n") && said.ends_with("the runs are the same\n"), "{said}");

    let other = fs::read_to_string(place.path().join("other.record.json")).unwrap();
    let other = other.replacen("\"came\":\"done\"", "\"came\":\"\\u001b[2J\u{202e}not done\"", 1);
    place.file("other.record.json", &other);
    let output = place.run(&["diff", "-v", "one.record.json", "other.record.json"]);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("first difference: another answer\n  1. Boot a "), "{said}");
    assert!(said.contains(" came:  not done") && !said.contains('\u{1b}'), "{said}");
    let output = place.run(&["diff", "--json", "one.record.json", "other.record.json"]);
    let json: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(json["rows"][0]["right"]["came"], "\u{1b}[2J\u{202e}not done");
    assert!(!text(&output.stdout).contains('\u{202e}'), "a terminal would obey this");
    assert_eq!((output.status.code(), &json["first"]["row"]), (Some(1), &Value::from(0)));
    assert_eq!(json["rows"][0]["differs"], Value::from(vec!["answer"]));
}

#[test]
fn what_is_no_run_is_not_compared() {
    let place = Place::new();
    let file = place.file("case.json", &case_of_faults(COMMANDS));
    let (file, foreign) = (file.to_str().unwrap(), place.file("foreign.json", "{}"));
    place.file("run.record.json", include_str!("../pages/version-1.record.json"));
    let against = |other: &str, said: &str| refused(&place, &["diff", "run.record.json", other], 2, said);
    against("nowhere.json", "cannot read record nowhere.json");
    against(foreign.to_str().unwrap(), "is neither a record nor a replay file");
    against(file, "and with --record FILE one of whatever comes");
    for kept in [file, place.path().join("case.record.json").to_str().unwrap()] {
        let replay = ["replay", file, "--system", "simulated", "--record", kept];
        refused(&place, &replay, 2, "is kept of the case that failed");
    }
    let blocked = place.file("blocked", "").join("a.record.json");
    let replay = ["replay", file, "--system", "simulated", "--record", blocked.to_str().unwrap()];
    refused(&place, &replay, 2, "could not make the record");
    assert_eq!(
        place.run(&["replay", file, "--system", "simulated", "--record", "held.json"]).status.code(),
        Some(0)
    );
    refused(&place, &["report", "held.json"], 2, "is of a run that did not fail");
}
