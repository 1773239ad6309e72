//! Data in pages is read by what it is for: configurations by `netprop config`, scripts by a shell.

use std::io::Write as _;
use std::process::{Command, Stdio};

use harness::model::{Case, MachineSpec};
use saphyr::{LoadableYamlNode as _, Yaml};

use crate::not_run::is_understood;
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

#[test]
fn scripts_can_be_run() {
    pages().iter().flat_map(|page| page.of("sh")).for_each(|block| can_be_run(&block.place, &block.text));
}

/// A shell understands it, and `netprop` its arguments.
fn can_be_run(place: &str, script: &str) {
    let mut shell = Command::new("sh").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
    shell.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    assert!(shell.wait().unwrap().success(), "{place}: a shell does not understand it:\n{script}");
    for line in script.replace("\\\n", " ").lines() {
        let words: Vec<_> = line.split_whitespace().collect();
        let of = ["netprop", "target/debug/netprop", "./run"]
            .map(|name| words.iter().position(|word| *word == name));
        let Some(at) = of.into_iter().flatten().next() else { continue };
        let command = if words[at] == "./run" { &["run"][..] } else { &[] };
        let end = words.iter().position(|word| ["||", "&&", "|", ";"].contains(word)).unwrap_or(words.len());
        is_understood(&[command, &words[at + 1..end.max(at + 1)]].concat());
    }
}
