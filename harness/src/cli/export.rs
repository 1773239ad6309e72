//! `netprop export`: a failing case as a test that stands alone.

use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use model::Model;

use super::args::WARNING;
use super::kept::{AboutKept, Kept};
use super::offered::Specified;
use super::{Fatal, wrong};
use crate::as_test::TestText;
use crate::as_test::nixos::{self, About, Guests, NixosTest, Steps};
use crate::exit::{self, Exit};
use crate::machines::OnMachines as _;
use crate::regressions;
use crate::replay::Replay;
use crate::system::System;

#[derive(Debug, Args)]
#[command(after_help = exit::HELP)]
pub(crate) struct ExportOptions {
    /// The replay file that a failing run has written, or a bundle
    pub(crate) file: PathBuf,
    /// As what: a #[test] (rust), or a Nix file with a node for each machine and a script (nixos)
    #[arg(long = "as", value_name = "FORM", default_value = "rust")]
    pub(crate) form: ExportKind,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum ExportKind {
    Rust,
    Nixos,
}

impl AboutKept for ExportOptions {
    fn file(&self) -> &Path {
        &self.file
    }

    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal> {
        let Kept { model, replay, .. } = Kept::read(specified, &self.file)?;
        match self.form {
            ExportKind::Rust => super::print(&rust(specified, &model, &replay)),
            ExportKind::Nixos => {
                let guests = Guests::of(T::Model::network(&replay.case.initial));
                tell(nixos(&model, &replay, &guests, &mut *specified.steps(&model, &guests))?);
            }
        }
        Ok(Exit::Holds)
    }
}

/// Exports a case of a system in memory.
pub(crate) fn in_memory<M: Model, S: System<M>>(model: &M, options: &ExportOptions) -> Result<Exit, Fatal> {
    let replay = Replay::read(model, &options.file).map_err(|error| Fatal::usage(&error))?;
    match options.form {
        ExportKind::Rust => super::print(&rust_in_memory::<M, S>(model, &replay)),
        ExportKind::Nixos => {
            let guests = Guests::of_scene(model.scene(&replay.case.initial).unwrap_or_default());
            tell(nixos(model, &replay, &guests, &mut nixos::to_be_filled_in::<M>)?);
        }
    }
    Ok(Exit::Holds)
}

/// A case of machines as a `#[test]`.
pub(crate) fn rust<T: Specified>(specified: &T, model: &T::Model, replay: &Replay<T::Model>) -> String {
    specified.as_test(&replay.specification, &replay.seed, about(replay)).of(model, &replay.case)
}

/// A case of a system in memory as a `#[test]`.
pub(crate) fn rust_in_memory<M: Model, S: System<M>>(model: &M, replay: &Replay<M>) -> String {
    let test = TestText::by_types::<M, S>(&replay.specification, &replay.seed, about(replay));
    test.of(model, &replay.case)
}

/// What a test says of itself.
fn about<M: Model>(replay: &Replay<M>) -> String {
    format!("{}.", replay.failure)
}

/// A case as a test of NixOS.
fn nixos<M: Model>(
    model: &M,
    replay: &Replay<M>,
    guests: &Guests,
    steps: &mut Steps<'_, M>,
) -> Result<NixosTest, Fatal> {
    let Replay { specification, seed, .. } = replay;
    let about = About {
        name: format!("{specification:.30}-{}", regressions::short(seed)),
        remarks: format!(
            "A case of {specification} that was falsified: {}\nWritten by `netprop export --as nixos`; seed {seed}.",
            about(replay).replace('\n', " "),
        ),
    };
    let test = nixos::nixos_test(&about, model, &replay.case, Some(&replay.failure), guests, steps);
    test.map_err(wrong)
}

/// Prints a test, and warns of what is not in it.
fn tell(test: NixosTest) {
    super::print(&test.text);
    for warning in missing(&test) {
        anstream::eprintln!("{WARNING}warning:{WARNING:#} {warning}");
    }
}

/// What is only a comment in a test, and why, a line each.
fn missing(test: &NixosTest) -> Vec<String> {
    let counted = |count: usize, one: &str, several: &str| match count {
        0 => None,
        1 => Some(format!("1 command {one} and is only a comment in the script")),
        count => Some(format!("{count} commands {several} and are only comments in the script")),
    };
    let left_out = counted(
        test.left_out,
        "has no counterpart in NixOS's driver",
        "have no counterpart in NixOS's driver",
    );
    let senseless = counted(
        test.senseless,
        "makes no sense in the one order that the script has",
        "make no sense in the one order that the script has",
    );
    left_out.into_iter().chain(senseless).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_only_a_comment_is_told_by_why_it_is() {
        let missing = |left_out, senseless| missing(&NixosTest { text: String::new(), left_out, senseless });
        assert!(missing(0, 0).is_empty());
        let one = "1 command makes no sense in the one order that the script has and is only a comment in the script";
        assert_eq!(missing(0, 1), [one]);
        let several = "2 commands have no counterpart in NixOS's driver and are only comments in the script";
        assert_eq!(missing(2, 1), [several, one]);
    }
}
