//! The `netprop` command.

mod args;
mod bundle;
mod capture;
mod check;
mod console;
mod diff;
mod doctor;
mod export;
mod interrupt;
mod kept;
mod lab;
mod logging;
mod nixos;
mod offered;
mod pages;
mod parameters;
mod program;
mod progress;
mod replay;
mod report;
mod results;
mod resume;
mod run;
mod screen;
mod settings;
mod shell;
mod shrink;
mod xml;

use std::fmt::Display;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::OnceLock;

use clap::parser::ValueSource;
use clap::{CommandFactory as _, FromArgMatches as _};
use model::{Model, NetworkParameters};

use crate::exit::Exit;
use crate::machines::OnMachines;
use crate::runner::RunError;
use crate::system::{System, SystemError, chain};
use program::{InMemory, Machines, Netprop, Program};
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

/// Runs the `netprop` command with the arguments of the process.
#[must_use]
pub fn main() -> ExitCode {
    main_of(&Netprop)
}

/// The commands of `netprop` for a specification of one's own, of a system in memory: one line in the
/// `main` of a program. Options that are about machines are left out; cases have no lanes unless
/// `--lane-share` asks for them.
#[must_use]
pub fn main_for<M, S>(model: M, system: S) -> ExitCode
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    main_of(&InMemory { model, system })
}

/// The commands of `netprop` for a specification of one's own, of machines; `new` makes it for what the
/// options say that machines vary in. Cases have no lanes unless `--lane-share` asks for them.
#[must_use]
pub fn main_on_machines<M, E>(new: impl Fn(NetworkParameters) -> Result<M, E>) -> ExitCode
where
    M: OnMachines<State: Send>,
    E: std::error::Error,
{
    main_of(&Machines(new))
}

fn main_of(program: &dyn Program) -> ExitCode {
    CALLED.get_or_init(typed);
    match asked(program).and_then(|asked| answer(program, asked)) {
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
fn asked(program: &dyn Program) -> Result<Asked, Fatal> {
    let command = defined(program);
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
    matches.as_ref().map_or(Ok(()), |matches| refuse_hidden(&command, matches))?;
    let cli = matches.and_then(|matches| args::Cli::from_arg_matches(&matches));
    Ok(Asked { cli: cli.unwrap_or_else(|error| error.exit()), command, settings })
}

/// The definition of a program's command line, by the name that the program has.
fn defined(program: &dyn Program) -> clap::Command {
    let name = std::env::args_os().next().map(PathBuf::from);
    let name = name.as_deref().and_then(|path| path.file_stem()?.to_str());
    program.define(args::Cli::command()).name(name.unwrap_or(NETPROP).to_owned())
}

/// Refuses what means nothing in this program, rather than pass over it.
fn refuse_hidden(command: &clap::Command, matches: &clap::ArgMatches) -> Result<(), Fatal> {
    let Some((name, given)) = matches.subcommand() else { return Ok(()) };
    let options = command.find_subcommand(name).into_iter().flat_map(clap::Command::get_arguments);
    let mut hidden = options.filter(|option| option.is_hide_set());
    let is_given =
        |option: &&clap::Arg| given.value_source(option.get_id().as_str()) == Some(ValueSource::CommandLine);
    hidden.find(is_given).map_or(Ok(()), |option| {
        let option = option.get_long().unwrap_or_default();
        Err(wrong(format!("--{option} means nothing for what this program tests: leave it out")))
    })
}

/// What the command of this project is called.
const NETPROP: &str = "netprop";

/// What this program is called by who has typed it.
static CALLED: OnceLock<String> = OnceLock::new();

/// The same, for what is said to be done next.
fn called() -> &'static str {
    CALLED.get_or_init(|| NETPROP.to_owned())
}

/// What was typed to call this program.
fn typed() -> String {
    let typed = std::env::args().next().unwrap_or_default();
    let is_netprop = typed.is_empty() || Path::new(&typed).file_stem().is_some_and(|name| name == NETPROP);
    if is_netprop { NETPROP.to_owned() } else { shlex::try_quote(&typed).unwrap_or_default().into_owned() }
}

fn answer(program: &dyn Program, Asked { cli, command, settings }: Asked) -> Result<Exit, Fatal> {
    match cli.command {
        args::Command::Run(options) => program.run(&options),
        args::Command::Replay(options) => program.replay(&options),
        args::Command::Shrink(options) => program.shrink(&options),
        args::Command::Resume(options) => program.resume(&options),
        args::Command::Bundle(options) if options.unpack => bundle::unpack(&options),
        args::Command::Bundle(options) => program.bundle(&options),
        args::Command::Export(options) => program.export(&options),
        args::Command::Diff(options) => diff::diff(&options),
        args::Command::Report(options) => report::report(&options),
        args::Command::Shell(options) => shell::shell(&options),
        args::Command::Check(options) => check::check(&options),
        args::Command::Doctor(options) => doctor::doctor(&options),
        args::Command::Clean(options) => doctor::clean(&options),
        args::Command::Xml(options) => xml::xml(&options),
        args::Command::Completions(options) => pages::completions(defined(program), &options),
        args::Command::Man(options) => pages::man(defined(program), &options),
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
