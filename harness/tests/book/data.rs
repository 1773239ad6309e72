//! Data in pages is read by what it is for: configurations by `netprop config`, cases as cases, workflows
//! as far as a shell and `netprop` understand them.

use std::io::Write as _;
use std::process::{Command, Stdio};

use harness::model::{Case, MachineSpec};
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::not_run::look_at;
use crate::page::{Block, pages};

#[test]
fn json_is_a_case() {
    for block in pages().iter().flat_map(|page| page.of("json")) {
        let case = serde_json::from_str::<Case<MachineSpec>>(&block.text);
        assert!(case.is_ok(), "{}: {case:?}", block.place);
    }
}

#[test]
fn toml_is_a_configuration() {
    pages().iter().flat_map(|page| page.of("toml")).for_each(configures);
}

/// Has `netprop config` read it.
fn configures(block: &Block) {
    let file = tempfile::NamedTempFile::new().unwrap();
    file.as_file().write_all(block.text.as_bytes()).unwrap();
    let mut config = Command::new(env!("CARGO_BIN_EXE_netprop"));
    let output = config.arg("config").env("NETPROP_CONFIG", file.path()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}: {}", block.place, String::from_utf8_lossy(&output.stderr));
    assert!(said.contains(&file.path().display().to_string()), "{} says nothing: {said}", block.place);
}

#[test]
fn workflows_have_steps_that_can_be_run() {
    for block in pages().iter().flat_map(|page| page.of("yaml")) {
        let documents =
            Yaml::load_from_str(&block.text).unwrap_or_else(|error| panic!("{}: {error}", block.place));
        let mut scripts = Vec::new();
        documents.iter().for_each(|document| runs(document, &mut scripts));
        assert!(!scripts.is_empty(), "{}: nothing is run", block.place);
        scripts.iter().for_each(|script| can_be_run(&block.place, script));
    }
}

/// All that stands under `run`, wherever in a workflow.
fn runs(yaml: &Yaml<'_>, found: &mut Vec<String>) {
    for (key, value) in yaml.as_mapping().into_iter().flatten() {
        match value.as_str().filter(|_| key.as_str() == Some("run")) {
            Some(script) => found.push(script.to_owned()),
            None => runs(value, found),
        }
    }
    yaml.as_sequence().into_iter().flatten().for_each(|item| runs(item, found));
}

/// A shell understands it, and `netprop` and cargo their arguments.
fn can_be_run(place: &str, script: &str) {
    let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success(), "{place}: a shell does not understand it:\n{script}");
    script.lines().filter(|line| !line.trim().is_empty()).for_each(look_at);
}
