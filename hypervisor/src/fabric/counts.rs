//! What became of frames, counted for each ordered pair of ports.

use std::fmt;

/// So many frames with so many bytes in all.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Tally {
    /// Frames.
    pub frames: u64,
    /// Their bytes, with their Ethernet headers.
    pub bytes: u64,
}

impl Tally {
    pub(super) fn add(&mut self, length: usize) {
        self.frames += 1;
        self.bytes += length as u64;
    }
}

/// What became of the frames from one port to another since the fabric began or was
/// [reset](super::Fabric::reset).
///
/// Every copy ends somewhere: `offered` and `duplicated` together are `delivered`, `cut`, `lost`,
/// `overflowed`, `unplugged`, and what is still in flight ([`Counts::in_flight`]).
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct Counts {
    /// What the sender gave the switch, where this receiver was to have it: all that is sent to its
    /// address or to all, and what the switch has to send everywhere.
    pub offered: Tally,
    /// What was written to the receiver's socket.
    pub delivered: Tally,
    /// What met a cut, before it or in flight.
    pub cut: Tally,
    /// What a rule lost.
    pub lost: Tally,
    /// Second copies that a rule made.
    pub duplicated: Tally,
    /// What a rule had the next frame overtake. It has an end of its own as well.
    pub reordered: Tally,
    /// What a rule changed a bit of. It has an end of its own as well.
    pub corrupted: Tally,
    /// What a rule delayed. It has an end of its own as well.
    pub delayed: Tally,
    /// What there was no room for: the receiver did not read, or too much was in flight.
    pub overflowed: Tally,
    /// What the receiver was unplugged before.
    pub unplugged: Tally,
}

impl Counts {
    /// What has no end yet: delayed, or waiting for the receiver to read.
    #[must_use]
    pub fn in_flight(&self) -> Tally {
        let ends = [self.delivered, self.cut, self.lost, self.overflowed, self.unplugged];
        let left = |of: fn(&Tally) -> u64| {
            let ended: u64 = ends.iter().map(of).sum();
            (of(&self.offered) + of(&self.duplicated)).saturating_sub(ended)
        };
        Tally { frames: left(|tally| tally.frames), bytes: left(|tally| tally.bytes) }
    }

    /// All counts with their names, in the order in which they are declared.
    #[must_use]
    pub fn all(&self) -> [(&'static str, Tally); 10] {
        [
            ("offered", self.offered),
            ("delivered", self.delivered),
            ("cut", self.cut),
            ("lost", self.lost),
            ("duplicated", self.duplicated),
            ("reordered", self.reordered),
            ("corrupted", self.corrupted),
            ("delayed", self.delayed),
            ("overflowed", self.overflowed),
            ("unplugged", self.unplugged),
        ]
    }
}

impl fmt::Display for Counts {
    /// Frames of each kind that there were: `100 offered, 93 delivered, 7 lost`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: Vec<String> = self
            .all()
            .iter()
            .filter(|(_, tally)| tally.frames > 0)
            .map(|(name, tally)| format!("{} {name}", tally.frames))
            .collect();
        f.pad(if texts.is_empty() { "nothing".to_owned() } else { texts.join(", ") }.as_str())
    }
}
