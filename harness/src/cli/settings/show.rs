//! `netprop config`: which value each option has, and where it comes from.

use std::fmt::Write as _;

use clap::Command;
use clap::parser::ValueSource;

use super::{Settings, option};

/// A line for each option of a command that has a value: the option, its value, and who says so. The
/// command has the file's values as defaults.
pub(crate) fn show(command: &Command, of: &str, settings: Option<&Settings>) -> Result<String, clap::Error> {
    let words = [command.get_name().to_owned(), of.to_owned()];
    let matches = command.clone().ignore_errors(true).try_get_matches_from(words)?;
    let (Some(matches), Some(command)) = (matches.subcommand_matches(of), command.find_subcommand(of)) else {
        return Ok(String::new());
    };
    let mut text = String::new();
    let options = command.get_arguments().filter_map(|each| option(command, each.get_long()?));
    for each in options {
        let (id, name) = (each.get_id().as_str(), each.get_long().unwrap_or_default());
        let Ok(Some(values)) = matches.try_get_raw(id) else { continue };
        let delimiter = each.get_value_delimiter().unwrap_or(' ').to_string();
        let values: Vec<_> = values.map(|value| value.to_string_lossy()).collect();
        let place = settings.and_then(|settings| settings.place(of, name));
        let from = match (matches.value_source(id), place) {
            (Some(ValueSource::EnvVariable), _) => {
                let variable = each.get_env().map(|name| name.to_string_lossy().into_owned());
                format!("the variable {}", variable.unwrap_or_default())
            }
            (_, Some(place)) => place,
            _ => "default".to_owned(),
        };
        writeln!(text, "{name} = {}  ({from})", values.join(&delimiter)).ok();
    }
    Ok(text)
}
