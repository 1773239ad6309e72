//! One moment that everything a call does has to be over by.

use std::time::{Duration, Instant};

use rustix::event::Timespec;

/// The moment at which a call gives up, however many steps it takes until then.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(Option<Instant>);

impl Deadline {
    /// The deadline that lies `limit` ahead; a limit too long for the clock has no end.
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now().checked_add(limit))
    }

    /// The earlier of two deadlines.
    pub(crate) fn or_sooner(self, other: Self) -> Self {
        Self(match (self.0, other.0) {
            (Some(one), Some(other)) => Some(one.min(other)),
            (one, other) => one.or(other),
        })
    }

    /// What is left, zero once it has passed.
    pub(crate) fn remaining(self) -> Duration {
        self.0.map_or(Duration::MAX, |end| end.saturating_duration_since(Instant::now()))
    }

    /// Whether it has passed.
    pub(crate) fn has_passed(self) -> bool {
        self.remaining().is_zero()
    }

    /// What is left, for `poll`; none where there is no end that `poll` could be given.
    pub(crate) fn timespec(self) -> Option<Timespec> {
        Timespec::try_from(self.remaining()).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endless_limits_do_not_overflow() {
        let endless = Deadline::after(Duration::MAX);
        assert!(!endless.has_passed());
        assert!(Deadline::after(Duration::ZERO).has_passed());
        assert!(endless.or_sooner(Deadline::after(Duration::ZERO)).has_passed());
        assert!(Deadline::after(Duration::ZERO).or_sooner(endless).has_passed());
        assert!(endless.timespec().is_none_or(|time| time.tv_sec > 1 << 40));
    }
}
