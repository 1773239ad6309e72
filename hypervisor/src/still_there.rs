//! Files that are held open while others may remove them.

use std::fs::File;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whether the file is what is at this path by now: who has locked one that was removed meanwhile holds the
/// lock of nothing.
///
/// # Errors
/// Where nothing can be known of the file itself.
pub(crate) fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let (ours, theirs) = (file.metadata()?, path.metadata());
    Ok(theirs.is_ok_and(|theirs| (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())))
}
