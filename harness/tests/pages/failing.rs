//! Planted failures with the records that their runs keep.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;

use harness::machines::simulated_faults::SimulatedWorld;
use harness::record::{Line, Packet, Packets, Record, Said, beside};
use harness::shrink::Budget;
use harness::{Config, LaneShape, Model, Outcome, Runner, Shape, Silent, Stop, System, SystemError, Voice};
use model::faults::{Command, Response, World};
use model::{FaultSpec, MachineSpec, NetworkParameters};

use crate::deaf::DeafAfterSecondBoot;
use crate::lanes::{Counter, LosesUpdates};

/// How many runs go into a failure that was found.
#[derive(Clone, Copy)]
pub(crate) struct Limits {
    pub(crate) shrink: u32,
    pub(crate) probes: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { shrink: 1000, probes: 40 }
    }
}

/// The record of the failure that a run finds.
pub(crate) fn found<M: Model, S: System<M>>(model: &M, system: &S, shape: Shape) -> Record {
    let directory = tempfile::tempdir().unwrap();
    let file = kept(model, system, shape, Limits::default(), directory.path());
    Record::read(&beside(&file)).unwrap()
}

/// The replay file of the failure that a run finds and keeps there.
pub(crate) fn kept<M: Model, S: System<M>>(
    model: &M,
    system: &S,
    shape: Shape,
    limits: Limits,
    directory: &Path,
) -> PathBuf {
    let config = config(shape, limits, directory);
    let summary = Runner::new(model, system, &config, &Silent, &Stop::default()).run().unwrap();
    let failure = summary.failure.unwrap();
    assert_eq!(failure.warnings, Vec::<String>::new());
    failure.file.unwrap()
}

pub(crate) fn config(shape: Shape, limits: Limits, directory: &Path) -> Config {
    let budget = |runs| Budget { runs, time: None };
    Config {
        cases: 200,
        shape,
        seed: Some(1.into()),
        failures: Some(directory.to_owned()),
        regressions: None,
        shrink: budget(limits.shrink),
        probes: budget(limits.probes),
        ..Config::default()
    }
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

/// An update that is lost among others, not made smaller.
pub(crate) fn lost_among_others() -> Record {
    let lanes = LaneShape { percent: 100, commands: 4..=4, ..LaneShape::default() };
    let system = LosesUpdates { percent: 100, made: AtomicU32::new(0) };
    let directory = tempfile::tempdir().unwrap();
    let limits = Limits { shrink: 0, probes: 0 };
    let shape = Shape { commands: 3..=6, lanes: Some(lanes) };
    let file = kept(&Counter, &system, shape, limits, directory.path());
    Record::read(&beside(&file)).unwrap()
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

/// Machines under faults.
pub(crate) fn faults() -> FaultSpec {
    FaultSpec::new(bounds()).unwrap()
}

/// Cases that are long enough for a plot.
pub(crate) fn long() -> Shape {
    Shape::sequential(30..=60)
}

/// A ping that is answered through a cut.
pub(crate) fn forgotten_cut() -> Record {
    found(&faults(), &ForgetsCuts, long())
}

/// The same with what its machines said and what went between them, as on real machines: the times are
/// made such that a person can read them.
pub(crate) fn with_sources() -> Record {
    let mut record = forgotten_cut();
    for (operation, second) in record.operations.iter_mut().zip(0_u8..) {
        (operation.started, operation.seconds) = (Some(2.0 * f64::from(second)), Some(1.5));
    }
    let names: Vec<_> = record.machines.iter().map(|machine| machine.name.clone()).collect();
    let said = |machine: &String| {
        let line = |tenth: u8| Line {
            at: Some(f64::from(tenth) / 10.0),
            text: format!("[    {}.{:06}] systemd[1]: Started unit {tenth} of {machine}.", tenth / 10, tenth),
        };
        Said {
            machine: machine.clone(),
            voice: Voice::Console,
            is_cut: true,
            lines: (0..80).map(line).collect(),
        }
    };
    record.consoles = names.iter().map(said).collect();
    let served = |machine: &String| {
        let line = |second: u8| Line {
            at: Some(f64::from(second) + 0.35),
            text: format!("web GET /{second} HTTP/1.1 200"),
        };
        Said {
            machine: machine.clone(),
            voice: Voice::Journal,
            is_cut: false,
            lines: (0..8).map(line).collect(),
        }
    };
    record.consoles.extend(names.iter().map(served));
    let packet = |(index, machine): (usize, &String)| Packet {
        at: 6.1 + index as f64 / 100.0,
        machine: machine.clone(),
        is_sent: index % 2 == 0,
        what: format!("ping 172.16.2.5 → 172.16.2.6, number {index}"),
    };
    let packets = names.iter().enumerate().map(packet).collect();
    record.capture = Some(Packets { file: "faults.pcapng".to_owned(), packets, left_out: 0 });
    record
}
