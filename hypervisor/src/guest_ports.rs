//! Our ends of a machine's console and control port, for one life of it.
//!
//! A thread for each life reads both sockets, so that a guest that talks never stalls because
//! nobody listens. What it keeps is bounded: the console keeps its end only, and a control port
//! whose lines nobody takes is not read any further, which the guest sees as a full port.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::net::sockopt::socket_peercred;
use rustix::process::{PidfdFlags, pidfd_open};

use crate::Error;
use crate::console::Console;
use crate::machine::{Endpoints, Event};

/// How many lines of the control port wait at most to be taken.
const LINES: usize = 1024;
/// How long a line of the control port is at most, in bytes; the rest of a longer one is lost.
const LINE: usize = 1024 * 1024;
/// How long a panicking kernel may go on talking before its text is told as it is.
const PANIC_SETTLES: Duration = Duration::from_millis(300);
/// How long a guest may take nothing from its control port while a line is sent.
const SEND_LIMIT: Duration = Duration::from_secs(5);

/// The host's ends of a machine's console and control port, listening since before the machine
/// starts and until its life is over. A backend makes one for each life.
#[derive(Debug)]
pub struct GuestPorts {
    machine: String,
    endpoints: Endpoints,
    shared: Arc<Shared>,
    reader: Option<JoinHandle<()>>,
}

#[derive(Debug)]
struct Shared {
    inbox: Mutex<Inbox>,
    changed: Condvar,
    wake: OwnedFd,
}

#[derive(Debug)]
struct Inbox {
    lines: VecDeque<String>,
    console: Console,
    panic: Option<String>,
    console_connected: bool,
    /// The process at the other end of the console, held such that it cannot be mistaken.
    process: Option<Arc<OwnedFd>>,
    control: Option<UnixStream>,
    ended: bool,
    dropped: bool,
}

impl GuestPorts {
    /// Listens on both sockets for the life of `machine` that is about to begin; sockets that a
    /// life before left are replaced.
    ///
    /// # Errors
    /// [`Error::PathTooLong`], or [`Error::File`] where a socket or the log cannot be made.
    pub fn listen(machine: &str, endpoints: &Endpoints) -> Result<Self, Error> {
        endpoints.check()?;
        let console = Console::new(&endpoints.log).map_err(Error::file("write", &endpoints.log))?;
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|error| Error::file("watch", &endpoints.console)(error.into()))?;
        let shared = Arc::new(Shared {
            inbox: Mutex::new(Inbox {
                lines: VecDeque::new(),
                console,
                panic: None,
                console_connected: false,
                process: None,
                control: None,
                ended: false,
                dropped: false,
            }),
            changed: Condvar::new(),
            wake,
        });
        let reader = Reader {
            shared: Arc::clone(&shared),
            console: Port::Listening(listen(&endpoints.console)?),
            control: Port::Listening(listen(&endpoints.control)?),
            line: Vec::new(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("ports {machine}"))
            .spawn(move || reader.run())
            .map_err(Error::file("watch", &endpoints.console))?;
        Ok(Self { machine: machine.to_owned(), endpoints: endpoints.clone(), shared, reader: Some(thread) })
    }

    /// Waits until the machine has connected both ports, which it does as it starts.
    ///
    /// # Errors
    /// [`Error::NotConnected`] names a port that was not connected within `limit` or before the
    /// machine ended.
    pub fn wait_connected(&self, limit: Duration) -> Result<(), Error> {
        let connected = |inbox: &Inbox| inbox.console_connected && inbox.control.is_some();
        let inbox = self.wait(Instant::now() + limit, |inbox| connected(inbox) || inbox.ended);
        if connected(&inbox) {
            return Ok(());
        }
        let (port, path) = if inbox.console_connected {
            ("control port", &self.endpoints.control)
        } else {
            ("console", &self.endpoints.console)
        };
        Err(Error::NotConnected { machine: self.machine.clone(), port, path: path.clone() })
    }

    /// Waits until the machine's process has let go of its ports; true if it did before
    /// `deadline`.
    #[must_use]
    pub fn wait_ended(&self, deadline: Instant) -> bool {
        self.wait(deadline, |inbox| inbox.ended).ended
    }

    /// Whether the machine's process has let go of its ports.
    #[must_use]
    pub fn ended(&self) -> bool {
        self.shared.lock().ended
    }

    /// The process that has connected the console, as a handle that stays its own after its end;
    /// nothing where it has not connected, or where the kernel does not tell.
    #[must_use]
    pub fn process(&self) -> Option<Arc<OwnedFd>> {
        self.shared.lock().process.clone()
    }

    /// Whether the guest's kernel has panicked.
    #[must_use]
    pub fn panicked(&self) -> bool {
        self.shared.lock().console.panicked()
    }

    /// What [`Machine::console`](crate::Machine::console) returns.
    #[must_use]
    pub fn console(&self) -> String {
        self.shared.lock().console.text()
    }

    /// What [`Machine::next_event`](crate::Machine::next_event) returns.
    #[must_use]
    pub fn next_event(&self, deadline: Instant) -> Event {
        let mut inbox =
            self.wait(deadline, |inbox| !inbox.lines.is_empty() || inbox.panic.is_some() || inbox.ended);
        if let Some(line) = inbox.lines.pop_front() {
            if inbox.lines.len() + 1 == LINES {
                self.shared.wake();
            }
            Event::Control(line)
        } else if let Some(text) = inbox.panic.take() {
            Event::Panic(text)
        } else if inbox.ended {
            Event::Ended
        } else {
            Event::Timeout
        }
    }

    /// What [`Machine::send`](crate::Machine::send) does.
    ///
    /// # Errors
    /// [`Error::Control`].
    pub fn send(&self, line: &str) -> Result<(), Error> {
        let failed = |source| Error::Control { machine: self.machine.clone(), source };
        let stream = {
            let inbox = self.shared.lock();
            let Some(stream) = &inbox.control else { return Err(failed(io::ErrorKind::NotConnected.into())) };
            stream.try_clone().map_err(failed)?
        };
        write_all(stream, format!("{line}\n").as_bytes()).map_err(failed)
    }

    fn wait(&self, deadline: Instant, done: impl Fn(&Inbox) -> bool) -> MutexGuard<'_, Inbox> {
        let mut inbox = self.shared.lock();
        while !done(&inbox) {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            (inbox, _) =
                self.shared.changed.wait_timeout(inbox, left).unwrap_or_else(PoisonError::into_inner);
        }
        inbox
    }
}

impl Drop for GuestPorts {
    fn drop(&mut self) {
        self.shared.lock().dropped = true;
        self.shared.wake();
        if let Some(reader) = self.reader.take() {
            let _ = reader.join();
        }
        let _ = std::fs::remove_file(&self.endpoints.console);
        let _ = std::fs::remove_file(&self.endpoints.control);
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Inbox> {
        self.inbox.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the reader look at the inbox anew.
    fn wake(&self) {
        let _ = rustix::io::write(&self.wake, &1_u64.to_ne_bytes());
    }
}

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
struct Reader {
    shared: Arc<Shared>,
    console: Port,
    control: Port,
    line: Vec<u8>,
}

impl Reader {
    fn run(mut self) {
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
        let (full, panicking) = {
            let inbox = self.shared.lock();
            if inbox.dropped {
                return Ok(false);
            }
            (inbox.lines.len() >= LINES, inbox.console.panicking())
        };
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
                    inbox.lines.push_back(line.trim_end_matches('\r').to_owned());
                    self.line.clear();
                }
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {}
            }
        }
        self.shared.changed.notify_all();
        Ok(open)
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

/// Writes all of it, waiting while the port is full for as long as the guest takes some of it.
fn write_all(mut stream: UnixStream, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match stream.write(bytes) {
            Ok(length) => bytes = &bytes[length..],
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                let mut fds = [PollFd::new(&stream, PollFlags::OUT)];
                let limit = Timespec { tv_sec: SEND_LIMIT.as_secs().cast_signed(), tv_nsec: 0 };
                if poll(&mut fds, Some(&limit))? == 0 {
                    return Err(io::ErrorKind::TimedOut.into());
                }
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
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
