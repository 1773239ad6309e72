//! How often a case fails, and whether a smaller one fails about as often.

use std::fmt;

use serde::{Deserialize, Serialize};

/// In how many of so many runs a case failed in the same way.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Rate {
    /// The runs that failed.
    pub failed: u32,
    /// All runs.
    pub runs: u32,
}

impl Rate {
    /// Takes in one run.
    pub(crate) fn add(&mut self, failed: bool) {
        self.failed += u32::from(failed);
        self.runs += 1;
    }

    /// Whether it failed each time.
    #[must_use]
    pub fn is_always(&self) -> bool {
        self.failed == self.runs
    }

    /// The rate to expect of the next run, by Laplace's rule of succession.
    pub(crate) fn expected(&self) -> f64 {
        (f64::from(self.failed) + 1.0) / (f64::from(self.runs) + 2.0)
    }

    /// Both together.
    pub(crate) fn with(self, other: Self) -> Self {
        Self { failed: self.failed + other.failed, runs: self.runs + other.runs }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} runs", self.failed, self.runs)
    }
}

/// How likely a case that fails a fifth as often as the reference may be taken for one that fails
/// as often.
const WRONGLY_TAKEN: f64 = 0.1;
/// How likely a case that fails as often may be given up.
const WRONGLY_GIVEN_UP: f64 = 0.05;
/// A rate this many times smaller is too small.
const TOO_RARE: f64 = 5.0;

/// Wald's sequential probability ratio test (A. Wald, "Sequential Tests of Statistical
/// Hypotheses", Annals of Mathematical Statistics 16, 1945): after each run, whether a case fails
/// as often as a reference, fails at most a fifth as often, or must be run once more.
pub(crate) struct SequentialTest {
    /// The logarithm of the likelihood ratio so far.
    evidence: f64,
    if_failed: f64,
    if_held: f64,
    /// The rate that is wanted.
    wanted: f64,
    rate: Rate,
    most_runs: u32,
}

impl SequentialTest {
    /// A test against a case that fails at this rate, of at most so many runs.
    pub(crate) fn new(reference: f64, most_runs: u32) -> Self {
        let rare = reference / TOO_RARE;
        Self {
            evidence: 0.0,
            if_failed: (reference / rare).ln(),
            if_held: ((1.0 - reference) / (1.0 - rare)).ln(),
            wanted: reference,
            rate: Rate::default(),
            most_runs,
        }
    }

    /// Takes in one run; whether the case fails as often, once that is decided.
    pub(crate) fn observe(&mut self, failed: bool) -> Option<bool> {
        self.rate.add(failed);
        self.evidence += if failed { self.if_failed } else { self.if_held };
        if self.evidence >= ((1.0 - WRONGLY_GIVEN_UP) / WRONGLY_TAKEN).ln() {
            Some(true)
        } else if self.evidence <= (WRONGLY_GIVEN_UP / (1.0 - WRONGLY_TAKEN)).ln() {
            Some(false)
        } else if self.rate.runs >= self.most_runs {
            let often = f64::from(self.rate.failed) / f64::from(self.rate.runs);
            Some(often >= self.wanted / 2.0)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::RngExt as _;
    use proptest::test_runner::{RngAlgorithm, TestRng};

    use super::SequentialTest;

    /// How many of 10,000 cases that fail at `rate` are taken, and the runs of each on average.
    fn taken(reference: f64, rate: f64) -> (u32, f64) {
        let mut rng = TestRng::deterministic_rng(RngAlgorithm::ChaCha);
        let (mut taken, mut runs) = (0, 0.0);
        for _ in 0..10_000 {
            let mut test = SequentialTest::new(reference, 40);
            let decided = std::iter::repeat_with(|| {
                runs += 1.0;
                test.observe(rng.random_bool(rate))
            });
            taken += u32::from(decided.flatten().next() == Some(true));
        }
        (taken, runs / 10_000.0)
    }

    #[test]
    fn the_risks_are_as_they_are_said_to_be() {
        for reference in [0.2, 0.5, 0.8] {
            let (right, runs) = taken(reference, reference);
            assert!(right >= 9_200, "{right} of those that fail as often were taken at {reference}");
            let (wrong, _) = taken(reference, reference / 5.0);
            assert!(wrong <= 1_100, "{wrong} of those that fail a fifth as often were taken at {reference}");
            let (never, runs_never) = taken(reference, 0.0);
            assert_eq!(never, 0);
            assert!(runs < 16.0 && runs_never < 20.0, "{reference}: {runs} and {runs_never} runs");
        }
    }
}
