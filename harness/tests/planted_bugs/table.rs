//! Shrinking the same bug from many seeds, and the line of the table that comes of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use harness::shrink::Budget;
use harness::{Config, Event, Failure, Lanes, Observer, Outcome, Runner, Shape, Stop, System, SystemError};
use model::{Case, Model};

use crate::plain;

/// A system that counts how often it is made.
pub(crate) struct Counted<'a, S> {
    system: &'a S,
    made: Arc<AtomicU32>,
}

impl<M: Model, S: System<M>> System<M> for Counted<'_, S> {
    type Sut = S::Sut;

    fn new_sut(&self, state: &M::State) -> Result<S::Sut, SystemError> {
        self.made.fetch_add(1, Ordering::SeqCst);
        self.system.new_sut(state)
    }

    fn run(&self, sut: &mut S::Sut, command: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        self.system.run(sut, command)
    }

    fn run_lanes(&self, sut: &mut S::Sut, lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
        self.system.run_lanes(sut, lanes)
    }
}

/// Notes how many systems were made when the first wrong answer came.
struct AtFirst {
    made: Arc<AtomicU32>,
    first: AtomicU32,
}

impl Observer for AtFirst {
    fn event(&self, event: &Event<'_>) {
        if matches!(event, Event::Falsified { .. }) {
            let made = self.made.load(Ordering::SeqCst);
            self.first.compare_exchange(0, made, Ordering::SeqCst, Ordering::SeqCst).ok();
        }
    }
}

/// How many seeds each bug is shrunk from: 20, or what `NETPROP_TEST_SEEDS` says.
pub(crate) fn seeds() -> u64 {
    std::env::var("NETPROP_TEST_SEEDS").ok().and_then(|text| text.parse().ok()).unwrap_or(20)
}

/// A failure, how often the system was made since it was found, and the case it began with.
pub(crate) fn found<M: Model, S: System<M>>(
    model: &M,
    system: &S,
    shape: &Shape,
    seed: u64,
) -> (Failure<M>, u32) {
    let made = Arc::new(AtomicU32::new(0));
    let counted = Counted { system, made: Arc::clone(&made) };
    let observer = AtFirst { made: Arc::clone(&made), first: AtomicU32::new(0) };
    let config = Config {
        cases: 20_000,
        shape: shape.clone(),
        // Cases of neighbouring numbers are no neighbours themselves.
        seed: Some(seed.into()),
        shrink: Budget { runs: 5000, time: None },
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let summary = Runner::new(model, &counted, &config, &observer, &Stop::default()).run().unwrap();
    let (held, verdict) = (summary.held, summary.verdict());
    let failure = summary.failure.unwrap_or_else(|| {
        panic!("{} is not found with seed {seed} in {} cases: {}", model.name(), held, verdict)
    });
    // What lanes met by a chance that does not come again is not shrunk, and not counted as reached.
    let comes_again = failure.case.lanes.is_empty() || failure.first_rate.is_none_or(|rate| rate.failed > 0);
    assert!(failure.smallest || !comes_again, "{} with seed {seed} was not shrunk to its end", model.name());
    let runs = made.load(Ordering::SeqCst) - observer.first.load(Ordering::SeqCst);
    (failure, runs)
}

/// A line of the table.
struct Row {
    name: &'static str,
    seeds: u64,
    reached: usize,
    runs: Vec<u32>,
    plain: Option<(usize, Vec<u32>)>,
}

/// Shrinks a bug of sequential commands from many seeds, by ours and by the plain way, and holds
/// that ours comes to the smallest case at least 95 times in 100.
pub(crate) fn sequential<M: Model, S: System<M>>(
    name: &'static str,
    (model, system): (&M, &S),
    shape: &Shape,
    commands: usize,
    is_smallest: impl Fn(&Case<M>) -> bool,
) {
    let smallest = |case: &Case<M>| case.len() == commands && is_smallest(case);
    let mut row = measured(name, (model, system), shape, 0, smallest);
    let (mut reached, mut runs) = (0, Vec::new());
    for seed in 0..seeds() {
        let first = first_case(model, system, shape, seed);
        let (case, took) = plain::shrink(model, system, &first);
        reached += usize::from(case.len() == commands);
        runs.push(took);
    }
    row.plain = Some((reached, runs));
    println!("{row}");
}

/// The case that a seed's failure begins with.
fn first_case<M: Model, S: System<M>>(model: &M, system: &S, shape: &Shape, seed: u64) -> Case<M> {
    let config = Config {
        cases: 20_000,
        shape: shape.clone(),
        seed: Some(seed.into()),
        shrink: Budget { runs: 0, time: None },
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let summary = Runner::new(model, system, &config, &harness::Silent, &Stop::default()).run().unwrap();
    summary.failure.unwrap().case
}

/// The same for a bug of lanes, for which there is no plain shrinker to compare with. Of one that
/// comes by chance more may be missed by chance, where there are fewer than 100 seeds.
pub(crate) fn lanes<M: Model, S: System<M>>(
    name: &'static str,
    tested: (&M, &S),
    shape: &Shape,
    most_missed_of_few: usize,
    is_smallest: impl Fn(&Case<M>) -> bool,
) {
    println!("{}", measured(name, tested, shape, most_missed_of_few, is_smallest));
}

fn measured<M: Model, S: System<M>>(
    name: &'static str,
    (model, system): (&M, &S),
    shape: &Shape,
    most_missed_of_few: usize,
    is_smallest: impl Fn(&Case<M>) -> bool,
) -> Row {
    let (mut reached, mut runs, mut missed) = (0, Vec::new(), Vec::new());
    for seed in 0..seeds() {
        let (failure, took) = found(model, system, shape, seed);
        runs.push(took);
        if is_smallest(&failure.case) {
            reached += 1;
        } else {
            missed.push(format!("seed {seed}: {:?}", failure.case));
        }
    }
    let few = seeds() < 100 && missed.len() <= most_missed_of_few;
    let enough = few || reached * 100 >= usize::try_from(seeds()).unwrap() * 95;
    let row = Row { name, seeds: seeds(), reached, runs, plain: None };
    assert!(enough, "{name} came to its smallest case {reached} times:\n{}", missed.join("\n"));
    row
}

/// The value that so many hundredths of the others do not exceed.
fn percentile(numbers: &[u32], hundredths: usize) -> u32 {
    let mut sorted = numbers.to_vec();
    sorted.sort_unstable();
    sorted[(sorted.len() * hundredths / 100).min(sorted.len() - 1)]
}

/// What stands above the lines.
pub(crate) const HEADER: &str =
    "| bug | smallest case | runs: median, p90 | one at a time: smallest length | runs: median, p90 |";

impl std::fmt::Display for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { name, seeds, reached, runs, plain } = self;
        let both = |runs: &[u32]| format!("{}, {}", percentile(runs, 50), percentile(runs, 90));
        write!(f, "| {name} | {reached} of {seeds} | {} |", both(runs))?;
        match plain {
            Some((reached, runs)) => write!(f, " {reached} of {seeds} | {} |", both(runs)),
            None => f.write_str(" – | – |"),
        }
    }
}
