//! Cases of 10 to 1,000 commands to two machines that are on.
//!
//! Pings and inspections take turns: each is a command that runs on a machine over SSH, and whose answer the
//! model checks. The time is that from the first command to the last answer and its check; making
//! the network is what `machines` measures.

use std::cell::Cell;
use std::time::Instant;

use harness::execute::Verdict;
use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::model::machines::{Command, Response};
use harness::model::{Case, MachineSpec, Network, Outcome};
use harness::{Config, Purpose, Runner, Silent, Stop, System, SystemError};

use crate::starts::{LEAST, Result, network};
use crate::table::{Series, Table};

const SIZES: [usize; 5] = [10, 30, 100, 300, 1000];

pub(crate) fn measure(rounds: usize) -> Result<Option<Table>> {
    let options = LabOptions { boots: Boots::Warm, ..LabOptions::default() };
    let Some(lab) = Lab::for_test_with(options)? else { return Ok(None) };
    let network = network(&lab, 2, LEAST)?;
    let (model, config, stop) = (MachineSpec::new(lab.bounds()?)?, Config::default(), Stop::default());
    let system = Timed::new(&lab);
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let seconds = |count: usize| -> Result<f64> {
        let case = Case::sequential(network.clone(), commands(&network, count));
        match runner.run_case(&case, "growth")?.verdict {
            Verdict::Holds => Ok(system.took.get()),
            other => Err(format!("the case does not hold: {other:?}").into()),
        }
    };
    // The first commands have all programs be in memory.
    seconds(SIZES[0])?;
    let mut times = vec![Vec::new(); SIZES.len()];
    for round in 0..rounds {
        for (times, size) in times.iter_mut().zip(SIZES) {
            eprintln!("round {}: {size} commands", round + 1);
            times.push(seconds(size)?);
        }
    }
    Ok(Some(Table {
        title: "Commands to two machines: pings and inspections in turns",
        size: "commands",
        unit: "s",
        each: Some(("ms", 1000.0)),
        series: vec![Series::of_rounds("on real machines", &SIZES, times)],
    }))
}

/// Each machine pings the other and is inspected, over and over.
fn commands(network: &Network, count: usize) -> Vec<Command> {
    let ids = network.ids();
    let pairs = ids.iter().zip(ids.iter().rev());
    let turns: Vec<_> = pairs
        .flat_map(|(a, b)| [Command::Ping { from: a.clone(), to: b.clone() }, Command::Inspect(a.clone())])
        .collect();
    turns.into_iter().cycle().take(count).collect()
}

/// Real machines, and how long the commands of the last case took.
struct Timed<'lab> {
    machines: MachineSystem<'lab>,
    begun: Cell<Instant>,
    took: Cell<f64>,
}

impl<'lab> Timed<'lab> {
    fn new(lab: &'lab Lab) -> Self {
        let machines = MachineSystem::new(lab);
        Self { machines, begun: Cell::new(Instant::now()), took: Cell::default() }
    }
}

impl<'lab> System<MachineSpec> for Timed<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, network: &Network) -> std::result::Result<Self::Sut, SystemError> {
        self.new_sut_for(network, Purpose::Search)
    }

    fn new_sut_for(
        &self,
        network: &Network,
        purpose: Purpose,
    ) -> std::result::Result<Self::Sut, SystemError> {
        let live = self.machines.new_sut_for(network, purpose)?;
        self.begun.set(Instant::now());
        Ok(live)
    }

    fn is_reused(&self, live: &Self::Sut) -> bool {
        self.machines.is_reused(live)
    }

    fn destroy_sut(&self, live: Self::Sut) -> std::result::Result<(), SystemError> {
        self.took.set(self.begun.get().elapsed().as_secs_f64());
        self.machines.destroy_sut(live)
    }

    fn run(
        &self,
        live: &mut Self::Sut,
        command: &Command,
    ) -> std::result::Result<Outcome<Response>, SystemError> {
        self.machines.run(live, command)
    }
}
