//! Finding the programs that this crate runs.

use std::path::PathBuf;

use crate::Error;

/// The program's path, or the error that says which Debian package has it.
pub(crate) fn find(program: &str, package: &'static str) -> Result<PathBuf, Error> {
    which::which(program).map_err(|_| Error::MissingProgram { program: program.to_owned(), package })
}
