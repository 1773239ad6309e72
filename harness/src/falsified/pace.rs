//! How the lanes of a failing case are run again: freely, or in the order that was recorded.

use std::time::Duration;

use crate::shrink::Rate;

/// What the lanes of a rerun go by.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Pace {
    /// Chance.
    Free,
    /// The order of events in which the case failed before.
    Recorded,
}

/// One pace fails so many times as often as the other where it is worth keeping to.
const WORTH_IT: f64 = 2.0;
/// How long lanes wait for one another at least and at most.
const PATIENCE: [Duration; 2] = [Duration::from_millis(100), Duration::from_secs(30)];

/// How often a case has failed at each pace.
#[derive(Debug, Default)]
pub(super) struct Paces {
    free: Rate,
    recorded: Rate,
    /// The longest that a free run took.
    longest: Duration,
}

impl Paces {
    /// The pace to try next where both can be: in turns, and freely first, so that it is known
    /// how long a run takes.
    pub(super) fn next(&self) -> Pace {
        if self.recorded.runs < self.free.runs { Pace::Recorded } else { Pace::Free }
    }

    pub(super) fn add(&mut self, pace: Pace, failed: bool) {
        match pace {
            Pace::Free => self.free.add(failed),
            Pace::Recorded => self.recorded.add(failed),
        }
    }

    /// Takes note of how long a run took. One in which lanes waited in vain took as long as they
    /// are patient, so only free ones count: patience would grow by itself.
    pub(super) fn took(&mut self, pace: Pace, time: Duration) {
        if pace == Pace::Free {
            self.longest = self.longest.max(time);
        }
    }

    /// How long a lane waits for another before all go on freely: longer than a run takes.
    pub(super) fn patience(&self) -> Duration {
        let [least, most] = PATIENCE;
        (2 * self.longest).clamp(least, most)
    }

    /// How often it failed in all.
    pub(super) fn rate(&self) -> Rate {
        self.free.with(self.recorded)
    }

    /// The pace to keep to, with how often it may be expected to fail at that. A case that never
    /// failed again is best run as it was recorded, should anybody run it later.
    pub(super) fn best(&self) -> (Pace, Rate) {
        let (free, recorded) = (self.free.expected(), self.recorded.expected());
        if self.free.runs == 0 || self.recorded.runs == 0 {
            (Pace::Free, self.rate())
        } else if self.rate().failed == 0 {
            (Pace::Recorded, self.rate())
        } else if recorded >= WORTH_IT * free {
            (Pace::Recorded, self.recorded)
        } else if free >= WORTH_IT * recorded {
            (Pace::Free, self.free)
        } else {
            (Pace::Free, self.rate())
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::{Pace, Paces};
    use crate::shrink::Rate;

    fn best(free: (u32, u32), recorded: (u32, u32)) -> (Pace, u32, u32) {
        let rate = |(failed, runs)| Rate { failed, runs };
        let paces = Paces { free: rate(free), recorded: rate(recorded), ..Paces::default() };
        let (pace, Rate { failed, runs }) = paces.best();
        (pace, failed, runs)
    }

    #[test]
    fn a_pace_is_kept_to_where_it_fails_twice_as_often() {
        assert_eq!(best((0, 5), (4, 5)), (Pace::Recorded, 4, 5));
        assert_eq!(best((5, 5), (1, 5)), (Pace::Free, 5, 5));
        assert_eq!(best((2, 5), (3, 5)), (Pace::Free, 5, 10));
        assert_eq!(best((0, 5), (0, 5)), (Pace::Recorded, 0, 10));
        assert_eq!(best((0, 10), (0, 0)), (Pace::Free, 0, 10));
    }

    #[test]
    fn patience_does_not_grow_by_waiting_in_vain() {
        let mut paces = Paces::default();
        paces.took(Pace::Free, Duration::from_secs(1));
        for _ in 0..20 {
            paces.took(Pace::Recorded, Duration::from_secs(1) + paces.patience());
        }
        assert_eq!(paces.patience(), Duration::from_secs(2));
        paces.took(Pace::Free, Duration::from_secs(600));
        assert_eq!(paces.patience(), Duration::from_secs(30));
    }

    #[test]
    fn both_are_tried_in_turns() {
        let mut paces = Paces::default();
        let tried: Vec<Pace> = (0..4)
            .map(|_| {
                let pace = paces.next();
                paces.add(pace, false);
                pace
            })
            .collect();
        assert_eq!(tried, [Pace::Free, Pace::Recorded, Pace::Free, Pace::Recorded]);
    }
}
