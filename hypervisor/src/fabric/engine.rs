//! The thread that a fabric runs on.

use std::collections::{BTreeMap, HashMap};
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::fs::{Mode, OFlags, open};
use rustix::io::Errno;
use rustix::net::sockopt::{set_socket_send_buffer_size, socket_peercred};
use rustix::net::{RecvFlags, SendFlags, recv, send};
use rustix::process::{geteuid, getuid};
use rustix::time::Timespec;

use super::FRAME_MAX;
use super::handle::Shared;
use super::names::Place;
use super::port::Port;
use super::request::{self, Parsed, Request};
use crate::Access;

/// How many clients may be connected without having a port; the one that has been for longest makes
/// room for the next.
pub const PENDING_MAX: usize = 64;
/// How long a client may take to ask for a port.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// How much a client may say that has a port already. Descriptions have 128 bytes.
const SAID_MAX: usize = 4096;
/// How long nobody is let in once the process has as many open files as it may have.
const TRIES_AGAIN: Duration = Duration::from_millis(100);
/// How much may be under way to a client that does not read, before frames wait in our memory.
const SEND_BUFFER: usize = 1 << 19;

/// What events are told by: the kind above, a place or a number below.
pub(super) const LISTENER: u64 = 0;
pub(super) const TIMER: u64 = 1;
pub(super) const STOP: u64 = 2;
const DATA: u64 = 1 << 32;
const CONTROL: u64 = 2 << 32;

/// Serves the clients of one fabric.
pub(super) struct Engine {
    pub(super) shared: Arc<Shared>,
    pub(super) listener: UnixListener,
    pub(super) directory: PathBuf,
    pub(super) access: Access,
    /// Clients that have no port yet, the first that came first.
    pub(super) asking: BTreeMap<u32, Asking>,
    /// Those that have one.
    pub(super) served: HashMap<u32, Served>,
    /// How many clients there were.
    pub(super) connected: u32,
    /// How many ports there were, so that no two have sockets of one name.
    pub(super) plugged: u32,
    /// When clients are let in again.
    pub(super) closed_until: Option<Instant>,
    pub(super) buffer: Vec<u8>,
}

/// A client's control connection, and what it has asked so far.
pub(super) struct Asking {
    stream: UnixStream,
    since: Instant,
    bytes: Vec<u8>,
}

/// A client's control connection, whose end unplugs it from its port.
pub(super) struct Served {
    stream: UnixStream,
    place: Place,
    /// How much it has said since.
    said: usize,
}

impl Engine {
    /// Serves until it is told to stop.
    pub(super) fn run(mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(128);
        loop {
            events.clear();
            let timeout = self.next_chore();
            let room = rustix::buffer::spare_capacity(&mut events);
            match epoll::wait(&*self.shared.epoll, room, timeout.as_ref()) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let (data, flags) = (event.data.u64(), event.flags);
                let below = (data & u64::from(u32::MAX)) as u32;
                match data {
                    STOP => return Ok(()),
                    TIMER => self.advance(),
                    LISTENER => self.accept(),
                    _ if data & DATA != 0 => self.serve(below as Place, flags),
                    _ => self.listen_to(below),
                }
            }
            self.do_chores();
        }
    }

    fn advance(&self) {
        let mut world = self.shared.enter();
        let _ = rustix::io::read(&*self.shared.timer, &mut [0; 8]);
        world.went_off();
        world.advance(Instant::now());
        world.arm();
    }

    /// Takes what a client has sent, and what it has made room for.
    fn serve(&mut self, place: Place, flags: EventFlags) {
        let mut world = self.shared.enter();
        if flags.contains(EventFlags::OUT) {
            world.has_room(place);
        }
        if !flags.intersects(EventFlags::IN | EventFlags::ERR | EventFlags::HUP) {
            return;
        }
        let began = Instant::now();
        let Some(burst) = world.ports[place].as_ref().map(Port::burst) else { return };
        let mut read = 0;
        while read < burst {
            let received = world.ports[place].as_ref().and_then(|port| port.receive(&mut self.buffer));
            let Some(length) = received else { break };
            read += 1;
            match self.buffer.get(..length) {
                Some(frame) => world.receive(place, frame, began),
                None => world.malformed[place] += 1,
            }
        }
        if let Some(port) = &mut world.ports[place] {
            port.has_read(read, began, Instant::now());
        }
        world.arm();
    }

    /// Lets clients in.
    fn accept(&mut self) {
        // Where very many come, each still has its turn before it makes room for another.
        for _ in 0..PENDING_MAX / 2 {
            match self.listener.accept() {
                Ok((stream, _)) => self.connect(stream),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                // It may have given up meanwhile.
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!(%error, "no client can be let in");
                    self.closed_until = Some(Instant::now() + TRIES_AGAIN);
                    self.admit(EventFlags::empty());
                    return;
                }
            }
        }
    }

    /// Is told of clients that come, or not.
    fn admit(&self, flags: EventFlags) {
        let _ = epoll::modify(&*self.shared.epoll, &self.listener, EventData::new_u64(LISTENER), flags);
    }

    fn connect(&mut self, stream: UnixStream) {
        if self.asking.len() >= PENDING_MAX {
            self.asking.pop_first();
        }
        self.connected = self.connected.wrapping_add(1);
        let event = EventData::new_u64(CONTROL | u64::from(self.connected));
        let is_ready = stream.set_nonblocking(true).is_ok()
            && epoll::add(&*self.shared.epoll, &stream, event, EventFlags::IN).is_ok();
        if is_ready {
            self.asking.insert(self.connected, Asking { stream, since: Instant::now(), bytes: Vec::new() });
        }
    }

    /// Takes what a client says on its control connection.
    fn listen_to(&mut self, number: u32) {
        let mut buffer = [0; 512];
        if let Some(served) = self.served.get_mut(&number) {
            match hear(&served.stream, &mut buffer) {
                Some(&[]) => self.unplug(number),
                Some(said) => {
                    served.said += said.len();
                    if served.said > SAID_MAX {
                        self.unplug(number);
                    }
                }
                None => {}
            }
        } else if let Some(asking) = self.asking.get_mut(&number) {
            match hear(&asking.stream, &mut buffer) {
                Some(&[]) => drop(self.asking.remove(&number)),
                Some(said) => {
                    asking.bytes.extend(said);
                    self.answer(number);
                }
                None => {}
            }
        }
    }

    /// Answers a request that is whole.
    fn answer(&mut self, number: u32) {
        let Some(asking) = self.asking.remove(&number) else { return };
        let plugged = match request::parse(&asking.bytes) {
            // What is longer than any request and none yet will never be one.
            Parsed::Begun if asking.bytes.len() <= request::REQUEST => {
                self.asking.insert(number, asking);
                return;
            }
            Parsed::Begun => Err(io::Error::other("it is no request")),
            Parsed::Refused(why) => Err(io::Error::other(why)),
            Parsed::Whole(request) => self.plug(&asking.stream, &request),
        };
        match plugged {
            Ok(place) => {
                self.served.insert(number, Served { stream: asking.stream, place, said: 0 });
            }
            Err(error) => {
                tracing::warn!(directory = %self.directory.display(), %error, "a client gets no port");
            }
        }
    }

    /// Gives a client its port.
    fn plug(&mut self, control: &UnixStream, request: &Request) -> io::Result<Place> {
        let mut world = self.shared.enter();
        let Some(place) = world.free(request.number) else {
            return Err(io::Error::other(match request.number {
                Some(number) => format!("port {number} is taken, or there is none"),
                None => "all ports are taken".to_owned(),
            }));
        };
        let socket = UnixDatagram::unbound()?;
        socket.set_nonblocking(true)?;
        let _ = set_socket_send_buffer_size(&socket, SEND_BUFFER);
        connect_to_client(&socket, control, request)?;
        self.plugged = self.plugged.wrapping_add(1);
        let path = self.directory.join(format!("{:03}.{}", place + 1, self.plugged));
        let answer = request::address(&path).ok_or(io::ErrorKind::InvalidFilename)?;
        let bound = rustix::net::SocketAddrUnix::new(&path)?;
        rustix::net::bind(&socket, &bound)?;
        // From here on the port's end removes its file.
        let port = Port::new(OwnedFd::from(socket), path.clone(), DATA | place as u64);
        let mode = if self.access == Access::Everybody { 0o666 } else { 0o600 };
        std::fs::set_permissions(&path, PermissionsExt::from_mode(mode))?;
        port.listen(&self.shared.epoll)?;
        // Its buffer is empty, so what does not fit now never will.
        match send(control, &answer, SendFlags::DONTWAIT | SendFlags::NOSIGNAL)? {
            sent if sent == answer.len() => {}
            _ => return Err(io::ErrorKind::WriteZero.into()),
        }
        world.plug(place, port);
        Ok(place)
    }

    fn unplug(&mut self, number: u32) {
        if let Some(served) = self.served.remove(&number) {
            self.shared.enter().unplug(served.place);
        }
    }

    /// When there is something to do though nothing happens.
    fn next_chore(&self) -> Option<Timespec> {
        let oldest = self.asking.first_key_value().map(|(_, asking)| asking.since + REQUEST_WITHIN);
        let next = [oldest, self.closed_until].into_iter().flatten().min()?;
        // Not before it is time, whatever is rounded.
        let left = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        Timespec::try_from(left).ok()
    }

    fn do_chores(&mut self) {
        if self.closed_until.is_some_and(|until| until <= Instant::now()) {
            self.closed_until = None;
            self.admit(EventFlags::IN);
        }
        while let Some(oldest) = self.asking.first_entry() {
            if oldest.get().since.elapsed() < REQUEST_WITHIN {
                break;
            }
            oldest.remove();
        }
    }
}

/// What a client says next; nothing where it has closed the connection, none where it says nothing
/// now.
fn hear<'a>(stream: &UnixStream, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
    match recv(stream, &mut *buffer, RecvFlags::DONTWAIT) {
        Ok((_, length)) => Some(&buffer[..length]),
        Err(Errno::AGAIN | Errno::INTR) => None,
        Err(_) => Some(&[]),
    }
}

/// Connects our socket to the one that the client names, if that is its own: we may be allowed to
/// write to more than the client is, and must not do so on its behalf.
///
/// The file is opened first, and then looked at and connected to through that, so that nobody can put
/// another in its place meanwhile. Where links lead does not matter: the end of them has to be the
/// client's.
fn connect_to_client(socket: &UnixDatagram, control: &UnixStream, request: &Request) -> io::Result<()> {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    let file = std::fs::File::from(open(&request.path, flags, Mode::empty())?);
    let metadata = file.metadata()?;
    if !metadata.file_type().is_socket() {
        return Err(io::Error::other("its path is not that of a socket"));
    }
    let client = socket_peercred(control)?.uid;
    let trusted = client.is_root() || client == geteuid() || client == getuid();
    if !trusted && metadata.uid() != client.as_raw() {
        return Err(io::Error::other("its path is that of somebody else's socket"));
    }
    use std::os::fd::AsRawFd as _;
    socket.connect(format!("/proc/self/fd/{}", file.as_fd().as_raw_fd()))
}

/// A buffer for frames; a longer one is told by its length, and cut.
pub(super) fn buffer() -> Vec<u8> {
    vec![0; FRAME_MAX]
}
