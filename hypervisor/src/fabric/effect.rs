//! What a rule does to the frames from one port to another.

use std::fmt;
use std::time::Duration;

use crate::Error;

/// The longest delay or jitter that one effect may have.
pub const DELAY_MAX: Duration = Duration::from_secs(600);
/// The lowest and the highest rate of a link, in bits a second.
pub const RATES: std::ops::RangeInclusive<u64> = 1_000..=1_000_000_000_000;

/// How likely something is: 0 never, 1 always.
#[derive(Clone, Copy, Debug, Default, PartialEq, PartialOrd)]
pub struct Probability(f64);

impl Probability {
    /// It happens to no frame.
    pub const NEVER: Self = Self(0.0);
    /// It happens to every frame.
    pub const ALWAYS: Self = Self(1.0);

    /// The probability `value`.
    ///
    /// # Errors
    /// [`Error::Probability`] unless it lies in 0..=1.
    pub fn new(value: f64) -> Result<Self, Error> {
        if (0.0..=1.0).contains(&value) { Ok(Self(value)) } else { Err(Error::Probability { value }) }
    }

    /// The number, in 0..=1.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }

    /// That at least one of two independent things happens.
    fn or(self, other: Self) -> Self {
        // Written so that never and always stay exactly what they are.
        Self((self.0 + other.0 - self.0 * other.0).clamp(self.0.max(other.0), 1.0))
    }
}

impl TryFrom<f64> for Probability {
    type Error = Error;

    fn try_from(value: f64) -> Result<Self, Error> {
        Self::new(value)
    }
}

/// What happens to frames on their way from one port to another; by default nothing does.
///
/// Effects compose with [`Effect::and`], and those of several rules on one pair in the same way: a
/// cut wins over everything, delays and jitters add, probabilities are independent of each other,
/// and the lowest rate counts. The order does not matter.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Effect {
    pub(super) cut: bool,
    pub(super) delay: Duration,
    pub(super) jitter: Duration,
    pub(super) loss: Probability,
    pub(super) duplication: Probability,
    pub(super) reordering: Probability,
    pub(super) corruption: Probability,
    pub(super) rate: Option<u64>,
}

impl Effect {
    /// No frame passes, and those in flight are lost.
    #[must_use]
    pub fn cut() -> Self {
        Self { cut: true, ..Self::default() }
    }

    /// Each frame is lost with this probability.
    #[must_use]
    pub fn loss(probability: Probability) -> Self {
        Self { loss: probability, ..Self::default() }
    }

    /// Each frame arrives twice with this probability, the copy right behind it.
    #[must_use]
    pub fn duplication(probability: Probability) -> Self {
        Self { duplication: probability, ..Self::default() }
    }

    /// With this probability the next frame of the pair overtakes this one, which waits for it, but
    /// not longer than [`REORDERING_WAITS`](super::REORDERING_WAITS).
    #[must_use]
    pub fn reordering(probability: Probability) -> Self {
        Self { reordering: probability, ..Self::default() }
    }

    /// With this probability one bit behind the frame's addresses is another.
    #[must_use]
    pub fn corruption(probability: Probability) -> Self {
        Self { corruption: probability, ..Self::default() }
    }

    /// Each frame takes so long.
    ///
    /// # Errors
    /// [`Error::LinkDelay`] beyond [`DELAY_MAX`].
    pub fn delay(delay: Duration) -> Result<Self, Error> {
        Self::delay_with_jitter(delay, Duration::ZERO)
    }

    /// Each frame takes at least `delay` and up to `jitter` more, uniformly; the frames of a pair
    /// keep their order, so one that waits lets those behind it wait.
    ///
    /// # Errors
    /// [`Error::LinkDelay`] where one of them is beyond [`DELAY_MAX`].
    pub fn delay_with_jitter(delay: Duration, jitter: Duration) -> Result<Self, Error> {
        match [delay, jitter].into_iter().find(|&time| time > DELAY_MAX) {
            Some(delay) => Err(Error::LinkDelay { delay, limit: DELAY_MAX }),
            None => Ok(Self { delay, jitter, ..Self::default() }),
        }
    }

    /// So many bits a second pass; what comes faster waits, and is dropped where too much does.
    ///
    /// # Errors
    /// [`Error::LinkRate`] outside of [`RATES`].
    pub fn rate(bits_per_second: u64) -> Result<Self, Error> {
        if RATES.contains(&bits_per_second) {
            Ok(Self { rate: Some(bits_per_second), ..Self::default() })
        } else {
            Err(Error::LinkRate { rate: bits_per_second, lowest: *RATES.start(), highest: *RATES.end() })
        }
    }

    /// Both at once.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            cut: self.cut || other.cut,
            delay: self.delay.saturating_add(other.delay),
            jitter: self.jitter.saturating_add(other.jitter),
            loss: self.loss.or(other.loss),
            duplication: self.duplication.or(other.duplication),
            reordering: self.reordering.or(other.reordering),
            corruption: self.corruption.or(other.corruption),
            rate: [self.rate, other.rate].into_iter().flatten().min(),
        }
    }

    /// The effect on frames that come through, if it were not cut.
    #[must_use]
    pub fn without_cut(self) -> Self {
        Self { cut: false, ..self }
    }

    /// Whether no frame comes through.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut
    }

    /// Whether frames pass as if there were no rule.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::default()
    }

    /// The longest that a frame takes, its wait for its turn at a limited rate aside.
    pub(super) fn longest(&self) -> Duration {
        self.delay.saturating_add(self.jitter)
    }
}

impl fmt::Display for Effect {
    /// What an annotation or a report says of it: `delay 10ms, loss 0.1`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        if self.cut {
            parts.push("cut".to_owned());
        }
        for (name, time) in [("delay", self.delay), ("jitter", self.jitter)] {
            if time > Duration::ZERO {
                parts.push(format!("{name} {time:?}"));
            }
        }
        for (name, probability) in [
            ("loss", self.loss),
            ("duplication", self.duplication),
            ("reordering", self.reordering),
            ("corruption", self.corruption),
        ] {
            if probability > Probability::NEVER {
                parts.push(format!("{name} {}", probability.get()));
            }
        }
        if let Some(rate) = self.rate {
            parts.push(format!("{rate} bits a second"));
        }
        f.pad(if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probability(value: f64) -> Probability {
        Probability::new(value).unwrap()
    }

    #[test]
    fn what_is_no_probability_is_refused() {
        for value in [-0.1, 1.000_001, f64::NAN, f64::INFINITY] {
            let error = Probability::new(value).unwrap_err().to_string();
            assert!(error.contains("between 0 and 1"), "{error}");
        }
    }

    #[test]
    fn absurd_delays_and_rates_are_refused() {
        let day = Duration::from_secs(24 * 60 * 60);
        assert!(matches!(Effect::delay(day), Err(Error::LinkDelay { .. })));
        assert!(matches!(Effect::delay_with_jitter(Duration::ZERO, day), Err(Error::LinkDelay { .. })));
        assert!(matches!(Effect::rate(0), Err(Error::LinkRate { rate: 0, .. })));
        assert!(Effect::rate(u64::MAX).is_err());
    }

    #[test]
    fn effects_compose() {
        let millisecond = Duration::from_millis(1);
        let one = Effect::loss(probability(0.5))
            .and(Effect::delay_with_jitter(millisecond, millisecond).unwrap())
            .and(Effect::rate(10_000).unwrap());
        let other = Effect::loss(probability(0.5))
            .and(Effect::delay(millisecond).unwrap())
            .and(Effect::rate(5_000).unwrap());
        let both = one.and(other);
        assert_eq!(both, other.and(one));
        assert_eq!(both.loss, probability(0.75));
        assert_eq!((both.delay, both.jitter), (2 * millisecond, millisecond));
        assert_eq!(both.rate, Some(5_000));
        assert_eq!(both.to_string(), "delay 2ms, jitter 1ms, loss 0.75, 5000 bits a second");
        assert!(both.and(Effect::cut()).cut);
        assert_eq!(both.and(Effect::default()), both);
        let sure = Effect::loss(Probability::ALWAYS).and(Effect::loss(probability(0.3)));
        assert_eq!(sure.loss, Probability::ALWAYS);
    }
}
