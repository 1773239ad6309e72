//! How much a run does, and where it keeps what it finds.

use std::collections::BTreeMap;
use std::env;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use model::{Shape, Swarm};
use proptest::test_runner::{Config as ProptestConfig, RngSeed};

use crate::as_test::Expressions;
use crate::coverage::Coverage;
use crate::regressions::Seed;
use crate::shrink::Budget;
use crate::statistics::Confidence;

/// How a run goes about it. [`Config::default`] listens to proptest's environment variables.
#[derive(Clone, Debug)]
pub struct Config {
    /// How many cases are generated (`PROPTEST_CASES`).
    pub cases: u32,
    /// How many cases run side by side where the run is one that can
    /// ([`Runner::run_side_by_side`](crate::Runner::run_side_by_side); `NETPROP_JOBS`).
    pub jobs: u32,
    /// How many commands a case has (`NETPROP_COMMANDS`, such as 5..10), and whether it has lanes, which only a system that can run
    /// them side by side takes (`System::run_lanes`).
    pub shape: Shape,
    /// Of how many cases the commands are of some kinds only (`NETPROP_SWARM`, of a hundred).
    pub swarm: Swarm,
    /// How sure a run has to be that enough cases are of each class that `Labels::cover` names;
    /// more cases are then generated until it is, and too few are an error. Where there is none,
    /// what is missing is only reported.
    pub cover: Option<Confidence>,
    /// How much `check` prints (`PROPTEST_VERBOSE`): with 1 each failure as it is found and what
    /// the cases were like, with 2 each case and each command.
    pub verbose: u32,
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
    /// A thread cannot be ended from outside. So where a command does not return in time (in
    /// sequence, this is noticed up to a sixteenth of the limit later), its
    /// case is written to `failures` and the process ends with the exit status of what is
    /// inconclusive (3), whatever else runs in it; what the run has made is cleaned up as after
    /// any other end. Where a failure was found before (what does not return may be a smaller
    /// case of it), its report is printed and the exit status is that of what is falsified (1). A
    /// system that gives up by itself and reports an unknown outcome never gets there.
    pub command_limit: Option<Duration>,
    /// How long making a system, taking it down, or opening the session of a lane may take; none
    /// (or no time at all) for as long as it does. What does not return in time ends the process
    /// as a command does. It is an hour unless something else is asked for, since making a system
    /// may download and build it.
    pub system_limit: Option<Duration>,
    /// How much shrinking may cost (`PROPTEST_MAX_SHRINK_ITERS`, `PROPTEST_MAX_SHRINK_TIME` in
    /// milliseconds).
    pub shrink: Budget,
    /// How often at most a failure is run again to measure how often it fails, before it is made
    /// smaller. 0 measures nothing, and takes every failure to fail each time.
    pub reruns: u32,
    /// After how many of these a failure that came each time is taken to come each time: 1, and 4
    /// at least for lanes. A failure that comes in half of its runs is so taken in half of the
    /// cases for one that always comes, and does not shrink to its end; with 4 it is in one of 16.
    pub steady_after: u32,
    /// How much finding out what matters in the smallest case may cost; no runs turn it off.
    pub probes: Budget,
    /// The directory of replay files (`NETPROP_FAILURES`); none keeps no cases.
    pub failures: Option<PathBuf>,
    /// The directory of seeds that proptest would keep
    /// (`PROPTEST_DISABLE_FAILURE_PERSISTENCE` switches this and `failures` off).
    pub regressions: Option<PathBuf>,
    /// How a failing case that is printed as a test (`NETPROP_AS_TEST`) makes the model and the
    /// system. Types without fields say it by their names; for any other, and for a
    /// [`Reference`](crate::Reference), the test has a comment to be filled in where there is none.
    pub expressions: Option<Expressions>,
    /// What is written into replay files of how the systems were made.
    pub settings: BTreeMap<String, String>,
}

impl Config {
    /// The default but for systems in memory, where a command costs next to nothing: with 1 to 40
    /// commands in a case, unless `NETPROP_COMMANDS` says another number.
    #[must_use]
    pub fn in_memory() -> Self {
        let commands = own("NETPROP_COMMANDS", some).unwrap_or(1..=40);
        Self { shape: Shape::sequential(commands), ..Self::default() }
    }

    /// With lanes in half of the cases, unless the shape says already how they are.
    #[must_use]
    pub fn with_lanes(mut self) -> Self {
        self.shape.lanes.get_or_insert_default();
        self
    }
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
            jobs: own("NETPROP_JOBS", jobs).unwrap_or(1),
            shape: Shape::sequential(own("NETPROP_COMMANDS", some).unwrap_or(5..=10)),
            swarm: own("NETPROP_SWARM", percent).map_or_else(Swarm::default, Swarm),
            cover: None,
            verbose: proptest.verbose,
            seed,
            coverage: Coverage::default(),
            attempts: 3,
            most_inconclusive: 3,
            most_excluded: 20,
            command_limit: Some(Duration::from_secs(600)),
            system_limit: Some(Duration::from_secs(3600)),
            shrink: Budget { runs, time },
            reruns: 10,
            steady_after: 1,
            probes: Budget { runs: 100, time: None },
            failures: keep
                .then(|| env::var_os("NETPROP_FAILURES").unwrap_or("netprop-failures".into()).into()),
            regressions: keep.then(|| PathBuf::from("proptest-regressions")),
            expressions: None,
            settings: BTreeMap::new(),
        }
    }
}

/// What a variable of our own says. As with proptest's, what cannot be meant so is passed over
/// with a warning.
fn own<T>(name: &str, read: impl Fn(&str) -> Result<T, String>) -> Option<T> {
    let text = env::var(name).ok()?;
    let value = read(&text).map_err(|why| eprintln!("warning: {name} is passed over: {why}"));
    value.ok()
}

/// Reads `3` or `1..4`, both ends included.
pub(crate) fn range(text: &str) -> Result<RangeInclusive<usize>, String> {
    let number = |text: &str| text.parse::<usize>().map_err(|_| format!("{text:?} is not a number"));
    let (start, end) = match text.split_once("..") {
        Some((start, end)) => (number(start)?, number(end.trim_start_matches('='))?),
        None => (number(text)?, number(text)?),
    };
    if start <= end { Ok(start..=end) } else { Err(format!("{start} is more than {end}")) }
}

/// Reads a range that has more than 0 in it.
pub(crate) fn some(text: &str) -> Result<RangeInclusive<usize>, String> {
    let range = range(text)?;
    if *range.end() > 0 { Ok(range) } else { Err("with none there is nothing to run".to_owned()) }
}

/// Reads how many there are to be at once.
fn jobs(text: &str) -> Result<u32, String> {
    let jobs = text.parse().ok().filter(|jobs| *jobs > 0);
    jobs.ok_or_else(|| format!("{text:?} is not a number from 1 on"))
}

fn percent(text: &str) -> Result<u32, String> {
    let percent = text.parse().ok().filter(|percent| *percent <= 100);
    percent.ok_or_else(|| format!("{text:?} is not a number from 0 to 100"))
}
