//! The virtual Ethernet switch that machines are plugged into.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::error::check_length;
use crate::fabric::{Fabric, FabricConfig};
use crate::run::{Access, RunDirectory};
use crate::{Error, program};

/// How many ports a switch of ours has: a machine takes one for each card in it.
const PORTS: &str = "128";
/// The longest path of a switch's directory, in bytes; what vde makes below it is cut silently
/// beyond that.
pub(crate) const PATH_MAX: usize = 84;
/// How long a switch may take to start.
const STARTS: Duration = Duration::from_secs(10);

/// A VDE switch: one of our own for one network, or one that is there already.
///
/// Machines join by `-netdev vde,sock=PATH` with [`Switch::path`]. They do not come back to a
/// switch that was started anew, so its death means that the network is lost.
#[derive(Debug)]
pub struct Switch {
    name: String,
    path: PathBuf,
    kind: Kind,
}

/// What forwards the frames.
#[derive(Debug)]
enum Kind {
    /// A thread of this process.
    Fabric(Fabric),
    /// A process of our own.
    Process {
        process: Mutex<Child>,
        /// The switch ends when this closes, however we end.
        _input: Option<ChildStdin>,
        _run: RunDirectory,
    },
    /// A process of somebody else's.
    Existing,
}

impl Switch {
    /// Starts a switch in the run directory, and returns when it can be joined. It needs no
    /// privileges. Dropping it ends it.
    ///
    /// # Errors
    /// [`Error::MissingProgram`] without `vde_switch`, [`Error::PathTooLong`] where its sockets
    /// would not fit, [`Error::SwitchStart`] with what it said.
    pub fn vde(run: &RunDirectory, name: &str, access: Access) -> Result<Self, Error> {
        let program = program::find("vde_switch", "vde2")?;
        let path = run.path().join(format!("{name}.vde"));
        check_length(&path, PATH_MAX)?;
        let mode = match access {
            Access::Owner => "0600",
            Access::Everybody => "0666",
        };
        let mut process = run
            .command(&program)
            .args(["-n", PORTS, "-m", mode, "-s"])
            .arg(&path)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| Error::Spawn { program: program.display().to_string(), source })?;
        let (mut input, output) = (process.stdin.take(), process.stdout.take());
        let ready = input.as_mut().zip(output).ok_or(io::ErrorKind::BrokenPipe.into());
        let ready = ready.and_then(|(input, output)| wait_ready(input, output));
        let kind = Kind::Process { process: Mutex::new(process), _input: input, _run: run.clone() };
        let mut switch = Self { name: name.to_owned(), path, kind };
        match ready {
            Ok(()) => Ok(switch),
            Err(error) => {
                let message = match switch.last_words() {
                    said if said.is_empty() => error.to_string(),
                    said => said,
                };
                Err(Error::SwitchStart { name: name.to_owned(), message })
            }
        }
    }

    /// Starts a [`Fabric`] in the run directory, which has rules for what becomes of frames. It runs on
    /// a thread of this process, and needs no program and no privileges. Dropping it ends it.
    ///
    /// # Errors
    /// As for [`Fabric::start`].
    pub fn fabric(
        run: &RunDirectory,
        name: &str,
        access: Access,
        config: &FabricConfig,
    ) -> Result<Self, Error> {
        let fabric = Fabric::start(run, name, access, config)?;
        Ok(Self { name: name.to_owned(), path: fabric.path().to_owned(), kind: Kind::Fabric(fabric) })
    }

    /// A switch that somebody else has started with its control directory at `path`, such as
    /// `/run/vde0.ctl`.
    ///
    /// # Errors
    /// [`Error::NotASwitch`] where none answers there.
    pub fn existing(path: &Path) -> Result<Self, Error> {
        let path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        connect(&path).map_err(|message| Error::NotASwitch { path: path.clone(), message })?;
        Ok(Self { name: path.display().to_string(), path, kind: Kind::Existing })
    }

    /// What messages call it.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its control directory, for `-netdev vde,sock=`.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The fabric that it is, where it is one.
    #[must_use]
    pub fn as_fabric(&self) -> Option<&Fabric> {
        match &self.kind {
            Kind::Fabric(fabric) => Some(fabric),
            Kind::Process { .. } | Kind::Existing => None,
        }
    }

    /// The process id of a switch of our own that is a process.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        match &self.kind {
            Kind::Process { process, .. } => {
                Some(process.lock().unwrap_or_else(PoisonError::into_inner).id())
            }
            Kind::Fabric(_) | Kind::Existing => None,
        }
    }

    /// Whether it still forwards frames.
    #[must_use]
    pub fn is_alive(&self) -> bool {
        self.check().is_ok()
    }

    /// Says so where the switch has ended. A network whose switch is gone is a failure of the
    /// infrastructure, whatever its machines answer.
    ///
    /// # Errors
    /// [`Error::SwitchDied`].
    pub fn check(&self) -> Result<(), Error> {
        let died = |message| Error::SwitchDied { name: self.name.clone(), path: self.path.clone(), message };
        match &self.kind {
            Kind::Fabric(fabric) => fabric.check(),
            Kind::Process { process, .. } => {
                match process.lock().unwrap_or_else(PoisonError::into_inner).try_wait() {
                    Ok(None) => Ok(()),
                    Ok(Some(status)) => Err(died(status.to_string())),
                    Err(error) => Err(died(error.to_string())),
                }
            }
            Kind::Existing => connect(&self.path).map_err(died),
        }
    }

    /// Ends a switch that did not come up and returns what it said.
    fn last_words(&mut self) -> String {
        let Kind::Process { process, .. } = &mut self.kind else { return String::new() };
        let process = process.get_mut().unwrap_or_else(PoisonError::into_inner);
        let _ = process.kill();
        let mut said = String::new();
        if let Some(mut errors) = process.stderr.take() {
            let _ = errors.read_to_string(&mut said);
        }
        said.trim().to_owned()
    }
}

impl Drop for Switch {
    fn drop(&mut self) {
        if let Kind::Process { process, .. } = &mut self.kind {
            let process = process.get_mut().unwrap_or_else(PoisonError::into_inner);
            let _ = process.kill();
            let _ = process.wait();
            // Killed, it had no time to clean up.
            let _ = std::fs::remove_dir_all(&self.path);
        }
    }
}

/// Asks the switch's console for something, which it answers when it is up, and waits for that.
fn wait_ready(input: &mut ChildStdin, output: ChildStdout) -> io::Result<()> {
    let deadline = Instant::now() + STARTS;
    input.write_all(b"showinfo\n")?;
    let mut output = BufReader::new(output);
    let mut line = String::new();
    loop {
        if output.buffer().is_empty() {
            let limit = Timespec::try_from(deadline.saturating_duration_since(Instant::now()))
                .map_err(|_| io::ErrorKind::TimedOut)?;
            if poll(&mut [PollFd::new(output.get_ref(), PollFlags::IN)], Some(&limit))? == 0 {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        line.clear();
        if output.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if line.trim_end().ends_with("1000 Success") {
            return Ok(());
        }
    }
}

/// Whether a switch listens in this control directory; the connection is closed at once, before
/// it has asked for a port.
fn connect(path: &Path) -> Result<(), String> {
    let control = path.join("ctl");
    match std::fs::metadata(&control) {
        Err(error) => Err(format!("it has no control socket: {error}")),
        Ok(metadata) if !metadata.file_type().is_socket() => Err("its ctl is not a socket".to_owned()),
        Ok(_) => {
            UnixStream::connect(&control).map(|_| ()).map_err(|error| format!("nobody answers: {error}"))
        }
    }
}
