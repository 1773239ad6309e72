//! Pinned packages: what a request was resolved to, and the files, so that later runs need neither
//! apt nor a network and do the same.
//!
//! In the cache directory, `locks/PART-KEY.json` holds the packages of one part (KEY is the hash of
//! the request) and `packages/SHA256-NAME` each file. Both appear whole or not at all. What a user
//! gives as a file is copied there too.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::apt::{Apt, Package};
use crate::error::Error;
use crate::process::Limits;
use crate::progress::{Observer, Progress};

/// What is asked of apt for one part of a base.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Request {
    /// The part, such as `kernel-6.12`.
    pub(crate) part: String,
    /// What it is made of, in the words of the base; apt adds what that needs.
    pub(crate) wanted: Vec<String>,
    /// Which packages of the closure are kept.
    pub(crate) keep: Keep,
}

/// Which packages of a closure a part is made of.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Keep {
    /// Those whose names begin so.
    Prefix(String),
    /// Those whose names do not begin so: what only installing would need.
    Without(Vec<String>),
    /// All of them.
    All,
}

impl Keep {
    fn keeps(&self, name: &str) -> bool {
        match self {
            Self::Prefix(prefix) => name.starts_with(prefix),
            Self::Without(prefixes) => !prefixes.iter().any(|prefix| name.starts_with(prefix)),
            Self::All => true,
        }
    }
}

/// A request and what it was resolved to.
#[derive(Clone, Debug, Eq, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Lock {
    request: Request,
    packages: Vec<Package>,
}

/// The pinned packages in a cache directory.
pub(crate) struct Locks {
    directory: PathBuf,
}

impl Locks {
    pub(crate) fn new(cache: &Path) -> Result<Self, Error> {
        for part in ["locks", "packages"] {
            let path = cache.join(part);
            fs::create_dir_all(&path).map_err(Error::file("make", &path))?;
        }
        Ok(Self { directory: cache.to_owned() })
    }

    /// The pinned packages of a request, if it was resolved before.
    pub(crate) fn find(&self, request: &Request) -> Option<Vec<Package>> {
        let text = fs::read(self.path(request)).ok()?;
        // A lock that cannot be read, or is another request's, is as good as none.
        let lock: Lock = serde_json::from_slice(&text).ok()?;
        (lock.request == *request).then_some(lock.packages)
    }

    /// Pins what a request was resolved to, as far as it keeps that.
    pub(crate) fn pin(&self, request: &Request, mut packages: Vec<Package>) -> Result<Vec<Package>, Error> {
        packages.retain(|package| request.keep.keeps(&package.name));
        packages.sort_by(|a, b| a.file.cmp(&b.file));
        let lock = Lock { request: request.clone(), packages };
        let text = serde_json::to_string_pretty(&lock)
            .map_err(|error| Error::Template { name: "lock", reason: error.to_string() })?;
        write_whole(&self.path(request), text.as_bytes())?;
        Ok(lock.packages)
    }

    /// Keeps a copy of a package's file that did not come from apt.
    pub(crate) fn import(&self, package: &Package, from: &Path) -> Result<(), Error> {
        if self.is_whole(package)? {
            return Ok(());
        }
        let content = fs::read(from).map_err(Error::file("read", from))?;
        write_whole(&self.file(package), &content)
    }

    /// A file beside the lock of a request that holds what was found out about its packages.
    pub(crate) fn beside(&self, request: &Request, kind: &str) -> PathBuf {
        self.path(request).with_extension(kind)
    }

    /// Where the file of a package lies once it was downloaded.
    pub(crate) fn file(&self, package: &Package) -> PathBuf {
        self.directory.join("packages").join(format!("{}-{}", &package.sha256[..16], package.file))
    }

    /// Sees to it that the file of each package is there and is the one that was pinned.
    pub(crate) fn fetch(
        &self,
        packages: &[&Package],
        apt: impl FnOnce() -> Result<Apt, Error>,
        limits: &Limits,
        observer: &Observer,
    ) -> Result<(), Error> {
        let mut missing = Vec::new();
        for package in packages {
            if !self.is_whole(package)? && !missing.contains(package) {
                missing.push(*package);
            }
        }
        if missing.is_empty() {
            return Ok(());
        }
        let total = missing.iter().map(|package| package.size).sum();
        observer(Progress::Downloading { done: 0, total });
        let place = self.directory.join("packages");
        let staging = tempfile::Builder::new().prefix("download-").tempdir_in(&place);
        let staging = staging.map_err(Error::file("write to", &place))?;
        apt()?.download(&missing, staging.path(), limits, &mut |percent| {
            observer(Progress::Downloading { done: share(total, percent), total });
        })?;
        for package in missing {
            let path = staging.path().join(&package.file);
            let found = hash_of(&path)?;
            if found != package.sha256 {
                return Err(Error::BadPackage { path, expected: package.sha256.clone(), found });
            }
            let target = self.file(package);
            fs::rename(&path, &target).map_err(Error::file("write", target))?;
        }
        observer(Progress::Downloading { done: total, total });
        Ok(())
    }

    /// Whether the file is there with the pinned hash. What was found so once is only looked at
    /// again where its size or time changed: a mark beside it says which it had.
    fn is_whole(&self, package: &Package) -> Result<bool, Error> {
        let path = self.file(package);
        let Ok(metadata) = fs::metadata(&path) else { return Ok(false) };
        if metadata.len() != package.size {
            return Ok(false);
        }
        let changed = metadata.modified().map_err(Error::file("read", &path))?;
        let seen =
            changed.duration_since(std::time::UNIX_EPOCH).map_or(0, |time| time.as_nanos()).to_string();
        let mark = PathBuf::from(format!("{}.checked", path.display()));
        if fs::read_to_string(&mark).is_ok_and(|text| text == seen) {
            return Ok(true);
        }
        if hash_of(&path)? != package.sha256 {
            return Ok(false);
        }
        write_whole(&mark, seen.as_bytes())?;
        Ok(true)
    }

    /// What followed the prefix in the names of all parts that were ever resolved.
    pub(crate) fn parts(&self, prefix: &str) -> Vec<String> {
        let files = fs::read_dir(self.directory.join("locks")).into_iter().flatten().flatten();
        let names = files.filter_map(|file| file.file_name().into_string().ok());
        let parts = names.filter_map(|name| Some(name.strip_prefix(prefix)?.rsplit_once('-')?.0.to_owned()));
        parts.collect()
    }

    fn path(&self, request: &Request) -> PathBuf {
        let text = serde_json::to_vec(request).unwrap_or_default();
        let key = HEXLOWER.encode(&Sha256::digest(text)[..8]);
        self.directory.join("locks").join(format!("{}-{key}.json", request.part))
    }
}

fn share(total: u64, percent: f64) -> u64 {
    let per_mille = (percent.clamp(0.0, 100.0) * 10.0).round();
    // Between 0 and 1000, so that nothing is lost.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it was clamped")]
    let per_mille = per_mille as u64;
    total / 1000 * per_mille + total % 1000 * per_mille / 1000
}

pub(crate) fn hash_of(path: &Path) -> Result<String, Error> {
    let mut file = fs::File::open(path).map_err(Error::file("read", path))?;
    let mut hasher = Sha256::new();
    io::copy(&mut file, &mut hasher).map_err(Error::file("read", path))?;
    Ok(HEXLOWER.encode(&hasher.finalize()))
}

/// Writes a file so that nobody ever sees half of it.
pub(crate) fn write_whole(path: &Path, content: &[u8]) -> Result<(), Error> {
    let place = path.parent().unwrap_or(Path::new("."));
    let write = || {
        let mut file = tempfile::NamedTempFile::new_in(place)?;
        file.write_all(content)?;
        file.persist(path).map_err(|error| error.error).map(drop)
    };
    write().map_err(Error::file("write", path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn package(content: &[u8]) -> Package {
        Package {
            name: "x".to_owned(),
            version: "1".to_owned(),
            file: "x_1_all.deb".to_owned(),
            size: content.len() as u64,
            sha256: HEXLOWER.encode(&Sha256::digest(content)),
        }
    }

    #[test]
    fn files_are_held_to_their_hashes() {
        let cache = tempfile::tempdir().unwrap();
        let locks = Locks::new(cache.path()).unwrap();
        let package = package(b"good");
        assert!(!locks.is_whole(&package).unwrap(), "nothing is there yet");
        fs::write(locks.file(&package), "evil").unwrap();
        assert!(!locks.is_whole(&package).unwrap(), "same size, other content");
        fs::write(locks.file(&package), "good").unwrap();
        assert!(locks.is_whole(&package).unwrap());
        assert!(locks.is_whole(&package).unwrap(), "the mark is believed");
        fs::write(locks.file(&package), "goo").unwrap();
        assert!(!locks.is_whole(&package).unwrap(), "cut short");
    }

    #[test]
    fn a_lock_is_kept_by_its_request() {
        let cache = tempfile::tempdir().unwrap();
        let locks = Locks::new(cache.path()).unwrap();
        let request = |keep| Request { part: "tools".to_owned(), wanted: vec!["x".to_owned()], keep };
        let one = request(Keep::Prefix("x".to_owned()));
        let other = request(Keep::Without(vec!["y".to_owned()]));
        assert_eq!(locks.find(&one), None);
        let lock = Lock { request: one.clone(), packages: vec![package(b"good")] };
        fs::write(locks.path(&one), serde_json::to_string(&lock).unwrap()).unwrap();
        assert_eq!(locks.find(&one), Some(vec![package(b"good")]));
        assert_eq!(locks.find(&other), None);
        fs::write(locks.path(&one), "{ broken").unwrap();
        assert_eq!(locks.find(&one), None);
    }

    #[test]
    fn shares_are_shares() {
        assert_eq!((share(1000, 0.0), share(1000, 50.0), share(999, 100.0)), (0, 500, 999));
        assert_eq!(share(1000, -3.0), 0);
    }
}
