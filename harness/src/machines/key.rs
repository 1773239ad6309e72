//! The key pair that the guests of a lab let in.

use std::fs;
use std::io;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::machines::lab::LabOptions;
use crate::system::SystemError;

/// The private half of the key pair that guests accept unless another is given.
const TEST_KEY: &str = include_str!("../../../test-keys/id_ed25519");
/// Its public half.
const TEST_KEY_PUBLIC: &str = include_str!("../../../test-keys/id_ed25519.pub");

/// Finds the key pair, or writes the test key into the run's directory; gives the public half.
pub(super) fn prepare(options: &mut LabOptions, run: &Path) -> Result<PathBuf, SystemError> {
    if options.key.as_os_str().is_empty() {
        options.key = run.join("key");
        let public = run.join("key.pub");
        let written = fs::write(&options.key, TEST_KEY)
            .and_then(|()| fs::set_permissions(&options.key, fs::Permissions::from_mode(0o600)))
            .and_then(|()| fs::write(&public, TEST_KEY_PUBLIC));
        return written.map(|()| public).map_err(|error| unusable("write", &options.key, &error));
    }
    let public = PathBuf::from(format!("{}.pub", options.key.display()));
    for half in [&options.key, &public] {
        fs::read(half).map_err(|error| unusable("read", half, &error))?;
    }
    Ok(public)
}

fn unusable(action: &str, path: &Path, error: &io::Error) -> SystemError {
    let path = path.display();
    SystemError::WrongUse(
        format!("cannot {action} key {path}: {error}: name a key pair that ssh-keygen has made").into(),
    )
}
