//! Which port machines' addresses were seen at.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::time::{Duration, Instant};

use super::names::{Names, Place};
use crate::Error;

/// How many addresses are remembered for one port. A machine has a few; who claims more has them
/// sent everywhere, as addresses that nobody has seen, and takes no room from others.
pub const ADDRESSES_MAX: usize = 256;
/// How long an address is remembered that nothing comes from, as in `vde_switch`.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(100);

/// An Ethernet address.
pub(super) type Address = [u8; 6];

/// Whether a frame to this address is for several machines.
pub(super) fn is_group(address: Address) -> bool {
    address[0] & 1 == 1
}

/// The table of a learning switch (IEEE 802.1D, 7.8 and 7.9).
#[derive(Debug, Default)]
pub(super) struct Addresses {
    /// Where those are that are known from the start, unless they are seen elsewhere.
    known: HashMap<Address, Place, BuildHasherDefault<Mixer>>,
    seen: HashMap<Address, Seen, BuildHasherDefault<Mixer>>,
    /// How many there are of each port.
    counts: HashMap<Place, usize>,
    /// When a port that claims too many was last looked through for forgotten ones.
    swept: Option<Instant>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    place: Place,
    last: Instant,
}

impl Addresses {
    /// These are known from the start.
    pub(super) fn new(names: &Names, fabric: &str, known: &[(String, Address)]) -> Result<Self, Error> {
        let mut addresses = Self::default();
        for (name, address) in known {
            let place = names.place(fabric, name)?;
            let other = addresses.known.insert(*address, place).map(|other| names.name(other));
            let why = match other {
                Some(other) => format!("port {other:?} has it"),
                None if is_group(*address) => "it is for several machines".to_owned(),
                None => continue,
            };
            let address = address.map(|byte| format!("{byte:02x}")).join(":");
            return Err(Error::PortAddress { fabric: fabric.to_owned(), name: name.clone(), address, why });
        }
        Ok(addresses)
    }

    /// Notes that a frame from this address came in at the port. An address that moves is at its new
    /// port at once.
    pub(super) fn learn(&mut self, address: Address, place: Place, now: Instant) {
        if is_group(address) {
            return;
        }
        if let Some(seen) = self.seen.get_mut(&address)
            && seen.place == place
        {
            seen.last = now;
            return;
        }
        self.learn_new(address, place, now);
    }

    #[cold]
    fn learn_new(&mut self, address: Address, place: Place, now: Instant) {
        if self.count(place) >= ADDRESSES_MAX {
            // Looking through all of them for each frame would be what a flood of addresses is for.
            if self.swept.is_some_and(|last| now.duration_since(last) < Duration::from_secs(1)) {
                return;
            }
            self.swept = Some(now);
            self.retain(|_, seen| now.duration_since(seen.last) < FORGOTTEN_AFTER);
            if self.count(place) >= ADDRESSES_MAX {
                return;
            }
        }
        if let Some(before) = self.seen.insert(address, Seen { place, last: now })
            && let Some(count) = self.counts.get_mut(&before.place)
        {
            *count -= 1;
        }
        *self.counts.entry(place).or_default() += 1;
    }

    fn count(&self, place: Place) -> usize {
        self.counts.get(&place).copied().unwrap_or_default()
    }

    /// The port that the address was last seen at, or is known to be at.
    pub(super) fn find(&self, address: Address, now: Instant) -> Option<Place> {
        match self.seen.get(&address) {
            Some(seen) if now.duration_since(seen.last) < FORGOTTEN_AFTER => Some(seen.place),
            _ => self.known.get(&address).copied(),
        }
    }

    /// Forgets what was seen at a port that is unplugged.
    pub(super) fn forget(&mut self, place: Place) {
        self.retain(|_, seen| seen.place != place);
    }

    /// Forgets all that was not known from the start.
    pub(super) fn clear(&mut self) {
        self.seen.clear();
        self.counts.clear();
    }

    /// What is known, in the order of addresses.
    pub(super) fn all(&self) -> Vec<(Address, Place)> {
        let mut all: Vec<_> = self.seen.iter().map(|(&address, seen)| (address, seen.place)).collect();
        all.sort_unstable();
        all
    }

    fn retain(&mut self, kept: impl Fn(&Address, &Seen) -> bool) {
        self.seen.retain(|address, seen| kept(address, seen));
        self.counts.clear();
        for seen in self.seen.values() {
            *self.counts.entry(seen.place).or_default() += 1;
        }
    }
}

/// Mixes an address's bytes. A machine may choose its addresses such that they collide, but it can
/// have few enough of them that this does not matter.
#[derive(Debug, Default)]
struct Mixer(u64);

impl Hasher for Mixer {
    fn write(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0 << 8 | u64::from(byte);
        }
        self.0 = (self.0 ^ (self.0 >> 29)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_usize(&mut self, _: usize) {
        // The length of an address is always the same.
    }

    fn finish(&self) -> u64 {
        self.0 ^ (self.0 >> 32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: Address = [2, 0, 0, 0, 0, 1];

    #[test]
    fn an_address_is_where_it_was_seen_last() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        assert_eq!(addresses.find(A, now), None);
        addresses.learn(A, 3, now);
        assert_eq!(addresses.find(A, now), Some(3));
        addresses.learn(A, 4, now);
        assert_eq!(addresses.find(A, now), Some(4));
        assert_eq!(addresses.count(3), 0);
        addresses.forget(4);
        assert_eq!(addresses.find(A, now), None);
    }

    #[test]
    fn what_is_not_seen_for_long_is_forgotten() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        addresses.learn(A, 3, now);
        assert_eq!(addresses.find(A, now + FORGOTTEN_AFTER / 2), Some(3));
        assert_eq!(addresses.find(A, now + FORGOTTEN_AFTER), None);
    }

    #[test]
    fn groups_are_nowhere() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        addresses.learn([0xff; 6], 3, now);
        assert_eq!(addresses.find([0xff; 6], now), None);
    }

    #[test]
    fn a_flood_of_addresses_takes_no_room_from_others() {
        let (mut addresses, now) = (Addresses::default(), Instant::now());
        for number in 0..100_000_u32 {
            let [a, b, c, d] = number.to_be_bytes();
            addresses.learn([2, 1, a, b, c, d], 0, now);
        }
        assert_eq!(addresses.seen.len(), ADDRESSES_MAX);
        addresses.learn(A, 1, now);
        assert_eq!(addresses.find(A, now), Some(1));
        // Once they are forgotten there is room again.
        let later = now + FORGOTTEN_AFTER;
        addresses.learn([2, 9, 9, 9, 9, 9], 0, later);
        assert_eq!(addresses.seen.len(), 1);
    }
}
