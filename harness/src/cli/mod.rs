//! The `netprop` command.

mod args;
mod bundle;
mod capture;
mod check;
mod console;
mod doctor;
mod interrupt;
mod lab;
mod logging;
mod nixos;
mod offered;
mod parameters;
mod progress;
mod replay;
mod report;
mod results;
mod resume;
mod run;
mod screen;
mod shell;
mod shrink;

use std::process::ExitCode;

use clap::Parser as _;

use std::fmt::Display;

use crate::exit::Exit;
use crate::runner::RunError;
use crate::system::{SystemError, chain};

/// An error that ends the command, with the exit status that it means.
#[derive(Debug)]
pub(crate) struct Fatal {
    pub(crate) exit: Exit,
    pub(crate) message: String,
}

impl Fatal {
    pub(crate) fn usage(error: &dyn std::error::Error) -> Self {
        Self { exit: Exit::Usage, message: chain(error) }
    }
}

/// What was asked for cannot be meant so.
pub(crate) fn wrong(message: impl Display) -> Fatal {
    Fatal { exit: Exit::Usage, message: message.to_string() }
}

impl From<SystemError> for Fatal {
    fn from(error: SystemError) -> Self {
        let exit = match &error {
            SystemError::MissingComponent(_) => Exit::MissingComponent,
            SystemError::WrongUse(_) => Exit::Usage,
            SystemError::Stopped => Exit::Stopped,
            SystemError::Infrastructure(_) | SystemError::Hopeless(_) | SystemError::Unfit { .. } => {
                Exit::Inconclusive
            }
        };
        Self { exit, message: error.to_string() }
    }
}

impl From<RunError> for Fatal {
    fn from(error: RunError) -> Self {
        match error {
            RunError::System(error) => error.into(),
            RunError::Generate(error) => Self::usage(&error),
            RunError::Replay(error) => Self::usage(&error),
            RunError::Name { .. } | RunError::Example { .. } | RunError::Cover { .. } => Self::usage(&error),
            RunError::AllExcluded { .. } => Self { exit: Exit::Inconclusive, message: error.to_string() },
        }
    }
}

/// Runs the command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let result = match cli.command {
        args::Command::Run(options) => run::run(&options),
        args::Command::Replay(options) => replay::replay(&options),
        args::Command::Shrink(options) => shrink::shrink(&options),
        args::Command::Resume(options) => resume::resume(&options),
        args::Command::Shell(options) => shell::shell(&options),
        args::Command::Report(options) => report::report(&options),
        args::Command::Bundle(options) => bundle::bundle(&options),
        args::Command::Check(options) => check::check(&options),
        args::Command::Doctor(options) => doctor::doctor(&options),
        args::Command::Clean(options) => doctor::clean(&options),
    };
    match result {
        Ok(exit) => exit.into(),
        Err(Fatal { exit, message }) => {
            anstream::eprintln!("{}error:{:#} {message}", args::ERROR, args::ERROR);
            exit.into()
        }
    }
}
