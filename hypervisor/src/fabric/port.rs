//! Where a client is plugged in: our socket for it, and what waits for it to read.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::flights::Marks;
use super::names::Place;

/// How many frames wait for a client that does not read, beside what its socket holds.
pub const QUEUE_MAX: usize = 1024;
/// How many bytes they may have.
pub const QUEUE_BYTES_MAX: usize = 2 << 20;
/// The most frames that are read from one port before others have their turn.
const BURST: usize = 64;

/// One client's plug.
#[derive(Debug)]
pub(super) struct Port {
    /// Connected to the client's socket, so that nobody else can send to it.
    socket: OwnedFd,
    /// Where ours is bound.
    path: PathBuf,
    pub(super) queue: VecDeque<Queued>,
    queued_bytes: usize,
    /// What the events of this port are told by.
    event: u64,
    /// Whether it is told when there is room again.
    awaits_room: bool,
    /// How many frames are read at once, and when it was last read from.
    burst: (usize, Instant),
}

/// A frame that waits for its client to read.
#[derive(Clone, Debug)]
pub(super) struct Queued {
    pub(super) from: Place,
    pub(super) frame: Arc<[u8]>,
    pub(super) marks: Marks,
}

/// What became of a frame that was to be sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Sent {
    Yes,
    /// The client has to read first.
    Full,
    /// Nobody will read it.
    Gone,
}

impl Port {
    pub(super) fn new(socket: OwnedFd, path: PathBuf, event: u64) -> Self {
        let burst = (1, Instant::now());
        Self { socket, path, queue: VecDeque::new(), queued_bytes: 0, event, awaits_room: false, burst }
    }

    /// Writes a frame to the client's socket.
    pub(super) fn send(&self, frame: &[u8]) -> Sent {
        loop {
            return match send(&self.socket, frame, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(_) => Sent::Yes,
                Err(Errno::INTR) => continue,
                // The last one tells of the kernel's memory, which there may be more of later.
                Err(Errno::AGAIN | Errno::NOBUFS | Errno::NOMEM) => Sent::Full,
                Err(_) => Sent::Gone,
            };
        }
    }

    /// Reads a frame into the buffer; its length, which is more than the buffer has room for where
    /// the frame is too long. None where there is none now.
    pub(super) fn receive(&self, buffer: &mut [u8]) -> Option<usize> {
        loop {
            return match recv(&self.socket, &mut *buffer, RecvFlags::DONTWAIT | RecvFlags::TRUNC) {
                Ok((_, length)) => Some(length),
                Err(Errno::INTR) => continue,
                Err(_) => None,
            };
        }
    }

    /// How many frames are to be read now. A port that sends one frame at a time is asked for one,
    /// since asking for another that is not there costs as much; one that has always more is asked
    /// for many.
    pub(super) fn burst(&self) -> usize {
        self.burst.0
    }

    /// Notes how many there were, of how many asked for.
    pub(super) fn has_read(&mut self, read: usize, began: Instant, now: Instant) {
        /// What another look at all ports takes, about.
        const AT_ONCE: u128 = 20_000;
        let (burst, last) = self.burst;
        let next = if read < burst {
            read.max(1)
        } else if began.duration_since(last).as_nanos() < AT_ONCE {
            (2 * burst).min(BURST)
        } else {
            burst
        };
        self.burst = (next, now);
    }

    /// Has a frame wait, or not, where too much waits.
    pub(super) fn enqueue(&mut self, epoll: &OwnedFd, queued: Queued) -> Result<(), Queued> {
        let length = queued.frame.len();
        if self.queue.len() >= QUEUE_MAX || self.queued_bytes + length > QUEUE_BYTES_MAX {
            return Err(queued);
        }
        self.queued_bytes += length;
        self.queue.push_back(queued);
        self.await_room(epoll);
        Ok(())
    }

    /// Writes the next that waits; none where nothing does, or the client has to read first.
    pub(super) fn send_queued(&mut self, epoll: &OwnedFd) -> Option<(Queued, Sent)> {
        let sent = match self.queue.front() {
            Some(queued) => self.send(&queued.frame),
            None => Sent::Full,
        };
        if sent == Sent::Full {
            self.await_room(epoll);
            return None;
        }
        let queued = self.queue.pop_front()?;
        self.queued_bytes -= queued.frame.len();
        Some((queued, sent))
    }

    /// Takes what waits and is so.
    pub(super) fn take_queued(&mut self, so: impl Fn(&Queued) -> bool) -> Vec<Queued> {
        if self.queue.is_empty() {
            return Vec::new();
        }
        let (taken, kept): (Vec<_>, Vec<_>) = self.queue.drain(..).partition(so);
        self.queue = kept.into();
        self.queued_bytes = self.queue.iter().map(|queued| queued.frame.len()).sum();
        taken
    }

    /// Is told when the client has read, if something waits for that and only then: otherwise each
    /// frame that a client reads would wake us.
    fn await_room(&mut self, epoll: &OwnedFd) {
        let awaits = !self.queue.is_empty();
        if awaits != self.awaits_room {
            let flags = if awaits { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN };
            if epoll::modify(epoll, &self.socket, EventData::new_u64(self.event), flags).is_ok() {
                self.awaits_room = awaits;
            }
        }
    }

    /// Begins to be told of what the client sends.
    pub(super) fn listen(&self, epoll: &OwnedFd) -> io::Result<()> {
        Ok(epoll::add(epoll, &self.socket, EventData::new_u64(self.event), EventFlags::IN)?)
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
