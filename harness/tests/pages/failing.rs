//! Planted failures with the records that their runs keep.

use std::path::Path;
use std::sync::atomic::AtomicU32;

use harness::machines::simulated_faults::SimulatedWorld;
use harness::record::{Record, beside};
use harness::shrink::Budget;
use harness::{Config, LaneShape, Model, Outcome, Runner, Shape, Silent, Stop, System, SystemError};
use model::faults::{Command, Response, World};
use model::{FaultSpec, MachineSpec, NetworkParameters};

use crate::deaf::DeafAfterSecondBoot;
use crate::lanes::{Counter, LosesUpdates};

/// The record of the failure that a run finds.
pub(crate) fn found<M: Model, S: System<M>>(model: &M, system: &S, shape: Shape) -> Record {
    let directory = tempfile::tempdir().unwrap();
    Record::read(&beside(&kept(model, system, shape, directory.path()))).unwrap()
}

/// The replay file of the failure that a run finds and keeps there.
pub(crate) fn kept<M: Model, S: System<M>>(
    model: &M,
    system: &S,
    shape: Shape,
    directory: &Path,
) -> std::path::PathBuf {
    let config = Config {
        cases: 200,
        shape,
        seed: Some(1.into()),
        failures: Some(directory.to_owned()),
        regressions: None,
        probes: Budget { runs: 40, time: None },
        ..Config::default()
    };
    let summary = Runner::new(model, system, &config, &Silent, &Stop::default()).run().unwrap();
    let failure = summary.failure.unwrap();
    assert_eq!(failure.warnings, Vec::<String>::new());
    failure.file.unwrap()
}

fn bounds() -> NetworkParameters {
    NetworkParameters::new(vec!["6.12".parse().unwrap(), "6.1".parse().unwrap()]).unwrap()
}

/// Machines that no ping reaches once they were booted twice.
pub(crate) fn deaf() -> Record {
    found(&MachineSpec::new(bounds()).unwrap(), &DeafAfterSecondBoot, Shape::sequential(20..=40))
}

/// An update that is lost where two lanes count at once.
pub(crate) fn lost_update() -> Record {
    let lanes = LaneShape { percent: 100, ..LaneShape::default() };
    let system = LosesUpdates { percent: 100, made: AtomicU32::new(0) };
    found(&Counter, &system, Shape { commands: 0..=6, lanes: Some(lanes) })
}

/// Networks that forget what is cut as a machine boots.
pub(crate) struct ForgetsCuts;

impl System<FaultSpec> for ForgetsCuts {
    type Sut = SimulatedWorld;

    fn new_sut(&self, world: &World) -> Result<SimulatedWorld, SystemError> {
        Ok(world.into())
    }

    fn run(&self, sut: &mut SimulatedWorld, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let outcome = sut.give(command);
        if matches!(command, Command::Boot(_)) {
            sut.give(&Command::Heal);
        }
        Ok(outcome)
    }
}

/// A ping that is answered through a cut.
pub(crate) fn forgotten_cut() -> Record {
    found(&FaultSpec::new(bounds()).unwrap(), &ForgetsCuts, Shape::sequential(30..=60))
}
