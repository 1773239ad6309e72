//! One command between its start and its end: a single loop over both outputs and the input.

use std::io::{self, Read, Write};
use std::time::Duration;

use crate::collector::Collector;
use crate::deadline::Deadline;
use crate::output::Ending;
use crate::transport::{Stopped, Transport, is_would_block};

/// How much is read at a time.
const PIECE: usize = 64 * 1024;

/// How long the outputs have to be quiet, once the server has said how the command ended, before
/// they count as complete although something in the machine still holds them open.
///
/// Only a command that left no marks (see [`wrapper`](crate::wrapper)) has to be waited for so.
const QUIET: Duration = Duration::from_millis(200);

/// What a turn does, in this order.
#[derive(Clone, Copy)]
enum Step {
    Input,
    Stdout,
    Stderr,
    Close,
}

impl Step {
    const COUNT: usize = 4;

    fn next(self) -> Self {
        match self {
            Self::Input => Self::Stdout,
            Self::Stdout => Self::Stderr,
            Self::Stderr => Self::Close,
            Self::Close => Self::Input,
        }
    }
}

/// What came of a step.
enum Progress {
    Made,
    None,
    /// The step would block; the next one may still go on.
    Blocked,
}

/// How far this side has gone in closing the channel.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Closing {
    NotYet,
    Wanted,
    Done,
}

/// A command on its channel.
pub(crate) struct Running<'a> {
    transport: &'a Transport,
    channel: ssh2::Channel,
    /// What is left of the input; none once its end was sent, or nobody is left to read it.
    input: Option<&'a [u8]>,
    stdout: Collector,
    stderr: Collector,
    /// The step to go on with: libssh2 demands that one which left a packet half sent is repeated
    /// before anything else.
    step: Step,
    closing: Closing,
    piece: Vec<u8>,
}

impl<'a> Running<'a> {
    /// Takes over a channel on which a command was just started.
    pub(crate) fn new(
        transport: &'a Transport,
        channel: ssh2::Channel,
        input: &'a [u8],
        [stdout, stderr]: [Collector; 2],
    ) -> Self {
        let (step, closing) = (Step::Input, Closing::NotYet);
        Self { transport, channel, input: Some(input), stdout, stderr, step, closing, piece: vec![0; PIECE] }
    }

    /// The process in the machine that leads all that the command started, if it is known.
    pub(crate) fn leader(&self) -> Option<u32> {
        self.stderr.leader()
    }

    /// Gives up on the command; what is left to do is to close its channel.
    pub(crate) fn abandon(&mut self) {
        if self.closing == Closing::NotYet {
            self.closing = Closing::Wanted;
        }
    }

    /// Standard output and standard error.
    pub(crate) fn into_outputs(self) -> [Collector; 2] {
        [self.stdout, self.stderr]
    }

    /// Goes on until the command is over and its channel closed on both sides.
    pub(crate) fn drive(&mut self, deadline: Deadline) -> Result<(), Stopped> {
        let mut quiet = None;
        loop {
            let moved = self.turn().map_err(Stopped::Failed)?;
            let closed_there = self.is_closed_there().map_err(Stopped::Failed)?;
            if closed_there && self.closing == Closing::Done {
                return Ok(());
            }
            if deadline.has_passed() {
                return Err(Stopped::Deadline);
            }
            if moved {
                quiet = None;
            } else if self.closing == Closing::NotYet && self.server_has_spoken() {
                quiet = quiet.or(Some(Deadline::after(QUIET)));
            }
            let over = closed_there || self.is_marked() || quiet.is_some_and(Deadline::has_passed);
            if over && self.closing == Closing::NotYet {
                self.closing = Closing::Wanted;
            } else if !moved {
                self.transport.wait(quiet.map_or(deadline, |quiet| deadline.or_sooner(quiet)));
                quiet = quiet.filter(|_| self.closing == Closing::NotYet);
            }
        }
    }

    /// How the command ended, once [`Running::drive`] has seen its channel closed.
    pub(crate) fn ending(&self) -> Ending {
        if let Some(signal) = self.signal() {
            return Ending::Signalled(signal);
        }
        // 0 is also what libssh2 says when no status came, so the mark's word counts then. A
        // command without a mark is believed because its channel was closed in good order on a
        // connection that still stood: servers do so only after they sent what they knew.
        let reported = u8::try_from(self.channel.exit_status().unwrap_or_default()).unwrap_or(u8::MAX);
        let marked = self.stderr.status().or(self.stdout.status());
        Ending::Exited(if reported == 0 { marked.unwrap_or(0) } else { reported })
    }

    /// Takes each step once, or up to the one that left a packet half sent.
    fn turn(&mut self) -> Result<bool, ssh2::Error> {
        let mut moved = false;
        for _ in 0..Step::COUNT {
            match self.take(self.step)? {
                Progress::Made => moved = true,
                Progress::None => {}
                Progress::Blocked if self.transport.is_sending() => return Ok(moved),
                Progress::Blocked => {}
            }
            self.step = self.step.next();
        }
        Ok(moved)
    }

    fn take(&mut self, step: Step) -> Result<Progress, ssh2::Error> {
        match step {
            Step::Input => Ok(self.feed()),
            Step::Stdout => {
                let read = self.channel.read(&mut self.piece);
                take_in(read, &self.piece, &mut self.stdout, self.transport)
            }
            Step::Stderr => {
                let read = self.channel.stderr().read(&mut self.piece);
                take_in(read, &self.piece, &mut self.stderr, self.transport)
            }
            Step::Close => self.close(),
        }
    }

    /// Sends the next of the input, or its end.
    fn feed(&mut self) -> Progress {
        let (Some(input), Closing::NotYet) = (self.input, self.closing) else { return Progress::None };
        let sent = if input.is_empty() {
            self.channel.send_eof().map(|()| None).map_err(io::Error::from)
        } else {
            self.channel.write(input).map(|length| Some(&input[length..]))
        };
        match sent {
            // No room in the server's window.
            Ok(rest) if rest.is_some_and(|rest| rest.len() == input.len()) => Progress::Blocked,
            Ok(rest) => {
                self.input = rest;
                Progress::Made
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Progress::Blocked,
            // Nobody reads it any more, which is the command's right. If it is the connection
            // that broke, the reads say so.
            Err(_) => {
                self.input = None;
                Progress::Made
            }
        }
    }

    fn close(&mut self) -> Result<Progress, ssh2::Error> {
        if self.closing != Closing::Wanted {
            return Ok(Progress::None);
        }
        match self.channel.close() {
            Ok(()) => {
                self.closing = Closing::Done;
                Ok(Progress::Made)
            }
            Err(error) if is_would_block(&error) => Ok(Progress::Blocked),
            Err(error) => Err(error),
        }
    }

    /// Whether the server has closed the channel, and everything before that was read.
    fn is_closed_there(&mut self) -> Result<bool, ssh2::Error> {
        if !self.channel.eof() {
            return Ok(false);
        }
        match self.channel.wait_close() {
            Ok(()) => Ok(true),
            Err(error) if is_would_block(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether both streams hold the mark that the command's shell left on its exit.
    ///
    /// One is not enough: the server reads the two independently, so either may run ahead.
    fn is_marked(&self) -> bool {
        self.stdout.status().is_some() && self.stderr.status().is_some()
    }

    /// Whether the server has said how the command ended, as far as libssh2 lets one know.
    fn server_has_spoken(&self) -> bool {
        self.channel.exit_status().is_ok_and(|status| status != 0) || self.signal().is_some()
    }

    fn signal(&self) -> Option<String> {
        self.channel.exit_signal().ok()?.exit_signal
    }
}

/// Hands what was read to its collector.
fn take_in(
    read: io::Result<usize>,
    piece: &[u8],
    collector: &mut Collector,
    transport: &Transport,
) -> Result<Progress, ssh2::Error> {
    match read {
        Ok(0) => Ok(Progress::None),
        Ok(length) => {
            collector.push(&piece[..length]);
            Ok(Progress::Made)
        }
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(Progress::Blocked),
        Err(_) => Err(transport.last_error()),
    }
}
