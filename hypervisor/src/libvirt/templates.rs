//! Templates: what a machine is, its disks aside, in files that other machines begin from.
//!
//! It is QEMU's migration of a machine that stands still. Memory is left out of it
//! (`x-ignore-shared`): it lies in a file all the time, which the template's own process maps shared
//! and those that begin from it map privately, so that they share what none of them has written to.
//! The rest, half a megabyte, goes through a unix socket: libvirt lets QEMU start no program
//! (`exec:`), and its binding passes no descriptor (`fd:`).

use std::fs::File;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde_json::{Value, json};
use virt::domain::Domain;

use super::monitor::Monitor;
use crate::Error;
use crate::machine::Transition;

/// The file of a template's memory, as large as the memory is.
const MEMORY: &str = "memory";
/// The file of the rest.
const DEVICES: &str = "devices";
/// How long QEMU may take to connect, to take or give a piece, and to be done.
const LIMIT: Duration = Duration::from_secs(30);
/// How soon QEMU is asked again whether it is done, once all has gone through the socket.
const AGAIN: Duration = Duration::from_millis(2);

/// What a machine's memory is in one life.
#[derive(Clone, Copy, Debug)]
pub(super) enum Memory<'a> {
    /// What libvirt gives it.
    Usual,
    /// Its own, called as that of a template: what is saved in a life can be loaded only where memory
    /// is called alike.
    Named,
    /// The file of a template that is being made.
    Shared(&'a Path),
    /// What a template's file has, until it is written to.
    Private(&'a Path),
}

impl Memory<'_> {
    pub(super) fn is_named(self) -> bool {
        !matches!(self, Self::Usual)
    }

    /// What QEMU is told of a memory of so many bytes.
    pub(super) fn arguments(self, size: u64) -> Vec<String> {
        let (backend, incoming) = match self {
            Self::Usual => return Vec::new(),
            Self::Named => ("memory-backend-ram".to_owned(), false),
            Self::Shared(directory) => (file_backend(directory, "on"), false),
            Self::Private(directory) => (file_backend(directory, "off"), true),
        };
        let mut arguments = vec![
            "-object".to_owned(),
            format!("{backend},id=netprop.ram,size={size}"),
            "-machine".to_owned(),
            "memory-backend=netprop.ram".to_owned(),
        ];
        if incoming {
            arguments.extend(["-incoming".to_owned(), "defer".to_owned()]);
        }
        arguments
    }
}

fn file_backend(directory: &Path, share: &str) -> String {
    format!("memory-backend-file,mem-path={},share={share}", escaped(&directory.join(MEMORY)))
}

/// The path as a part of an option of QEMU's: a comma ends one, two stand for one.
fn escaped(path: &Path) -> String {
    path.display().to_string().replace(',', ",,")
}

/// Makes the file that a template's memory is to lie in.
pub(super) fn create_memory(directory: &Path, size: u64) -> Result<(), Error> {
    let path = directory.join(MEMORY);
    let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
    let sized = file.and_then(|file| file.set_len(size));
    sized.map_err(Error::file("write", &path))
}

/// Refuses a directory that has no memory of so many bytes: QEMU would make the file, or take what is
/// there and end on a signal later.
pub(super) fn check_memory(directory: &Path, size: u64) -> Result<(), Error> {
    let path = directory.join(MEMORY);
    let metadata = std::fs::metadata(&path).map_err(Error::file("read", &path))?;
    if metadata.len() == size {
        return Ok(());
    }
    let why = format!("it has {} bytes and the machine's memory {size}", metadata.len());
    Err(Error::file("use the memory", &path)(io::Error::new(io::ErrorKind::InvalidData, why)))
}

/// What moves a machine's state between its process and a template.
pub(super) struct Transfer<'a> {
    pub(super) machine: &'a str,
    pub(super) domain: &'a Domain,
    /// Where the socket is made.
    pub(super) socket: &'a Path,
}

impl Transfer<'_> {
    /// Keeps all but the memory of a machine that stands still.
    pub(super) fn save(&self, directory: &Path) -> Result<(), Error> {
        let refused = |message| self.refused(Transition::Save, message);
        let path = directory.join(DEVICES);
        let file = File::options().write(true).create_new(true).mode(0o600).open(&path);
        let mut file = file.map_err(Error::file("write", &path))?;
        let _ = std::fs::remove_file(self.socket);
        let listener = UnixListener::bind(self.socket).map_err(Error::file("listen on", self.socket))?;
        let _removed = Removed(self.socket);
        self.leave_memory_out(true).map_err(refused)?;
        self.monitor().execute("migrate", &json!({ "uri": self.uri() })).map_err(refused)?;
        let mut stream = accept(&listener).map_err(|error| refused(error.to_string()))?;
        io::copy(&mut stream, &mut file).map_err(Error::file("write", &path))?;
        self.await_done().map_err(refused)
    }

    /// Has a machine that waits for it be what the template was, and stand still.
    pub(super) fn load(&self, directory: &Path) -> Result<(), Error> {
        let refused = |message| self.refused(Transition::Start, message);
        let path = directory.join(DEVICES);
        let devices = std::fs::read(&path).map_err(Error::file("read", &path))?;
        let _ = std::fs::remove_file(self.socket);
        let _removed = Removed(self.socket);
        self.leave_memory_out(true).map_err(refused)?;
        self.monitor().execute("migrate-incoming", &json!({ "uri": self.uri() })).map_err(refused)?;
        give(self.socket, &devices)
            .map_err(|error| refused(format!("QEMU does not take the template: {error}")))?;
        self.await_done().map_err(refused)?;
        // What is saved of the machine from now on has its memory.
        self.leave_memory_out(false).map_err(refused)
    }

    fn monitor(&self) -> Monitor<'_> {
        Monitor(self.domain)
    }

    fn uri(&self) -> String {
        format!("unix:{}", self.socket.display())
    }

    fn leave_memory_out(&self, state: bool) -> Result<(), String> {
        let capability = json!({ "capability": "x-ignore-shared", "state": state });
        let arguments = json!({ "capabilities": [capability] });
        self.monitor().execute("migrate-set-capabilities", &arguments).map(drop)
    }

    /// Waits until QEMU says that the migration is complete, which it is but for its last words.
    fn await_done(&self) -> Result<(), String> {
        let deadline = Instant::now() + LIMIT;
        loop {
            let migration = self.monitor().execute("query-migrate", &json!({}))?;
            match migration["status"].as_str() {
                Some("completed") => return Ok(()),
                Some("failed" | "cancelled") => return Err(reason(&migration)),
                _ if Instant::now() < deadline => std::thread::sleep(AGAIN),
                _ => return Err(format!("QEMU was not done after {LIMIT:?}")),
            }
        }
    }

    fn refused(&self, action: Transition, message: String) -> Error {
        Error::Refused { action, machine: self.machine.to_owned(), message }
    }
}

fn reason(migration: &Value) -> String {
    migration["error-desc"].as_str().unwrap_or("QEMU does not say why").to_owned()
}

/// A socket's file, which goes with this.
struct Removed<'a>(&'a Path);

impl Drop for Removed<'_> {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(self.0);
    }
}

fn accept(listener: &UnixListener) -> io::Result<UnixStream> {
    let limit = Timespec::try_from(LIMIT).map_err(|_| io::ErrorKind::InvalidInput)?;
    if poll(&mut [PollFd::new(listener, PollFlags::IN)], Some(&limit))? == 0 {
        return Err(io::Error::new(io::ErrorKind::TimedOut, "QEMU did not connect to the socket"));
    }
    let (stream, _) = listener.accept()?;
    stream.set_read_timeout(Some(LIMIT))?;
    Ok(stream)
}

fn give(socket: &Path, devices: &[u8]) -> io::Result<()> {
    let mut stream = UnixStream::connect(socket)?;
    stream.set_write_timeout(Some(LIMIT))?;
    stream.write_all(devices)
}

/// Where a machine's socket for this is made, beside those of its ports.
pub(super) fn socket(control: &Path) -> PathBuf {
    control.with_extension("mig")
}
