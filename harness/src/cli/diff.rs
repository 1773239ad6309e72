//! `netprop diff`: two runs side by side.

use std::io::IsTerminal as _;
use std::path::{Path, PathBuf};

use clap::Args;

use super::Fatal;
use crate::difference::{self, Difference};
use crate::exit::{self, Exit};
use crate::plain::plain_json;
use crate::record::Record;

#[derive(Debug, Args)]
#[command(after_help = exit::DIFF_HELP)]
pub(crate) struct DiffOptions {
    /// One run: a record (`replay --record` writes one), a replay file with its record beside it, or a bundle
    pub(crate) left: PathBuf,
    /// Another
    pub(crate) right: PathBuf,
    /// Print both runs as one JSON object, whose schema is docs/schema/diff.json
    #[arg(long, conflicts_with = "verbose")]
    pub(crate) json: bool,
    /// Say also when each command was given, and how long it took: that differs each time
    #[arg(short, long)]
    pub(crate) verbose: bool,
}

/// How wide a page is that is on no terminal.
const COLUMNS: usize = 80;

pub(crate) fn diff(options: &DiffOptions) -> Result<Exit, Fatal> {
    let open = |path: &Path| match Record::open(path) {
        Ok((record, _)) => Ok((path.display().to_string(), record)),
        Err(error) => Err(Fatal::usage(&error)),
    };
    let ((left_file, left), (right_file, right)) = (open(&options.left)?, open(&options.right)?);
    let difference = Difference::between((&left_file, &left), (&right_file, &right));
    if options.json {
        let text = serde_json::to_string_pretty(&difference).map_err(|error| Fatal::usage(&error))?;
        super::print(&(plain_json(&text) + "\n"));
    } else {
        super::print(&difference::text(&difference, columns(), options.verbose));
    }
    Ok(if difference.is_none() { Exit::Holds } else { Exit::Falsified })
}

/// How many columns standard output has.
fn columns() -> usize {
    let stdout = std::io::stdout();
    let size = stdout.is_terminal().then(|| terminal_size::terminal_size_of(&stdout)).flatten();
    size.map_or(COLUMNS, |(width, _)| usize::from(width.0))
}
