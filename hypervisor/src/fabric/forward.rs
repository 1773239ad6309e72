//! The way of a frame through the fabric.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::addresses::is_group;
use super::class::{Class, HEADER};
use super::fate::{Fate, Key};
use super::flights::{Flight, Marks};
use super::link::BACKLOG_MAX;
use super::names::Place;
use super::port::{Queued, Sent};
use super::world::World;
use super::{FRAME_MAX, REORDERING_WAITS};

/// A frame that is handed out to several ports, copied once it has to be kept.
struct Shared<'a> {
    bytes: &'a [u8],
    kept: Option<Arc<[u8]>>,
    /// What rules did to it, where a capture wants to know.
    comments: Option<Vec<String>>,
}

impl Shared<'_> {
    fn keep(&mut self) -> Arc<[u8]> {
        Arc::clone(self.kept.get_or_insert_with(|| Arc::from(self.bytes)))
    }
}

impl World {
    /// Takes what came in at a port to where it belongs.
    pub(super) fn receive(&mut self, from: Place, frame: &[u8], now: Instant) {
        let (Some(&destination), Some(&source)) =
            (frame.first_chunk::<6>(), frame.get(6..).and_then(<[u8]>::first_chunk::<6>))
        else {
            self.malformed[from] += 1;
            return;
        };
        if frame.len() < HEADER || frame.len() > FRAME_MAX {
            self.malformed[from] += 1;
            return;
        }
        self.addresses.learn(source, from, now);
        let comments = self.recorder.as_mut().map(|recorder| {
            recorder.coming_in();
            Vec::new()
        });
        let mut shared = Shared { bytes: frame, kept: None, comments };
        let class = Class::of(frame);
        if is_group(destination) {
            self.flood(from, &mut shared, class, now);
        } else {
            match self.addresses.find(destination, now) {
                Some(to) if to == from => {}
                Some(to) => self.offer(from, to, &mut shared, class, now),
                None => self.flood(from, &mut shared, Class::Unlearned, now),
            }
        }
        if let (Some(recorder), Some(comments)) = (&mut self.recorder, &shared.comments) {
            recorder.received(from, frame, comments);
        }
    }

    fn flood(&mut self, from: Place, shared: &mut Shared<'_>, class: Class, now: Instant) {
        for place in 0..self.plugged.len() {
            let to = self.plugged[place];
            if to != from {
                self.offer(from, to, shared, class, now);
            }
        }
    }

    /// Sends a frame from one port to another, or whatever rules make of that.
    fn offer(&mut self, from: Place, to: Place, shared: &mut Shared<'_>, class: Class, now: Instant) {
        let link = self.links.get(from, to);
        let number = link.numbers[class as usize];
        link.numbers[class as usize] += 1;
        link.counts.offered.add(shared.bytes.len());
        if !link.is_plain() {
            return self.offer_by_rules(from, to, shared, (class, number), now);
        }
        self.pass(from, to, shared);
    }

    /// Hands a frame to its receiver, without a copy of it where that can be.
    #[inline]
    fn pass(&mut self, from: Place, to: Place, shared: &mut Shared<'_>) {
        let counts = &mut self.links.get(from, to).counts;
        let Some(port) = &self.ports[to] else { return counts.unplugged.add(shared.bytes.len()) };
        if port.queue.is_empty() && port.send(shared.bytes) == Sent::Yes {
            counts.delivered.add(shared.bytes.len());
            if let Some(recorder) = &mut self.recorder {
                recorder.delivered(from, to, shared.bytes, Marks::default());
            }
        } else {
            let frame = shared.keep();
            self.deliver(from, to, frame, Marks::default());
        }
    }

    #[inline(never)]
    fn offer_by_rules(
        &mut self,
        from: Place,
        to: Place,
        shared: &mut Shared<'_>,
        (class, number): (Class, u64),
        now: Instant,
    ) {
        let length = shared.bytes.len();
        let link = self.links.get(from, to);
        let key =
            *link.key.get_or_insert_with(|| Key::new(self.seed, self.names.name(from), self.names.name(to)));
        let fate = Fate::of(&link.effect, key, class, number);
        let mut comment = |what: &str| {
            if let Some(comments) = &mut shared.comments {
                comments.push(format!("{what} to {}: {class:?} {number}", self.names.name(to)));
            }
        };
        if link.effect.cut {
            link.counts.cut.add(length);
            return comment("cut");
        }
        if fate.lost {
            link.counts.lost.add(length);
            return comment("lost");
        }
        if fate.is_spared() && link.is_immediate() {
            return self.pass(from, to, shared);
        }
        if fate.duplicated {
            link.counts.duplicated.add(length);
            comment("duplicated");
        }
        if fate.reordered {
            link.counts.reordered.add(length);
            comment("reordered");
        }
        if fate.corrupted.is_some() {
            link.counts.corrupted.add(length);
            comment("corrupted");
        }
        let frame = match fate.corrupted {
            Some(which) => corrupt(shared.bytes, which),
            None => shared.keep(),
        };
        for copy in [false, true].into_iter().take(1 + usize::from(fate.duplicated)) {
            let marks = Marks {
                copy,
                corrupted: fate.corrupted.is_some(),
                reordered: fate.reordered,
                delayed: false,
                jitter: (fate.jitter * f64::from(u32::MAX)) as u32,
            };
            let flight = Flight { from, to, frame: Arc::clone(&frame), marks, held: fate.reordered };
            if fate.reordered {
                self.hold(flight, now);
            } else {
                self.depart(flight, now);
            }
        }
        if !fate.reordered {
            let overtaken = std::mem::take(&mut self.links.get(from, to).held);
            for due in overtaken {
                if let Some(flight) = self.flights.take(due) {
                    self.depart(flight, now);
                }
            }
        }
    }

    /// Has a frame wait for the next of its pair.
    fn hold(&mut self, flight: Flight, now: Instant) {
        let link = self.links.get(flight.from, flight.to);
        match self.flights.add(now + REORDERING_WAITS, flight) {
            Ok(due) => link.held.push(due),
            Err(flight) => self.overflow(flight.from, flight.to, &flight.frame),
        }
    }

    /// Sends a frame on its way, which may take time.
    fn depart(&mut self, mut flight: Flight, now: Instant) {
        let (from, to, length) = (flight.from, flight.to, flight.frame.len());
        let link = self.links.get(from, to);
        let mut begins = now;
        if let Some(rate) = link.effect.rate {
            begins = link.free.map_or(now, |free| free.max(now));
            let time = |bytes: u64| Duration::from_secs_f64(bytes as f64 * 8.0 / rate as f64);
            if begins - now > time(BACKLOG_MAX) {
                return self.overflow(from, to, &flight.frame);
            }
            begins += time(length as u64);
            link.free = Some(begins);
        }
        let jitter = link.effect.jitter.mul_f64(f64::from(flight.marks.jitter) / f64::from(u32::MAX));
        let mut at = begins + link.effect.delay + jitter;
        if let Some(last) = link.last_due.filter(|_| link.delayed > 0) {
            at = at.max(last);
        }
        if at <= now && link.delayed == 0 {
            return self.deliver(from, to, flight.frame, flight.marks);
        }
        (flight.held, flight.marks.delayed) = (false, true);
        match self.flights.add(at, flight) {
            Ok(_) => {
                link.delayed += 1;
                link.last_due = Some(at);
                link.counts.delayed.add(length);
            }
            Err(flight) => self.overflow(from, to, &flight.frame),
        }
    }

    /// Drops a frame that there is no room for.
    fn overflow(&mut self, from: Place, to: Place, frame: &[u8]) {
        self.links.get(from, to).counts.overflowed.add(frame.len());
        if let Some(recorder) = &mut self.recorder {
            recorder.dropped(from, to, frame, "there was no room for it");
        }
    }

    /// Drops a frame in flight that met a cut.
    pub(super) fn cut(&mut self, from: Place, to: Place, frame: &[u8]) {
        self.links.get(from, to).counts.cut.add(frame.len());
        if let Some(recorder) = &mut self.recorder {
            recorder.dropped(from, to, frame, "it met a cut on its way");
        }
    }

    /// Hands a frame to its receiver, who may have to read first.
    fn deliver(&mut self, from: Place, to: Place, frame: Arc<[u8]>, marks: Marks) {
        let length = frame.len();
        let counts = &mut self.links.get(from, to).counts;
        let Some(port) = &mut self.ports[to] else { return counts.unplugged.add(length) };
        let sent = if port.queue.is_empty() { port.send(&frame) } else { Sent::Full };
        match sent {
            Sent::Yes => {
                counts.delivered.add(length);
                if let Some(recorder) = &mut self.recorder {
                    recorder.delivered(from, to, &frame, marks);
                }
            }
            Sent::Gone => counts.unplugged.add(length),
            Sent::Full => {
                if let Err(queued) = port.enqueue(&self.epoll, Queued { from, frame, marks }) {
                    self.overflow(from, to, &queued.frame);
                }
            }
        }
    }

    /// Goes on with what waited for a client to read.
    pub(super) fn has_room(&mut self, to: Place) {
        while let Some((queued, sent)) =
            self.ports[to].as_mut().and_then(|port| port.send_queued(&self.epoll))
        {
            let counts = &mut self.links.get(queued.from, to).counts;
            if sent == Sent::Gone {
                counts.unplugged.add(queued.frame.len());
                continue;
            }
            counts.delivered.add(queued.frame.len());
            if let Some(recorder) = &mut self.recorder {
                recorder.delivered(queued.from, to, &queued.frame, queued.marks);
            }
        }
    }

    /// Goes on with what is due.
    pub(super) fn advance(&mut self, now: Instant) {
        while let Some((due, flight)) = self.flights.pop(now) {
            let link = self.links.get(flight.from, flight.to);
            if flight.held {
                link.held.retain(|&held| held != due);
                self.depart(flight, now);
            } else {
                link.delayed -= 1;
                self.deliver(flight.from, flight.to, flight.frame, flight.marks);
            }
        }
    }
}

/// The frame with one bit behind its addresses changed, where it has any.
fn corrupt(frame: &[u8], which: u64) -> Arc<[u8]> {
    let mut frame = frame.to_vec();
    let bits = 8 * (frame.len() - ADDRESSES) as u64;
    let bit = (which % bits) as usize;
    frame[ADDRESSES + bit / 8] ^= 1 << (bit % 8);
    frame.into()
}

/// The bytes of a frame's addresses.
const ADDRESSES: usize = 12;
