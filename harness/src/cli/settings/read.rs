//! From the text of `netprop.toml` to what it says, or to what is wrong with it and where.

use std::error::Error as _;
use std::path::Path;

use clap::error::{ContextKind, ErrorKind};
use clap::{Arg, ArgAction, Command, ValueHint};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Entry, from_there, nearest, option, with_option};

/// A file that is read, and the command line that its keys are held to.
struct Reader<'a> {
    text: &'a str,
    path: &'a Path,
    command: &'a Command,
}

/// What the text of a file says.
///
/// # Errors
/// What is wrong with it, with file, line and key.
pub(super) fn entries(text: &str, path: &Path, command: &Command) -> Result<Vec<Entry>, String> {
    let reader = Reader { text, path, command };
    let table = DeTable::parse(text).map_err(|error| {
        let at = error.span().map_or(0, |span| span.start);
        format!("{}: it is no TOML: {}", reader.place(at), error.message())
    })?;
    let mut entries = Vec::new();
    for (key, value) in table.get_ref() {
        let name = key.get_ref().as_ref();
        match value.get_ref() {
            DeValue::Table(table) if command.find_subcommand(name).is_some() => {
                for (key, value) in table {
                    entries.push(reader.entry(Some(name), key.get_ref(), key.span().start, value)?);
                }
            }
            _ => entries.push(reader.entry(None, name, key.span().start, value)?),
        }
    }
    Ok(entries)
}

impl Reader<'_> {
    fn entry(
        &self,
        of: Option<&str>,
        key: &str,
        at: usize,
        value: &Spanned<DeValue<'_>>,
    ) -> Result<Entry, String> {
        let mut commands = with_option(self.command, key);
        let command = commands.find(|command| of.is_none_or(|of| of == command.get_name()));
        let Some((command, option)) = command.and_then(|command| Some((command, option(command, key)?)))
        else {
            return Err(self.unknown(of, key, at));
        };
        let values = self.values(option, value.get_ref());
        let values = values.and_then(|values| {
            self.check(command, option, &values)?;
            Ok(values)
        });
        let place = self.place(at);
        let values = values.map_err(|why| format!("{place}: {key} cannot be so: {why}"))?;
        Ok(Entry { key: key.to_owned(), command: of.map(str::to_owned), values, line: self.line(at) })
    }

    fn unknown(&self, of: Option<&str>, key: &str, at: usize) -> String {
        let place = self.place(at);
        let commands = self.command.get_subcommands();
        let commands = commands.filter(|command| of.is_none_or(|of| of == command.get_name()));
        let options = commands.flat_map(Command::get_arguments).filter_map(Arg::get_long);
        let tables = self.command.get_subcommands().map(Command::get_name).filter(|_| of.is_none());
        let whose = of.map(|of| format!(" of {of}")).unwrap_or_default();
        let known = options.filter(|option| !["help", "version"].contains(option)).chain(tables);
        match nearest(key, known) {
            Some(nearest) => format!("{place}: unknown key {key:?}{whose}: did you mean {nearest:?}?"),
            None => format!(
                "{place}: unknown key {key:?}{whose}: name it as the option is that netprop --help tells of"
            ),
        }
    }

    /// What is given to the option for a value, as on a command line.
    fn values(&self, option: &Arg, value: &DeValue<'_>) -> Result<Vec<String>, String> {
        match (option.get_action(), value) {
            (ArgAction::SetTrue, DeValue::Boolean(is_on)) => {
                Ok(is_on.then(|| "true".to_owned()).into_iter().collect())
            }
            (ArgAction::SetTrue, _) => Err("write true or false".to_owned()),
            (ArgAction::Append, DeValue::Array(values)) => {
                values.iter().map(|value| self.one(option, value.get_ref())).collect()
            }
            (ArgAction::Append, _) => {
                let text = self.one(option, value)?;
                Ok(match option.get_value_delimiter() {
                    Some(delimiter) => text.split(delimiter).map(str::to_owned).collect(),
                    None => vec![text],
                })
            }
            _ => Ok(vec![self.one(option, value)?]),
        }
    }

    fn one(&self, option: &Arg, value: &DeValue<'_>) -> Result<String, String> {
        match value {
            DeValue::String(text) if option.get_value_hint() == ValueHint::AnyPath => {
                Ok(from_there(self.path, text))
            }
            DeValue::String(text) => Ok(text.clone().into_owned()),
            DeValue::Integer(number) => Ok(number.to_string()),
            _ => Err("write a text or a whole number".to_owned()),
        }
    }

    /// Has the command line look at the values.
    fn check(&self, command: &Command, option: &Arg, values: &[String]) -> Result<(), String> {
        let long = format!("--{}", option.get_long().unwrap_or_default());
        if matches!(option.get_action(), ArgAction::Count) {
            let is_number = values.iter().all(|value| value.parse::<u8>().is_ok());
            return if is_number { Ok(()) } else { Err("write how often it is given".to_owned()) };
        }
        let given = values.iter().filter(|_| option.get_action().takes_values());
        let given = given.map(|value| format!("{long}={value}"));
        let words = [self.command.get_name().to_owned(), command.get_name().to_owned()];
        let Err(error) = self.command.clone().try_get_matches_from(words.into_iter().chain(given)) else {
            return Ok(());
        };
        let is_of_value = matches!(
            error.kind(),
            ErrorKind::ValueValidation | ErrorKind::InvalidValue | ErrorKind::ArgumentConflict
        );
        let argument = error.get(ContextKind::InvalidArg).map(ToString::to_string).unwrap_or_default();
        if !is_of_value || !argument.starts_with(&long) {
            // Something else is missing, or wrong in the environment.
            return Ok(());
        }
        Err(match (error.source(), error.get(ContextKind::ValidValue)) {
            (Some(why), _) => why.to_string(),
            (None, Some(values)) => format!("it is one of {values}"),
            (None, None) => "it takes one value".to_owned(),
        })
    }

    fn line(&self, at: usize) -> usize {
        1 + self.text.bytes().take(at).filter(|byte| *byte == b'\n').count()
    }

    fn place(&self, at: usize) -> String {
        format!("{}, line {}", self.path.display(), self.line(at))
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use proptest::prelude::*;

    use super::*;
    use crate::cli::args::Cli;

    fn read(text: &str) -> Result<Vec<Entry>, String> {
        entries(text, Path::new("there/netprop.toml"), &Cli::command())
    }

    #[test]
    fn keys_are_options_and_tables_are_commands() {
        let entries =
            read("cases = 30\n\n[run]\nkernels = \"6.1,6.12\"\nfailures = \"kept\"\novercommit = true\n")
                .unwrap();
        let said: Vec<_> = entries
            .iter()
            .map(|entry| (entry.key.as_str(), entry.command.as_deref(), entry.values.join(" "), entry.line))
            .collect();
        let mut expected = [
            ("cases", None, "30".to_owned(), 1),
            ("kernels", Some("run"), "6.1 6.12".to_owned(), 4),
            ("failures", Some("run"), "there/kept".to_owned(), 5),
            ("overcommit", Some("run"), "true".to_owned(), 6),
        ];
        expected.sort();
        let mut said = said;
        said.sort();
        assert_eq!(said, expected);
    }

    #[test]
    fn what_cannot_be_meant_so_is_told_with_file_line_and_key() {
        let refused = [
            ("case = 3", "line 1: unknown key \"case\": did you mean \"cases\"?"),
            ("\n[rum]\ncases = 3", "line 2: unknown key \"rum\": did you mean \"run\"?"),
            ("[replay]\ncases = 3", "line 2: unknown key \"cases\" of replay"),
            ("cases = 0", "line 1: cases cannot be so: 0 is not in 1.."),
            ("\n\ncases = \"many\"", "line 3: cases cannot be so: invalid digit"),
            ("base = \"beos\"", "base cannot be so: it is one of auto, nixos, debian"),
            ("commands = \"5..2\"", "commands cannot be so: 5 is more than 2"),
            ("overcommit = \"yes\"", "overcommit cannot be so: write true or false"),
            ("cases = [1, 2]", "cases cannot be so: write a text or a whole number"),
            ("verbose = \"loud\"", "verbose cannot be so: write how often it is given"),
            ("cases = ", "line 1: it is no TOML"),
            ("cases = 1\ncases = 2", "line 2: it is no TOML"),
        ];
        for (text, said) in refused {
            let error = read(text).unwrap_err();
            assert!(
                error.starts_with("there/netprop.toml, line ") && error.contains(said),
                "{text:?}: {error}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_is_in_a_file_is_taken_or_refused(text in any::<String>(), key in "[a-z-]{1,12}", value in "\"?[a-z0-9.,]{0,8}\"?") {
            read(&text).ok();
            read(&format!("{key} = {value}")).ok();
        }
    }
}
