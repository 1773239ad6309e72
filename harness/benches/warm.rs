//! How long a network takes to be ready for a case when it is put back to its start, beside the time that
//! the same network takes from nothing.
//!
//! `cargo bench -p harness --bench warm [-- ROUNDS]` prints a table of medians. Both sides are
//! measured in turn, so that what else the host does meets both alike. Each case leaves something
//! behind: a file on every machine, and the sessions that made it.

use std::error::Error;
use std::time::Instant;

use harness::System as _;
use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::model::{FileSystem, Mebibytes, Network, NetworkParameters, Parameter};
use harness::proptest::strategy::{Strategy as _, ValueTree as _};
use harness::proptest::test_runner::TestRunner;
use harness::remote::Command;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let warm = LabOptions { boots: Boots::Warm, ..LabOptions::default() };
    let Some(lab) = Lab::for_test_with(warm)? else { return Ok(()) };
    println!(
        "| machines | booted cold, median s | put back, median s | ratio | with its first command: cold | put back | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for count in [2, 4] {
        let network = network(&lab, count)?.all_running();
        let mut cold: [Vec<f64>; 2] = Default::default();
        let mut back: [Vec<f64>; 2] = Default::default();
        // The first round only warms the host's caches, for both.
        for round in 0..=rounds {
            let times = (boot(&lab, &network)?, put_back(&lab, &network)?);
            if round > 0 {
                (0..2).for_each(|kind| cold[kind].push(times.0[kind]));
                (0..2).for_each(|kind| back[kind].push(times.1[kind]));
            }
        }
        let ([cold, cold_first], [back, back_first]) = (cold.map(median), back.map(median));
        println!(
            "| {count} | {cold:.2} | {back:.3} | 1/{:.1} | {cold_first:.2} | {back_first:.3} | 1/{:.1} |",
            cold / back,
            cold_first / back_first
        );
    }
    Ok(())
}

/// A network of machines with the first kernel and as little memory as is generated.
fn network(lab: &Lab, count: usize) -> Result<Network> {
    let kernels = lab.kernels()?.into_iter().take(1).collect();
    let least = Mebibytes::new(96)?;
    let bounds = NetworkParameters::new(kernels)?
        .with(Parameter::memory(least..=least)?)
        .with(Parameter::scratches([FileSystem::Ext4])?)
        .with_machines(count..=count);
    let strategy = bounds.strategy()?;
    let tree = strategy.new_tree(&mut TestRunner::deterministic()).map_err(|why| why.to_string())?;
    Ok(tree.current())
}

/// Seconds until the last machine of a network, made from nothing, says that it is ready, and until
/// a first command on each has ended.
fn boot(lab: &Lab, network: &Network) -> Result<[f64; 2]> {
    let start = Instant::now();
    let live = LiveNetwork::create(lab, network)?;
    let ready = start.elapsed().as_secs_f64();
    first_commands(&live, network)?;
    Ok([ready, start.elapsed().as_secs_f64()])
}

/// The same of a network that a case before has used.
fn put_back(lab: &Lab, network: &Network) -> Result<[f64; 2]> {
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

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times[times.len() / 2]
}
