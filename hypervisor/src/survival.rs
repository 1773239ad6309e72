//! What becomes of the writes that a disk with a volatile cache had not been told to keep when its
//! power was cut.
//!
//! That is a function of the seed, the write's number since the last flush and its length: no clock
//! and no address has a part in it. The seed also says how much survives at all, so that some power
//! cuts lose everything that they may and others next to nothing.

use crate::draws::{GOLDEN, mix, unit};

/// Which of the writes since the last flush survive a power cut with this seed.
///
/// ```
/// use hypervisor::{Survival, Survives};
///
/// let survival = Survival::new(7);
/// // The third write since the last flush, of four sectors.
/// match survival.of(2, 4) {
///     Survives::Kept | Survives::Dropped => {}
///     Survives::Torn(sectors) => assert!(sectors.contains(&true) && sectors.contains(&false)),
/// }
/// assert_eq!(survival.of(2, 4), Survival::new(7).of(2, 4));
/// ```
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Survival {
    key: u64,
    /// How many eighths of the writes survive.
    eighths: u32,
}

/// What becomes of one write.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Survives {
    /// All of it is on the disk.
    Kept,
    /// Nothing of it is.
    Dropped,
    /// These of its sectors of 512 bytes are, one or more, and not all.
    Torn(Vec<bool>),
}

/// How many eighths of the writes survive, for as many kinds of power cut.
const EIGHTHS: [u32; 5] = [0, 2, 4, 6, 7];
/// How much of what survives and could be torn is.
const TORN: f64 = 0.25;

impl Survival {
    /// The power cut with this seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let key = mix(seed.wrapping_add(GOLDEN));
        let eighths = EIGHTHS[(mix(key ^ GOLDEN) % EIGHTHS.len() as u64) as usize];
        Self { key, eighths }
    }

    /// What becomes of the write with this number since the last flush, the first being 0, of so many
    /// sectors. One sector is written whole or not at all.
    #[must_use]
    pub fn of(&self, number: u64, sectors: u64) -> Survives {
        let write = mix(self.key.wrapping_add(number.wrapping_mul(GOLDEN)));
        // Each thing that can happen has a draw of its own.
        let draw = |which: u64| mix(write.wrapping_add((which + 1).wrapping_mul(GOLDEN)));
        if unit(draw(0)) >= f64::from(self.eighths) / 8.0 {
            return Survives::Dropped;
        }
        if sectors < 2 || unit(draw(1)) >= TORN {
            return Survives::Kept;
        }
        let mut survive: Vec<bool> = (0..sectors).map(|sector| draw(3 + sector) & 1 == 1).collect();
        if survive.iter().all(|&survives| survives == survive[0]) {
            let other = (draw(2) % sectors) as usize;
            survive[other] = !survive[other];
        }
        Survives::Torn(survive)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn letters(seed: u64, sectors: u64) -> String {
        let letter = |number| match Survival::new(seed).of(number, sectors) {
            Survives::Kept => 'k',
            Survives::Dropped => 'd',
            Survives::Torn(_) => 't',
        };
        (0..16).map(letter).collect()
    }

    #[test]
    fn fates_stay_what_they_are() {
        // Saved cases rely on it: what is written here must not change.
        let all: Vec<String> = (0..4).map(|seed| letters(seed, 8)).collect();
        assert_eq!(all, ["kkkkkkktttkktkkk", "dddddddddddddddd", "dkdddddddkdkdddd", "dtdddkddddttdddt"]);
        let torn = [true, true, false, true, false, false, true, false];
        assert_eq!(Survival::new(3).of(1, 8), Survives::Torn(torn.to_vec()));
    }

    #[test]
    fn power_cuts_are_of_all_kinds() {
        let all: Vec<String> = (0..100).map(|seed| letters(seed, 1)).collect();
        assert!(all.iter().any(|letters| !letters.contains('k')), "everything may be lost");
        assert!(all.iter().any(|letters| letters.matches('d').count() < 3), "or little");
        assert!(all.iter().any(|letters| letters.contains("dk")), "a later one survives an earlier one");
        assert!(!all.concat().contains('t'), "no sector is torn");
    }

    proptest! {
        #[test]
        fn a_torn_write_is_there_in_part(seed: u64, number: u64, sectors in 0..100_u64) {
            if let Survives::Torn(survive) = Survival::new(seed).of(number, sectors) {
                prop_assert_eq!(survive.len() as u64, sectors);
                prop_assert!(survive.contains(&true) && survive.contains(&false));
            }
        }
    }
}
