//! Files that are written whole or not at all.

use std::io::{self, Write as _};
use std::path::Path;

/// Writes a file whole or not at all: whoever reads it meanwhile finds what was there before. Directories
/// that are missing are made.
///
/// # Errors
/// What the file system says.
pub(crate) fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    std::fs::create_dir_all(directory)?;
    let mut file = tempfile::NamedTempFile::new_in(directory)?;
    file.write_all(text)?;
    file.as_file().sync_all()?;
    file.persist(path).map_err(|error| error.error)?;
    Ok(())
}
