//! Whatever texts are in a case come back as they were, and are nothing but texts.

use std::process::Command;

use harness::as_test::nixos::{self, Guests, NixosTest};
use harness::model::scene::{Power, Scene, Seat};
use harness::prelude::*;
use serde_json::{Value as Json, json};

use crate::{
    Place, about, case_of_faults, case_of_machines, drawn, evidence, has_tools, hostile, of_faults,
    of_machines, runner, said,
};

/// The texts that are literals in each script, in their order; a script that is none fails.
fn literals(place: &Place, scripts: &[&str]) -> Vec<Vec<String>> {
    let given = place.file("scripts.json", &serde_json::to_string(scripts).unwrap());
    let program = "import ast, json, sys
def literals(script):
    return [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
print(json.dumps([literals(script) for script in json.load(open(sys.argv[1], encoding='utf-8', newline=''))]))";
    serde_json::from_str(&said(Command::new("python3").args(["-c", program]).arg(given))).unwrap()
}

/// How systemd runs a service: neither a command that fails nor the end of its shell ends what it began.
fn unit(command: &str) -> Json {
    let start = format!("-sh {command}");
    json!({ "ExecStart": start, "RemainAfterExit": true, "WorkingDirectory": "/scratch" })
}

/// That what machines were given is in a test as it was, and each command.
fn check(test: &NixosTest, read: &Json, literals: &[String], network: &Network, commands: usize) {
    for (machine, guest) in network.machines().iter().zip(Guests::of(network).iter()) {
        let node = &read["nodes"][&guest.name];
        let scratch = node["scratch"].as_str().unwrap();
        let sayable = |text: &&String| !text.contains('\0');
        machine
            .files
            .values()
            .filter(sayable)
            .for_each(|content| assert!(scratch.contains(content), "{scratch}"));
        let services = node["services"].as_array().unwrap();
        for service in machine.services.values() {
            assert!(
                service.command.contains('\0') || services.contains(&unit(&service.command)),
                "{services:?}"
            );
            let ready = service.ready.as_ref().unwrap();
            assert!(!machine.running || literals.contains(ready), "{ready:?} is not in {literals:?}");
        }
    }
    let script = read["testScript"].as_str().unwrap();
    assert_eq!(script.matches(": makes no sense in this order").count(), test.senseless, "{script}");
    let is_title =
        |text: &&String| text.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let given = literals.iter().filter(is_title).count();
    assert_eq!(given + test.left_out + test.senseless, commands, "{script}");
}

/// The names that scripts give something to.
fn assigned(place: &Place, scripts: &[&str]) -> Vec<String> {
    let given = place.file("scripts.json", &serde_json::to_string(scripts).unwrap());
    // What a function has to itself is of no consequence, and neither is an attribute.
    let program = "import ast, json, sys
def names(node):
    if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
        return [node.name]
    own = [node.id] if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) else []
    own += [(node.asname or node.name).split('.')[0]] if isinstance(node, ast.alias) else []
    return own + [name for child in ast.iter_child_nodes(node) for name in names(child)]
scripts = json.load(open(sys.argv[1], encoding='utf-8', newline=''))
print(json.dumps(sorted({name for script in scripts for name in names(ast.parse(script))})))";
    serde_json::from_str(&said(Command::new("python3").args(["-c", program]).arg(given))).unwrap()
}

#[test]
fn no_machine_is_called_what_a_script_gives_something_to() {
    if !has_tools() {
        return;
    }
    let (place, mut tests) = (Place::new(), Vec::new());
    for seed in 0..40 {
        let mut runner = runner(seed);
        let evidence = evidence(&mut runner);
        tests.push(of_machines(&case_of_machines(&mut runner), &evidence).text);
        tests.push(of_faults(&case_of_faults(&mut runner), &evidence).text);
    }
    let read = place.read(&tests);
    let scripts: Vec<_> = read.iter().map(|read| read["testScript"].as_str().unwrap()).collect();
    let names = assigned(&place, &scripts);
    for name in ["found", "seconds", "boot", "shlex"] {
        assert!(names.iter().any(|assigned| assigned == name), "{name} is not among {names:?}");
    }
    let guests = Guests::of_scene(Texts(Vec::new()).scene(&names).unwrap());
    for guest in guests.iter() {
        assert_ne!(
            guest.name, guest.id,
            "a machine of this name would be gone as the script gives it something"
        );
    }
}

#[test]
fn whatever_is_in_a_case_comes_back_as_it_was() {
    if !has_tools() {
        return;
    }
    let (place, mut tests, mut cases) = (Place::new(), Vec::new(), Vec::new());
    for seed in 0..40 {
        let mut runner = runner(seed);
        let evidence = evidence(&mut runner);
        let case = case_of_machines(&mut runner);
        tests.push(of_machines(&case, &evidence));
        cases.push((case.initial.clone(), case.len()));
        let case = case_of_faults(&mut runner);
        tests.push(of_faults(&case, &evidence));
        cases.push((case.initial.network.clone(), case.len()));
    }
    let texts: Vec<_> = tests.iter().map(|test| test.text.clone()).collect();
    let read = place.read(&texts);
    let scripts: Vec<_> = read.iter().map(|read| read["testScript"].as_str().unwrap()).collect();
    let literals = literals(&place, &scripts);
    assert_eq!(literals.len(), tests.len());
    for (index, (network, commands)) in cases.iter().enumerate() {
        check(&tests[index], &read[index], &literals[index], network, *commands);
    }
}

/// A model of one's own, of which nothing is known but texts.
#[derive(Clone)]
struct Texts(Vec<String>);

impl Model for Texts {
    type State = Vec<String>;
    type Command = String;
    type Response = ();
    fn gen_initial_state(&self) -> BoxedStrategy<Vec<String>> {
        Just(self.0.clone()).boxed()
    }
    fn gen_command(&self, _: &Vec<String>) -> BoxedStrategy<String> {
        hostile().boxed()
    }
    fn next_state(&self, state: &Vec<String>, _: &String) -> Vec<String> {
        state.clone()
    }
    fn post_condition(&self, _: &Vec<String>, _: &String, (): &()) -> bool {
        true
    }
    fn show_command(&self, command: &String) -> String {
        command.clone()
    }
    fn scene(&self, names: &Vec<String>) -> Option<Scene> {
        let seat = |name: &String| Seat {
            name: name.clone(),
            details: vec![name.clone()],
            power: Power::On,
            notes: Vec::new(),
        };
        Some(Scene { machines: names.iter().map(seat).collect(), links: Vec::new() })
    }
}

fn of_texts(case: &Case<Texts>) -> NixosTest {
    let (model, about) = (Texts(Vec::new()), about(&case.commands.concat()));
    let guests = Guests::of_scene(model.scene(&case.initial).unwrap());
    nixos::nixos_test(&about, &model, case, None, &guests, &mut nixos::to_be_filled_in::<Texts>).unwrap()
}

#[test]
fn what_is_not_known_is_a_comment_and_nothing_else() {
    if !has_tools() {
        return;
    }
    let place = Place::new();
    let mut tests = Vec::new();
    for seed in 0..20 {
        let mut runner = runner(seed);
        let names = drawn(proptest::collection::vec(hostile(), 1..4), &mut runner);
        let commands = drawn(proptest::collection::vec(hostile(), 1..10), &mut runner);
        let count = commands.len();
        for (commands, left_out) in [(commands, count), (Vec::new(), 0)] {
            let test = of_texts(&Case::sequential(names.clone(), commands));
            assert_eq!(test.left_out, left_out);
            tests.push(test.text);
        }
    }
    let read = place.read(&tests);
    let scripts: Vec<_> = read.iter().map(|read| read["testScript"].as_str().unwrap()).collect();
    let literals = literals(&place, &scripts);
    assert!(literals.chunks(2).all(|pair| pair[0] == pair[1]), "a command is more than a comment");
}
