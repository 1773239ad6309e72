//! Everything that can go wrong here, each with one sentence for the user.

use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::machine::{State, Transition};

/// The longest path that a unix socket can have, in bytes (`sun_path` without its final zero).
pub const SOCKET_PATH_MAX: usize = 107;

/// Why something could not be done to a machine, a switch, a disk or a run directory.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or directory could not be used.
    #[error("could not {action} {}: {source}", .path.display())]
    File {
        /// What was tried.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A path is too long for a unix socket, or for what is made below it.
    #[error(
        "path {} has {} bytes and a socket's path may have {limit} here: set NETPROP_RUNTIME_DIR to a shorter directory, or use shorter names",
        .path.display(), .path.as_os_str().len()
    )]
    PathTooLong {
        /// The path.
        path: PathBuf,
        /// The most bytes that it could have.
        limit: usize,
    },
    /// The directory for run directories could be tampered with by others.
    #[error(
        "directory {} belongs to another user: remove it, or set NETPROP_RUNTIME_DIR to a directory of your own",
        .path.display()
    )]
    ForeignDirectory {
        /// The directory.
        path: PathBuf,
    },
    /// A program is not there.
    #[error("{program} was not found on PATH: install {package} (apt-get install {package})")]
    MissingProgram {
        /// The program's name.
        program: String,
        /// The Debian package that has it.
        package: &'static str,
    },
    /// A program could not be started.
    #[error("could not run {program}: {source}")]
    Spawn {
        /// The program.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// No process could be started that cleans up after this one.
    #[error("could not start the guardian of run directory {} with {program}: {source}", .path.display())]
    Guardian {
        /// The run directory.
        path: PathBuf,
        /// The program that runs it.
        program: String,
        /// Why not.
        source: io::Error,
    },
    /// Processes of a run would not end.
    #[error("{count} processes of {} would not end: look at them with: ps {pids}", .directory.display())]
    Unkillable {
        /// The run directory.
        directory: PathBuf,
        /// How many there are.
        count: usize,
        /// Their ids.
        pids: String,
    },
    /// The connection to libvirt could not be opened.
    #[error("could not connect to libvirt at {uri}: {message}: {remedy}")]
    Connect {
        /// Where to.
        uri: String,
        /// What libvirt said.
        message: String,
        /// What to do about it.
        remedy: String,
    },
    /// The definition cannot become a machine.
    #[error("the definition of machine {machine} is refused: {message}")]
    Definition {
        /// The machine.
        machine: String,
        /// What is wrong with it.
        message: String,
    },
    /// The hypervisor would not do it.
    #[error("could not {action} machine {machine}: {message}")]
    Refused {
        /// What was tried.
        action: Transition,
        /// The machine.
        machine: String,
        /// What the hypervisor said.
        message: String,
    },
    /// A forwarded port was in use when the machine started; another one may be free.
    #[error(
        "could not start machine {machine} since a port that it forwards is taken: choose another port ({message})"
    )]
    PortTaken {
        /// The machine.
        machine: String,
        /// What the hypervisor said.
        message: String,
    },
    /// The machine is in a state that does not permit it.
    #[error("could not {transition} machine {machine}: it is {state}")]
    WrongState {
        /// The machine.
        machine: String,
        /// What was asked for.
        transition: Transition,
        /// What the machine is doing.
        state: State,
    },
    /// The machine did not do it in time.
    #[error("could not {action} machine {machine} within {limit:?}")]
    Limit {
        /// What was waited for.
        action: Transition,
        /// The machine.
        machine: String,
        /// For how long.
        limit: Duration,
    },
    /// The backend cannot save machines.
    #[error("could not save machine {machine}: its hypervisor keeps no snapshots")]
    NoSnapshots {
        /// The machine.
        machine: String,
    },
    /// A machine cannot be put back to what another one was.
    #[error(
        "could not revert machine {machine} to a snapshot that is not its own: it is of machine {of}, so save this one first"
    )]
    ForeignSnapshot {
        /// The machine.
        machine: String,
        /// Whose it is; a machine of that name that was defined before is another one.
        of: String,
    },
    /// A machine started without connecting one of its ports.
    #[error(
        "machine {machine} did not connect its {port} to {}: its definition needs one that connects there",
        .path.display()
    )]
    NotConnected {
        /// The machine.
        machine: String,
        /// Console or control port.
        port: &'static str,
        /// The socket.
        path: PathBuf,
    },
    /// A line could not be written to a machine's control port.
    #[error("could not write to the control port of machine {machine}: {source}")]
    Control {
        /// The machine.
        machine: String,
        /// Why not.
        source: io::Error,
    },
    /// No loopback port could be had.
    #[error("no free TCP port was found on 127.0.0.1: {0}")]
    NoPort(io::Error),
    /// A switch did not come up.
    #[error("switch {name} did not start: {message}")]
    SwitchStart {
        /// The switch.
        name: String,
        /// What it said.
        message: String,
    },
    /// A switch that machines are plugged into has ended.
    #[error("switch {name} at {} has ended ({message}): the machines' network is gone, so start them on a new one", .path.display())]
    SwitchDied {
        /// The switch.
        name: String,
        /// Its control directory.
        path: PathBuf,
        /// How it ended.
        message: String,
    },
    /// The path is no VDE switch.
    #[error(
        "{} is not the control directory of a running VDE switch ({message}): give the path that vde_switch was started with (-s)",
        .path.display()
    )]
    NotASwitch {
        /// The path.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },
    /// What was given as a probability is none.
    #[error("{value} is no probability: give a number between 0 and 1")]
    Probability {
        /// What was given.
        value: f64,
    },
    /// Frames would be delayed for absurdly long.
    #[error("frames cannot be delayed by {delay:?}: give {limit:?} at most")]
    LinkDelay {
        /// The delay or jitter that was given.
        delay: Duration,
        /// The longest that can be given.
        limit: Duration,
    },
    /// Frames would pass absurdly slowly or fast.
    #[error("frames cannot pass at {rate} bits a second: give {lowest} to {highest}")]
    LinkRate {
        /// The rate that was given, in bits a second.
        rate: u64,
        /// The lowest that can be given.
        lowest: u64,
        /// The highest that can be given.
        highest: u64,
    },
    /// A port of a fabric cannot have this name.
    #[error("a port of fabric {fabric} cannot be called {name:?}, since {why}: give another name")]
    PortName {
        /// The fabric.
        fabric: String,
        /// The name.
        name: String,
        /// Why not.
        why: String,
    },
    /// A port of a fabric cannot have this Ethernet address.
    #[error(
        "port {name:?} of fabric {fabric} cannot have the address {address}, since {why}: give another address"
    )]
    PortAddress {
        /// The fabric.
        fabric: String,
        /// The port's name.
        name: String,
        /// The address.
        address: String,
        /// Why not.
        why: String,
    },
    /// A fabric has no port with this name.
    #[error("fabric {fabric} has no port {name:?}: its ports are {known}")]
    NoSuchPort {
        /// The fabric.
        fabric: String,
        /// The name that was given.
        name: String,
        /// What its ports are called.
        known: String,
    },
    /// A fabric cannot be put back to what another one was.
    #[error(
        "could not put fabric {fabric} back to a state of another one: give a state of a fabric with its ports"
    )]
    ForeignFabricState {
        /// The fabric.
        fabric: String,
    },
    /// A scratch disk could not be made.
    #[error("could not make the disk {} over {}: {message}", .path.display(), .template.display())]
    Disk {
        /// The disk.
        path: PathBuf,
        /// The image that it lies over.
        template: PathBuf,
        /// What qemu-img said.
        message: String,
    },
    /// The backend has no disks that fail.
    #[error("could not have a disk of machine {machine} fail: its hypervisor cannot do that")]
    NoDiskFaults {
        /// The machine.
        machine: String,
    },
    /// The machine writes to no disk with this file.
    #[error("machine {machine} writes to no disk {}: its disks are {known}", .disk.display())]
    NoSuchDisk {
        /// The machine.
        machine: String,
        /// The file that was given.
        disk: PathBuf,
        /// The files of the disks that it writes to.
        known: String,
    },
    /// A disk would be absurdly slow or fast.
    #[error("a disk cannot do {rate} {unit} a second: give {lowest} to {highest}")]
    DiskRate {
        /// The rate that was given.
        rate: u64,
        /// Bytes or operations.
        unit: &'static str,
        /// The lowest that can be given.
        lowest: u64,
        /// The highest that can be given.
        highest: u64,
    },
    /// A disk could not be made to fail, or to stop failing.
    #[error("could not {action} disk {} of machine {machine}: {message}", .disk.display())]
    DiskFault {
        /// What was tried.
        action: &'static str,
        /// The machine.
        machine: String,
        /// The disk's file.
        disk: PathBuf,
        /// Why not.
        message: String,
    },
    /// The machine has no disk that a power cut could lose anything of.
    #[error(
        "could not cut the power of machine {machine} such that it loses writes: none of its disks is volatile in this life, so make one so first"
    )]
    NotVolatile {
        /// The machine.
        machine: String,
    },
    /// There is no room for what machines are to begin from, or to be put back to.
    #[error(
        "the file system of {} has no room for a snapshot of {mebibytes} MiB: make room there, or set {variable} to a directory on another",
        .path.display()
    )]
    NoRoom {
        /// Where it would be.
        path: PathBuf,
        /// How large it would be.
        mebibytes: u64,
        /// The environment variable that says where it is.
        variable: &'static str,
    },
    /// Another run uses what would have to be made anew.
    #[error("the snapshot {} cannot be used, and not made anew while another run uses it: wait for that run's end", .path.display())]
    InUse {
        /// The snapshot.
        path: PathBuf,
    },
    /// There is no room left for a file.
    #[error("the file system of {} is full: make room there, or set NETPROP_RUNTIME_DIR to a directory on another", .path.display())]
    DiskFull {
        /// The file that did not fit.
        path: PathBuf,
    },
}

impl Error {
    /// Wraps what happened to the file `path` while we tried to `action` it.
    pub(crate) fn file(action: &'static str, path: impl Into<PathBuf>) -> impl FnOnce(io::Error) -> Self {
        let path = path.into();
        move |source| match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::DiskFull { path },
            _ => Self::File { action, path, source },
        }
    }
}

/// Refuses a path that cannot be a unix socket's.
pub(crate) fn check_socket_path(path: &Path) -> Result<(), Error> {
    check_length(path, SOCKET_PATH_MAX)
}

/// Refuses a path of more than `limit` bytes.
pub(crate) fn check_length(path: &Path, limit: usize) -> Result<(), Error> {
    if path.as_os_str().as_bytes().len() > limit {
        return Err(Error::PathTooLong { path: path.to_owned(), limit });
    }
    Ok(())
}
