//! Where and how builds run.

use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use crate::error::Error;
use crate::host;
use crate::nixos::NixosOptions;
use crate::progress::{Cancel, Observer};

/// The key that guests accept where no other is named.
const TEST_KEY: &str = include_str!("../../test-keys/id_ed25519.pub");

/// Which base guests are made of.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
#[non_exhaustive]
pub enum BaseChoice {
    /// [`BaseChoice::Nixos`] where there is a nixpkgs that can be evaluated, [`BaseChoice::Debian`]
    /// elsewhere.
    #[default]
    Auto,
    /// NixOS, from a tree of nixpkgs.
    Nixos,
    /// Debian's packages, resolved by the host's apt.
    Debian,
}

/// Where Nix keeps what it builds.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum StoreChoice {
    /// In `/nix/store`, or where `NIX_STORE_DIR` says, if this user can write there; else as
    /// [`StoreChoice::Private`]. A NixOS is always built in the store that Nix itself would take, by
    /// the daemon where there is one.
    #[default]
    Auto,
    /// In a store below the cache directory that belongs to this user.
    Private,
}

/// Everything that a [`crate::Builder`] has to be told.
#[derive(Clone)]
#[non_exhaustive]
pub struct BuildOptions {
    /// Which base guests are made of.
    pub base: BaseChoice,
    /// What a NixOS is made of.
    pub nixos: NixosOptions,
    /// Where pinned packages, links to results and, for who cannot write Nix's own, a store are
    /// kept. It may be deleted at any time, at the cost of building anew.
    pub cache_directory: PathBuf,
    /// Where builders work and logs go. It belongs to one run; it is in the environment of every
    /// child, as `NETPROP_RUN` and `TMPDIR`, so that whoever cleans up after the run finds them.
    pub run_directory: PathBuf,
    /// Where Nix keeps what it builds.
    pub store: StoreChoice,
    /// Where programs are looked for, written as in `PATH`; none stands for `PATH` itself.
    pub search_path: Option<OsString>,
    /// The file with the public key that guests accept; none stands for the public test key.
    pub authorized_key: Option<PathBuf>,
    /// How long one call of [`crate::Builder::build`] may take, downloads included.
    pub deadline: Duration,
    /// Is told each step.
    pub observer: Observer,
    /// Ends builds from another thread.
    pub cancel: Cancel,
}

impl BuildOptions {
    /// The usual options for a run in the given directory: cache in `$XDG_CACHE_HOME/netprop` or
    /// `~/.cache/netprop`, an hour's time, nobody who watches.
    ///
    /// # Errors
    /// [`Error::NoCacheDirectory`] where the environment has neither.
    pub fn new(run_directory: impl Into<PathBuf>) -> Result<Self, Error> {
        Ok(Self {
            base: BaseChoice::default(),
            nixos: NixosOptions::default(),
            cache_directory: default_cache_directory()?,
            run_directory: run_directory.into(),
            store: StoreChoice::default(),
            search_path: None,
            authorized_key: None,
            deadline: Duration::from_secs(3600),
            observer: Arc::new(|_| {}),
            cancel: Cancel::new(),
        })
    }

    /// The line for the guest's `authorized_keys`.
    pub(crate) fn authorized_key(&self) -> Result<String, Error> {
        match &self.authorized_key {
            None => Ok(TEST_KEY.trim().to_owned()),
            Some(path) => read_key(path),
        }
    }
}

impl fmt::Debug for BuildOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BuildOptions")
            .field("base", &self.base)
            .field("nixos", &self.nixos)
            .field("cache_directory", &self.cache_directory)
            .field("store", &self.store)
            .field("search_path", &self.search_path)
            .field("run_directory", &self.run_directory)
            .field("authorized_key", &self.authorized_key)
            .field("deadline", &self.deadline)
            .finish_non_exhaustive()
    }
}

fn default_cache_directory() -> Result<PathBuf, Error> {
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = absolute("XDG_CACHE_HOME").or_else(|| Some(absolute("HOME")?.join(".cache")));
    Ok(cache.ok_or(Error::NoCacheDirectory)?.join("netprop"))
}

fn read_key(path: &Path) -> Result<String, Error> {
    let refuse = |reason: &str| Error::AuthorizedKey { path: path.to_owned(), reason: reason.to_owned() };
    let text = std::fs::read_to_string(path).map_err(|error| refuse(&error.to_string()))?;
    let line = host::speakable("the key", text.trim())?;
    if line.contains("PRIVATE KEY") {
        return Err(refuse("it is a private key"));
    }
    // The guest's sshd takes no other kind.
    if line.lines().count() != 1 || !line.starts_with("ssh-ed25519 AAAA") {
        return Err(refuse("it does not hold one public key of type ssh-ed25519"));
    }
    Ok(line.to_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn keys_are_held_to_their_kind() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("key.pub");
        let read = || read_key(&path).map_err(|error| error.to_string());
        assert!(read().unwrap_err().contains("No such file"));
        for (bad, why) in [
            ("", "one public key"),
            ("ssh-rsa AAAAB3 x", "ssh-ed25519"),
            ("ssh-ed25519 AAAA x\nssh-ed25519 AAAA y", "one public key"),
            ("-----BEGIN OPENSSH PRIVATE KEY-----\n", "private"),
            ("ssh-ed25519 AAAA\0", "NUL"),
        ] {
            fs::write(&path, bad).unwrap();
            assert!(read().unwrap_err().contains(why), "{bad:?}");
        }
        fs::write(&path, TEST_KEY).unwrap();
        assert_eq!(read(), Ok(TEST_KEY.trim().to_owned()));
    }
}
