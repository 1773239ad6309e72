//! The same cases of small networks, run by several jobs.

use std::error::Error;
use std::time::Instant;

use harness::machines::{Lab, MachineSystem};
use harness::model::{MachineSpec, Mebibytes, NetworkParameters, Parameter};
use harness::{Config, Runner, Shape, Silent, Stop};

/// How many cases there are at once, in the rows of a table.
pub(crate) const JOBS: [u32; 4] = [1, 2, 4, 8];

/// How many cases an hour have a verdict, as so many of them tell: of networks of 1 or 2 machines
/// with 96 MiB, and 3 to 6 commands.
pub(crate) fn cases_an_hour(lab: &Lab, jobs: u32, cases: u32) -> Result<f64, Box<dyn Error + Send + Sync>> {
    let memory = Mebibytes::new(96)?;
    let bounds = NetworkParameters::new(lab.kernels()?.into_iter().take(1).collect())?
        .with(Parameter::memory(memory..=memory)?)
        .with_machines(1..=2);
    let (model, system) = (MachineSpec::new(bounds)?, MachineSystem::new(lab));
    let config = Config {
        cases,
        jobs,
        shape: Shape::sequential(3..=6),
        seed: Some(1.into()),
        most_inconclusive: cases,
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let start = Instant::now();
    let summary = Runner::new(&model, &system, &config, &Silent, &Stop::default()).run_side_by_side()?;
    if let Some(failure) = summary.failure {
        return Err(format!("a case failed that should hold: {}", failure.evidence).into());
    }
    Ok(f64::from(summary.held) * 3600.0 / start.elapsed().as_secs_f64())
}
