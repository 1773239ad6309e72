//! `netprop.toml`: what one would otherwise give as options each time.
//!
//! A key is named as the option is. It holds for every command that has the option; in a table named after
//! a command, for that one. Options win over the environment, that over the file, the file over defaults:
//! what the file says becomes the default of the option, so that no command knows of it.

mod read;
mod show;

use std::path::{Path, PathBuf};
use std::{env, fs, io};

use clap::{ArgAction, Command};

use super::{Fatal, wrong};

pub(crate) use show::show;

/// What the file is called.
pub(crate) const NAME: &str = "netprop.toml";

/// Names another file, or none where it is empty.
const VARIABLE: &str = "NETPROP_CONFIG";

/// Variables that stand for an option and are read elsewhere, since they are in another unit.
const READ_ELSEWHERE: [(&str, &str); 1] = [("shrink-time", "PROPTEST_MAX_SHRINK_TIME")];

/// What a file says.
#[derive(Debug)]
pub(crate) struct Settings {
    path: PathBuf,
    entries: Vec<Entry>,
}

/// One key and what it says.
#[derive(Debug, Eq, PartialEq)]
struct Entry {
    /// The option, without its hyphens.
    key: String,
    /// The command that it is for; none for all that have the option.
    command: Option<String>,
    /// What is given to the option, as on a command line; none for a switch that is off.
    values: Vec<String>,
    /// Where it stands, counted from 1.
    line: usize,
}

impl Settings {
    /// The file that `NETPROP_CONFIG` names, or the nearest one in the current directory and those that it
    /// lies in; none where there is none.
    ///
    /// # Errors
    /// [`Fatal`] with the file, the line and the key that cannot be meant so.
    pub(crate) fn find(command: &Command) -> Result<Option<Self>, Fatal> {
        let path = match env::var_os(VARIABLE) {
            Some(named) if named.is_empty() => return Ok(None),
            Some(named) => PathBuf::from(named),
            None => {
                let Ok(here) = env::current_dir() else { return Ok(None) };
                let mut all = here.ancestors().map(|directory| directory.join(NAME));
                let Some(found) = all.find(|path| path.is_file()) else { return Ok(None) };
                found
            }
        };
        let refused = |error: io::Error| {
            wrong(format!(
                "cannot read the configuration {}: {error}: mend it, or set {VARIABLE} to another",
                path.display()
            ))
        };
        let text = fs::read_to_string(&path).map_err(refused)?;
        let entries = read::entries(&text, &path, command).map_err(wrong)?;
        Ok(Some(Self { path, entries }))
    }

    /// The command with the file's values as defaults.
    pub(crate) fn apply(&self, command: Command) -> Command {
        // What is for one command goes over what is for all.
        let (all, some): (Vec<_>, Vec<_>) = self.entries.iter().partition(|entry| entry.command.is_none());
        all.into_iter().chain(some).fold(command, |command, entry| entry.apply(command))
    }

    /// Where the file says something of an option of this command.
    fn place(&self, command: &str, option: &str) -> Option<String> {
        let says = |of: Option<&str>| {
            self.entries.iter().find(|entry| entry.key == option && entry.command.as_deref() == of)
        };
        let entry = says(Some(command)).or_else(|| says(None)).filter(|entry| entry.is_heard())?;
        Some(format!("{}, line {}", self.path.display(), entry.line))
    }
}

impl Entry {
    fn apply(&self, command: Command) -> Command {
        if !self.is_heard() {
            return command;
        }
        let names: Vec<String> = with_option(&command, &self.key)
            .map(|command| command.get_name().to_owned())
            .filter(|name| self.command.as_ref().is_none_or(|command| command == name))
            .collect();
        names.into_iter().fold(command, |command, name| {
            command.mut_subcommand(name, |command| {
                let Some(id) = option(&command, &self.key).map(|option| option.get_id().clone()) else {
                    return command;
                };
                command.mut_arg(id, |option| option.default_values(self.values.iter().cloned()))
            })
        })
    }

    /// Whether no variable says something else.
    fn is_heard(&self) -> bool {
        let other = READ_ELSEWHERE.iter().find(|(key, _)| *key == self.key);
        other.is_none_or(|(_, variable)| env::var_os(variable).is_none())
    }
}

/// The commands that have an option of this name.
fn with_option<'a>(command: &'a Command, key: &'a str) -> impl Iterator<Item = &'a Command> {
    command.get_subcommands().filter(move |command| option(command, key).is_some())
}

/// The option of this name, where a command has it.
fn option<'a>(command: &'a Command, key: &str) -> Option<&'a clap::Arg> {
    let is_asked = |action: &ArgAction| {
        matches!(action, ArgAction::Help | ArgAction::HelpShort | ArgAction::HelpLong | ArgAction::Version)
    };
    let mut options = command.get_arguments().filter(|option| !is_asked(option.get_action()));
    options.find(|option| option.get_long() == Some(key))
}

/// The nearest of these names, where one is near.
fn nearest<'a>(name: &str, known: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let near = known.map(|known| (strsim::normalized_damerau_levenshtein(name, known), known));
    let best = near.max_by(|(one, _), (other, _)| one.total_cmp(other))?;
    (best.0 > 0.5).then_some(best.1)
}

/// A path as it is meant from the directory of the file.
fn from_there(file: &Path, value: &str) -> String {
    let directory = file.parent().unwrap_or(Path::new("."));
    directory.join(value).to_string_lossy().into_owned()
}
