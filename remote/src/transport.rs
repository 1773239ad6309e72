//! One open connection, never blocking: each step is tried again when the socket allows it.

use std::net::{Shutdown, TcpStream};
use std::os::fd::AsFd;
use std::sync::Arc;

use libssh2_sys::LIBSSH2_ERROR_EAGAIN;
use rustix::event::{PollFd, PollFlags, poll};
use rustix::io::Errno;
use ssh2::{BlockDirections, ErrorCode};

use crate::deadline::Deadline;

/// Why a step did not come to its end.
#[derive(Debug)]
pub(crate) enum Stopped {
    /// The deadline passed first.
    Deadline,
    /// libssh2 or the server said no, or the connection broke.
    Failed(ssh2::Error),
}

/// A connected socket and the SSH session on it.
pub(crate) struct Transport {
    session: ssh2::Session,
    socket: Arc<TcpStream>,
}

impl Transport {
    /// Puts a session, not yet negotiated, on a connected socket.
    pub(crate) fn new(socket: TcpStream) -> Result<Self, ssh2::Error> {
        let socket = Arc::new(socket);
        let mut session = ssh2::Session::new()?;
        session.set_tcp_stream(Arc::clone(&socket));
        session.set_blocking(false);
        Ok(Self { session, socket })
    }

    /// The session, for a step that does not wait.
    pub(crate) fn session(&self) -> &ssh2::Session {
        &self.session
    }

    /// Repeats a step until it has an answer or the deadline passes.
    pub(crate) fn complete<T>(
        &self,
        deadline: Deadline,
        mut step: impl FnMut(&ssh2::Session) -> Result<T, ssh2::Error>,
    ) -> Result<T, Stopped> {
        loop {
            match step(&self.session) {
                Ok(done) => return Ok(done),
                Err(error) if is_would_block(&error) => {}
                Err(error) => return Err(Stopped::Failed(error)),
            }
            if deadline.has_passed() {
                return Err(Stopped::Deadline);
            }
            self.wait(deadline);
        }
    }

    /// Waits until the socket allows what the last step needed, or the deadline passes.
    pub(crate) fn wait(&self, deadline: Deadline) {
        let flags = if self.is_sending() { PollFlags::OUT } else { PollFlags::IN };
        wait_for(&self.socket, flags, deadline);
    }

    /// The last error, which the standard library's traits for reading and writing leave out.
    pub(crate) fn last_error(&self) -> ssh2::Error {
        ssh2::Error::last_session_error(&self.session).unwrap_or_else(ssh2::Error::unknown)
    }

    /// Ends the connection by a reset: whoever passes it on, such as QEMU's user-mode network, forgets it at
    /// once, and does not wait for what the machine may never send.
    pub(crate) fn reset(&self) {
        if let Err(error) = rustix::net::connect_unspec(&self.socket) {
            tracing::debug!(%error, "a connection was not reset");
        }
    }

    /// Whether a packet is half sent: then nothing but the step that began it may go on.
    pub(crate) fn is_sending(&self) -> bool {
        matches!(self.session.block_directions(), BlockDirections::Outbound | BlockDirections::Both)
    }
}

impl Drop for Transport {
    fn drop(&mut self) {
        // Freeing a session closes its channels, which waits for the server's answer, or leaks
        // what it could not close. On a socket that is shut down neither happens.
        let _ = self.session.disconnect(None, "done", None);
        let _ = self.socket.shutdown(Shutdown::Both);
    }
}

/// Whether libssh2 only asks to be called again.
pub(crate) fn is_would_block(error: &ssh2::Error) -> bool {
    error.code() == ErrorCode::Session(LIBSSH2_ERROR_EAGAIN)
}

/// Waits for one of the events, an error on the socket, or the deadline.
pub(crate) fn wait_for(socket: &TcpStream, flags: PollFlags, deadline: Deadline) {
    // OpenSSH's server sends small packets without delay only once a command runs; before that
    // it waits for an acknowledgement, which the kernel here would hold back for 40 ms. The
    // option does not last, and a kernel without it is only slower.
    #[cfg(target_os = "linux")]
    let _ = rustix::net::sockopt::set_tcp_quickack(socket, true);
    let fd = socket.as_fd();
    loop {
        match poll(&mut [PollFd::new(&fd, flags)], deadline.timespec().as_ref()) {
            Err(Errno::INTR) => {}
            // Whatever else came of it, the next step finds out and says so.
            Ok(_) | Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _};
    use std::net::TcpListener;

    use super::*;

    #[test]
    fn a_connection_that_is_reset_is_gone_for_its_peer() {
        for (is_reset, ends) in [(true, Err(ErrorKind::ConnectionReset)), (false, Ok(0))] {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let transport =
                Transport::new(TcpStream::connect(listener.local_addr().unwrap()).unwrap()).unwrap();
            let (mut peer, _) = listener.accept().unwrap();
            if is_reset {
                transport.reset();
            }
            drop(transport);
            assert_eq!(peer.read(&mut [0]).map_err(|error| error.kind()), ends);
        }
    }
}
