//! The key that proves a machine to be the one that is meant.

use std::fmt;
use std::str::FromStr;

use ssh_key::{Algorithm, Fingerprint, HashAlg, PublicKey};

/// The host key algorithms that libssh2 can verify, strongest first.
const KNOWN_ALGORITHMS: [&str; 6] = [
    "ssh-ed25519",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "rsa-sha2-512",
    "rsa-sha2-256",
];

/// Why a text is no host key.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum HostKeyError {
    /// The text is not a line as in a `.pub` file.
    #[error(
        "host key {line:?} is not an OpenSSH public key ({reason}): give one line such as \"ssh-ed25519 AAAA…\", as in the host's ssh_host_ed25519_key.pub"
    )]
    Malformed {
        /// What was given.
        line: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The key is well-formed, but the SSH library cannot verify keys of its kind.
    #[error("host keys of algorithm {0} cannot be verified: use ssh-ed25519, ecdsa-sha2-nistp* or ssh-rsa")]
    Algorithm(String),
}

/// A machine's public host key, parsed from an OpenSSH public key line.
///
/// Its comment is not part of it: two lines with one key are equal.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct HostKey(PublicKey);

impl HostKey {
    /// The fingerprint that `ssh-keygen -l` prints, such as `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        self.0.fingerprint(HashAlg::Sha256).to_string()
    }

    /// Whether the key that a server presented, as the bytes of RFC 4253, section 6.6, is this one.
    pub(crate) fn is(&self, presented: &[u8]) -> bool {
        self.0.to_bytes().is_ok_and(|expected| expected == presented)
    }

    /// The algorithms to ask a server for: those of this key first, so that a server with several
    /// keys presents it, then all others, so that one without it still names the key it has.
    pub(crate) fn algorithm_preference(&self) -> String {
        let (mut mine, others): (Vec<_>, Vec<_>) =
            KNOWN_ALGORITHMS.into_iter().partition(|name| self.signs_with(name));
        mine.extend(others);
        mine.join(",")
    }

    fn signs_with(&self, algorithm: &str) -> bool {
        match self.0.algorithm() {
            Algorithm::Rsa { .. } => algorithm.starts_with("rsa-"),
            other => other.as_str() == algorithm,
        }
    }
}

impl FromStr for HostKey {
    type Err = HostKeyError;

    fn from_str(line: &str) -> Result<Self, HostKeyError> {
        let mut key = PublicKey::from_openssh(line.trim())
            .map_err(|error| HostKeyError::Malformed { line: line.to_owned(), reason: error.to_string() })?;
        key.set_comment("");
        let key = Self(key);
        if KNOWN_ALGORITHMS.iter().any(|name| key.signs_with(name)) {
            Ok(key)
        } else {
            Err(HostKeyError::Algorithm(key.0.algorithm().to_string()))
        }
    }
}

impl fmt::Display for HostKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.0.to_openssh().map_err(|_| fmt::Error)?.trim_end())
    }
}

/// Writes a SHA-256 digest of a presented key as [`HostKey::fingerprint`] does.
pub(crate) fn fingerprint_of_digest(digest: &[u8]) -> String {
    match <[u8; 32]>::try_from(digest) {
        Ok(digest) => Fingerprint::Sha256(digest).to_string(),
        Err(_) => "of an unknown kind".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ED25519: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti user@example.com";

    #[test]
    fn lines_are_parsed_and_written_without_comment() {
        let key: HostKey = ED25519.parse().unwrap();
        assert_eq!(key.to_string(), ED25519.rsplit_once(' ').unwrap().0);
        assert_eq!(key.to_string().parse(), Ok(key.clone()));
        assert_eq!(format!("{ED25519}\n").parse(), Ok(key.clone()));
        assert_eq!(key.fingerprint(), "SHA256:UCUiLr7Pjs9wFFJMDByLgc3NrtdU344OgUM45wZPcIQ");
        assert!(key.algorithm_preference().starts_with("ssh-ed25519,ecdsa-"));
    }

    #[test]
    fn anything_else_is_refused_with_the_remedy() {
        let cut = &ED25519[..40];
        let private = "-----BEGIN OPENSSH PRIVATE KEY-----";
        let known_hosts = format!("[127.0.0.1]:22 {ED25519}");
        for line in
            ["", " ", "ssh-ed25519", "ssh-ed25519 ?", "ssh-rsa AAAA", cut, private, &known_hosts, "\0"]
        {
            let error = line.parse::<HostKey>().unwrap_err();
            assert!(error.to_string().contains("ssh_host_ed25519_key.pub"), "{line:?}: {error}");
        }
    }
}
