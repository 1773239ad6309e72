//! Finding the runs that died together with their guardian.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};

use super::{LOCK, PREFIX, RunDirectory, lock_parent, processes, remove};
use crate::Error;
use crate::still_there::is_at;

/// What [`clean`] found and did.
#[derive(Debug, Default)]
pub struct Report {
    /// The directories of dead runs that were removed.
    pub removed: Vec<PathBuf>,
    /// How many of their processes were ended.
    pub ended: usize,
    /// Directories of runs that are alive, and were left alone.
    pub live: Vec<PathBuf>,
    /// What could not be ended or removed, and why.
    pub failed: Vec<Error>,
}

/// Ends what dead runs have left in `parent` (by default [`RunDirectory::default_parent`]) and
/// removes their directories. A run is dead when nobody holds its lock; a live one is never
/// touched. Called at each start, this makes up for a guardian that was killed too.
///
/// # Errors
/// [`Error::File`] where the parent exists and cannot be read. What fails for one run is in the
/// report and does not keep the others from being cleaned.
pub fn clean(parent: Option<&Path>) -> Result<Report, Error> {
    let parent = parent.map_or_else(RunDirectory::default_parent, Path::to_owned);
    let mut report = Report::default();
    let parent = match parent.canonicalize() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(report),
        found => found.map_err(Error::file("find", &parent))?,
    };
    // What has no lock was removed as it was judged.
    for (path, _lock) in dead_runs(&parent, &mut report)? {
        let cleaned = processes::end_all(&path).and_then(|ended| {
            report.ended += ended;
            remove(&path)
        });
        match cleaned {
            Ok(()) => report.removed.push(path),
            Err(error) => report.failed.push(error),
        }
    }
    Ok(report)
}

/// The dead runs in `parent`, with their locks, which are now ours.
fn dead_runs(parent: &Path, report: &mut Report) -> Result<Vec<(PathBuf, File)>, Error> {
    let _judging = lock_parent(parent)?;
    let mut dead = Vec::new();
    for entry in std::fs::read_dir(parent).map_err(Error::file("read", parent))? {
        let path = entry.map_err(Error::file("read", parent))?.path();
        if !is_run_directory(&path) {
            continue;
        }
        match OpenOptions::new().write(true).open(path.join(LOCK)) {
            Ok(lock) => match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
                // Of a run that has just ended by itself the lock is a file without a name, and somebody
                // may have made another run of that name since.
                Ok(()) if is_at(&lock, &path.join(LOCK)).unwrap_or(false) => dead.push((path, lock)),
                Ok(()) => {}
                Err(_) => report.live.push(path),
            },
            // Its maker died before the lock was made: then nothing else is in it either, and what has
            // anything in it stays.
            Err(error) if error.kind() == io::ErrorKind::NotFound && is_empty(&path) => {
                if std::fs::remove_dir(&path).is_ok() {
                    report.removed.push(path);
                }
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                tracing::debug!(path = %path.display(), "no run directory, in spite of its name");
            }
            Err(error) => report.failed.push(Error::file("open", path.join(LOCK))(error)),
        }
    }
    Ok(dead)
}

fn is_empty(path: &Path) -> bool {
    std::fs::read_dir(path).is_ok_and(|mut entries| entries.next().is_none())
}

/// Whether the name is one that run directories have; nothing else is ever removed.
fn is_run_directory(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    let random = name.strip_prefix(PREFIX).unwrap_or_default();
    let well_named =
        random.len() == 8 && random.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
    well_named && std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_dir())
}
