//! What becomes of the n-th frame of a class from one port to another.
//!
//! That is a function of the seed, the names of the two ports, the class and n: no order in which
//! ports came, no clock and no frame of another pair has a part in it. Raising a probability only
//! adds frames that are hit, so a smaller case with a milder rule meets some of the same faults.

use sha2::{Digest, Sha256};

use super::class::Class;
use super::effect::{Effect, Probability};
use crate::draws::{GOLDEN, mix, unit};

/// What the draws of one ordered pair of ports begin from.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Key(u64);

impl Key {
    /// The key of a pair.
    pub(super) fn new(seed: u64, from: &str, to: &str) -> Self {
        // The lengths keep ("ab", "c") from being ("a", "bc").
        let mut hash = Sha256::new();
        hash.update(seed.to_be_bytes());
        for name in [from, to] {
            hash.update((name.len() as u64).to_be_bytes());
            hash.update(name);
        }
        let first = hash.finalize().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte));
        Self(first)
    }
}

/// What becomes of one frame, besides the time that its link takes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Fate {
    pub(super) lost: bool,
    pub(super) duplicated: bool,
    pub(super) reordered: bool,
    /// Where it is corrupted, a number that says which of its bits changes.
    pub(super) corrupted: Option<u64>,
    /// How much of the jitter it waits, in 0..1.
    pub(super) jitter: f64,
}

impl Fate {
    /// Whether nothing becomes of it.
    pub(super) fn is_spared(&self) -> bool {
        !self.lost && !self.duplicated && !self.reordered && self.corrupted.is_none()
    }

    /// The fate of the frame `number` of its class.
    pub(super) fn of(effect: &Effect, key: Key, class: Class, number: u64) -> Self {
        let frame = mix(mix(key.0 ^ (class as u64 + 1)).wrapping_add(number.wrapping_mul(GOLDEN)));
        // Each thing that can happen has a draw of its own, so that one rule less changes no other.
        let draw = |which: u64| mix(frame.wrapping_add((which + 1).wrapping_mul(GOLDEN)));
        let hit = |which, probability: Probability| {
            probability > Probability::NEVER && unit(draw(which)) < probability.get()
        };
        Self {
            lost: hit(0, effect.loss),
            duplicated: hit(1, effect.duplication),
            reordered: hit(2, effect.reordering),
            corrupted: hit(3, effect.corruption).then(|| draw(4)),
            jitter: unit(draw(5)),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn effect(probability: f64) -> Effect {
        let probability = Probability::new(probability).unwrap();
        Effect::loss(probability)
            .and(Effect::duplication(probability))
            .and(Effect::reordering(probability))
            .and(Effect::corruption(probability))
    }

    /// Which of the first frames are lost.
    fn lost(effect: &Effect, key: Key, class: Class) -> Vec<u64> {
        (0..10_000).filter(|&number| Fate::of(effect, key, class, number).lost).collect()
    }

    #[test]
    fn fates_stay_what_they_are() {
        // Saved cases rely on it: what is written here must not change.
        let lost = lost(&effect(0.001), Key::new(7, "a", "b"), Class::Tcp);
        assert_eq!(lost, [140, 2454, 3697, 5060, 5074, 7376, 7510, 7640, 8120, 8158, 8668, 9490]);
    }

    proptest! {
        #[test]
        fn as_many_are_hit_as_the_rule_says(seed: u64, probability in 0.0..=1.0) {
            let effect = effect(probability);
            let key = Key::new(seed, "a", "b");
            let fates: Vec<Fate> = (0..10_000).map(|number| Fate::of(&effect, key, Class::Udp, number)).collect();
            // By Bernstein's inequality a count is further away once in 10^7 times at most, however close to
            // 0 or 1 the probability is; by far more seldom where it is not.
            let margin = 6.0 * (10_000.0 * probability * (1.0 - probability)).sqrt() + 24.0;
            let counts = [
                fates.iter().filter(|fate| fate.lost).count(),
                fates.iter().filter(|fate| fate.duplicated).count(),
                fates.iter().filter(|fate| fate.reordered).count(),
                fates.iter().filter(|fate| fate.corrupted.is_some()).count(),
            ];
            for count in counts {
                prop_assert!((count as f64 - 10_000.0 * probability).abs() <= margin, "{count}");
            }
        }

        #[test]
        fn pairs_classes_and_seeds_are_independent(seed: u64) {
            let half = effect(0.5);
            let all = [
                lost(&half, Key::new(seed, "a", "b"), Class::Tcp),
                lost(&half, Key::new(seed, "b", "a"), Class::Tcp),
                lost(&half, Key::new(seed, "a", "b"), Class::Udp),
                lost(&half, Key::new(seed.wrapping_add(1), "a", "b"), Class::Tcp),
                lost(&half, Key::new(seed, "", "ab"), Class::Tcp),
            ];
            for (place, one) in all.iter().enumerate() {
                for other in &all[..place] {
                    let both = one.iter().filter(|number| other.binary_search(number).is_ok()).count();
                    prop_assert!((2_200..2_800).contains(&both), "{both} of 10,000");
                }
            }
        }

        #[test]
        fn a_likelier_loss_takes_what_the_milder_one_took(seed: u64, mild in 0.0..=1.0, more in 0.0..=1.0) {
            let key = Key::new(seed, "a", "b");
            let mild = effect(mild);
            let strong = mild.and(effect(more));
            for number in lost(&mild, key, Class::Arp) {
                prop_assert!(Fate::of(&strong, key, Class::Arp, number).lost);
            }
        }
    }
}
