//! Records on disk.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::Record;
use crate::bundle::{self, Bundle, BundleError};
use crate::header::{Header, Unreadable};
use crate::whole;

/// What is written into `format`, so that other JSON files are not taken for records.
pub(super) const FORMAT: &str = "netprop-record";
/// The version of the layout that this build writes and reads.
pub(super) const VERSION: u32 = 2;

/// Why a record could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordError {
    /// The file system said no.
    #[error("cannot read record {path}: {source}: check that it is there, and that you may read it", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system said no.
    #[error("cannot write record {path}: {source}: check that the directory is there, yours and not full", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not JSON, or not of the right shape.
    #[error("record {path} cannot be understood ({source}): it was damaged or cut off; run its case again to have it written anew", path = path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// What it says of itself does not go together.
    #[error("record {path} cannot be understood ({what}): it was damaged or edited; run its case again to have it written anew", path = path.display())]
    Sense {
        /// The file.
        path: PathBuf,
        /// What does not.
        what: String,
    },
    /// It is some other JSON file.
    #[error("{path} is neither a record nor a replay file: give one that a failing run has written", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is in a bundle that cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// A bundle was made without one.
    #[error("bundle {path} has no record: take its case out by `netprop bundle --unpack {path}`, and replay it", path = path.display())]
    NotBundled {
        /// The bundle.
        path: PathBuf,
    },
    /// It comes from a newer netprop.
    #[error("record {path} has version {version}, and this netprop reads up to {VERSION}: use a newer one", path = path.display())]
    Future {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// A replay file has no record.
    #[error("replay file {path} has no record beside it ({record}): `netprop replay {path}` writes one if the case fails again, and with --record FILE one of whatever comes", path = path.display(), record = record.display())]
    Missing {
        /// The replay file.
        path: PathBuf,
        /// Where its record would be.
        record: PathBuf,
    },
}

/// The file of the record that belongs to a replay file.
#[must_use]
pub fn beside(replay: &Path) -> PathBuf {
    replay.with_extension("record.json")
}

/// The file of the report that is made of a record.
#[must_use]
pub fn page_of(record: &Path) -> PathBuf {
    let name = record.file_name().unwrap_or_default().to_string_lossy();
    let stem = name.strip_suffix(".record.json").or_else(|| name.strip_suffix(".bundle.json"));
    let stem = stem.or_else(|| name.strip_suffix(".json")).unwrap_or(&name);
    record.with_file_name(format!("{stem}.html"))
}

impl Record {
    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    /// [`RecordError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), RecordError> {
        let failed = |source| RecordError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_vec(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        whole::write(path, &text).map_err(failed)
    }

    /// Reads a record, the one in a bundle, or the one beside a replay file; says which file it is from.
    ///
    /// # Errors
    /// A [`RecordError`] that says what is wrong with the file.
    pub fn open(path: &Path) -> Result<(Self, PathBuf), RecordError> {
        let text = read(path)?;
        let header = header(path, &text)?;
        if header.format == bundle::FORMAT {
            return Self::in_bundle(path, &text).map(|record| (record, path.to_owned()));
        }
        if header.format != "netprop-replay" {
            return Self::parse(path, &header, &text).map(|record| (record, path.to_owned()));
        }
        let record = beside(path);
        if !record.exists() {
            return Err(RecordError::Missing { path: path.to_owned(), record });
        }
        Ok((Self::read(&record)?, record))
    }

    fn in_bundle(path: &Path, text: &[u8]) -> Result<Self, RecordError> {
        let bundle = Bundle::parse(path, text)?;
        let Some(record) = bundle.record() else {
            return Err(RecordError::NotBundled { path: path.to_owned() });
        };
        Self::parse(path, &header(path, record.as_bytes())?, record.as_bytes())
    }

    /// Reads a record.
    ///
    /// # Errors
    /// A [`RecordError`] that says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, RecordError> {
        let text = read(path)?;
        Self::parse(path, &header(path, &text)?, &text)
    }

    fn parse(path: &Path, header: &Header, text: &[u8]) -> Result<Self, RecordError> {
        let path = path.to_owned();
        match header.check(FORMAT, VERSION) {
            Ok(()) => {}
            Err(Unreadable::Foreign) => return Err(RecordError::Foreign { path }),
            Err(Unreadable::Future(version)) => return Err(RecordError::Future { path, version }),
        }
        let record: Self = match serde_json::from_slice(text) {
            Ok(record) => record,
            Err(source) => return Err(RecordError::Shape { path, source }),
        };
        match record.nonsense() {
            Some(what) => Err(RecordError::Sense { path, what }),
            None => Ok(record),
        }
    }

    /// What in it speaks of something that it does not have; none where all is well.
    fn nonsense(&self) -> Option<String> {
        let states = self.states.len();
        let is_there = |state: Option<usize>| state.is_none_or(|state| state < states);
        let operation = |operation: &super::Operation| {
            let lane = operation.lane.is_none_or(|lane| (1..=self.lanes).contains(&lane));
            let fits = lane && is_there(operation.before) && is_there(operation.after);
            (!fits)
                .then(|| format!("operation {} names a lane or a state that is not there", operation.number))
        };
        let machines = self.machines.len();
        let is_whole = |state: &super::State| state.power.len() == machines && state.notes.len() == machines;
        let candidates = self.shrinking.candidates.iter().enumerate();
        let mut orphans = candidates
            .filter(|(index, candidate)| candidate.from.is_some_and(|from| from >= *index))
            .map(|(index, _)| format!("candidate {index} is made from one that comes after it"));
        let lanes = || {
            let (lanes, commands) = (self.lanes, self.commands);
            (lanes > commands).then(|| format!("it has {lanes} lanes for {commands} commands"))
        };
        let states = || {
            let odd = !self.states.iter().all(is_whole);
            odd.then(|| "a state does not have all machines".to_owned())
        };
        lanes()
            .or_else(|| self.operations.iter().find_map(operation))
            .or_else(states)
            .or_else(|| orphans.next())
    }
}

fn read(path: &Path) -> Result<Vec<u8>, RecordError> {
    fs::read(path).map_err(|source| RecordError::Read { path: path.to_owned(), source })
}

fn header(path: &Path, text: &[u8]) -> Result<Header, RecordError> {
    Header::of(text).map_err(|source| RecordError::Shape { path: path.to_owned(), source })
}
