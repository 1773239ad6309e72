//! How long a network takes to be ready for a case when it is put back to its start, and when its
//! machines have other identities than any before and begin from a snapshot of their kind, beside the
//! time that the same network takes from nothing; and how much memory of the host machines take up that
//! began from one snapshot.
//!
//! `cargo bench -p harness --bench warm [-- ROUNDS] [TABLE]` prints tables (`put-back`, `new`, `memory`, or
//! all), of medians where it is times. All
//! sides are measured in turn, so that what else the host does meets them alike. Each case leaves
//! something behind: a file on every machine, and the sessions that made it.

use std::sync::Arc;
use std::time::Duration;

use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::{Stop, System as _};

#[path = "support/median.rs"]
mod median;
#[path = "support/starts.rs"]
mod starts;

use median::median;
use starts::{LEAST, Result, Warnings, begin, boot, network, put_back};

fn main() -> Result<()> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(7);
    let table =
        ["put-back", "new", "memory"].into_iter().find(|table| std::env::args().any(|word| word == *table));
    // Where something is missing, this says so.
    if Lab::for_test()?.is_none() {
        return Ok(());
    }
    let warm = LabOptions { boots: Boots::Warm, ..LabOptions::default() };
    let lab = Lab::open(warm, Arc::new(Warnings), Stop::default())?;
    if table.is_none_or(|table| table == "put-back") {
        put_back_beside_cold(&lab, rounds)?;
    }
    if table.is_none_or(|table| table == "new") {
        new_identities_beside_cold(&lab, rounds)?;
    }
    if table.is_none_or(|table| table == "memory") {
        memory_beside_cold(&lab)?;
    }
    Ok(())
}

fn put_back_beside_cold(lab: &Lab, rounds: usize) -> Result<()> {
    println!(
        "| machines | booted cold, median s | put back, median s | ratio | with its first command: cold | put back | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for count in [2, 4] {
        let network = network(lab, count, LEAST)?;
        row(count, rounds, || boot(lab, &network), || put_back(lab, &network))?;
    }
    println!();
    Ok(())
}

fn new_identities_beside_cold(lab: &Lab, rounds: usize) -> Result<()> {
    println!(
        "| machines | booted cold, median s | new from a snapshot, median s | ratio | with its first command: cold | from a snapshot | ratio |"
    );
    println!("| --- | --- | --- | --- | --- | --- | --- |");
    for count in [2, 4] {
        row(
            count,
            rounds,
            || boot(lab, &network(lab, count, LEAST)?),
            || begin(lab, &network(lab, count, LEAST)?),
        )?;
    }
    println!();
    Ok(())
}

/// Measures both sides in turn and prints a line of the table.
fn row(
    count: usize,
    rounds: usize,
    cold: impl Fn() -> Result<[f64; 2]>,
    warm: impl Fn() -> Result<[f64; 2]>,
) -> Result<()> {
    let mut times: [[Vec<f64>; 2]; 2] = Default::default();
    // The first round only warms the host's caches, for both, and makes the snapshot.
    for round in 0..=rounds {
        for (times, taken) in times.iter_mut().zip([cold()?, warm()?]) {
            if round > 0 {
                times.iter_mut().zip(taken).for_each(|(times, taken)| times.push(taken));
            }
        }
    }
    let [[cold, cold_first], [warm, warm_first]] = times.map(|times| times.map(median));
    println!(
        "| {count} | {cold:.2} | {warm:.3} | 1/{:.1} | {cold_first:.2} | {warm_first:.3} | 1/{:.1} |",
        cold / warm,
        cold_first / warm_first
    );
    Ok(())
}

/// Prints what machines that do nothing take up of the host's memory.
fn memory_beside_cold(lab: &Lab) -> Result<()> {
    let (count, size) = (8, 256);
    let cold = LiveNetwork::create(lab, &network(lab, count, size)?)?;
    let booted = proportional_set_size(lab)?;
    drop(cold);
    let system = MachineSystem::new(lab);
    let network = network(lab, count, size)?;
    let _live = system.new_sut(&network)?;
    let begun = proportional_set_size(lab)?;
    println!("| machines of {size} MiB | booted cold, MiB (PSS) | from one snapshot | ratio |");
    println!("| --- | --- | --- | --- |");
    println!("| {count} | {booted} | {begun} | 1/{:.2} |", booted as f64 / begun as f64);
    Ok(())
}

/// The memory of all QEMUs of the run in MiB, what several share counted once, when they have been
/// idle for a while.
fn proportional_set_size(lab: &Lab) -> Result<u64> {
    std::thread::sleep(Duration::from_secs(5));
    let run = lab.run_directory().path().display().to_string();
    let mut total = 0;
    for process in std::fs::read_dir("/proc")?.flatten() {
        let read = |name: &str| {
            std::fs::read(process.path().join(name)).map(|text| String::from_utf8_lossy(&text).into_owned())
        };
        let Ok(command_line) = read("cmdline") else { continue };
        let program = command_line.split('\0').next().unwrap_or_default();
        if !program.contains("qemu-system") || !command_line.contains(&run) {
            continue;
        }
        let sizes = read("smaps_rollup")?;
        let size = sizes.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB"));
        total += size.ok_or("the kernel tells no PSS")?.trim().parse::<u64>()?;
    }
    Ok(total / 1024)
}
