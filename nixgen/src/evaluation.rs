//! The first error of a failing evaluation, understood: which machines, which option, which place in
//! which file, and what to do about it.
//!
//! `trace` takes apart what Nix says, in the forms of Nix 2.8 and of younger ones; `problem` knows
//! the messages of Nix and of nixpkgs's module system, from 18.03 on; `imports` follows the files
//! that modules import, for errors that Nix gives no place for.

mod imports;
mod problem;
mod trace;

use std::fmt;
use std::path::{Path, PathBuf};

pub(crate) use imports::Files;
use model::MachineId;
pub use problem::Problem;
use trace::{Frame, Report};

/// Why Nix cannot evaluate what machines are to be made of.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct EvaluationError {
    /// The ids of the machines whose software was being evaluated; empty where Nix does not tell.
    pub machines: Vec<MachineId>,
    /// The option that it is about, such as `services.redis.enable`.
    pub option: Option<String>,
    /// The place in a module of the user's, or else where Nix saw the error.
    pub position: Option<Position>,
    /// What is wrong.
    pub problem: Problem,
}

/// A place in a Nix file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Position {
    /// The file.
    pub file: PathBuf,
    /// Line and column, counted from 1, where they are known.
    pub place: Option<(u32, u32)>,
}

impl EvaluationError {
    /// Understands what Nix said on its standard error. `modules` are the user's: places in them,
    /// and in files beside them, tell more than those in nixpkgs.
    ///
    /// None where it is no error of an evaluation.
    pub(crate) fn understand(said: &str, modules: &[PathBuf]) -> Option<Self> {
        let report = Report::read(said)?;
        let files = Files::of(modules);
        let machines = report.frames.iter().find_map(Frame::machines).unwrap_or_default();
        let (problem, machines) = Problem::of(&report, &files, machines)?;
        // An assertion is found while the whole system is made, which says nothing.
        let traced = || report.frames.iter().find_map(Frame::option).filter(|_| !problem.is_general());
        let option = problem.option().or_else(traced);
        let position = position(&report, &problem, option.as_deref(), &files);
        Some(Self { machines, option, position, problem })
    }
}

/// The best place there is: in the user's files before anywhere else, exact before approximate.
fn position(report: &Report, problem: &Problem, option: Option<&str>, files: &Files) -> Option<Position> {
    let exact = report.position.clone().filter(|position| files.has(&position.file));
    let located = || match problem.text() {
        Some(text) => files.find(text),
        None => {
            let file = report.files().into_iter().find(|file| files.has(file))?;
            Some(files.find_option(option.unwrap_or_default(), file))
        }
    };
    let traced = || {
        let own = |frame: &&Frame| frame.position.as_ref().is_some_and(|position| files.has(&position.file));
        report.frames.iter().find(own).and_then(|frame| frame.position.clone())
    };
    let defined = || {
        let file = report.frames.iter().find_map(|frame| frame.file().filter(|file| files.has(file)))?;
        Some(files.find_option(option.unwrap_or_default(), file))
    };
    // Of a circle, Nix knows only where it lost patience.
    let exact = exact.filter(|_| !matches!(problem, Problem::CyclicImport(_)));
    exact.or_else(located).or_else(traced).or_else(defined).or_else(|| report.position.clone())
}

/// The machines in a list that `nix/nixos` has written.
fn machines(names: &str) -> Vec<MachineId> {
    names.split(", ").filter_map(|name| MachineId::new(name).ok()).collect()
}

impl Position {
    pub(crate) fn new(file: impl AsRef<Path>, line: u32, column: u32) -> Self {
        Self { file: file.as_ref().to_owned(), place: Some((line, column)) }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        self.place.map_or(Ok(()), |(line, column)| write!(f, ":{line}:{column}"))
    }
}

impl fmt::Display for EvaluationError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.machines.as_slice() {
            [] => write!(f, "the software of the network cannot be evaluated: ")?,
            [one] => write!(f, "the software of machine {one} cannot be evaluated: ")?,
            many => {
                let names: Vec<_> = many.iter().map(MachineId::as_str).collect();
                write!(f, "the software of machines {} cannot be evaluated: ", names.join(", "))?;
            }
        }
        if let Some(position) = &self.position {
            write!(f, "{position}: ")?;
        }
        match &self.option {
            Some(option) if self.problem.option().is_none() => write!(f, "option {option}: ")?,
            _ => {}
        }
        write!(f, "{}", self.problem)
    }
}

impl std::error::Error for EvaluationError {}

#[cfg(test)]
mod tests;
