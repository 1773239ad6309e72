//! Models that take what was generated, but not what a smaller case has.

use std::fs;
use std::path::Path;

use harness::prelude::*;
use harness::report;

use crate::{config, failure};

/// A stack whose specification forgets to say that nothing can be popped from an empty one.
struct Stack {
    /// What panics: a method that is asked of smaller cases alone.
    at: &'static str,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Push(u8),
    Pop,
}

impl Model for Stack {
    type State = Vec<u8>;
    type Command = Command;
    type Response = usize;

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        Just(Vec::new()).boxed()
    }

    fn gen_command(&self, stack: &Vec<u8>) -> BoxedStrategy<Command> {
        let push = any::<u8>().prop_map(Command::Push);
        if stack.is_empty() { push.boxed() } else { prop_oneof![push, Just(Command::Pop)].boxed() }
    }

    fn pre_condition(&self, stack: &Vec<u8>, command: &Command) -> bool {
        self.at == "next_state" || *command != Command::Pop || !stack.is_empty()
    }

    fn next_state(&self, stack: &Vec<u8>, command: &Command) -> Vec<u8> {
        let mut stack = stack.clone();
        match command {
            Command::Push(value) => stack.push(*value),
            Command::Pop => drop(stack.pop().expect("there is something on it")),
        }
        stack
    }

    fn simpler_commands(&self, _: &Command) -> Vec<Command> {
        assert_ne!(self.at, "simpler_commands", "there is none");
        Vec::new()
    }

    fn post_condition(&self, stack: &Vec<u8>, command: &Command, size: &usize) -> bool {
        *size == self.next_state(stack, command).len()
    }
}

/// Pops nothing from two that are on it.
struct Sticky;

impl System<Stack> for Sticky {
    type Sut = usize;

    fn new_sut(&self, stack: &Vec<u8>) -> Result<usize, SystemError> {
        Ok(stack.len())
    }

    fn run(&self, size: &mut usize, command: &Command) -> Result<Outcome<usize>, SystemError> {
        *size = match command {
            Command::Push(_) => *size + 1,
            Command::Pop if *size == 2 => 2,
            Command::Pop => *size - 1,
        };
        Ok(Outcome::Answered(*size))
    }
}

#[test]
fn a_model_that_panics_on_a_smaller_case_leaves_the_best_so_far() {
    for at in ["next_state", "simpler_commands"] {
        let directory = tempfile::tempdir().unwrap();
        let model = Stack { at };
        let failed = failure(&model, &Sticky, &config(directory.path()));
        assert!(!failed.smallest && failed.file.is_some(), "{:?}", failed.case);
        let said = report::failure(&model, &failed);
        assert!(said.starts_with("falsified: command ") && said.contains("came:     2"), "{said}");
        assert!(said.contains("warning: the case was not made smaller to the end: "), "{said}");
        let reason = if at == "next_state" { "the model's next_state panicked" } else { "there is none" };
        assert!(said.contains(reason), "{said}");
        let seeds = fs::read_to_string(directory.path().join("regressions/stack.txt")).unwrap();
        assert!(seeds.contains(&failed.seed.to_string()), "{seeds}");
    }
}

/// Puts a file where the directory of failures was, once something is in it.
struct Spoils<'a>(&'a Path);

impl System<Stack> for Spoils<'_> {
    type Sut = usize;

    fn new_sut(&self, stack: &Vec<u8>) -> Result<usize, SystemError> {
        if self.0.is_dir() {
            fs::remove_dir_all(self.0).unwrap();
            fs::write(self.0, "").unwrap();
        }
        Sticky.new_sut(stack)
    }

    fn run(&self, size: &mut usize, command: &Command) -> Result<Outcome<usize>, SystemError> {
        Sticky.run(size, command)
    }
}

#[test]
fn a_directory_that_goes_away_leaves_the_failure() {
    let directory = tempfile::tempdir().unwrap();
    let failures = directory.path().join("failures");
    let failed = failure(&Stack { at: "" }, &Spoils(&failures), &config(directory.path()));
    assert_eq!((failed.case.commands.len(), failed.smallest), (3, true));
    let why = failed.unkept.unwrap();
    assert!(why.contains("cannot write replay file") && why.contains("has an earlier form"), "{why}");
    assert_eq!(failed.warnings, Vec::<String>::new());
}

/// A stack whose commands are of no kind.
struct NoKinds(Stack);

impl Model for NoKinds {
    type State = Vec<u8>;
    type Command = Command;
    type Response = usize;

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        self.0.gen_initial_state()
    }

    fn gen_command(&self, stack: &Vec<u8>) -> BoxedStrategy<Command> {
        self.0.gen_command(stack)
    }

    fn next_state(&self, stack: &Vec<u8>, command: &Command) -> Vec<u8> {
        self.0.next_state(stack, command)
    }

    fn kind(&self, _: &Command) -> std::borrow::Cow<'static, str> {
        panic!("of no kind")
    }

    fn post_condition(&self, stack: &Vec<u8>, command: &Command, size: &usize) -> bool {
        self.0.post_condition(stack, command, size)
    }
}

/// The same stack for the other model; it holds, or it sticks.
struct Held {
    sticks: bool,
}

impl System<NoKinds> for Held {
    type Sut = usize;

    fn new_sut(&self, stack: &Vec<u8>) -> Result<usize, SystemError> {
        Ok(stack.len())
    }

    fn run(&self, size: &mut usize, command: &Command) -> Result<Outcome<usize>, SystemError> {
        if self.sticks {
            return Sticky.run(size, command);
        }
        *size = if *command == Command::Pop { *size - 1 } else { *size + 1 };
        Ok(Outcome::Answered(*size))
    }
}

#[test]
fn a_kind_that_panics_is_named_with_what_to_do() {
    let directory = tempfile::tempdir().unwrap();
    let (model, mut config) = (NoKinds(Stack { at: "" }), config(directory.path()));
    config.swarm = harness::Swarm::OFF;
    let stop = harness::Stop::default();
    let run = |sticks| harness::Runner::new(&model, &Held { sticks }, &config, &harness::Silent, &stop).run();
    let said = run(false).err().unwrap().to_string();
    assert!(said.contains("the model's kind panicked at ") && said.contains(": mend it"), "{said}");
    let failed = run(true).err().map(|error| error.to_string());
    assert!(failed.is_none() || failed.as_ref().is_some_and(|said| said.contains(": mend it")), "{failed:?}");
}
