//! The `netprop` command.

mod args;
mod capture;
mod check;
mod doctor;
mod interrupt;
mod lab;
mod logging;
mod nixos;
mod offered;
mod pages;
mod parameters;
mod progress;
mod replay;
mod results;
mod run;
mod screen;
mod settings;
mod shrink;
mod xml;

use std::fmt::Display;
use std::io::Write as _;
use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _};

use crate::exit::Exit;
use crate::runner::RunError;
use crate::system::{SystemError, chain};
use settings::Settings;

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
    match asked().and_then(answer) {
        Ok(exit) => exit.into(),
        Err(Fatal { exit, message }) => {
            anstream::eprintln!("{}error:{:#} {message}", args::ERROR, args::ERROR);
            exit.into()
        }
    }
}

/// What was asked for, and what it was understood by.
struct Asked {
    cli: args::Cli,
    /// The definition of the command line, with what the file says as defaults.
    command: clap::Command,
    settings: Option<Settings>,
}

/// Understands the arguments of the process; ends it where they ask for help, or cannot be understood.
fn asked() -> Result<Asked, Fatal> {
    let command = args::Cli::command();
    let settings = Settings::find(&command);
    let command = match &settings {
        Ok(Some(settings)) => settings.apply(command),
        _ => command,
    };
    let matches = command.clone().try_get_matches();
    // Who asks for help is given it, whatever is in a file.
    if let Err(error) = &matches
        && !error.use_stderr()
    {
        error.exit();
    }
    let settings = settings?;
    let cli = matches.and_then(|matches| args::Cli::from_arg_matches(&matches));
    Ok(Asked { cli: cli.unwrap_or_else(|error| error.exit()), command, settings })
}

fn answer(Asked { cli, command, settings }: Asked) -> Result<Exit, Fatal> {
    match cli.command {
        args::Command::Run(options) => run::run(&options),
        args::Command::Replay(options) => replay::replay(&options),
        args::Command::Shrink(options) => shrink::shrink(&options),
        args::Command::Check(options) => check::check(&options),
        args::Command::Doctor(options) => doctor::doctor(&options),
        args::Command::Clean(options) => doctor::clean(&options),
        args::Command::Xml(options) => xml::xml(&options),
        args::Command::Completions(options) => pages::completions(args::Cli::command(), &options),
        args::Command::Man(options) => pages::man(args::Cli::command(), &options),
        args::Command::Config(options) => {
            let text = settings::show(&command, &options.command, settings.as_ref());
            print(&text.map_err(|error| Fatal::usage(&error))?);
            Ok(Exit::Holds)
        }
    }
}

/// Prints what was asked for; a reader that went away ends nothing.
fn print(text: &str) {
    anstream::stdout().write_all(text.as_bytes()).ok();
}
