//! The directory that the embedded driver keeps its configuration, sockets and caches in.
//!
//! libvirt ties its embedded driver to one such directory for the life of a process. The first
//! run of a process gives it a place in its own directory. A later run of the same process finds
//! the place alive and shares it, or, where the first run is over and its directory gone, makes
//! it anew under the same path, guarded like any run directory.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use rustix::process::geteuid;

use crate::Error;
use crate::run::{Access, RunDirectory, WeakRunDirectory};

/// The place in the run directory.
const ROOT: &str = "v";
/// What the driver finds there and makes by itself only when it first starts.
const DIRECTORIES: [&str; 16] = [
    "etc",
    "cache/qemu/capabilities",
    "lib/qemu/channel/target",
    "lib/qemu/checkpoint",
    "lib/qemu/dump",
    "lib/qemu/nvram",
    "lib/qemu/ram",
    "lib/qemu/save",
    "lib/qemu/snapshot",
    "log/qemu",
    "run/qemu/dbus",
    "run/qemu/passt",
    "run/qemu/slirp",
    "etc/qemu/autostart",
    "etc/qemu/networks",
    "cache/qemu/cache",
];

/// The driver's configuration: no log daemon, no confinement and no change of owners, none of
/// which a process that owns its machines needs.
const CONFIGURATION: &str = r#"stdio_handler = "file"
security_driver = "none"
security_default_confined = 0
dynamic_ownership = 0
remember_owner = 0
namespaces = []
cgroup_controllers = []
"#;

/// How long the removal of a run directory may take.
const GOES: Duration = Duration::from_secs(10);

/// Where the process's embedded driver lives, and the run that it was first given by.
static PLACE: Mutex<Option<(PathBuf, WeakRunDirectory)>> = Mutex::new(None);

/// The embedded driver's directory, held for as long as a connection uses it.
#[derive(Debug)]
pub(super) struct EmbeddedRoot {
    root: PathBuf,
    cache: Option<PathBuf>,
    /// What of the cache was copied in, or back, and how new it was.
    kept: Mutex<HashMap<PathBuf, SystemTime>>,
    _holder: RunDirectory,
}

impl EmbeddedRoot {
    /// Makes the directory, with what the cache knows of QEMU.
    pub(super) fn prepare(run: &RunDirectory, cache: Option<PathBuf>) -> Result<Self, Error> {
        let mut place = PLACE.lock().unwrap_or_else(PoisonError::into_inner);
        let holder = match &*place {
            None => run.clone(),
            Some((path, first)) => match first.upgrade() {
                Some(first) => first,
                None => create_again(path)?,
            },
        };
        *place = Some((holder.path().to_owned(), holder.downgrade()));
        let root = holder.path().join(ROOT);
        for directory in DIRECTORIES {
            let directory = root.join(directory);
            fs::create_dir_all(&directory).map_err(Error::file("make the directory", &directory))?;
        }
        let file = root.join("etc/qemu.conf");
        let mut configuration = CONFIGURATION.to_owned();
        if geteuid().is_root() {
            configuration.push_str("user = \"+0\"\ngroup = \"+0\"\n");
            // For root, libvirt keeps a few locks here wherever its root is. Where it makes the
            // directory itself, it shuts ordinary users out of a system daemon's sockets.
            let _ = fs::DirBuilder::new().mode(0o755).create("/run/libvirt");
        }
        fs::write(&file, configuration).map_err(Error::file("write", &file))?;
        let root = Self { root, cache, kept: Mutex::default(), _holder: holder };
        root.fetch_capabilities();
        Ok(root)
    }

    /// What to open.
    pub(super) fn uri(&self) -> String {
        format!("qemu:///embed?root={}", escape(&self.root))
    }

    /// The file that the process of this domain writes its id to.
    pub(super) fn pid_file(&self, domain: &str) -> PathBuf {
        self.root.join("run/qemu").join(format!("{domain}.pid"))
    }

    /// Copies what the driver has found out about QEMU to the cache. The driver looks when it
    /// first checks a definition, so this is called after that; most calls find nothing new.
    pub(super) fn keep_capabilities(&self) {
        let Some(cache) = &self.cache else { return };
        if let Err(error) = self.copy_new(&self.capabilities(), cache) {
            tracing::debug!(%error, "what libvirt knows of QEMU could not be cached");
        }
    }

    fn fetch_capabilities(&self) {
        let Some(cache) = &self.cache else { return };
        match self.copy_new(cache, &self.capabilities()) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::debug!(%error, "what libvirt knew of QEMU could not be read");
            }
            _ => {}
        }
    }

    fn capabilities(&self) -> PathBuf {
        self.root.join("cache/qemu/capabilities")
    }

    /// Copies the files that were not copied yet as they are now, each in one step, since other
    /// processes read and write the same cache. libvirt checks what it reads.
    fn copy_new(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        for entry in fs::read_dir(from)? {
            let file = entry?.path();
            let Some(name) = file.file_name().filter(|_| file.extension().is_some_and(|end| end == "xml"))
            else {
                continue;
            };
            let modified = file.metadata()?.modified()?;
            if kept.get(&file) == Some(&modified) {
                continue;
            }
            fs::create_dir_all(to)?;
            let copy = tempfile::Builder::new().prefix(".new-").tempfile_in(to)?;
            fs::copy(&file, copy.path())?;
            let target = to.join(name);
            copy.persist(&target)?;
            kept.insert(file, modified);
            kept.insert(target.clone(), target.metadata()?.modified()?);
        }
        Ok(())
    }
}

/// Makes the first run's directory once more, when it is gone; it may just be going. What it was made in may
/// be gone as well.
fn create_again(path: &Path) -> Result<RunDirectory, Error> {
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(Error::file("make the directory", parent))?;
    }
    let deadline = Instant::now() + GOES;
    loop {
        match RunDirectory::create_at(path.to_owned(), Access::Owner) {
            Err(Error::File { source, .. })
                if source.kind() == io::ErrorKind::AlreadyExists && Instant::now() < deadline =>
            {
                std::thread::sleep(Duration::from_millis(20));
            }
            made => return made,
        }
    }
}

/// The path as a part of a URI.
fn escape(path: &Path) -> String {
    path.as_os_str()
        .as_bytes()
        .iter()
        .map(|&byte| match byte {
            b'/' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
            _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_in_a_uri() {
        assert_eq!(escape(Path::new("/tmp/r-1/v")), "/tmp/r-1/v");
        assert_eq!(escape(Path::new("/a b?&%é")), "/a%20b%3F%26%25%C3%A9");
    }
}
