//! Commands a second that are generated, run and checked in memory, beside those of
//! proptest-state-machine on the same specification.
//!
//! Each side is a whole property as its users write it, with what it does by default, to keep
//! failures among it. By default a quarter of our cases lack some kinds of commands ([`Swarm`]), for which commands are drawn
//! and thrown away; theirs have nothing like it, so ours are measured without it as well, where
//! both make cases that are alike. The three are measured in turn, so that all have the same
//! machine in the same minute. `cargo bench -p harness --bench beside_proptest` prints medians
//! and their ratios; pinned to one processor (`taskset -c 0`) they vary least.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::path::Path;
use std::time::{Duration, Instant};

use harness::{Config, Runner, Shape, Silent, Stop, Swarm, System};
use model::Model;
use proptest::test_runner::{Config as ProptestConfig, FileFailurePersistence, TestCaseError, TestRunner};
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};

#[path = "support/median.rs"]
mod median;
#[path = "beside_proptest/specifications.rs"]
mod specifications;

use median::median;
use specifications::{Map, Register, Stack};

/// How often each side is measured.
const ROUNDS: usize = 15;
/// How many commands a measurement has in all.
const COMMANDS: usize = 200_000;

/// Commands a second of ours.
fn ours<M: Model, S: System<M>>(model: &M, system: &S, length: usize, swarm: Swarm, directory: &Path) -> f64 {
    let config = Config {
        cases: u32::try_from(COMMANDS / length).expect("fits"),
        shape: Shape::sequential(length..=length),
        swarm,
        failures: Some(directory.join("failures")),
        regressions: Some(directory.join("regressions")),
        ..Config::default()
    };
    let start = Instant::now();
    let stop = Stop::default();
    let summary = Runner::new(model, system, &config, &Silent, &stop).run().expect("can be tested");
    assert_eq!((summary.held, summary.verdict()), (config.cases, "holds"));
    rate(start.elapsed())
}

/// Commands a second of proptest-state-machine: `prop_state_machine!` without the macro.
fn theirs<T: StateMachineTest>(length: usize) -> f64
where
    T::Reference: ReferenceStateMachine,
{
    let cases = u32::try_from(COMMANDS / length).expect("fits");
    // By default it keeps them beside the sources of a library, of which a bench has none.
    let kept = FileFailurePersistence::Direct("/nonexistent/proptest-regressions.txt");
    let config =
        ProptestConfig { cases, failure_persistence: Some(Box::new(kept)), ..ProptestConfig::default() };
    let mut runner = TestRunner::new(config.clone());
    let strategy = <T::Reference as ReferenceStateMachine>::sequential_strategy(length..=length);
    let start = Instant::now();
    let result = runner.run(&strategy, |(initial, transitions, seen)| {
        assert_eq!(transitions.len(), length);
        T::test_sequential(config.clone(), initial, transitions, seen);
        Ok::<(), TestCaseError>(())
    });
    assert!(black_box(result).is_ok());
    rate(start.elapsed())
}

fn rate(elapsed: Duration) -> f64 {
    (COMMANDS as f64) / elapsed.as_secs_f64()
}

fn compare<M, S, T>(
    name: &str,
    model: &M,
    system: &S,
    lengths: &[usize],
    table: &mut BTreeMap<String, (f64, f64)>,
) where
    M: Model,
    S: System<M>,
    T: StateMachineTest,
{
    for &length in lengths {
        let mut rates = [Vec::new(), Vec::new(), Vec::new()];
        let directory = tempfile::tempdir().expect("there is room");
        for round in 0..=ROUNDS {
            let measured = [
                ours(model, system, length, Swarm::default(), directory.path()),
                ours(model, system, length, Swarm::OFF, directory.path()),
                theirs::<T>(length),
            ];
            // The first round warms up.
            if round > 0 {
                rates.iter_mut().zip(measured).for_each(|(rates, rate)| rates.push(rate));
            }
        }
        let [our, plain, their] = rates.map(median);
        let ratios = (our / their, plain / their);
        println!(
            "| {name} | {length} | {our:.0} | {plain:.0} | {their:.0} | {:.2} | {:.2} |",
            ratios.0, ratios.1
        );
        table.insert(format!("{name} {length}"), ratios);
    }
}

fn main() {
    println!(
        "| specification | commands a case | ours, commands/s | without swarm | theirs | ratio | without |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    let mut table = BTreeMap::new();
    compare::<_, _, Register>("register", &Register, &Register, &[10, 50], &mut table);
    compare::<_, _, Stack>("stack", &Stack, &Stack, &[10, 50, 500], &mut table);
    compare::<_, _, Map>("map", &Map, &Map, &[10, 50, 500], &mut table);
    let slower: Vec<_> = table.iter().filter(|(_, ratios)| ratios.0 < 1.0).map(|(name, _)| name).collect();
    println!("\nslower than proptest-state-machine: {slower:?}");
    let slower: Vec<_> = table.iter().filter(|(_, ratios)| ratios.1 < 1.0).map(|(name, _)| name).collect();
    println!("and without swarm testing: {slower:?}");
}
