//! At which pace a machine's clock goes, and what may be known of it then.

use std::fmt;
use std::ops::RangeInclusive;

use serde::{Deserialize, Serialize};

use super::CLOCK_TOLERANCE;

/// By how many percent a clock runs fast, or slow where there are fewer than none.
///
/// A kernel disciplines its clocks by up to a tenth (`adjtimex(2)`, the length of a tick), and does so to
/// the monotonic clock too: that gains or loses time with the other, and never jumps.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "i8", into = "i8")]
pub struct Drift(i8);

impl Drift {
    /// The most, either way, in percent.
    pub const MOST: i8 = 10;

    /// So many percent.
    ///
    /// # Errors
    /// [`DriftError`] for more than a tenth.
    pub fn new(percent: i8) -> Result<Self, DriftError> {
        if (-Self::MOST..=Self::MOST).contains(&percent) {
            Ok(Self(percent))
        } else {
            Err(DriftError(percent))
        }
    }

    /// The percent, from -10 to 10.
    #[must_use]
    pub fn percent(self) -> i8 {
        self.0
    }
}

/// A clock that no kernel would have run so.
#[derive(Clone, Copy, Debug, Eq, PartialEq, thiserror::Error)]
#[error("a clock cannot run {0} percent fast: give -{most} to {most}", most = Drift::MOST)]
pub struct DriftError(i8);

impl TryFrom<i8> for Drift {
    type Error = DriftError;

    fn try_from(percent: i8) -> Result<Self, DriftError> {
        Self::new(percent)
    }
}

impl From<Drift> for i8 {
    fn from(drift: Drift) -> Self {
        drift.0
    }
}

impl fmt::Display for Drift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            0 => f.write_str("at the right pace"),
            fast @ 1.. => write!(f, "{fast} % fast"),
            slow => write!(f, "{} % slow", slow.unsigned_abs()),
        }
    }
}

/// How a machine's clock has run since it was started.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Pace {
    /// How it runs.
    pub drift: Drift,
    /// Whether it has run fast, now or before.
    pub was_fast: bool,
    /// Whether it has run slow, now or before.
    pub was_slow: bool,
}

impl Pace {
    /// The clock goes on at another pace.
    #[must_use]
    pub fn with(self, drift: Drift) -> Self {
        Self {
            drift,
            was_fast: self.was_fast || drift.percent() > 0,
            was_slow: self.was_slow || drift.percent() < 0,
        }
    }

    /// By how many seconds it may seem ahead, where it was set so many ahead in all. The model has no time:
    /// a clock that has run fast may be ahead by any more.
    #[must_use]
    pub fn may_be_ahead(self, set: i64) -> RangeInclusive<i64> {
        let least = if self.was_slow { i64::MIN } else { set.saturating_sub(CLOCK_TOLERANCE) };
        let most = if self.was_fast { i64::MAX } else { set.saturating_add(CLOCK_TOLERANCE) };
        least..=most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_ran_wrong_may_be_off_that_way_alone() {
        let [fast, slow, right] = [7, -7, 0].map(|percent| Drift::new(percent).unwrap());
        let pace = Pace::default();
        assert_eq!(pace.may_be_ahead(60), 55..=65);
        assert_eq!(pace.with(fast).may_be_ahead(60), 55..=i64::MAX);
        assert_eq!(pace.with(fast).with(right).may_be_ahead(60), 55..=i64::MAX, "what it gained it keeps");
        assert_eq!(pace.with(slow).may_be_ahead(-60), i64::MIN..=-55);
        assert_eq!(pace.with(slow).with(fast).may_be_ahead(0), i64::MIN..=i64::MAX);
    }

    #[test]
    fn no_clock_runs_off_by_more_than_a_tenth() {
        assert_eq!(
            serde_json::from_str::<Drift>("11").unwrap_err().to_string(),
            "a clock cannot run 11 percent fast: give -10 to 10"
        );
        assert_eq!(serde_json::from_str::<Drift>("-10").unwrap().to_string(), "10 % slow");
    }
}
