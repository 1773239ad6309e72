//! An open connection, and commands on it one after another.

use std::fmt;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use libssh2_sys::{LIBSSH2_ERROR_CHANNEL_FAILURE, LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED};
use ssh2::ErrorCode;

use crate::collector::Collector;
use crate::command::Command;
use crate::connect::{ConnectError, connect, is_hang_up};
use crate::deadline::Deadline;
use crate::output::{Ending, Output};
use crate::running::Running;
use crate::target::Target;
use crate::transport::{Stopped, Transport};
use crate::wrapper::{Nonce, kill_group, wrap};

/// The longest request to run a command that libssh2 can send, in bytes.
const LONGEST_REQUEST: usize = 34_000;

/// How long a machine may take to end a command that timed out before it counts as gone.
const KILL_GRACE: Duration = Duration::from_millis(500);

/// Why a command was certainly not run.
///
/// Whatever may have taken effect is not an error but an [`Ending`].
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RunError {
    /// No shell can be given a NUL.
    #[error("command {line:?} holds a NUL, which no command line can: send such bytes on standard input")]
    Nul {
        /// The command line.
        line: String,
    },
    /// SSH requests have a bound.
    #[error(
        "a command line of {bytes} bytes does not fit into one request of {LONGEST_REQUEST} with what is put around it: send it on standard input, to the command sh -s"
    )]
    TooLong {
        /// The length of the command line.
        bytes: usize,
    },
    /// The connection had broken before, and opening it anew failed.
    #[error("the connection was gone and could not be opened again, so the command was not sent")]
    Reconnect(#[from] ConnectError),
    /// The server would not start a command.
    #[error(
        "{address} refused to run a command: {reason}; see the SSH server's log and its MaxSessions there"
    )]
    Refused {
        /// The address.
        address: SocketAddr,
        /// What libssh2 says.
        reason: String,
    },
    /// The server did not take the command in time.
    #[error("{address} did not answer within {limit:?}, so the command was not sent: check the machine")]
    NoAnswer {
        /// The address.
        address: SocketAddr,
        /// The limit of the command.
        limit: Duration,
    },
    /// The connection broke before the command was sent, although it had just been opened.
    #[error("{address} hung up before the command was sent ({reason}): see the SSH server's log there")]
    HungUp {
        /// The address.
        address: SocketAddr,
        /// What libssh2 says.
        reason: String,
    },
    /// The system has no random bytes to mark the command's output with.
    #[error("no random bytes to be had from the system: {0}")]
    Randomness(#[from] getrandom::Error),
}

/// A connection to one machine, held open between commands.
///
/// It runs one command at a time; open one session for each thing that is to happen side by side.
///
/// # Lost connections
/// A session opens its connection anew by itself, with the same checks, when [`Session::run`]
/// finds it gone *before* a command was sent. A command that was sent is never sent twice: if the
/// connection breaks under it, it ends as [`Ending::ConnectionLost`], and the next one reconnects.
/// [`Session::connections`] tells whether that happened.
pub struct Session {
    target: Target,
    /// None when it was lost, or left in a state that nothing can be built on.
    transport: Option<Transport>,
    connections: u64,
}

impl Session {
    /// Connects, checks the host key and logs in, all within one limit.
    ///
    /// # Errors
    /// A [`ConnectError`] for each way in which that fails.
    pub fn connect(target: &Target, limit: Duration) -> Result<Self, ConnectError> {
        let transport = connect(target, Deadline::after(limit), limit)?;
        Ok(Self { target: target.clone(), transport: Some(transport), connections: 1 })
    }

    /// Where it is connected to.
    #[must_use]
    pub fn target(&self) -> &Target {
        &self.target
    }

    /// How often the connection has been opened, which is once unless it was lost.
    #[must_use]
    pub fn connections(&self) -> u64 {
        self.connections
    }

    /// Ends the connection without a word to the machine, which is about to lose its power or its memory of
    /// it. A session that is dropped says goodbye; what passes it on waits for the machine's answer then.
    pub fn abort(self) {
        if let Some(transport) = &self.transport {
            transport.reset();
        }
    }

    /// Runs a command and waits for its end, its limit, or the loss of the connection.
    ///
    /// A child that the command leaves in the background is not waited for. After
    /// [`Ending::TimedOut`] the command and its children were killed if the machine still answers;
    /// a machine that does not delays the return by up to half a second past the limit.
    ///
    /// # Errors
    /// A [`RunError`] where the command certainly was not run.
    pub fn run(&mut self, command: &Command) -> Result<Output, RunError> {
        let begun = Instant::now();
        let deadline = Deadline::after(command.time_limit());
        let nonce = Nonce::random()?;
        check(command, nonce)?;
        let (transport, channel) = self.open_channel(deadline, command.time_limit())?;
        let request = wrap(command.line(), nonce, deadline.remaining());
        let run = self.run_on(transport, channel, command, (nonce, &request), deadline)?;
        let [(stdout, stdout_dropped), (stderr, stderr_dropped)] = run.outputs.map(Collector::finish);
        let elapsed = begun.elapsed();
        tracing::debug!(address = %self.target.address, line = command.line(), ending = %run.ending, ?elapsed, "ran");
        Ok(Output { ending: run.ending, stdout, stderr, stdout_dropped, stderr_dropped, elapsed })
    }

    /// Opens a channel, on a new connection if the old one turns out to be gone.
    fn open_channel(
        &mut self,
        deadline: Deadline,
        limit: Duration,
    ) -> Result<(Transport, ssh2::Channel), RunError> {
        let address = self.target.address;
        if let Some(transport) = self.transport.take() {
            match transport.complete(deadline, ssh2::Session::channel_session) {
                Ok(channel) => return Ok((transport, channel)),
                Err(Stopped::Failed(error)) if is_hang_up(&error) => {
                    tracing::debug!(%address, %error, "connection is gone, opening another");
                }
                Err(stopped) => return Err(self.not_started(transport, stopped, limit)),
            }
        }
        let transport = connect(&self.target, deadline, limit)?;
        self.connections += 1;
        match transport.complete(deadline, ssh2::Session::channel_session) {
            Ok(channel) => Ok((transport, channel)),
            Err(stopped) => Err(self.not_started(transport, stopped, limit)),
        }
    }

    fn not_started(&mut self, transport: Transport, stopped: Stopped, limit: Duration) -> RunError {
        let address = self.target.address;
        match stopped {
            Stopped::Deadline => RunError::NoAnswer { address, limit },
            Stopped::Failed(error) if is_hang_up(&error) => {
                RunError::HungUp { address, reason: error.to_string() }
            }
            Stopped::Failed(error) => {
                self.transport = Some(transport);
                RunError::Refused { address, reason: error.to_string() }
            }
        }
    }

    /// Runs a command on a channel, and keeps the connection where it can be used again.
    fn run_on(
        &mut self,
        transport: Transport,
        mut channel: ssh2::Channel,
        command: &Command,
        (nonce, request): (Nonce, &str),
        deadline: Deadline,
    ) -> Result<Run, RunError> {
        let collectors = [(); 2].map(|()| Collector::new(nonce, command.kept_bytes()));
        match transport.complete(deadline, |_| channel.exec(request)) {
            Ok(()) => {}
            Err(Stopped::Failed(error)) if is_refusal(&error) => {
                // The channel goes down with the connection.
                return Err(RunError::Refused { address: self.target.address, reason: error.to_string() });
            }
            // The request may have arrived, though no answer did.
            Err(Stopped::Failed(_)) => {
                return Ok(Run { ending: Ending::ConnectionLost, outputs: collectors });
            }
            Err(Stopped::Deadline) => return Ok(Run { ending: Ending::TimedOut, outputs: collectors }),
        }
        let mut running = Running::new(&transport, channel, command.input(), collectors);
        let (ending, usable) = match running.drive(deadline) {
            Ok(()) => (running.ending(), true),
            Err(Stopped::Deadline) => (Ending::TimedOut, end(&transport, &mut running, nonce).is_ok()),
            Err(Stopped::Failed(error)) => {
                tracing::debug!(address = %self.target.address, %error, "connection lost under a command");
                (Ending::ConnectionLost, false)
            }
        };
        let outputs = running.into_outputs();
        self.transport = usable.then_some(transport);
        Ok(Run { ending, outputs })
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session")
            .field("target", &self.target)
            .field("connections", &self.connections)
            .finish()
    }
}

/// How a command ended, and both its streams.
struct Run {
    ending: Ending,
    outputs: [Collector; 2],
}

/// Refuses what no request can hold.
fn check(command: &Command, nonce: Nonce) -> Result<(), RunError> {
    let line = command.line();
    if line.contains('\0') {
        return Err(RunError::Nul { line: line.to_owned() });
    }
    // The longest bound in the machine makes the longest request.
    if wrap(line, nonce, Duration::MAX).len() > LONGEST_REQUEST {
        return Err(RunError::TooLong { bytes: line.len() });
    }
    Ok(())
}

/// Kills a command that timed out and closes its channel, or finds that the machine is gone.
fn end(transport: &Transport, running: &mut Running<'_>, nonce: Nonce) -> Result<(), Stopped> {
    let grace = Deadline::after(KILL_GRACE);
    // Without its leader's id there is nothing to kill; the machine's own bound has to do.
    let leader = running.leader().ok_or(Stopped::Deadline)?;
    let mut channel = transport.complete(grace, ssh2::Session::channel_session)?;
    transport.complete(grace, |_| channel.exec(&kill_group(leader)))?;
    let collectors = [(); 2].map(|()| Collector::new(nonce, 0));
    Running::new(transport, channel, &[], collectors).drive(grace)?;
    running.abandon();
    running.drive(grace)
}

/// Whether the server answered that it will not run commands.
fn is_refusal(error: &ssh2::Error) -> bool {
    let refusals = [LIBSSH2_ERROR_CHANNEL_REQUEST_DENIED, LIBSSH2_ERROR_CHANNEL_FAILURE];
    refusals.into_iter().any(|code| error.code() == ErrorCode::Session(code))
}
