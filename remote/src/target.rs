//! Where to log in, as whom, and what the machine there must prove to be.

use std::fs::{self, File};
use std::io::{self, Read};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use ssh_key::PrivateKey;

use crate::connect::ConnectError;
use crate::host_key::HostKey;

/// Longer than any private key; a file that goes on is none, and might have no end.
const LONGEST_KEY: u64 = 64 * 1024;

/// A machine to log in to.
#[derive(Clone, Debug)]
pub struct Target {
    /// Where its SSH server listens.
    pub address: SocketAddr,
    /// Whom to log in as; their login shell has to be a POSIX shell.
    pub user: String,
    /// The file with the private key, in OpenSSH's format and without a passphrase.
    pub private_key: PathBuf,
    /// The key that the machine has to have; any other ends the connection.
    pub host_key: HostKey,
}

/// The text of a private key that was found to be one.
pub(crate) struct KeyText(pub(crate) String);

impl KeyText {
    /// Reads and checks a key before anything is sent over a network on its behalf.
    pub(crate) fn read(path: &Path) -> Result<Self, ConnectError> {
        let text = read_short_file(path)
            .map_err(|source| ConnectError::KeyUnreadable { path: path.to_owned(), source })?;
        let key = PrivateKey::from_openssh(&text).map_err(|error| ConnectError::KeyMalformed {
            path: path.to_owned(),
            reason: error.to_string(),
        })?;
        if key.is_encrypted() {
            return Err(ConnectError::KeyEncrypted { path: path.to_owned() });
        }
        Ok(Self(text))
    }
}

fn read_short_file(path: &Path) -> io::Result<String> {
    // Opening a named pipe would wait for its writer, without any limit.
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "it is not a regular file"));
    }
    let mut text = String::new();
    File::open(path)?.take(LONGEST_KEY).read_to_string(&mut text)?;
    Ok(text)
}
