//! How much a run does, and where it keeps what it finds.

use std::collections::BTreeMap;
use std::env;
use std::path::PathBuf;
use std::time::Duration;

use model::Shape;
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use crate::coverage::Coverage;
use crate::regressions::Seed;
use crate::shrink::Budget;

/// How a run goes about it. [`Config::default`] listens to proptest's environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many cases are generated (`PROPTEST_CASES`).
    pub cases: u32,
    /// How many commands a case has, and whether it has lanes, which only a system that can run
    /// them side by side takes (`System::run_lanes`).
    pub shape: Shape,
    /// The seed of the first case, from which those of the others follow (`PROPTEST_RNG_SEED`);
    /// a random one where there is none.
    pub seed: Option<Seed>,
    /// What the generated cases are steered toward.
    pub coverage: Coverage,
    /// How often a case is tried on a fresh system where the infrastructure fails.
    pub attempts: u32,
    /// After how many inconclusive cases in a row a run ends, since the next would be no better.
    pub most_inconclusive: u32,
    /// After how many generated cases in a row that cannot be built or booted a run ends.
    pub most_excluded: u32,
    /// How long a command may take; none (or no time at all) for as long as it does.
    ///
    /// A thread cannot be ended from outside. So where a command does not return in time, its
    /// case is written to `failures` and the process ends with the exit status of what is
    /// inconclusive (3), whatever else runs in it; what the run has made is cleaned up as after
    /// any other end. A system that gives up by itself and reports an unknown outcome never gets
    /// there.
    pub command_limit: Option<Duration>,
    /// How much shrinking may cost (`PROPTEST_MAX_SHRINK_ITERS`, `PROPTEST_MAX_SHRINK_TIME` in
    /// milliseconds).
    pub shrink: Budget,
    /// How much finding out what matters in the smallest case may cost; no runs turn it off.
    pub probes: Budget,
    /// The directory of replay files; none keeps no cases.
    pub failures: Option<PathBuf>,
    /// The directory of seeds that proptest would keep
    /// (`PROPTEST_DISABLE_FAILURE_PERSISTENCE` switches this and `failures` off).
    pub regressions: Option<PathBuf>,
    /// What is written into replay files of how the systems were made.
    pub settings: BTreeMap<String, String>,
}

impl Default for Config {
    fn default() -> Self {
        let proptest = ProptestConfig::default();
        let set = |name: &str| env::var_os(name).is_some();
        let keep = !set("PROPTEST_DISABLE_FAILURE_PERSISTENCE");
        let seed = match proptest.rng_seed {
            RngSeed::Fixed(seed) => Some(seed.into()),
            RngSeed::Random => None,
        };
        let runs = if set("PROPTEST_MAX_SHRINK_ITERS") { proptest.max_shrink_iters } else { 1000 };
        let time = (proptest.max_shrink_time > 0)
            .then(|| Duration::from_millis(u64::from(proptest.max_shrink_time)));
        Self {
            cases: proptest.cases,
            shape: Shape::sequential(5..=10),
            seed,
            coverage: Coverage::default(),
            attempts: 3,
            most_inconclusive: 3,
            most_excluded: 20,
            command_limit: Some(Duration::from_secs(600)),
            shrink: Budget { runs, time },
            probes: Budget { runs: 100, time: None },
            failures: keep.then(|| PathBuf::from("netprop-failures")),
            regressions: keep.then(|| PathBuf::from("proptest-regressions")),
            settings: BTreeMap::new(),
        }
    }
}
