//! The ways in which a network comes to the start of a case, each timed until its last machine is ready
//! and until a first command on each has ended.

use std::error::Error;
use std::time::Instant;

use harness::machines::{Lab, LiveNetwork, MachineSystem};
use harness::model::{FileSystem, Mebibytes, Network, NetworkParameters, Parameter};
use harness::proptest::strategy::{Strategy as _, ValueTree as _};
use harness::proptest::test_runner::TestRunner;
use harness::remote::Command;
use harness::{Event, Observer, System as _};

/// As little memory as is generated, in MiB.
pub(crate) const LEAST: u64 = 96;

pub(crate) type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// Tells of what would make times into those of something else.
pub(crate) struct Warnings;

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            eprintln!("warning: {text}");
        }
    }
}

/// A network of new machines with the first kernel and this much memory in MiB, all of them on.
pub(crate) fn network(lab: &Lab, count: usize, memory: u64) -> Result<Network> {
    let kernels = lab.kernels()?.into_iter().take(1).collect();
    let memory = Mebibytes::new(memory)?;
    let bounds = NetworkParameters::new(kernels)?
        .with(Parameter::memory(memory..=memory)?)
        .with(Parameter::scratches([FileSystem::Ext4])?)
        .with_machines(count..=count);
    let strategy = bounds.strategy()?;
    let tree = strategy.new_tree(&mut TestRunner::default()).map_err(|why| why.to_string())?;
    Ok(tree.current().all_running())
}

/// Seconds for a network that is made from nothing and booted.
pub(crate) fn boot(lab: &Lab, network: &Network) -> Result<[f64; 2]> {
    let start = Instant::now();
    let live = LiveNetwork::create(lab, network)?;
    let ready = start.elapsed().as_secs_f64();
    first_commands(&live, network)?;
    Ok([ready, start.elapsed().as_secs_f64()])
}

/// The same of one whose machines begin from a snapshot of their kind.
pub(crate) fn begin(lab: &Lab, network: &Network) -> Result<[f64; 2]> {
    let system = MachineSystem::new(lab);
    let start = Instant::now();
    let live = system.new_sut(network)?;
    let ready = start.elapsed().as_secs_f64();
    first_commands(&live, network)?;
    Ok([ready, start.elapsed().as_secs_f64()])
}

/// The same of one that a case before has used, and that is put back.
pub(crate) fn put_back(lab: &Lab, network: &Network) -> Result<[f64; 2]> {
    let system = MachineSystem::new(lab);
    let live = system.new_sut(network)?;
    first_commands(&live, network)?;
    system.destroy_sut(live)?;
    let start = Instant::now();
    let live = system.new_sut(network)?;
    let ready = start.elapsed().as_secs_f64();
    if system.put_back() != 1 {
        return Err("the network was made anew".into());
    }
    first_commands(&live, network)?;
    Ok([ready, start.elapsed().as_secs_f64()])
}

fn first_commands(live: &LiveNetwork<'_>, network: &Network) -> Result<()> {
    for id in network.ids() {
        live.run(&id, &Command::new("echo here >/scratch/mark"))?;
    }
    Ok(())
}
