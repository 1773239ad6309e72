//! Our ends of a machine's console and control port, for one life of it.
//!
//! A thread for each life (`reader.rs`) reads both sockets, so that a guest that talks never stalls because
//! nobody listens. What it keeps is bounded: the console keeps its end only, and a control port
//! whose lines nobody takes is not read any further, which the guest sees as a full port.

mod reader;
mod unread;

use std::collections::VecDeque;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::Error;
use crate::console::{Console, ConsoleLine};
use crate::journal::Journal;
use crate::machine::{Endpoints, Event};
use reader::Reader;

/// How many lines of the control port wait at most to be taken.
const LINES: usize = 1024;
/// How long a guest may take nothing from its control port while a line is sent.
const SEND_LIMIT: Duration = Duration::from_secs(5);
/// How long it may take to read all that a machine has said that says nothing more.
const FORGET_LIMIT: Duration = Duration::from_secs(10);

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
    journal: Journal,
    panic: Option<String>,
    console_connected: bool,
    /// The process at the other end of the console, held such that it cannot be mistaken.
    process: Option<Arc<OwnedFd>>,
    control: Option<UnixStream>,
    ended: bool,
    dropped: bool,
    /// Whether all that was said until now is to be forgotten.
    forgetting: bool,
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
                journal: Journal::default(),
                panic: None,
                console_connected: false,
                process: None,
                control: None,
                ended: false,
                dropped: false,
                forgetting: false,
            }),
            changed: Condvar::new(),
            wake,
        });
        let reader = Reader::listen(Arc::clone(&shared), endpoints)?;
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

    /// What [`Machine::console_lines`](crate::Machine::console_lines) returns.
    #[must_use]
    pub fn console_lines(&self) -> Vec<ConsoleLine> {
        self.shared.lock().console.lines()
    }

    /// What [`Machine::journal_lines`](crate::Machine::journal_lines) returns.
    #[must_use]
    pub fn journal_lines(&self) -> Vec<ConsoleLine> {
        self.shared.lock().journal.lines()
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

    /// Whether the machine's process has taken all that was sent; false too where the kernel does
    /// not tell. What it has not taken would reach a machine that is put back to what it was.
    #[must_use]
    pub fn has_taken_all(&self) -> bool {
        self.shared
            .lock()
            .control
            .as_ref()
            .is_some_and(|stream| matches!(unread::is_unread(stream), Ok(false)))
    }

    /// Begins another life on the same connections, of a machine that stands still: forgets
    /// whatever it has said until now, read or not. False where the machine's process has let go of
    /// its ports.
    #[must_use]
    pub fn begin_anew(&self) -> bool {
        self.shared.lock().forgetting = true;
        self.shared.wake();
        let inbox = self.wait(Instant::now() + FORGET_LIMIT, |inbox| !inbox.forgetting || inbox.ended);
        !inbox.forgetting && !inbox.ended
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

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: Duration = Duration::from_secs(5);

    struct Life {
        ports: GuestPorts,
        endpoints: Endpoints,
        _directory: tempfile::TempDir,
    }

    impl Life {
        fn begin() -> Self {
            let directory = tempfile::tempdir().unwrap();
            let endpoints = Endpoints::new(directory.path(), "m").unwrap();
            let ports = GuestPorts::listen("m", &endpoints).unwrap();
            Self { ports, endpoints, _directory: directory }
        }

        fn connect(&self) -> (UnixStream, UnixStream) {
            let connect = |path| UnixStream::connect(path).unwrap();
            let streams = (connect(&self.endpoints.console), connect(&self.endpoints.control));
            self.ports.wait_connected(SOON).unwrap();
            streams
        }

        fn next(&self) -> Event {
            self.ports.next_event(Instant::now() + SOON)
        }
    }

    #[test]
    fn what_was_said_is_told_before_the_end() {
        let life = Life::begin();
        let (mut console, mut control) = life.connect();
        assert_eq!(life.ports.next_event(Instant::now()), Event::Timeout);
        control.write_all(b"one\r\ntwo\nhalf").unwrap();
        console.write_all(b"[0] Kernel panic - not syncing: x\n").unwrap();
        drop((console, control));
        assert!(life.ports.wait_ended(Instant::now() + SOON));
        assert_eq!(life.next(), Event::Control("one".to_owned()));
        assert_eq!(life.next(), Event::Control("two".to_owned()));
        assert_eq!(life.next(), Event::Panic("[0] Kernel panic - not syncing: x".to_owned()));
        assert_eq!(life.next(), Event::Ended);
        assert_eq!(life.next(), Event::Ended);
        assert!(life.ports.send("late").is_err());
    }

    #[test]
    fn what_services_say_is_no_event() {
        let life = Life::begin();
        let (_console, mut control) = life.connect();
        control.write_all(b"one\nlog web it is up\r\nlog\nlog web \n").unwrap();
        (0..=LINES).for_each(|line| writeln!(control, "log web {line}").unwrap());
        control.write_all(b"two\n").unwrap();
        for line in ["one", "log", "two"] {
            assert_eq!(life.next(), Event::Control(line.to_owned()));
        }
        let lines = life.ports.journal_lines();
        let texts: Vec<_> = lines.iter().map(|line| line.text.as_str()).take(3).collect();
        assert_eq!(texts, ["web it is up", "web ", "web 0"]);
        assert_eq!(lines.len(), LINES + 3);
        assert!(life.ports.begin_anew());
        assert_eq!(life.ports.journal_lines(), []);
    }

    #[test]
    fn a_panic_that_does_not_end_is_told_soon() {
        let life = Life::begin();
        let (mut console, _control) = life.connect();
        console.write_all(b"Kernel panic - not syncing: x\nCPU: 0\n").unwrap();
        assert_eq!(life.next(), Event::Panic("Kernel panic - not syncing: x\nCPU: 0".to_owned()));
        assert!(life.ports.panicked() && !life.ports.ended());
    }

    #[test]
    fn the_end_of_one_port_is_the_end() {
        let life = Life::begin();
        let (console, control) = life.connect();
        drop(control);
        assert_eq!(life.next(), Event::Ended);
        drop(console);
    }

    #[test]
    fn lines_that_nobody_takes_wait_in_order() {
        let life = Life::begin();
        let (_console, mut control) = life.connect();
        let count = 20 * LINES;
        let guest = std::thread::spawn(move || {
            (0..count).for_each(|line| writeln!(control, "line {line}").unwrap());
            control
        });
        std::thread::sleep(Duration::from_millis(200));
        assert!(life.ports.shared.lock().lines.len() < LINES + 16 * 1024);
        for line in 0..count {
            assert_eq!(life.next(), Event::Control(format!("line {line}")));
        }
        drop(guest.join().unwrap());
        assert_eq!(life.next(), Event::Ended);
    }

    #[test]
    fn a_port_that_is_not_connected_is_told() {
        let life = Life::begin();
        let _console = UnixStream::connect(&life.endpoints.console).unwrap();
        let error = life.ports.wait_connected(Duration::from_millis(200)).unwrap_err();
        assert!(error.to_string().starts_with("machine m did not connect its control port to "), "{error}");
    }

    #[test]
    fn a_guest_that_takes_nothing_is_told() {
        let life = Life::begin();
        let (_console, _control) = life.connect();
        let error = life.ports.send(&"x".repeat(8 << 20)).unwrap_err();
        assert!(matches!(error, Error::Control { .. }), "{error}");
    }

    #[test]
    fn what_was_said_before_is_forgotten() {
        let life = Life::begin();
        let (mut console, mut control) = life.connect();
        for round in 0..50 {
            (0..=LINES).for_each(|_| control.write_all(b"before\n").unwrap());
            control.write_all(b"and half a li").unwrap();
            console.write_all(b"Kernel panic - not syncing: x\nhalf a li").unwrap();
            assert!(life.ports.begin_anew());
            assert!(!life.ports.panicked());
            assert_eq!(life.ports.console(), "");
            assert_eq!(life.ports.next_event(Instant::now()), Event::Timeout);
            writeln!(control, "round {round}").unwrap();
            assert_eq!(life.next(), Event::Control(format!("round {round}")));
        }
        drop((console, control));
        assert!(!life.ports.begin_anew());
        assert_eq!(life.next(), Event::Ended);
    }

    #[test]
    fn what_the_machine_has_not_taken_is_known() {
        use std::io::Read;
        let life = Life::begin();
        assert!(!life.ports.has_taken_all());
        let (_console, mut control) = life.connect();
        assert!(life.ports.has_taken_all());
        life.ports.send("line").unwrap();
        assert!(!life.ports.has_taken_all());
        control.read_exact(&mut [0; 5]).unwrap();
        assert!(life.ports.has_taken_all());
    }

    #[test]
    fn a_new_life_has_sockets_of_its_own() {
        let life = Life::begin();
        let (mut console, _control) = life.connect();
        console.write_all(b"the first life\n").unwrap();
        let mut second = GuestPorts::listen("m", &life.endpoints).unwrap();
        assert_eq!(second.console(), "");
        let (mut console, _control) = {
            let connect = |path| UnixStream::connect(path).unwrap();
            (connect(&life.endpoints.console), connect(&life.endpoints.control))
        };
        second.wait_connected(SOON).unwrap();
        console.write_all(b"the second life\n").unwrap();
        drop(console);
        assert!(second.wait_ended(Instant::now() + SOON));
        assert_eq!(second.console(), "the second life\n");
        let process = second.process().unwrap();
        second = GuestPorts::listen("m", &life.endpoints).unwrap();
        assert!(second.process().is_none());
        drop(process);
    }
}
