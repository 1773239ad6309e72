//! Blocks of a console, run as they are shown: in a directory that looks like the repository, with
//! `netprop` on the path.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::built;
use crate::not_run::{is_run, needs_machines};
use crate::page::{Block, root};
use crate::shown;

/// How long all commands of a block may take together, in seconds.
const LIMIT: &str = "580";

/// A command of a block, and what is shown of its output.
#[derive(Debug, PartialEq)]
pub(crate) struct Step {
    pub(crate) command: String,
    pub(crate) shown: String,
}

/// The commands of a block; those whose line ends in a backslash go on in the next.
pub(crate) fn steps(block: &Block) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    for line in block.text.lines() {
        if let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step { command: command.to_owned(), shown: String::new() });
            continue;
        }
        let step = steps.last_mut().unwrap_or_else(|| panic!("{} begins with no command", block.place));
        let is_command = step.command.ends_with('\\') && step.shown.is_empty();
        let text = if is_command { &mut step.command } else { &mut step.shown };
        text.push_str(&if is_command { format!("\n{line}") } else { format!("{line}\n") });
    }
    steps
}

/// Where the blocks of a page run, one after another.
pub(crate) struct Session(tempfile::TempDir);

impl Session {
    pub(crate) fn new() -> Self {
        // Sockets live in it, and their paths are short.
        let place = tempfile::Builder::new().prefix("np").tempdir_in("/tmp").unwrap();
        for entry in fs::read_dir(root()).unwrap().map(Result::unwrap) {
            let name = entry.file_name();
            if !["target", ".git", "netprop-failures"].iter().any(|other| name == *other) {
                symlink(entry.path(), place.path().join(name)).unwrap();
            }
        }
        fs::create_dir_all(place.path().join("target/came")).unwrap();
        symlink(built::directory(), place.path().join("target/debug")).unwrap();
        fs::write(place.path().join("target/simulated.toml"), "system = \"simulated\"\n").unwrap();
        Self(place)
    }

    /// Runs a block, holds what came to what is shown, and gives what came of each command.
    pub(crate) fn run(&self, block: &Block) -> Vec<String> {
        let steps: Vec<_> = steps(block).into_iter().filter(|step| is_run(&step.command)).collect();
        let script: String =
            (0..).zip(&steps).map(|(number, step)| scripted(number, &step.command)).collect();
        let on_machines = steps.iter().any(|step| needs_machines(&step.command));
        let ended = self.shell(&script, on_machines).output().unwrap();
        let came = |number: usize, what: &str| {
            let file = self.0.path().join(format!("target/came/{number}.{what}"));
            fs::read(file).map(|bytes| String::from_utf8_lossy(&bytes).trim_end().to_owned())
        };
        let mut outputs = Vec::new();
        for (number, step) in steps.iter().enumerate() {
            let output = came(number, "output").unwrap_or_else(|_| panic!("{}: {ended:?}", block.place));
            let status = came(number, "status").unwrap_or_else(|_| format!("no status: {ended:?}"));
            let is_asked = steps.get(number + 1).is_some_and(|next| next.command == "echo $?");
            check(&block.place, step, &status, is_asked, &output);
            outputs.push(output);
        }
        outputs
    }

    /// Runs a block that is a script.
    pub(crate) fn script(&self, block: &Block) {
        fs::write(self.0.path().join("target/script"), &block.text).unwrap();
        let (place, language) = (block.place.clone(), block.language.clone());
        self.run(&Block { place, language, text: "$ sh target/script\n".to_owned() });
    }

    fn shell(&self, script: &str, on_machines: bool) -> Command {
        let simulated = self.0.path().join("target/simulated.toml");
        let programs = Path::new(env!("CARGO_BIN_EXE_netprop")).parent().unwrap();
        let path = std::env::var("PATH").unwrap_or_default();
        let mut shell = Command::new("timeout");
        shell.args([LIMIT, "sh", "-c", script]).current_dir(self.0.path());
        // What whoever runs the tests has asked of other runs.
        let is_asked = |name: &str| name.starts_with("NETPROP_") || name.starts_with("PROPTEST_");
        let asked =
            std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()).filter(|name| is_asked(name));
        for name in asked {
            shell.env_remove(name);
        }
        shell.env("PATH", format!("{}:{}:{path}", programs.display(), programs.join("examples").display()));
        shell.env("NETPROP_CONFIG", if on_machines { PathBuf::new() } else { simulated });
        shell.env("NETPROP_RUNTIME_DIR", self.0.path().join("target/run"));
        shell
    }
}

/// A command in a script: what it says and its status go to files, and the next one sees the status.
fn scripted(number: usize, command: &str) -> String {
    let (command, file) = (as_built(command), format!("target/came/{number}"));
    format!("{{\n{command}\n}} >{file}.output 2>&1; status=$?; echo $status >{file}.status; (exit $status)\n")
}

/// `cargo run` of an example as the program that it builds; what is on the path is built.
fn as_built(command: &str) -> String {
    let words: Vec<_> = command.splitn(7, ' ').collect();
    match words[..] {
        ["cargo", "run", "-p", package, "--example", name, ref rest @ ..] => {
            built::example(package, name);
            let arguments = rest.first().map_or("", |rest| rest.trim_start_matches("-- "));
            format!("target/debug/examples/{name} {arguments}")
        }
        _ => command.to_owned(),
    }
}

/// Holds what came to what is shown. A status other than 0 is shown by `echo $?`, but where what is shown
/// itself says what failed.
fn check(place: &str, step: &Step, status: &str, is_asked: bool, output: &str) {
    let says = |line: &str| line.starts_with("falsified") || line.starts_with("not linearizable");
    let is_right = status == "0" || is_asked || (status == "1" && step.shown.lines().any(says));
    assert!(is_right, "{place}: {} exits with {status}: {output}", step.command);
    let shown = step.shown.trim_end();
    assert!(
        shown.is_empty() || shown::matches(shown, output),
        "{place}: {}\n--- is shown to say\n{shown}\n--- and says\n{output}",
        step.command
    );
}

#[test]
fn commands_and_outputs_are_told_apart() {
    let text = "$ a \\\n    b\nsaid\n$ c\n".to_owned();
    let block = Block { place: String::new(), language: "console".to_owned(), text };
    let step = |command: &str, shown: &str| Step { command: command.to_owned(), shown: shown.to_owned() };
    assert_eq!(steps(&block), [step("a \\\n    b", "said\n"), step("c", "")]);
}

#[test]
#[should_panic(expected = "false exits with 1")]
fn a_command_that_fails_is_not_passed_over() {
    let text = "$ echo a\na\n$ false\n".to_owned();
    Session::new().run(&Block { place: String::new(), language: "console".to_owned(), text });
}
