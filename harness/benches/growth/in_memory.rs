//! What our own code costs for cases of 10 to 1,000 commands: nothing is booted.

use std::hint::black_box;

use harness::machines::simulated::SimulatedSystem;
use harness::model::{MachineSpec, NetworkParameters, generate};
use harness::proptest::test_runner::TestRunner;
use harness::{Config, Runner, Shape, Silent, Stop};

use crate::processor;
use crate::starts::Result;
use crate::table::{Series, Table};

const SIZES: [usize; 5] = [10, 30, 100, 300, 1000];
/// How many commands a measurement has in all.
const COMMANDS: usize = 30_000;

/// Measures what a case of so many commands takes, in seconds.
type Seconds = fn(&MachineSpec, usize) -> Result<f64>;

pub(crate) fn measure(rounds: usize) -> Result<Option<Table>> {
    let model = specification()?;
    let ways: [(&str, Seconds); 3] =
        [("generated", generated), ("run and checked", run), ("a whole run of cases", whole)];
    let mut times = ways.map(|_| vec![Vec::new(); SIZES.len()]);
    for round in 0..=rounds {
        for (place, size) in SIZES.into_iter().enumerate() {
            for (times, (_, seconds)) in times.iter_mut().zip(ways) {
                let taken = seconds(&model, size)?;
                // The first round warms up.
                if round > 0 {
                    times[place].push(taken * 1000.0);
                }
            }
        }
    }
    let series = ways.into_iter().zip(times);
    Ok(Some(Table {
        title: "Commands to two machines in memory: processor time of netprop itself",
        size: "commands",
        unit: "ms",
        each: Some(("µs", 1000.0)),
        series: series.map(|((name, _), times)| Series::of_rounds(name, &SIZES, times)).collect(),
    }))
}

fn specification() -> Result<MachineSpec> {
    let kernels = ["6.1".parse()?, "6.12".parse()?].to_vec();
    Ok(MachineSpec::new(NetworkParameters::new(kernels)?.with_machines(2..=2))?)
}

/// Seconds that a case takes to be generated.
fn generated(model: &MachineSpec, size: usize) -> Result<f64> {
    let (mut runner, shape) = (TestRunner::deterministic(), Shape::sequential(size..=size));
    let start = processor::seconds()?;
    for _ in 0..cases(size) {
        black_box(generate(model, &shape, &mut runner)?);
    }
    Ok((processor::seconds()? - start) / f64::from(cases(size)))
}

/// Seconds that a case takes to be run and checked.
fn run(model: &MachineSpec, size: usize) -> Result<f64> {
    let (mut generator, shape) = (TestRunner::deterministic(), Shape::sequential(size..=size));
    let generated = (0..cases(size)).map(|_| Ok(generate(model, &shape, &mut generator)?.case));
    let generated = generated.collect::<Result<Vec<_>>>()?;
    let (config, stop) = (config(size), Stop::default());
    let runner = Runner::new(model, &SimulatedSystem, &config, &Silent, &stop);
    let start = processor::seconds()?;
    for case in &generated {
        black_box(runner.run_case(case, "growth")?);
    }
    Ok((processor::seconds()? - start) / f64::from(cases(size)))
}

/// Seconds that a case takes in a run, with all that a run does by default but keeping files.
fn whole(model: &MachineSpec, size: usize) -> Result<f64> {
    let (config, stop) = (config(size), Stop::default());
    let start = processor::seconds()?;
    let summary = Runner::new(model, &SimulatedSystem, &config, &Silent, &stop).run()?;
    let taken = (processor::seconds()? - start) / f64::from(cases(size));
    if summary.held == config.cases { Ok(taken) } else { Err("a case failed that should hold".into()) }
}

fn config(size: usize) -> Config {
    Config {
        cases: cases(size),
        shape: Shape::sequential(size..=size),
        seed: Some(1.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    }
}

fn cases(size: usize) -> u32 {
    u32::try_from(COMMANDS / size).unwrap_or(u32::MAX)
}
