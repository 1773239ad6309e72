//! Whether enough cases are of a class, judged only where chance is no explanation.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How sure a run has to be of what it says about the shares of cases, after QuickCheck's
/// `checkCoverage`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Confidence {
    /// One judgement in so many may be wrong.
    pub certainty: f64,
    /// A class has enough where its share of all cases is this part of what is required: without
    /// some room, a share that is just as required could never be told from one just below.
    pub tolerance: f64,
}

impl Default for Confidence {
    /// One wrong judgement in 10⁹, and nine tenths of what is required.
    fn default() -> Self {
        Self { certainty: 1e9, tolerance: 0.9 }
    }
}

/// What a number of cases says of a required share.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Sufficiency {
    /// The strategies make enough of them.
    Sufficient,
    /// They do not.
    Insufficient,
    /// It is too early to say.
    Undecided,
}

impl Confidence {
    /// What it says that so many cases of all were of a class that has to have `percent` of them.
    ///
    /// It goes by Chernoff's bound: of n cases with a true share p, a share of q or less (or of q
    /// or more, beyond p) comes by chance at most once in exp(n · D(q‖p)), where D is the relative
    /// entropy. Unlike an interval that takes the share to be normally distributed this holds for
    /// small numbers as well. (Hoeffding: "Probability Inequalities for Sums of Bounded Random
    /// Variables", 1963.)
    #[must_use]
    pub fn judge(&self, cases: u32, of: u32, percent: f64) -> Sufficiency {
        if of == 0 {
            return Sufficiency::Undecided;
        }
        let required = (percent / 100.0).clamp(0.0, 1.0);
        let enough = required * self.tolerance;
        let share = f64::from(cases) / f64::from(of);
        let improbable = |p: f64| f64::from(of) * relative_entropy(share, p) > self.certainty.ln();
        if share < required && improbable(required) {
            Sufficiency::Insufficient
        } else if enough == 0.0 || (share > enough && improbable(enough)) {
            Sufficiency::Sufficient
        } else {
            Sufficiency::Undecided
        }
    }
}

/// D(q‖p) of two coins, in nats.
fn relative_entropy(q: f64, p: f64) -> f64 {
    let part = |q: f64, p: f64| if q == 0.0 { 0.0 } else { q * (q / p).ln() };
    part(q, p) + part(1.0 - q, 1.0 - p)
}

#[cfg(test)]
mod tests {
    use super::{Confidence, Sufficiency};

    #[test]
    fn few_cases_say_nothing_and_many_say_what_they_show() {
        let judge = |cases, of, percent| Confidence::default().judge(cases, of, percent);
        assert_eq!(judge(0, 0, 20.0), Sufficiency::Undecided);
        assert_eq!(judge(0, 10, 20.0), Sufficiency::Undecided);
        assert_eq!(judge(0, 92, 20.0), Sufficiency::Undecided);
        assert_eq!(judge(0, 93, 20.0), Sufficiency::Insufficient, "0.8 ^ 93 is less than 1e-9");
        assert_eq!(judge(50, 1000, 20.0), Sufficiency::Insufficient);
        assert_eq!(judge(195, 1000, 20.0), Sufficiency::Undecided);
        assert_eq!(judge(400, 1000, 20.0), Sufficiency::Sufficient);
        assert_eq!(judge(20_000, 100_000, 20.0), Sufficiency::Sufficient, "just as required");
        assert_eq!(judge(99, 100, 100.0), Sufficiency::Insufficient, "all is all");
        assert_eq!(judge(1000, 1000, 100.0), Sufficiency::Sufficient);
        assert_eq!(judge(0, 1, 0.0), Sufficiency::Sufficient);
    }
}
