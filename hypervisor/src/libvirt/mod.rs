//! Machines under libvirt, by default under a driver that runs inside this process.
//!
//! - `embedded.rs`: the directory that the embedded driver lives in;
//! - `event_loop.rs`: the thread that libvirt's events run on;
//! - `definition.rs`: what is wrong with an XML, as far as can be known before the start;
//! - `domain.rs`: one machine;
//! - `snapshots.rs`, `monitor.rs`: what it was, and how it becomes that again;
//! - `templates.rs`: what it is, for other machines to begin from;
//! - `faulty.rs`: a machine whose disks fail;
//! - `disk_faults.rs`: what is wrong with them, in QEMU;
//! - `power_cut.rs`, `write_log.rs`, `replay.rs`, `nbd.rs`: what a power cut loses of them;
//! - `reaper.rs`: what becomes of its process.

mod definition;
mod disk_faults;
mod domain;
mod embedded;
mod event_loop;
mod faulty;
mod monitor;
mod nbd;
mod power_cut;
mod reaper;
mod replay;
mod snapshots;
mod templates;
mod write_log;

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::geteuid;
use virt::connect::Connect;

use crate::machine::{Definition, Hypervisor, Machine};
use crate::run::RunDirectory;
use crate::{Error, cache_directory};
use embedded::EmbeddedRoot;

/// Which of libvirt's drivers defines the machines.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub enum Driver {
    /// The QEMU driver inside this process: no daemon, nothing to set up, any user.
    #[default]
    Embedded,
    /// The driver behind this URI, such as `qemu:///session` or `qemu:///system`.
    Uri(String),
}

/// How to connect to libvirt.
#[derive(Clone, Debug, Default)]
pub struct ConnectOptions {
    /// Where to.
    pub driver: Driver,
    /// Where the embedded driver's knowledge of QEMU is kept between runs, which saves some
    /// seconds each time; by default `libvirt-capabilities` in [`cache_directory`].
    pub cache: Option<PathBuf>,
}

/// A connection to libvirt.
///
/// Its domains are transient: what the run does not hold any longer, libvirt does not know either.
/// Behind a daemon they are destroyed when the connection closes, however it closes; under the
/// embedded driver the run directory's guardian does that.
///
/// The names and uuids of running machines are distinct over all that one driver runs: the
/// embedded driver is one for each process, a daemon is one for all who use it.
#[derive(Debug)]
pub struct Libvirt(Arc<Session>);

/// What a connection and the machines defined over it hold together; dropped in this order.
#[derive(Debug)]
struct Session {
    connection: Connect,
    embedded: Option<EmbeddedRoot>,
    _run: RunDirectory,
}

impl Libvirt {
    /// Connects to libvirt for machines whose files lie in `run`.
    ///
    /// # Errors
    /// [`Error::Connect`] with what libvirt said and what helps; [`Error::File`] or
    /// [`Error::DiskFull`] where the embedded driver's directory cannot be made.
    pub fn connect(run: &RunDirectory, options: &ConnectOptions) -> Result<Self, Error> {
        let (uri, embedded) = match &options.driver {
            Driver::Embedded => {
                let cache =
                    options.cache.clone().or_else(|| Some(cache_directory()?.join("libvirt-capabilities")));
                let root = EmbeddedRoot::prepare(run, cache)?;
                (root.uri(), Some(root))
            }
            Driver::Uri(uri) => (uri.clone(), None),
        };
        let failed =
            |message: String| Error::Connect { remedy: remedy(&uri, &message), uri: uri.clone(), message };
        if uri.starts_with("qemu:///session") && geteuid().is_root() {
            return Err(failed("root has no session driver".to_owned()));
        }
        event_loop::start().map_err(failed)?;
        let connection = open(&uri, embedded.is_some()).map_err(|error| failed(message(&error)))?;
        if embedded.is_none() {
            // A daemon that stops answering is noticed; the embedded driver has no use for this.
            let _ = connection.set_keep_alive(KEEP_ALIVE.as_secs() as i32, 3);
        }
        Ok(Self(Arc::new(Session { connection, embedded, _run: run.clone() })))
    }
}

/// Opens a connection, one at a time in a process: the embedded driver, when it is opened for the
/// first time, hands itself to others that open it before it is complete, and libvirt crashes.
///
/// That driver's first connection serves all of them, and stays open until the process ends: with each
/// that is opened libvirt enters its driver once more in a list of 21, which nothing is ever taken off.
fn open(uri: &str, is_embedded: bool) -> Result<Connect, virt::error::Error> {
    static EMBEDDED: Mutex<Option<Connect>> = Mutex::new(None);
    let mut first = EMBEDDED.lock().unwrap_or_else(PoisonError::into_inner);
    if !is_embedded {
        return Connect::open(Some(uri));
    }
    Ok(match &*first {
        Some(connection) => connection.clone(),
        None => first.insert(Connect::open(Some(uri))?).clone(),
    })
}

/// How often a daemon is asked whether it is there.
const KEEP_ALIVE: Duration = Duration::from_secs(5);

impl Hypervisor for Libvirt {
    fn define(&self, definition: &Definition) -> Result<Box<dyn Machine>, Error> {
        definition.endpoints.check()?;
        let domain = {
            let _alone = reaper::hold_starts();
            definition::check(&self.0.connection, definition)?
        };
        if let Some(root) = &self.0.embedded {
            root.keep_capabilities();
        }
        Ok(Box::new(domain::LibvirtMachine::new(Arc::clone(&self.0), definition.clone(), domain)))
    }
}

/// What libvirt said, without its own decoration.
fn message(error: &virt::error::Error) -> String {
    error.message().trim().to_owned()
}

/// Whether QEMU could not have a port that it was to forward.
fn is_about_a_port(message: &str) -> bool {
    message.contains("Could not set up host forwarding rule") || message.contains("Address already in use")
}

/// Whether libvirt still had a domain of this name or uuid.
fn is_about_a_namesake(message: &str) -> bool {
    [
        "already exists with uuid",
        "is already being started",
        "is already active as",
        "is already being removed",
    ]
    .iter()
    .any(|words| message.contains(words))
}

/// What helps where a connection fails.
fn remedy(uri: &str, message: &str) -> String {
    if message.contains("libvirt-qemu") {
        return "as root, Debian's libvirt wants that user to exist: install libvirt-daemon-system, or run as an ordinary user".to_owned();
    }
    if uri.starts_with("qemu:///session") && geteuid().is_root() {
        return "use the embedded driver (the default) or qemu:///system, or run as an ordinary user"
            .to_owned();
    }
    if uri.contains("/embed") {
        return "install libvirt-daemon-driver-qemu and qemu-system-x86 (apt-get install)".to_owned();
    }
    if uri.starts_with("qemu:///") {
        return "see that its daemon is installed and running (apt-get install libvirt-daemon-system; systemctl status libvirtd), or leave the URI out to use the embedded driver".to_owned();
    }
    "see that the URI is right and its host reachable, or leave it out to use the embedded driver".to_owned()
}
