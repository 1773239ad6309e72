//! Frames that are delayed, in the order in which they are due.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use super::PORTS;
use super::names::Place;

/// How many delayed frames of one sender there may be.
pub const FLIGHTS_MAX: usize = 4096;
/// How many bytes they may have.
pub const FLIGHTS_BYTES_MAX: usize = 8 << 20;
/// How many bytes the delayed frames of all senders may have.
pub const FLIGHTS_BYTES_MAX_OF_ALL: usize = 64 << 20;

/// When a frame is due, and which it is among those that are due then.
pub(super) type Due = (Instant, u64);

/// One frame on its way.
#[derive(Clone, Debug)]
pub(super) struct Flight {
    pub(super) from: Place,
    pub(super) to: Place,
    pub(super) frame: Arc<[u8]>,
    pub(super) marks: Marks,
    /// It only waits for the next of its pair to overtake it; its link's delay comes after.
    pub(super) held: bool,
}

/// What rules did to a frame, to be told in a capture.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(super) struct Marks {
    pub(super) copy: bool,
    pub(super) corrupted: bool,
    pub(super) delayed: bool,
    pub(super) reordered: bool,
    /// How much of its link's jitter it waits, in 2⁻³².
    pub(super) jitter: u32,
}

/// All frames on their way.
#[derive(Debug)]
pub(super) struct Flights {
    due: BTreeMap<Due, Flight>,
    next: u64,
    /// Frames and bytes of each sender.
    of: Vec<(usize, usize)>,
    bytes: usize,
}

impl Flights {
    pub(super) fn new() -> Self {
        Self { due: BTreeMap::new(), next: 0, of: vec![(0, 0); PORTS], bytes: 0 }
    }

    /// Adds one that is due then; not where its sender, or all of them, have too many.
    pub(super) fn add(&mut self, at: Instant, flight: Flight) -> Result<Due, Flight> {
        let length = flight.frame.len();
        let (frames, bytes) = &mut self.of[flight.from];
        let full = *frames >= FLIGHTS_MAX || *bytes + length > FLIGHTS_BYTES_MAX;
        if full || self.bytes + length > FLIGHTS_BYTES_MAX_OF_ALL {
            return Err(flight);
        }
        *frames += 1;
        *bytes += length;
        self.bytes += length;
        let due = (at, self.next);
        self.next += 1;
        self.due.insert(due, flight);
        Ok(due)
    }

    /// When the next one is due.
    pub(super) fn next_due(&self) -> Option<Instant> {
        self.due.first_key_value().map(|(due, _)| due.0)
    }

    /// Takes the next one that is due by now.
    pub(super) fn pop(&mut self, now: Instant) -> Option<(Due, Flight)> {
        if self.next_due()? > now {
            return None;
        }
        let (due, flight) = self.due.pop_first()?;
        self.uncount(&flight);
        Some((due, flight))
    }

    /// Takes this one.
    pub(super) fn take(&mut self, due: Due) -> Option<Flight> {
        let flight = self.due.remove(&due)?;
        self.uncount(&flight);
        Some(flight)
    }

    /// Takes all that are so, in the order in which they are due.
    pub(super) fn take_where(&mut self, so: impl Fn(&Flight) -> bool) -> Vec<(Due, Flight)> {
        let keys: Vec<Due> = self.due.iter().filter(|(_, flight)| so(flight)).map(|(&due, _)| due).collect();
        keys.into_iter().filter_map(|due| Some((due, self.take(due)?))).collect()
    }

    /// Has those that are so be due no later than `latest` says for each, in the order that they have.
    pub(super) fn hurry(&mut self, so: impl Fn(&Flight) -> bool, latest: impl Fn(&Flight) -> Instant) {
        for (due, flight) in self.take_where(so) {
            let at = due.0.min(latest(&flight));
            let again = self.add(at, flight);
            debug_assert!(again.is_ok(), "there is room for what was taken out just now");
        }
    }

    fn uncount(&mut self, flight: &Flight) {
        self.bytes -= flight.frame.len();
        let (frames, bytes) = &mut self.of[flight.from];
        *frames -= 1;
        *bytes -= flight.frame.len();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn flight(from: Place, length: usize) -> Flight {
        Flight { from, to: 9, frame: vec![0; length].into(), marks: Marks::default(), held: false }
    }

    #[test]
    fn one_sender_takes_no_room_from_another() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        let added = (0..2 * FLIGHTS_MAX).filter(|_| flights.add(now, flight(1, 60)).is_ok()).count();
        assert_eq!(added, FLIGHTS_MAX);
        assert!(flights.add(now, flight(2, 60)).is_ok());
        let large = (0..FLIGHTS_MAX).filter(|_| flights.add(now, flight(3, 9_000)).is_ok()).count();
        assert_eq!(large, FLIGHTS_BYTES_MAX / 9_000);
        while flights.pop(now).is_some() {}
        assert_eq!(flights.bytes, 0);
        assert!(flights.add(now, flight(1, 60)).is_ok());
    }

    #[test]
    fn all_together_have_a_bound() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        for sender in 0..127 {
            while flights.add(now, flight(sender, 9_000)).is_ok() {}
        }
        assert!(flights.bytes <= FLIGHTS_BYTES_MAX_OF_ALL);
        assert!(flights.bytes > FLIGHTS_BYTES_MAX_OF_ALL - 9_000);
    }

    #[test]
    fn who_is_hurried_keeps_the_order() {
        let (mut flights, now) = (Flights::new(), Instant::now());
        let second = Duration::from_secs(1);
        for (place, length) in [60, 61, 62, 63].into_iter().enumerate() {
            flights.add(now + (place as u32 + 1) * second, flight(1, length)).unwrap();
        }
        flights.hurry(|flight| flight.frame.len() > 60, |_| now + second);
        assert!(flights.pop(now).is_none());
        let lengths: Vec<usize> =
            std::iter::from_fn(|| flights.pop(now + second)).map(|(_, flight)| flight.frame.len()).collect();
        assert_eq!(lengths, [60, 61, 62, 63]);
    }
}
