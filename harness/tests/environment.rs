//! proptest's environment variables mean what its users expect, and so do our own: a test process
//! is run with each of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod ring;

use std::path::Path;
use std::process::Command;

use harness::{Config, Expressions, Runner, Silent, Stop, TestText, check};
use ring::{Buffers, Command as RingCommand, Ring};

// What netprop prints of the planted bug; it holds as it is, since nothing is planted then.
include!("ring/standing_alone.rs");

/// What `netprop replay --as-test` prints for machines; it needs some to run, so it only compiles.
mod machines {
    include!("ring/machines.rs");
    const _: fn() -> Result<(), Box<dyn std::error::Error>> = machines_000000000000;
}

/// Holds as it is; the other tests run it in a process of its own, with a bug.
#[test]
fn a_ring_buffer_is_a_queue() {
    check(&Ring, &Buffers::of_environment());
}

/// What a process has said, and whether its test passed.
struct Said {
    text: String,
    passed: bool,
}

impl Said {
    fn count(&self, part: &str) -> usize {
        self.text.matches(part).count()
    }

    /// The number before this word in the report of a failure.
    fn number_before(&self, word: &str) -> u32 {
        let (before, _) =
            self.text.rsplit_once(word).unwrap_or_else(|| panic!("no {word:?} in {}", self.text));
        let digits = before.trim_end().rsplit(|letter: char| !letter.is_ascii_digit()).next().unwrap();
        digits.parse().unwrap_or_else(|_| panic!("no number before {word:?} in {}", self.text))
    }
}

const PLANT: (&str, &str) = ("NETPROP_TEST_PLANT", "1");

fn run(directory: &Path, variables: &[(&str, &str)]) -> Said {
    run_test("a_ring_buffer_is_a_queue", directory, variables)
}

fn run_test(name: &str, directory: &Path, variables: &[(&str, &str)]) -> Said {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args([name, "--exact", "--nocapture", "--test-threads=1"]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("PROPTEST_") || name.starts_with("NETPROP_") || name == "RUST_BACKTRACE" {
            command.env_remove(name.as_ref());
        }
    }
    let output = command.envs(variables.iter().copied()).current_dir(directory).output().unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(text.contains("running 1 test"), "{text}");
    Said { text, passed: output.status.success() }
}

fn alone(variables: &[(&str, &str)]) -> Said {
    run(tempfile::tempdir().unwrap().path(), variables)
}

#[test]
fn cases_and_verbose() {
    let silent = alone(&[("PROPTEST_CASES", "7")]);
    assert!(silent.passed && silent.count("case") == 0, "{}", silent.text);
    let all = alone(&[("PROPTEST_CASES", "7"), ("PROPTEST_VERBOSE", "2")]);
    assert!(all.passed, "{}", all.text);
    assert_eq!((all.count("/7: "), all.count(": holds")), (7, 7), "{}", all.text);
    assert!(all.count("Put(") >= 7, "each command is shown: {}", all.text);
    let failures = alone(&[PLANT, ("PROPTEST_VERBOSE", "1")]);
    assert!(!failures.passed);
    assert!(failures.count("falsified by command ") > 1, "each failure as it is found: {}", failures.text);
    assert_eq!(failures.count("case 1/"), 0, "not each case: {}", failures.text);
    let named = "ring_forgets_that_it_is_full";
    let by_itself = run_test(named, tempfile::tempdir().unwrap().path(), &[("PROPTEST_VERBOSE", "1")]);
    assert_eq!(by_itself.count("case 1"), 0, "nor one that is run by itself: {}", by_itself.text);
    let report = alone(&[PLANT]);
    assert!(!report.passed && report.count("falsified by command ") == 0, "{}", report.text);
    assert!(
        report.text.contains("expected: Counted(4)") && report.text.contains("Counted(0)"),
        "{}",
        report.text
    );
}

#[test]
fn what_the_cases_were_like_is_said_where_it_is_asked_for() {
    let said = alone(&[("PROPTEST_VERBOSE", "1")]);
    assert!(said.text.contains(" of 9 pairs in sequence\n5 states of the model\n"), "{}", said.text);
    assert!(said.text.contains(" % is full once\n") && said.text.contains(" % takes ("), "{}", said.text);
}

#[test]
fn a_seed_decides_on_all_cases() {
    let cases = |seed: &str| {
        let said = alone(&[("PROPTEST_RNG_SEED", seed), ("PROPTEST_CASES", "5"), ("PROPTEST_VERBOSE", "2")]);
        let shown = |line: &&str| line.starts_with("case ") || line.starts_with("  ");
        let text = said.text.lines().filter(shown);
        text.map(str::to_owned).collect::<Vec<_>>()
    };
    let first = cases("41");
    assert!(first.len() > 25, "{first:?}");
    assert_eq!(first, cases("41"));
    assert_ne!(first, cases("42"));
}

#[test]
fn shrinking_has_a_budget_of_runs_and_of_time() {
    let seed = ("PROPTEST_RNG_SEED", "3");
    let without = alone(&[PLANT, seed, ("NETPROP_SWARM", "0")]);
    assert!(!without.passed && without.number_before(" runs") > 3, "{}", without.text);
    assert!(without.text.contains("command 5 of the smallest case"), "{}", without.text);
    let none = alone(&[PLANT, seed, ("PROPTEST_MAX_SHRINK_ITERS", "0")]);
    assert!(!none.passed && none.text.contains("smallest known case"), "{}", none.text);
    assert_eq!(none.number_before(" runs"), 0);
    assert!(none.text.contains("came:     Counted(0)"), "the counterexample is there: {}", none.text);
    let slow = alone(&[PLANT, seed, ("NETPROP_TEST_SLOW", "30"), ("PROPTEST_MAX_SHRINK_TIME", "60")]);
    assert!(!slow.passed && slow.number_before(" runs") <= 3, "{}", slow.text);
    assert!(slow.text.contains("smallest known case"), "{}", slow.text);
}

#[test]
fn failures_persist_unless_that_is_switched_off() {
    let kept = tempfile::tempdir().unwrap();
    let first = run(kept.path(), &[PLANT]);
    assert!(kept.path().join("proptest-regressions/ring.txt").is_file());
    let files = std::fs::read_dir(kept.path().join("netprop-failures")).unwrap();
    let mut names: Vec<_> = files.map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    let [replay, record] = &names[..] else { panic!("{names:?}: {}", first.text) };
    assert_eq!(record.strip_suffix(".record.json"), replay.strip_suffix(".json"));
    // It is the first case of the next run, and fails without the luck of the first.
    let again = run(kept.path(), &[PLANT, ("PROPTEST_VERBOSE", "2"), ("PROPTEST_CASES", "1")]);
    assert!(!again.passed && again.text.contains("netprop-failures/ring-"), "{}", again.text);
    assert_eq!(again.count(" in 0 runs"), 0, "nothing was left to make smaller: {}", again.text);
    assert!(again.text.contains("\nseed "), "{}", again.text);
    let elsewhere = tempfile::tempdir().unwrap();
    run(elsewhere.path(), &[PLANT, ("NETPROP_FAILURES", "found/here")]);
    assert!(elsewhere.path().join("found/here").is_dir());
    let off = tempfile::tempdir().unwrap();
    let said = run(off.path(), &[PLANT, ("PROPTEST_DISABLE_FAILURE_PERSISTENCE", "1")]);
    assert!(!said.passed);
    assert_eq!(std::fs::read_dir(off.path()).unwrap().count(), 0, "{}", said.text);
}

#[test]
fn variables_of_our_own_are_read_and_what_they_cannot_mean_is_said() {
    let commands = alone(&[("NETPROP_COMMANDS", "3"), ("PROPTEST_CASES", "4"), ("PROPTEST_VERBOSE", "2")]);
    assert_eq!(commands.count("/4: 3 commands, seed "), 4, "{}", commands.text);
    let all = |swarm: &str| {
        // One case in a million lacks one of the two.
        let variables = [
            ("NETPROP_COMMANDS", "40"),
            ("NETPROP_SWARM", swarm),
            ("PROPTEST_VERBOSE", "2"),
            ("PROPTEST_RNG_SEED", "1"),
        ];
        let said = alone(&variables);
        let cases: Vec<_> = said.text.split("commands, seed ").skip(1).collect();
        assert_eq!(cases.len(), 256);
        cases.iter().filter(|case| case.contains("Count:") && case.contains("Take:")).count()
    };
    assert_eq!(all("0"), 256);
    assert!(all("100") < 200);
    let wrong = alone(&[("NETPROP_COMMANDS", "5..2"), ("NETPROP_SWARM", "most"), ("PROPTEST_CASES", "1")]);
    assert!(wrong.passed);
    assert!(wrong.text.contains("NETPROP_COMMANDS is passed over: 5 is more than 2"), "{}", wrong.text);
    assert!(wrong.text.contains("NETPROP_SWARM is passed over: \"most\" is not a number"), "{}", wrong.text);
    let none = alone(&[("NETPROP_COMMANDS", "0"), ("PROPTEST_CASES", "1")]);
    assert!(none.text.contains("NETPROP_COMMANDS is passed over: with none there is"), "{}", none.text);
    assert_eq!(wrong.count("unknown"), 0, "proptest takes none of them for its own: {}", wrong.text);
}

#[test]
fn a_failing_case_becomes_a_test_that_stands_alone() {
    let config = Config { seed: Some(3.into()), failures: None, regressions: None, ..Config::default() };
    let (system, stop) = (Buffers::planted(), Stop::default());
    let summary = Runner::new(&Ring, &system, &config, &Silent, &stop).run().unwrap();
    let failure = summary.failure.unwrap();
    let test = TestText {
        name: "ring_forgets_that_it_is_full".to_owned(),
        about: format!("{}.", failure.evidence),
        expressions: Expressions {
            model: "&Ring".to_owned(),
            system: "&Buffers::of_environment()".to_owned(),
            ..Expressions::default()
        },
        ..TestText::default()
    };
    let text = test.of(&Ring, &failure.case).replace("Command::", "RingCommand::");
    assert_eq!(text, include_str!("ring/standing_alone.rs"), "the file is not what is printed now:\n{text}");
    let said = run_test("ring_forgets_that_it_is_full", tempfile::tempdir().unwrap().path(), &[PLANT]);
    assert!(!said.passed && said.text.contains(&failure.evidence.to_string()), "{}", said.text);
    assert!(said.text.contains("ring: falsified by command 5: expected Counted(4); came Counted(0)"));
}

#[test]
fn a_report_has_the_test_where_it_is_asked_for() {
    let said = alone(&[PLANT, ("NETPROP_AS_TEST", "1")]);
    let body =
        "    let system = /* Buffers */;\n    harness::check_case(\n        &Ring,\n        &system,\n";
    assert!(!said.passed && said.text.contains(body), "{}", said.text);
}
