//! The directory that everything of a run lies in, and the certainty that it goes.
//!
//! - `processes.rs`: which processes belong to a run, and how they are ended;
//! - `guardian.rs`, `guardian.sh`: the process that does so when ours dies;
//! - `clean.rs`: what the next start does where the guardian died too.

mod clean;
mod guardian;
mod processes;

use std::fs::{DirBuilder, File, OpenOptions};
use std::hash::{BuildHasher, Hasher, RandomState};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use rustix::fs::{FlockOperation, flock};
use rustix::process::geteuid;

pub use clean::{Report, clean};
pub use processes::MARK;

use crate::Error;
use crate::error::check_length;
use crate::machine::Endpoints;
use guardian::Guardian;

/// What a run directory's name begins with; eight letters or digits follow.
const PREFIX: &str = "r-";
/// The file in a run directory that a live run holds a lock on.
const LOCK: &str = "lock";
/// The longest path of a run directory: what libvirt's embedded driver makes below it (the
/// monitor's socket of a machine, 58 bytes) still has to fit into a socket's path.
const PATH_MAX: usize = crate::error::SOCKET_PATH_MAX - 58;

/// A directory of its own for everything that a run makes: sockets, disks, logs, libvirt's files.
///
/// While it exists a process outside of ours, the guardian, waits for our death, whatever brings
/// it; then it ends every process of the run and removes the directory, within seconds. Where
/// nothing goes wrong, dropping the last clone does the same.
///
/// Programs that a run starts get the run's mark ([`RunDirectory::mark`]), so that they are found
/// wherever they end up.
#[derive(Clone, Debug)]
pub struct RunDirectory(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    /// Holds the lock; released only when the directory is gone.
    _lock: File,
    guardian: Mutex<Option<Guardian>>,
}

/// Who besides its owner may enter a run directory.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Access {
    /// Nobody.
    #[default]
    Owner,
    /// Everybody may pass through it and use the sockets in it; a libvirt daemon that runs its
    /// machines as a user of its own needs that.
    Everybody,
}

impl RunDirectory {
    /// Makes a run directory in `parent`, by default in [`RunDirectory::default_parent`].
    ///
    /// # Errors
    /// [`Error::File`] or [`Error::DiskFull`] where it cannot be made, [`Error::PathTooLong`]
    /// where sockets would not fit below it, [`Error::ForeignDirectory`] where somebody else owns
    /// the default parent, [`Error::Guardian`] where nothing could clean up after us.
    pub fn create(parent: Option<&Path>, access: Access) -> Result<Self, Error> {
        let parent = prepare_parent(parent, access)?;
        loop {
            match Self::create_at(parent.join(format!("{PREFIX}{}", random_name())), access) {
                Err(Error::File { source, .. }) if source.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made,
            }
        }
    }

    /// Makes the run directory `path`, whose parent exists.
    pub(crate) fn create_at(path: PathBuf, access: Access) -> Result<Self, Error> {
        check_length(&path, PATH_MAX)?;
        // The guardian comes first: from the directory's first moment on it is cared for.
        let guardian = Guardian::start(&path)?;
        match lock_new(&path, access) {
            Ok(lock) => Ok(Self(Arc::new(Inner { path, _lock: lock, guardian: Mutex::new(Some(guardian)) }))),
            Err(error) => {
                // The guardian would remove what lies there, and it may be another run's.
                guardian.dismiss();
                Err(error)
            }
        }
    }

    /// Where run directories are made by default: in `$NETPROP_RUNTIME_DIR`, else in
    /// `$XDG_RUNTIME_DIR/netprop`, else in `netprop-<user id>` among the temporary files.
    #[must_use]
    pub fn default_parent() -> PathBuf {
        let variable = |name| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
        variable("NETPROP_RUNTIME_DIR")
            .or_else(|| variable("XDG_RUNTIME_DIR").map(|directory| directory.join("netprop")))
            .unwrap_or_else(|| std::env::temp_dir().join(format!("netprop-{}", geteuid().as_raw())))
    }

    /// The directory; absolute and without symbolic links.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0.path
    }

    /// The environment variable, and its value, that a program started for this run gets.
    #[must_use]
    pub fn mark(&self) -> (&'static str, &Path) {
        (MARK, &self.0.path)
    }

    /// A command for `program` that carries the run's mark.
    #[must_use]
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command.env(MARK, &self.0.path);
        command
    }

    /// The endpoints of the machine `name`, with its sockets and console log in the directory.
    ///
    /// # Errors
    /// [`Error::PathTooLong`].
    pub fn endpoints(&self, name: &str) -> Result<Endpoints, Error> {
        Endpoints::new(&self.0.path, name)
    }

    /// Knows the directory without keeping it.
    pub(crate) fn downgrade(&self) -> WeakRunDirectory {
        WeakRunDirectory(Arc::downgrade(&self.0))
    }

    /// Ends every process of the run now, and says how many there were. Whoever waits for a
    /// machine of it sees its end.
    ///
    /// # Errors
    /// [`Error::Unkillable`].
    pub fn end_processes(&self) -> Result<usize, Error> {
        processes::end_all(&self.0.path)
    }

    /// The process id of the guardian, for those who want to see it work.
    #[must_use]
    pub fn guardian(&self) -> Option<u32> {
        self.0.guardian.lock().unwrap_or_else(PoisonError::into_inner).as_ref().map(Guardian::pid)
    }
}

/// A run directory that is not kept by being known.
#[derive(Debug)]
pub(crate) struct WeakRunDirectory(Weak<Inner>);

impl WeakRunDirectory {
    /// The run directory, where it still exists.
    pub(crate) fn upgrade(&self) -> Option<RunDirectory> {
        self.0.upgrade().map(RunDirectory)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        let ended = processes::end_all(&self.path);
        let removed = remove(&self.path);
        let guardian = self.guardian.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        match ended.and(removed) {
            Ok(()) => {
                if let Some(guardian) = guardian {
                    guardian.dismiss();
                }
            }
            // Dropping the guardian closes its pipe: it goes on where we failed.
            Err(error) => tracing::warn!(%error, "a run was not cleaned up"),
        }
    }
}

/// Removes a run directory, also where something in it forbids that to its owner, as the trees of
/// builds do. The lock goes last, since a directory without it is not taken for a run's.
fn remove(path: &Path) -> Result<(), Error> {
    let all = || {
        for entry in std::fs::read_dir(path)? {
            let entry = entry?;
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else if entry.file_name() != LOCK {
                std::fs::remove_file(entry.path())?;
            }
        }
        std::fs::remove_dir_all(path)
    };
    // Whatever is gone already was removed by a guardian that works beside us.
    let mut result = all();
    for _ in 0..3 {
        match &result {
            Ok(()) => return Ok(()),
            Err(_) if !path.exists() => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(_) => permit(path),
        }
        result = all();
    }
    result.map_err(Error::file("remove", path))
}

/// Lets the owner change all directories below `path`.
fn permit(path: &Path) {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return };
    if !metadata.is_dir() {
        return;
    }
    let _ = std::fs::set_permissions(path, PermissionsExt::from_mode(0o700));
    for entry in std::fs::read_dir(path).into_iter().flatten().flatten() {
        permit(&entry.path());
    }
}

/// Makes sure that the parent is there and ours, and returns it without symbolic links.
fn prepare_parent(given: Option<&Path>, access: Access) -> Result<PathBuf, Error> {
    let parent = given.map_or_else(RunDirectory::default_parent, Path::to_owned);
    let mode = match access {
        Access::Owner => 0o700,
        Access::Everybody => 0o711,
    };
    DirBuilder::new()
        .recursive(true)
        .mode(mode)
        .create(&parent)
        .map_err(Error::file("make the directory", &parent))?;
    let parent = parent.canonicalize().map_err(Error::file("find", &parent))?;
    let owner = parent.metadata().map_err(Error::file("look at", &parent))?;
    // In a directory that all may write to, somebody else may have been there first.
    if given.is_none() && owner.uid() != geteuid().as_raw() {
        return Err(Error::ForeignDirectory { path: parent });
    }
    if access == Access::Everybody && owner.mode() & 0o001 == 0 {
        std::fs::set_permissions(&parent, PermissionsExt::from_mode(owner.mode() | 0o011))
            .map_err(Error::file("open to everybody", &parent))?;
    }
    Ok(parent)
}

/// Makes the directory and takes its lock, with no moment between in which [`clean`] could take
/// it for a dead one.
fn lock_new(path: &Path, access: Access) -> Result<File, Error> {
    let parent = path.parent().unwrap_or(Path::new("/"));
    let _creating = lock_parent(parent)?;
    let mode = match access {
        Access::Owner => 0o700,
        Access::Everybody => 0o711,
    };
    DirBuilder::new().mode(mode).create(path).map_err(Error::file("make the run directory", path))?;
    let lock = path.join(LOCK);
    let file = OpenOptions::new()
        .create_new(true)
        .write(true)
        .mode(0o600)
        .open(&lock)
        .map_err(Error::file("make", &lock))?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)
        .map_err(|error| Error::file("lock", &lock)(error.into()))?;
    Ok(file)
}

/// Holds the lock under which run directories in `parent` come to be and are judged.
fn lock_parent(parent: &Path) -> Result<File, Error> {
    let directory = File::open(parent).map_err(Error::file("open", parent))?;
    flock(&directory, FlockOperation::LockExclusive)
        .map_err(|error| Error::file("lock", parent)(error.into()))?;
    Ok(directory)
}

/// Eight letters or digits that no other run has.
fn random_name() -> String {
    const LETTERS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
    let random = RandomState::new().build_hasher().finish();
    (0..8).map(|place| char::from(LETTERS[(random >> (5 * place)) as usize % LETTERS.len()])).collect()
}
