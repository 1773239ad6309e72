//! The thread that reads both ports of a life.

use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{PidfdFlags, pidfd_open};

use super::{LINES, Shared};
use crate::Error;
use crate::journal::{self, Journal};
use crate::machine::Endpoints;

/// How long a line of the control port is at most, in bytes; the rest of a longer one is lost.
const LINE: usize = 1024 * 1024;
/// How long a panicking kernel may go on talking before its text is told as it is.
const PANIC_SETTLES: Duration = Duration::from_millis(300);

/// One of the two sockets.
enum Port {
    Listening(UnixListener),
    Connected(UnixStream),
}

impl Port {
    fn poll_fd(&self, flags: PollFlags) -> PollFd<'_> {
        match self {
            Self::Listening(listener) => PollFd::from_borrowed_fd(listener.as_fd(), flags),
            Self::Connected(stream) => PollFd::from_borrowed_fd(stream.as_fd(), flags),
        }
    }

    /// Accepts the machine's connection where it is there.
    fn accept(&mut self) -> io::Result<Option<UnixStream>> {
        let Self::Listening(listener) = self else { return Ok(None) };
        let stream = match listener.accept() {
            Ok((stream, _)) => stream,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) => return Err(error),
        };
        stream.set_nonblocking(true)?;
        let ours = stream.try_clone()?;
        *self = Self::Connected(stream);
        Ok(Some(ours))
    }
}

/// What the thread of a life works on.
pub(super) struct Reader {
    shared: Arc<Shared>,
    console: Port,
    control: Port,
    line: Vec<u8>,
}

impl Reader {
    /// Listens on both sockets.
    pub(super) fn listen(shared: Arc<Shared>, endpoints: &Endpoints) -> Result<Self, Error> {
        let console = Port::Listening(listen(&endpoints.console)?);
        let control = Port::Listening(listen(&endpoints.control)?);
        Ok(Self { shared, console, control, line: Vec::new() })
    }

    /// Reads until the life is over.
    pub(super) fn run(mut self) {
        loop {
            match self.step() {
                Ok(true) => {}
                Ok(false) => break,
                Err(error) => {
                    tracing::debug!(%error, "a machine's ports are lost");
                    break;
                }
            }
        }
        let mut inbox = self.shared.lock();
        if let Some(text) = inbox.console.take_panic(true) {
            inbox.panic = Some(text);
        }
        inbox.ended = true;
        inbox.control = None;
        self.shared.changed.notify_all();
    }

    /// Waits for something to happen on the ports and takes it; false at the end of the life.
    fn step(&mut self) -> io::Result<bool> {
        let (full, panicking, forgetting) = {
            let inbox = self.shared.lock();
            if inbox.dropped {
                return Ok(false);
            }
            (inbox.lines.len() >= LINES, inbox.console.panicking(), inbox.forgetting)
        };
        if forgetting {
            return self.forget();
        }
        let limit = Timespec { tv_sec: 0, tv_nsec: PANIC_SETTLES.subsec_nanos().into() };
        let ready = {
            let control = if full { PollFlags::empty() } else { PollFlags::IN };
            let mut fds = [
                PollFd::new(&self.shared.wake, PollFlags::IN),
                self.console.poll_fd(PollFlags::IN),
                self.control.poll_fd(control),
            ];
            match poll(&mut fds, panicking.then_some(&limit)) {
                Ok(0) => None,
                Ok(_) => Some(fds.map(|fd| !fd.revents().is_empty())),
                Err(rustix::io::Errno::INTR) => return Ok(true),
                Err(error) => return Err(error.into()),
            }
        };
        let Some([_, console, control]) = ready else {
            let mut inbox = self.shared.lock();
            inbox.panic = inbox.console.take_panic(true);
            self.shared.changed.notify_all();
            return Ok(true);
        };
        let _ = rustix::io::read(&self.shared.wake, &mut [0; 8]);
        // Where one port ends, the other one is read to its end before the life is over.
        let over = (console && !self.take_console()?) | (control && !full && !self.take_control()?);
        if over || (control && full) {
            self.drain()?;
            return Ok(false);
        }
        Ok(true)
    }

    /// Takes what the console said; false at its end.
    fn take_console(&mut self) -> io::Result<bool> {
        if let Some(stream) = self.console.accept()? {
            let mut inbox = self.shared.lock();
            inbox.console_connected = true;
            inbox.process = process_behind(&stream).map(Arc::new);
            self.shared.changed.notify_all();
        }
        let Port::Connected(stream) = &mut self.console else { return Ok(true) };
        let (bytes, open) = read_some(stream)?;
        let mut inbox = self.shared.lock();
        inbox.console.push(&bytes);
        if let Some(text) = inbox.console.take_panic(false) {
            inbox.panic = Some(text);
            self.shared.changed.notify_all();
        }
        Ok(open)
    }

    /// Takes the lines that came on the control port; false at its end.
    fn take_control(&mut self) -> io::Result<bool> {
        if let Some(stream) = self.control.accept()? {
            self.shared.lock().control = Some(stream);
            self.shared.changed.notify_all();
        }
        let Port::Connected(stream) = &mut self.control else { return Ok(true) };
        let (bytes, open) = read_some(stream)?;
        let mut inbox = self.shared.lock();
        for byte in bytes {
            match byte {
                b'\n' => {
                    let line = String::from_utf8_lossy(&self.line);
                    let line = line.trim_end_matches('\r');
                    match line.strip_prefix(journal::MARK) {
                        Some(said) => inbox.journal.push(said),
                        None => inbox.lines.push_back(line.to_owned()),
                    }
                    self.line.clear();
                }
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {}
            }
        }
        self.shared.changed.notify_all();
        Ok(open)
    }

    /// Reads what the machine has said on either port, and forgets it; false at its end.
    fn forget(&mut self) -> io::Result<bool> {
        for port in [&mut self.console, &mut self.control] {
            let Port::Connected(stream) = port else { continue };
            loop {
                let (bytes, open) = read_some(stream)?;
                if !open {
                    return Ok(false);
                }
                if bytes.is_empty() {
                    break;
                }
            }
        }
        self.line.clear();
        let mut inbox = self.shared.lock();
        inbox.lines.clear();
        inbox.panic = None;
        inbox.console.begin_anew();
        inbox.journal = Journal::default();
        inbox.forgetting = false;
        self.shared.changed.notify_all();
        Ok(true)
    }

    /// Reads what the machine had said on either port when it ended.
    fn drain(&mut self) -> io::Result<()> {
        for _ in 0..LINES {
            let console = matches!(self.console, Port::Connected(_)) && self.take_console()?;
            let control = matches!(self.control, Port::Connected(_)) && self.take_control()?;
            if !console && !control {
                break;
            }
            if self.shared.lock().dropped {
                break;
            }
        }
        Ok(())
    }
}

/// The process that has opened the other end.
fn process_behind(stream: &UnixStream) -> Option<OwnedFd> {
    let pid = socket_peercred(stream).ok()?.pid;
    pidfd_open(pid, PidfdFlags::empty()).ok()
}

/// Reads what is there, at most a block; false with it at the end of the stream.
fn read_some(stream: &mut UnixStream) -> io::Result<(Vec<u8>, bool)> {
    let mut block = vec![0; 16 * 1024];
    match stream.read(&mut block) {
        Ok(length) => {
            block.truncate(length);
            Ok((block, length > 0))
        }
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok((Vec::new(), true))
        }
        Err(error) if error.kind() == io::ErrorKind::ConnectionReset => Ok((Vec::new(), false)),
        Err(error) => Err(error),
    }
}

/// A socket that listens at `path`, in place of one that lies there.
fn listen(path: &Path) -> Result<UnixListener, Error> {
    match std::fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(Error::file("replace", path)(error));
        }
        _ => {}
    }
    let listener = UnixListener::bind(path).map_err(Error::file("listen on", path))?;
    listener.set_nonblocking(true).map_err(Error::file("listen on", path))?;
    // A libvirt daemon runs machines as a user of its own; the directory says who gets this far.
    std::fs::set_permissions(path, PermissionsExt::from_mode(0o666)).map_err(Error::file("open", path))?;
    Ok(listener)
}
