//! Templates that outlive a run: one for each kind of machine, in a directory of bounded size.
//!
//! A kind is a text that names everything that a template depends on; whoever asks for one makes it.
//! An entry is a directory named for its kind, with the template's files and a manifest. The manifest
//! has the kind itself and a checksum of each file, is written last, and goes first: an entry without
//! a whole one is none. Entries are made under another name and moved in one step, so that whatever is
//! killed leaves nothing that is taken for a template. Nothing is written through to the disk: what a
//! host that lost its power has left of an entry does not match its checksums.
//!
//! A lock for each entry (`flock`, which ends with its holder) is held shared for as long as machines
//! may begin from it, and exclusively by who makes or removes it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use crate::Error;
use crate::still_there::is_at;

/// The file that makes a directory an entry.
const MANIFEST: &str = "manifest.json";
/// What the directory of an entry that is being made ends in.
const NEW: &str = "new";
/// What the lock of an entry ends in.
const LOCK: &str = "lock";
/// The environment variable that says where caches are.
const PLACE: &str = "XDG_CACHE_HOME";
/// With less room than this, in bytes, a file system is full.
const NO_ROOM: u64 = 1 << 20;
/// How soon a lock is asked for again that was taken in between.
const AGAIN: Duration = Duration::from_millis(10);
/// How often it is asked for that of an entry which cannot be trusted: who makes it anew has it no longer than
/// that takes, but others may have begun from it.
const ASKED: u32 = 50;

/// A directory of templates. Any number of runs can use one at the same time.
#[derive(Clone, Debug)]
pub struct TemplateCache {
    directory: PathBuf,
    bound: u64,
}

/// A template that stays as it is while this is held.
#[derive(Debug)]
pub struct Template {
    directory: PathBuf,
    _lock: Lock,
}

impl Template {
    /// The directory for [`Machine::start_from`](crate::Machine::start_from).
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Has nobody be given it any more: it is made anew for who asks next. Its files stay for those that
    /// have begun with them until the cache removes them.
    pub fn discard(&self) {
        if let Err(error) = fs::remove_file(self.directory.join(MANIFEST)) {
            tracing::debug!(%error, "a snapshot stays in the cache");
        }
    }
}

/// What an entry has to be.
#[derive(Debug, Deserialize, Serialize)]
struct Manifest {
    kind: String,
    /// Each file's size in bytes, and its SHA-256.
    files: BTreeMap<String, (u64, String)>,
}

/// Why an entry is not used.
#[derive(Debug, thiserror::Error)]
enum Flaw {
    #[error("there is none")]
    Absent,
    #[error("it was made for something else")]
    Foreign,
    #[error("it belongs to another user")]
    NotOurs,
    #[error("its manifest is damaged")]
    Manifest,
    #[error("its file {0} is damaged")]
    Damaged(String),
    #[error("its file {0} cannot be read: {1}")]
    Unreadable(String, io::Error),
}

impl TemplateCache {
    /// One in this directory, which is made when it is needed. Its files are to take up no more than
    /// `bound` bytes; what was used least recently goes first, and what is in use stays.
    #[must_use]
    pub fn new(directory: impl Into<PathBuf>, bound: u64) -> Self {
        Self { directory: directory.into(), bound }
    }

    /// The one of this user, `snapshots` in [`crate::cache_directory`]; none where there is no such place.
    #[must_use]
    pub fn of_user(bound: u64) -> Option<Self> {
        Some(Self::new(crate::cache_directory()?.join("snapshots"), bound))
    }

    /// Removes all that is not in use, and says how many templates are gone, and how many bytes with them.
    pub fn clear(&self) -> (usize, u64) {
        let held = || {
            let whole = self.entries().into_iter().filter(|entry| entry.manifest().is_file());
            whole.fold((0_usize, 0_u64), |(count, bytes), entry| (count + 1, bytes + entry.size()))
        };
        let (count, bytes) = held();
        Self::new(&self.directory, 0).evict(None);
        let (left, bytes_left) = held();
        (count.saturating_sub(left), bytes.saturating_sub(bytes_left))
    }

    /// The template of this kind. Its checksums are looked at; where there is none, or none that can
    /// be trusted, of which `warn` is told, `make` has to make one in the empty directory that it is
    /// given, of about `size` bytes.
    ///
    /// # Errors
    /// What `make` returns; [`Error::File`] or [`Error::DiskFull`] where the directory cannot be used,
    /// [`Error::NoRoom`] where so much does not fit, and [`Error::InUse`] where one that cannot be
    /// trusted is held by another run.
    pub fn get<E: From<Error> + Display>(
        &self,
        kind: &str,
        size: u64,
        warn: &dyn Fn(&str),
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<Template, E> {
        let entry = self.entry(kind)?;
        let mut asked = 0;
        let lock = loop {
            // Who makes it holds the lock until it is there.
            let lock = entry.lock(FlockOperation::LockShared)?.ok_or_else(|| entry.in_use())?;
            let flaw = match entry.check(kind) {
                Ok(()) => return Ok(entry.template(lock)),
                Err(flaw) => flaw,
            };
            drop(lock);
            match entry.lock(FlockOperation::NonBlockingLockExclusive)? {
                Some(lock) => break lock,
                None if matches!(flaw, Flaw::Absent) || asked < ASKED => {
                    asked += 1;
                    std::thread::sleep(AGAIN);
                }
                None => return Err(entry.in_use().into()),
            }
        };
        match entry.check(kind) {
            Ok(()) => {}
            Err(flaw) => {
                if !matches!(flaw, Flaw::Absent) {
                    let path = entry.directory.display();
                    warn(&format!("the snapshot {path} is dropped and made anew: {flaw}"));
                }
                entry.make(kind, size, make)?;
            }
        }
        self.evict(Some(&entry.name));
        let lock = entry.share(lock)?;
        Ok(entry.template(lock))
    }

    fn entry(&self, kind: &str) -> Result<Entry, Error> {
        let made = DirBuilder::new().recursive(true).mode(0o700).create(&self.directory);
        made.map_err(Error::file("make the directory", &self.directory))?;
        let name = format!("{:x}", Sha256::digest(kind.as_bytes()));
        Ok(Entry::new(&self.directory, &name[..32]))
    }

    /// Removes what was left half-made, and what was used least recently until the rest is within the
    /// bound. What is in use stays, and so does the entry that was just made. Whatever cannot be
    /// removed is tried again next time.
    fn evict(&self, stays: Option<&str>) {
        let mut entries = self.entries();
        entries.sort_by_key(Entry::used);
        let mut total: u64 = entries.iter().map(Entry::size).sum();
        for entry in entries.iter().filter(|entry| Some(entry.name.as_str()) != stays) {
            let is_whole = entry.manifest().is_file();
            if is_whole && total <= self.bound {
                continue;
            }
            let Ok(Some(lock)) = entry.lock(FlockOperation::NonBlockingLockExclusive) else { continue };
            total = total.saturating_sub(entry.size());
            let removed = entry.remove();
            tracing::debug!(entry = entry.name, ?removed, "evicted");
            let _ = fs::remove_file(entry.lock_file());
            drop(lock);
        }
    }

    /// All that there are, whole or not.
    fn entries(&self) -> Vec<Entry> {
        let files = fs::read_dir(&self.directory).into_iter().flatten().flatten();
        let names = files.filter_map(|file| {
            let path = PathBuf::from(file.file_name());
            Some(path.file_stem()?.to_str()?.to_owned())
        });
        let names: std::collections::BTreeSet<String> = names.collect();
        names.iter().map(|name| Entry::new(&self.directory, name)).collect()
    }
}

/// The place of one template.
#[derive(Debug)]
struct Entry {
    name: String,
    directory: PathBuf,
}

impl Entry {
    fn new(cache: &Path, name: &str) -> Self {
        Self { name: name.to_owned(), directory: cache.join(name) }
    }

    fn manifest(&self) -> PathBuf {
        self.directory.join(MANIFEST)
    }

    fn half_made(&self) -> PathBuf {
        self.directory.with_extension(NEW)
    }

    fn lock_file(&self) -> PathBuf {
        self.directory.with_extension(LOCK)
    }

    fn lock(&self, operation: FlockOperation) -> Result<Option<Lock>, Error> {
        let path = self.lock_file();
        Lock::take(&path, operation).map_err(Error::file("lock", &path))
    }

    /// Holds an entry that was made no longer for oneself.
    fn share(&self, lock: Lock) -> Result<Lock, Error> {
        let shared = flock(&lock.0, FlockOperation::LockShared).map_err(io::Error::from);
        shared.map_err(Error::file("lock", self.lock_file()))?;
        // Somebody else may have had it in between.
        if self.manifest().is_file() { Ok(lock) } else { Err(self.in_use()) }
    }

    fn in_use(&self) -> Error {
        Error::InUse { path: self.directory.clone() }
    }

    fn template(self, lock: Lock) -> Template {
        // Of when it was used: a cache that cannot be written to does not know.
        let touched = File::options().write(true).open(self.manifest());
        let _ = touched.and_then(|file| file.set_modified(SystemTime::now()));
        Template { directory: self.directory, _lock: lock }
    }

    fn check(&self, kind: &str) -> Result<(), Flaw> {
        let Ok(metadata) = self.directory.metadata() else { return Err(Flaw::Absent) };
        if metadata.uid() != rustix::process::geteuid().as_raw() {
            return Err(Flaw::NotOurs);
        }
        let text = match fs::read(self.manifest()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Flaw::Absent),
            text => text.map_err(|error| Flaw::Unreadable(MANIFEST.to_owned(), error))?,
        };
        let manifest: Manifest = serde_json::from_slice(&text).map_err(|_| Flaw::Manifest)?;
        if manifest.kind != kind {
            return Err(Flaw::Foreign);
        }
        for (name, expected) in &manifest.files {
            match checksum(&self.directory.join(name), Some(expected.0)) {
                Err(error) => return Err(Flaw::Unreadable(name.clone(), error)),
                Ok(found) if found == *expected => {}
                Ok(_) => return Err(Flaw::Damaged(name.clone())),
            }
        }
        Ok(())
    }

    /// Has a template made in place of what is there.
    fn make<E: From<Error> + Display>(
        &self,
        kind: &str,
        size: u64,
        make: impl FnOnce(&Path) -> Result<(), E>,
    ) -> Result<(), E> {
        self.remove().map_err(Error::file("remove", &self.directory))?;
        let new = self.half_made();
        let created = DirBuilder::new().mode(0o700).create(&new);
        created.map_err(Error::file("make the directory", &new))?;
        let made = check_room(&new, size).map_err(E::from).and_then(|()| make(&new)).and_then(|()| {
            let kept = seal(kind, &new).and_then(|()| fs::rename(&new, &self.directory));
            kept.map_err(|error| Error::file("write", &new)(error).into())
        });
        made.map_err(|error| {
            let is_full = room(&new).is_ok_and(|room| room < NO_ROOM);
            let _ = fs::remove_dir_all(&new);
            if !is_full {
                return error;
            }
            // QEMU ends on a signal where a page of its memory finds no room, and says nothing of it.
            tracing::debug!(%error, "a snapshot was not made for want of room");
            Error::NoRoom { path: new.clone(), mebibytes: size >> 20, variable: PLACE }.into()
        })
    }

    /// Removes the entry and what was left half-made, such that it is none from the first moment on.
    fn remove(&self) -> io::Result<()> {
        gone(fs::remove_file(self.manifest()))?;
        gone(fs::remove_dir_all(&self.directory))?;
        gone(fs::remove_dir_all(self.half_made()))
    }

    /// How much room it takes up, in bytes.
    fn size(&self) -> u64 {
        let files = [&self.directory, &self.half_made()].map(fs::read_dir);
        let files = files.into_iter().flatten().flatten().flatten();
        files.filter_map(|file| file.metadata().ok()).map(|metadata| metadata.blocks() * 512).sum()
    }

    /// When it was used last.
    fn used(&self) -> Option<SystemTime> {
        self.manifest().metadata().and_then(|metadata| metadata.modified()).ok()
    }
}

/// What is not there was removed.
fn gone(removed: io::Result<()>) -> io::Result<()> {
    match removed {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        // Where a directory should be is something else, which nobody needs.
        Err(error) if error.kind() == io::ErrorKind::NotADirectory => Ok(()),
        removed => removed,
    }
}

fn check_room(directory: &Path, size: u64) -> Result<(), Error> {
    if room(directory)? >= size {
        return Ok(());
    }
    Err(Error::NoRoom { path: directory.to_owned(), mebibytes: size >> 20, variable: PLACE })
}

/// How many bytes the file system of a directory has room for.
fn room(directory: &Path) -> Result<u64, Error> {
    let room = rustix::fs::statvfs(directory).map_err(io::Error::from);
    let room = room.map_err(Error::file("look for room in", directory))?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

/// Writes the manifest of a directory of files that are complete.
fn seal(kind: &str, directory: &Path) -> io::Result<()> {
    let mut manifest = Manifest { kind: kind.to_owned(), files: BTreeMap::new() };
    for file in fs::read_dir(directory)? {
        let file = file?;
        let name = file.file_name().into_string().map_err(|_| io::ErrorKind::InvalidFilename)?;
        manifest.files.insert(name, checksum(&file.path(), None)?);
    }
    fs::write(directory.join(MANIFEST), serde_json::to_vec_pretty(&manifest)?)
}

/// The size and the SHA-256 of a file; none of one that has another size than expected.
fn checksum(path: &Path, expected: Option<u64>) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    let size = file.metadata()?.len();
    if expected.is_some_and(|expected| expected != size) {
        return Ok((size, String::new()));
    }
    let (mut hash, mut block) = (Sha256::new(), vec![0; 1 << 20]);
    loop {
        match file.read(&mut block)? {
            0 => return Ok((size, format!("{:x}", hash.finalize()))),
            length => hash.update(&block[..length]),
        }
    }
}

/// A lock on a file, until it is dropped.
#[derive(Debug)]
struct Lock(File);

impl Lock {
    /// Takes the lock; none where it is not to be waited for and somebody else has it.
    fn take(path: &Path, operation: FlockOperation) -> io::Result<Option<Self>> {
        loop {
            let file = File::options().create(true).append(true).open(path)?;
            match flock(&file, operation) {
                Ok(()) => {}
                Err(Errno::INTR) => continue,
                Err(Errno::WOULDBLOCK) => return Ok(None),
                Err(error) => return Err(error.into()),
            }
            // Who removes an entry removes its lock too: then this is another one.
            if is_at(&file, path)? {
                return Ok(Some(Self(file)));
            }
        }
    }
}

#[cfg(test)]
mod tests;
