//! Child processes with a log, a deadline and an end: the only place of this crate that starts any.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use crate::error::Error;
use crate::progress::Cancel;

/// How long a child may take to end after SIGTERM; nix-build ends its builders in that time.
const GRACE: Duration = Duration::from_secs(3);
/// How many lines of a log go into an error.
const END_LINES: usize = 20;

/// What limits a child's life.
#[derive(Clone, Debug)]
pub(crate) struct Limits {
    /// When it has to be done.
    pub(crate) until: Option<Instant>,
    /// How long that was from the start of the whole build.
    pub(crate) deadline: Duration,
    /// Ends it earlier.
    pub(crate) cancel: Cancel,
}

/// What is left of a child that ended by itself.
pub(crate) struct Finished {
    pub(crate) status: ExitStatus,
    /// The lines of its standard output.
    pub(crate) output: Vec<String>,
    /// The last lines of its standard error.
    pub(crate) end: String,
}

enum Event {
    Output(String),
    Diagnostic(String),
    Closed,
    Exited(io::Result<ExitStatus>),
    Cancelled,
}

/// A child to be started in a process group of its own.
pub(crate) struct Job<'a> {
    /// What it does, for errors.
    pub(crate) what: &'static str,
    /// Its program, arguments and environment.
    pub(crate) command: Command,
    /// Where its standard error goes, appended.
    pub(crate) log: PathBuf,
    /// Is given each line of its standard error.
    pub(crate) on_line: &'a mut dyn FnMut(&str),
}

impl Job<'_> {
    /// Runs the child to its end, or ends it and all of its group.
    pub(crate) fn run(mut self, limits: &Limits) -> Result<Finished, Error> {
        if limits.cancel.is_cancelled() {
            return Err(Error::Cancelled { what: self.what });
        }
        let mut log = open_log(&self.log)?;
        let program = PathBuf::from(self.command.get_program());
        let child = self.command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = child.process_group(0).spawn().map_err(Error::file("run", program))?;
        let group = Pid::from_child(&child);
        let (sender, events) = mpsc::channel();
        read_lines(child.stdout.take(), sender.clone(), Event::Output);
        read_lines(child.stderr.take(), sender.clone(), Event::Diagnostic);
        limits.cancel.notify(sender.clone(), || Event::Cancelled);
        wait(child, sender);

        let mut state = State::default();
        while !state.is_over() {
            match next(&events, limits.until) {
                Some(Event::Diagnostic(line)) => {
                    // A log that cannot be written does not end a build that can go on.
                    let _ = writeln!(log, "{line}");
                    (self.on_line)(&line);
                    state.remember(line);
                }
                Some(Event::Output(line)) => state.output.push(line),
                Some(Event::Closed) => state.closed += 1,
                Some(Event::Exited(status)) => {
                    state.status = Some(status.map_err(Error::file("wait for", &self.log))?);
                }
                Some(Event::Cancelled) => {
                    end(group, &events);
                    return Err(Error::Cancelled { what: self.what });
                }
                None => {
                    end(group, &events);
                    return Err(Error::Deadline {
                        what: self.what,
                        deadline: limits.deadline,
                        log: self.log,
                    });
                }
            }
        }
        let end = state.end.make_contiguous().join("\n");
        match state.status {
            Some(status) => Ok(Finished { status, output: state.output, end }),
            None => Err(Error::Cancelled { what: self.what }),
        }
    }
}

/// What has been heard of a child so far.
#[derive(Default)]
struct State {
    output: Vec<String>,
    end: VecDeque<String>,
    closed: usize,
    status: Option<ExitStatus>,
}

impl State {
    /// Both its streams are closed and it has exited.
    fn is_over(&self) -> bool {
        self.closed == 2 && self.status.is_some()
    }

    fn remember(&mut self, line: String) {
        if self.end.len() == END_LINES {
            self.end.pop_front();
        }
        self.end.push_back(line);
    }
}

fn open_log(path: &Path) -> Result<File, Error> {
    File::options().create(true).append(true).open(path).map_err(Error::file("write", path))
}

/// The next event; none when the time is over.
fn next(events: &Receiver<Event>, until: Option<Instant>) -> Option<Event> {
    match until {
        None => events.recv().ok(),
        Some(until) => events.recv_timeout(until.saturating_duration_since(Instant::now())).ok(),
    }
}

fn read_lines(stream: Option<impl Read + Send + 'static>, sender: Sender<Event>, event: fn(String) -> Event) {
    thread::spawn(move || {
        let mut lines = stream.map(BufReader::new);
        let mut line = Vec::new();
        while let Some(lines) = &mut lines {
            line.clear();
            match lines.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => break,
                Ok(_) => {
                    let text = String::from_utf8_lossy(&line).trim_end_matches(['\n', '\r']).to_owned();
                    if sender.send(event(text)).is_err() {
                        break;
                    }
                }
            }
        }
        drop(sender.send(Event::Closed));
    });
}

fn wait(mut child: Child, sender: Sender<Event>) {
    thread::spawn(move || drop(sender.send(Event::Exited(child.wait()))));
}

/// Asks the whole group to end, and ends it where it does not.
fn end(group: Pid, events: &Receiver<Event>) {
    // It fails only where the group is gone, which is what is wanted.
    let _ = kill_process_group(group, Signal::TERM);
    let until = Instant::now() + GRACE;
    loop {
        match events.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(Event::Exited(_)) | Err(RecvTimeoutError::Disconnected) => break,
            Ok(_) => {}
            Err(RecvTimeoutError::Timeout) => break,
        }
    }
    let _ = kill_process_group(group, Signal::KILL);
}
