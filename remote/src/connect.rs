//! From an address to a connection that is logged in, and every way not to get there.

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::time::Duration;

use libssh2_sys::{
    LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED, LIBSSH2_ERROR_SOCKET_DISCONNECT,
    LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND,
};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{RecvFlags, recv};
use ssh2::{ErrorCode, HashType, MethodType};

use crate::deadline::Deadline;
use crate::host_key::fingerprint_of_digest;
use crate::target::{KeyText, Target};
use crate::transport::{Stopped, Transport, wait_for};

/// Why a machine could not be logged in to. No command was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConnectError {
    /// The private key's file could not be read.
    #[error("cannot read private key {path}: {source}; name an existing file that this user may read", path = .path.display())]
    KeyUnreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// The file holds no private key.
    #[error("{path} is not a private key in OpenSSH's format ({reason}): make one with ssh-keygen -t ed25519", path = .path.display())]
    KeyMalformed {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// The key needs a passphrase, which nobody is there to type.
    #[error("private key {path} is locked by a passphrase: use a key without one, or remove it with ssh-keygen -p", path = .path.display())]
    KeyEncrypted {
        /// The file.
        path: PathBuf,
    },
    /// Nothing listens at the address.
    #[error("{0} refused the connection: check that the machine is on and its SSH server runs")]
    Refused(SocketAddr),
    /// There is no way to the address.
    #[error("{address} cannot be reached: {source}; check the address and the route to it")]
    Unreachable {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The limit passed before the login was done.
    #[error(
        "no login at {address} within {limit:?}, while waiting for {stage}: check the machine, or allow more time"
    )]
    TimedOut {
        /// The address.
        address: SocketAddr,
        /// The limit for all stages together.
        limit: Duration,
        /// What did not come.
        stage: Stage,
    },
    /// The other side ended the connection.
    #[error("{address} hung up while this side waited for {stage}: see the SSH server's log there")]
    HungUp {
        /// The address.
        address: SocketAddr,
        /// What was to come next.
        stage: Stage,
    },
    /// Something listens that does not speak SSH.
    #[error("{address} is no SSH server: it began with \"{heard}\"; check the port")]
    NotSsh {
        /// The address.
        address: SocketAddr,
        /// The first bytes that it sent, escaped.
        heard: String,
    },
    /// The two sides could not agree on how to talk.
    #[error("SSH negotiation with {address} failed: {reason}; check the algorithms that its server allows")]
    Negotiation {
        /// The address.
        address: SocketAddr,
        /// What libssh2 says.
        reason: String,
    },
    /// Another machine than the one that is meant listens at the address.
    #[error(
        "{address} has host key {found}, not {expected}: another machine listens there, or the expected key is out of date"
    )]
    WrongHostKey {
        /// The address.
        address: SocketAddr,
        /// The fingerprint of the key in the target.
        expected: String,
        /// The fingerprint of the key that the server has.
        found: String,
    },
    /// The server does not let this user in with this key.
    #[error("{address} refused to let {user} in with key {path}: add its public half to that user's authorized_keys", path = .path.display())]
    LoginRefused {
        /// The address.
        address: SocketAddr,
        /// The user.
        user: String,
        /// The private key's file.
        path: PathBuf,
    },
    /// The login could not even be tried.
    #[error("login of {user:?} at {address} failed: {reason}")]
    Login {
        /// The address.
        address: SocketAddr,
        /// The user.
        user: String,
        /// What libssh2 says.
        reason: String,
    },
    /// libssh2 would not start, for want of memory.
    #[error("cannot set up an SSH session: {0}")]
    Setup(String),
}

/// What a connection waits for, in this order.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Stage {
    /// That the address takes the TCP connection.
    Connection,
    /// That the server names itself.
    Greeting,
    /// That both sides agree on keys.
    Negotiation,
    /// That the server lets the user in.
    Login,
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Connection => "the connection",
            Self::Greeting => "the server's greeting",
            Self::Negotiation => "the key exchange",
            Self::Login => "the login",
        })
    }
}

/// Connects, checks the host key and logs in, all by one deadline.
pub(crate) fn connect(
    target: &Target,
    deadline: Deadline,
    limit: Duration,
) -> Result<Transport, ConnectError> {
    let key = KeyText::read(&target.private_key)?;
    let attempt = Attempt { target, deadline, limit };
    let socket = attempt.open()?;
    attempt.hear_greeting(&socket)?;
    let transport = Transport::new(socket).map_err(|error| ConnectError::Setup(error.to_string()))?;
    attempt.negotiate(&transport)?;
    attempt.check_host_key(&transport)?;
    attempt.log_in(&transport, &key)?;
    tracing::debug!(address = %target.address, user = target.user, "logged in");
    Ok(transport)
}

/// What every stage of one attempt needs to act and to say what failed.
struct Attempt<'a> {
    target: &'a Target,
    deadline: Deadline,
    limit: Duration,
}

impl Attempt<'_> {
    fn open(&self) -> Result<TcpStream, ConnectError> {
        let address = self.target.address;
        if self.deadline.has_passed() {
            return Err(self.timed_out(Stage::Connection));
        }
        let socket = TcpStream::connect_timeout(&address, self.deadline.remaining()).map_err(|error| {
            match error.kind() {
                io::ErrorKind::ConnectionRefused => ConnectError::Refused(address),
                io::ErrorKind::TimedOut => self.timed_out(Stage::Connection),
                _ => ConnectError::Unreachable { address, source: error },
            }
        })?;
        // Without this, each small packet waits for the acknowledgement of the one before.
        let prepared = socket.set_nodelay(true).and_then(|()| socket.set_nonblocking(true));
        prepared.map_err(|source| ConnectError::Unreachable { address, source })?;
        Ok(socket)
    }

    /// Looks at the server's first bytes and leaves them for libssh2.
    ///
    /// libssh2 would skip any number of other lines, and so would never return from a peer that
    /// keeps sending them; OpenSSH's and Dropbear's servers send none.
    fn hear_greeting(&self, socket: &TcpStream) -> Result<(), ConnectError> {
        const GREETING: &[u8] = b"SSH-";
        let address = self.target.address;
        let mut seen = [0; 64];
        let mut before = 0;
        loop {
            let length = match recv(socket, &mut seen[..], RecvFlags::PEEK) {
                Ok((0, _)) => return Err(ConnectError::HungUp { address, stage: Stage::Greeting }),
                Ok((length, _)) => length,
                Err(Errno::AGAIN | Errno::INTR) => 0,
                Err(_) => return Err(ConnectError::HungUp { address, stage: Stage::Greeting }),
            };
            let heard = &seen[..length];
            if heard.starts_with(GREETING) {
                return Ok(());
            }
            if !GREETING.starts_with(heard) {
                return Err(ConnectError::NotSsh { address, heard: heard.escape_ascii().to_string() });
            }
            // A beginning that was cut short, or the end of the connection after it, stays
            // readable: only then is there something to wait for besides the socket.
            if length > 0 && length == before {
                std::thread::sleep(Duration::from_millis(5).min(self.deadline.remaining()));
            }
            before = length;
            if self.deadline.has_passed() {
                return Err(self.timed_out(Stage::Greeting));
            }
            wait_for(socket, PollFlags::IN, self.deadline);
        }
    }

    fn negotiate(&self, transport: &Transport) -> Result<(), ConnectError> {
        let preference = self.target.host_key.algorithm_preference();
        let address = self.target.address;
        let failed = |error: ssh2::Error| ConnectError::Negotiation { address, reason: error.to_string() };
        transport.session().method_pref(MethodType::HostKey, &preference).map_err(failed)?;
        transport.complete(self.deadline, |session| session.clone().handshake()).map_err(|stopped| {
            match stopped {
                Stopped::Deadline => self.timed_out(Stage::Negotiation),
                Stopped::Failed(error) if is_hang_up(&error) => {
                    ConnectError::HungUp { address, stage: Stage::Negotiation }
                }
                Stopped::Failed(error) => failed(error),
            }
        })
    }

    fn check_host_key(&self, transport: &Transport) -> Result<(), ConnectError> {
        let expected = &self.target.host_key;
        match transport.session().host_key() {
            Some((presented, _)) if expected.is(presented) => Ok(()),
            _ => Err(ConnectError::WrongHostKey {
                address: self.target.address,
                expected: expected.fingerprint(),
                found: fingerprint_of_digest(
                    transport.session().host_key_hash(HashType::Sha256).unwrap_or_default(),
                ),
            }),
        }
    }

    fn log_in(&self, transport: &Transport, key: &KeyText) -> Result<(), ConnectError> {
        let Target { address, user, private_key, .. } = self.target;
        let (address, user) = (*address, user.clone());
        let login = transport
            .complete(self.deadline, |session| session.userauth_pubkey_memory(&user, None, &key.0, None));
        login.map_err(|stopped| match stopped {
            Stopped::Deadline => self.timed_out(Stage::Login),
            Stopped::Failed(error) if is_refusal(&error) => {
                ConnectError::LoginRefused { address, user, path: private_key.clone() }
            }
            Stopped::Failed(error) if is_hang_up(&error) => {
                ConnectError::HungUp { address, stage: Stage::Login }
            }
            Stopped::Failed(error) => ConnectError::Login { address, user, reason: error.to_string() },
        })
    }

    fn timed_out(&self, stage: Stage) -> ConnectError {
        ConnectError::TimedOut { address: self.target.address, limit: self.limit, stage }
    }
}

fn is_refusal(error: &ssh2::Error) -> bool {
    let refusals = [LIBSSH2_ERROR_AUTHENTICATION_FAILED, LIBSSH2_ERROR_PUBLICKEY_UNVERIFIED];
    refusals.into_iter().any(|code| error.code() == ErrorCode::Session(code))
}

/// Whether the error says that the connection broke.
pub(crate) fn is_hang_up(error: &ssh2::Error) -> bool {
    let broken = [LIBSSH2_ERROR_SOCKET_DISCONNECT, LIBSSH2_ERROR_SOCKET_RECV, LIBSSH2_ERROR_SOCKET_SEND];
    broken.into_iter().any(|code| error.code() == ErrorCode::Session(code))
}
