//! What is printed of a failing case compiles and runs, also where types do not say how a model and
//! a system are made.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::env;
use std::process::Command;

use harness::prelude::*;
use harness::{Expressions, Reference, check_with};

// What is printed of the planted bugs; both hold as they are, since nothing is planted then.
include!("queue.rs");
include!("steps.rs");

fn planted() -> bool {
    env::var_os("NETPROP_TEST_PLANT").is_some()
}

type Queue = Reference<Vec<u8>, BoxedStrategy<Option<u8>>, fn(&mut Vec<u8>, &Option<u8>) -> Option<u8>>;

/// A number is put in; none takes out what was put in first.
fn queue() -> Queue {
    let right = |queue: &mut Vec<u8>, put: &Option<u8>| {
        queue.extend(put);
        (put.is_none() && !queue.is_empty()).then(|| queue.remove(0))
    };
    reference("queue", Vec::new(), proptest::option::of(1..9_u8).boxed(), right)
}

/// Gives what was put in last where that is planted.
fn give(queue: &mut Vec<u8>, put: &Option<u8>) -> Option<u8> {
    queue.extend(put);
    match put {
        None if planted() => queue.pop(),
        None => (!queue.is_empty()).then(|| queue.remove(0)),
        Some(_) => None,
    }
}

fn config(expressions: Option<Expressions>) -> Config {
    Config { seed: Some(1.into()), failures: None, regressions: None, expressions, ..Config::default() }
}

#[test]
fn a_queue_whose_functions_have_names() {
    let expressions = Expressions {
        model: "queue()".to_owned(),
        system: "Vec::new, give".to_owned(),
        ..Expressions::default()
    };
    queue().check_with(&config(Some(expressions)), Vec::new, give);
}

#[test]
fn a_queue_of_which_nothing_is_said() {
    queue().check_with(&config(None), Vec::new, give);
}

/// A counter that goes up in steps of a size.
struct Steps {
    size: u32,
}

impl Model for Steps {
    type State = u32;
    type Command = bool;
    type Response = u32;

    fn gen_initial_state(&self) -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u32) -> BoxedStrategy<bool> {
        any::<bool>().boxed()
    }

    fn next_state(&self, count: &u32, up: &bool) -> u32 {
        if *up { count + self.size } else { *count }
    }

    fn post_condition(&self, count: &u32, up: &bool, answer: &u32) -> bool {
        self.next_state(count, up) == *answer
    }
}

/// Goes up by one where that is planted.
struct Counters;

impl System<Steps> for Counters {
    type Sut = u32;

    fn new_sut(&self, count: &u32) -> Result<u32, SystemError> {
        Ok(*count)
    }

    fn run(&self, count: &mut u32, up: &bool) -> Result<Outcome<u32>, SystemError> {
        let size = if planted() { 1 } else { 3 };
        *count += if *up { size } else { 0 };
        Ok(Outcome::Answered(*count))
    }
}

#[test]
fn a_counter_with_a_field() {
    check_with(&config(None), &Steps { size: 3 }, &Counters);
}

/// What a test says with the bug, and whether it passes.
fn run(test: &str) -> (String, bool) {
    let output = Command::new(env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .envs([("NETPROP_TEST_PLANT", "1"), ("NETPROP_AS_TEST", "1"), ("RUST_BACKTRACE", "0")])
        .output()
        .unwrap();
    (String::from_utf8_lossy(&output.stderr).into_owned(), output.status.success())
}

/// The test that is printed, from its documentation on.
fn printed(said: &str) -> &str {
    let start = said.find("/// expected ").unwrap_or_else(|| panic!("no test is printed: {said}"));
    let end = start + said[start..].find("\n}\n").unwrap_or_else(|| panic!("it has no end: {said}")) + 3;
    &said[start..end]
}

/// The text without the lines that only say what is to be filled in.
fn filled_in(text: &str, values: &[(&str, &str)]) -> String {
    let text: String =
        text.split_inclusive('\n').filter(|line| !line.trim_start().starts_with("// ")).collect();
    values.iter().fold(text, |text, (comment, value)| {
        assert!(text.contains(comment), "there is no {comment} in {text}");
        text.replace(comment, value)
    })
}

#[test]
fn a_reference_is_printed_as_it_is_said_to_be_made() {
    let (said, passed) = run("a_queue_whose_functions_have_names");
    assert!(!passed);
    assert_eq!(printed(&said), include_str!("queue.rs"), "the file is not what is printed now: {said}");
    let (said, passed) = run("queue_a0fe12e42e84");
    assert!(!passed && said.contains("queue: falsified by command 3: expected Some("), "{said}");
}

#[test]
fn a_reference_of_which_nothing_is_said_is_printed_to_be_filled_in() {
    let (said, passed) = run("a_queue_of_which_nothing_is_said");
    assert!(!passed);
    let values = [("/* reference(…) */", "queue()"), ("/* new */", "Vec::new"), ("/* run */", "give")];
    assert_eq!(filled_in(printed(&said), &values), include_str!("queue.rs"), "{said}");
}

#[test]
fn a_model_with_fields_is_printed_to_be_filled_in() {
    let (said, passed) = run("a_counter_with_a_field");
    assert!(!passed);
    let test = filled_in(printed(&said), &[("/* Steps */", "Steps { size: 3 }")]);
    assert_eq!(test, include_str!("steps.rs"), "{said}");
    let (said, passed) = run("steps_000000000001");
    assert!(!passed && said.contains("steps: falsified by command 1: "), "{said}");
}
