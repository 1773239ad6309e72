//! What is shown and not run, each with the reason, and what is looked at instead.

use std::process::Command;

use cargo_metadata::{Metadata, MetadataCommand, TargetKind};

use crate::page::root;

/// Commands that are not run, by how they begin, and why.
pub(crate) const CANNOT: [(&str, &str); 5] = [
    ("./run", "it installs packages and tests ten networks; CI runs what it runs"),
    ("./test", "it is what runs these tests"),
    ("cargo test", "it is what runs these tests"),
    ("cargo bench", "it measures for minutes"),
    ("mdbook", "it need not be here: SUMMARY.md is held to the pages"),
];

/// Commands that need machines, by how they begin.
const ON_MACHINES: [&str; 3] =
    ["cargo run -p harness --example first_", "target/debug/examples/first_", "cargo run -p nixgen"];

/// Blocks of text that no command of their page prints, by their first lines, and why.
pub(crate) const TEXTS: [(&str, &str); 2] = [
    ("what matters", "it takes the bug that harness/tests/on_machines/causes.rs plants"),
    ("  1. Boot hcbtmlvq  (command 1)", "it takes a guest that answers no pings after a second boot"),
];

pub(crate) fn is_run(command: &str) -> bool {
    CANNOT.iter().all(|(begin, _)| !command.starts_with(begin))
}

pub(crate) fn needs_machines(command: &str) -> bool {
    ON_MACHINES.iter().any(|begin| command.starts_with(begin))
}

/// Looks as far as can be at a command that is not run: the program is there, its targets are, and its
/// arguments are understood.
pub(crate) fn look_at(command: &str) {
    let words: Vec<&str> = command.split_whitespace().collect();
    match words[..] {
        ["cargo", _, ref arguments @ ..] => has_targets(arguments),
        ["netprop", ref arguments @ ..] => is_understood(arguments),
        ["./run", ref arguments @ ..] => is_understood(&[&["run"], arguments].concat()),
        _ => {}
    }
    if let Some(file) = words[0].strip_prefix("./") {
        assert!(root().join(file).is_file(), "{command}: there is no {file}");
    }
}

/// Looks whether `netprop` understands these arguments.
fn is_understood(arguments: &[&str]) {
    let mut netprop = Command::new(env!("CARGO_BIN_EXE_netprop"));
    let output = netprop.args(arguments).arg("--help").env("NETPROP_CONFIG", "").output().unwrap();
    assert!(output.status.success(), "{netprop:?}: {}", String::from_utf8_lossy(&output.stderr));
}

/// Looks whether the workspace has what options of cargo name.
fn has_targets(arguments: &[&str]) {
    let metadata = MetadataCommand::new().no_deps().other_options(["--locked".to_owned()]).exec().unwrap();
    let named = |options: &[&str]| {
        let pairs = arguments.windows(2).take_while(|pair| pair[0] != "--");
        pairs.filter(|pair| options.contains(&pair[0])).map(|pair| pair[1]).next()
    };
    let package = named(&["-p", "--package"]);
    for (option, kind) in [("--bench", TargetKind::Bench), ("--test", TargetKind::Test)] {
        if let Some(target) = named(&[option]) {
            assert!(is_there(&metadata, package, target, &kind), "there is no {option} {target}");
        }
    }
    let is_package = |name: &str| metadata.packages.iter().any(|package| *package.name == name);
    assert!(package.is_none_or(is_package), "there is no crate {package:?}");
}

fn is_there(metadata: &Metadata, package: Option<&str>, name: &str, kind: &TargetKind) -> bool {
    let packages = metadata.packages.iter().filter(|one| package.is_none_or(|name| *one.name == name));
    packages
        .flat_map(|package| &package.targets)
        .any(|target| target.name == name && target.kind.contains(kind))
}
