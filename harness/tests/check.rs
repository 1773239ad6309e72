//! `netprop check`: what it says of a recorded history, and how it exits.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::io::{ErrorKind, Write as _};
use std::process::{Command, Output, Stdio};

fn recorded(name: &str) -> String {
    format!("{}/../model/tests/histories/{name}", env!("CARGO_MANIFEST_DIR"))
}

/// Runs the command with a text on its standard input.
fn check(arguments: &[&str], input: &str) -> (Option<i32>, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_netprop"));
    command.arg("check").args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    if let Err(error) = child.stdin.take().unwrap().write_all(input.as_bytes()) {
        // What is refused for its arguments is not read.
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

/// Two writes one after the other, and a read of the first after both.
const STALE: &str = include_str!("../../docs/examples/stale.jsonl");

#[test]
fn verdicts_are_exit_statuses() {
    let (ok, bad) = (recorded("etcd_002.jsonl"), recorded("c10-bad.jsonl"));
    let (status, said, _) = check(&["--model", "register", &ok], "");
    assert_eq!(status, Some(0), "{said}");
    assert!(said.starts_with("linearizable: ") && said.contains("77 operations of 23 clients"), "{said}");
    let (status, said, _) = check(&["--model", "map", &bad], "");
    assert_eq!(status, Some(1), "{said}");
    let (status, said, _) = check(&["--model", "register", &recorded("jepsen.edn")], "");
    assert_eq!(status, Some(0), "{said}");
}

#[test]
fn evidence_is_what_contradicts_itself() {
    let (status, said, _) = check(&["--model", "register", "-"], STALE);
    let expected = "\
not linearizable: -, 4 operations of 3 clients

No order explains these answers:

  client 0  write 1 → ok  ├──┤
  client 1  write 2 → ok        ├──┤
  client 2  read → 1                  ├──┤

All that was answered before 5 has an order; with client 2's read → 1 there is none.

A longest legal order:
  client 0's write 1 → ok
  client 1's write 2 → ok

Nothing can come next:
  client 2's read → 1: impossible: the register holds 2
";
    assert_eq!((status, said.as_str()), (Some(1), expected));
}

#[test]
fn json_has_all_of_it() {
    let (status, said, _) = check(&["--model", "register", "--json", "-"], STALE);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!(
        (status, &said["verdict"], &said["minimal"]),
        (Some(1), &"not linearizable".into(), &true.into())
    );
    assert_eq!(said["operations"].as_array().unwrap().len(), 3);
    assert_eq!(said["operations"][0]["command"], "write 1");
    assert_eq!(said["obstacles"][0]["why"], "impossible: the register holds 2");
    let (status, said, _) = check(&["--model", "map", "--whole", "--json", &recorded("c01-ok.jsonl")], "");
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert_eq!((status, &said["verdict"]), (Some(0), &"linearizable".into()));
}

#[test]
fn what_is_hopeless_is_undecided_in_time() {
    let mut text = String::new();
    for client in 0..40 {
        text += &format!(
            "{{:type :invoke, :process {client}, :f :cas, :value [{} {}]}}\n",
            client % 7,
            client % 5
        );
        text += &format!("{{:type :invoke, :process {}, :f :write, :value {client}}}\n", client + 40);
    }
    for client in 40..80 {
        text += &format!("{{:type :ok, :process {client}, :f :write}}\n");
    }
    // Something may make 77, if only it could be set where there is 1000.
    text += "{:type :invoke, :process 98, :f :cas, :value [1000 77]}";
    text += "{:type :invoke, :process 99, :f :read} {:type :ok, :process 99, :f :read, :value 77}";
    let (status, said, _) = check(&["--model", "register", "--timeout", "1", "-"], &text);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.starts_with("undecided: -, 82 operations of 82 clients; no verdict within 1 s"), "{said}");
    let (status, said, _) = check(&["--model", "register", "--memory", "1", "-"], &text);
    assert_eq!(status, Some(3), "{said}");
    assert!(said.contains("no verdict within 1 MiB of memory, give it more with --memory"), "{said}");
    let long: String = (0..20_000)
        .map(|_| "{:type :invoke, :process 0, :f :write, :value 1} {:type :ok, :process 0, :f :write}\n")
        .collect();
    let (status, said, _) = check(&["--model", "register", "--memory", "1", "-"], &long);
    assert_eq!(status, Some(3), "{said}");
    let expected = "undecided: -, not read to its end; no verdict within 1 MiB of memory, give it more";
    assert!(said.starts_with(expected), "{said}");
}

#[test]
fn a_value_that_nobody_wrote_is_found_at_once() {
    let mut text = String::new();
    for client in 0..40 {
        text += &format!("{{:type :invoke, :process {client}, :f :write, :value {client}}}\n");
    }
    text += "{:type :invoke, :process 99, :f :read} {:type :ok, :process 99, :f :read, :value 77}";
    let (status, said, _) = check(&["--model", "register", "--timeout", "10", "-"], &text);
    assert_eq!(status, Some(1), "{said}");
    let why = "client 99's read → 77: impossible: the register holds nil, and nothing that was called before \
               the answer makes what it tells";
    assert!(said.contains(why), "{said}");
}

#[test]
fn a_long_history_keeps_to_its_time() {
    // Every second operation is a write of its own, so freeing half of them lays out much.
    let mut text = String::new();
    for number in 0..60_000_u64 {
        let (op, out) = if number % 2 == 0 {
            (format!(r#"["write", {number}]"#), "\"ok\"".to_owned())
        } else {
            (r#"["read"]"#.to_owned(), if number == 59_999 { 0 } else { number - 1 }.to_string())
        };
        let (client, call, ret) = (number % 10, 2 * number, 2 * number + 1);
        text += &format!(
            "{{\"id\": {number}, \"client\": {client}, \"call\": {call}, \"ret\": {ret}, \"op\": {op}, \"out\": {out}}}\n"
        );
    }
    let begun = std::time::Instant::now();
    let (status, said, _) = check(&["--model", "register", "--timeout", "5", "--json", "-"], &text);
    let said: serde_json::Value = serde_json::from_str(&said).unwrap();
    assert!(matches!(status, Some(1 | 3)), "{said}");
    assert!(begun.elapsed() < std::time::Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn bad_files_and_wrong_use_say_what_is_wrong() {
    let nowhere = recorded("nowhere.jsonl");
    let cases: [(&[&str], &str, &str); 6] = [
        (&["--model", "register", &nowhere], "", "nowhere.jsonl cannot be read (No such file"),
        (&["--model", "map", "-"], "", "- has no operation"),
        (&["--model", "map", "-"], STALE, "-, line 1: \"write\" with [1] is none of a map's operations"),
        (
            &["--model", "register", "-"],
            "[{:type :invoke",
            "-, line 1: what was opened in line 1 lacks its '}'",
        ),
        (&["--model", "register", "--whole", "-"], STALE, "--whole is for maps"),
        (&["--model", "queue", "-"], STALE, "invalid value 'queue'"),
    ];
    for (arguments, input, expected) in cases {
        let (status, _, said) = check(arguments, input);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(expected), "{said}");
    }
}
