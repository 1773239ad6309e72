//! `netprop diff`: two runs side by side.

use std::io::IsTerminal as _;
use std::path::Path;

use super::Fatal;
use super::args::DiffOptions;
use crate::difference::{self, Difference};
use crate::exit::Exit;
use crate::record::Record;

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
        super::print(&(text + "\n"));
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
