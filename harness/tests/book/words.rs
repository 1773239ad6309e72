//! Options, commands, variables and files that are named within lines are there.

use std::path::Path;
use std::process::Command;

use crate::page::{Page, pages, root};

/// Options of other programs, and what ends options.
const OF_OTHERS: [&str; 2] = ["--appendonly", "--"];
/// Where files of the repository are.
const DIRECTORIES: [&str; 8] =
    ["docs/", "harness/", "hypervisor/", "model/", "nix/", "nixgen/", "remote/", "scripts/"];

/// What `netprop` says to these arguments.
fn said(arguments: &[&str]) -> String {
    let mut netprop = Command::new(env!("CARGO_BIN_EXE_netprop"));
    let output = netprop.args(arguments).env("NETPROP_CONFIG", "").output().unwrap();
    String::from_utf8(output.stdout).unwrap()
}

/// The names of all commands.
fn commands() -> Vec<String> {
    let help = said(&["--help"]);
    let (_, listed) = help.split_once("Commands:\n").unwrap();
    let listed = listed.lines().take_while(|line| !line.is_empty());
    listed.filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

/// The words of all pages with this beginning, each with its page.
fn words<'a>(pages: &'a [Page], begin: &'a str) -> impl Iterator<Item = (&'a Path, &'a str)> {
    let of = |page: &'a Page| page.words.iter().map(|word| (page.path.as_path(), word.as_str()));
    pages.iter().flat_map(of).filter(move |(_, word)| word.starts_with(begin))
}

#[test]
fn options_are_there() {
    let (pages, commands) = (pages(), commands());
    let helps: String = commands.iter().map(|command| said(&[command, "--help"])).collect();
    let options: Vec<_> = helps.split(|letter: char| !letter.is_alphanumeric() && letter != '-').collect();
    for (page, word) in words(&pages, "--") {
        let option = word.split([' ', '=']).next().unwrap();
        let is_there = options.contains(&option) || OF_OTHERS.contains(&option);
        assert!(is_there, "{}: no command has {option}", page.display());
    }
}

#[test]
fn commands_are_there() {
    let (pages, commands) = (pages(), commands());
    for (page, word) in words(&pages, "netprop ") {
        let command = word.split(' ').nth(1).unwrap();
        let is_there = command == "COMMAND" || commands.iter().any(|other| other == command);
        assert!(is_there, "{}: there is no {word}", page.display());
    }
}

#[test]
fn files_are_there() {
    let pages = pages();
    for (page, word) in DIRECTORIES.iter().flat_map(|directory| words(&pages, directory)) {
        assert!(root().join(word).exists(), "{}: there is no {word}", page.display());
    }
}
