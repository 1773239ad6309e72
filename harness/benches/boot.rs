//! How long a network takes from nothing to ready, beside the time that the same kernels, in the
//! same virtual machines and as many at once, take to reach a bare `/init`.
//!
//! `cargo bench -p harness --bench boot [-- ROUNDS]` prints a table of medians. Both sides are
//! measured in turn, so that what else the host does meets both alike.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::hypervisor::{Definition, Event};
use harness::machines::{Lab, LiveNetwork};
use harness::model::{FileSystem, Mebibytes, Network, NetworkParameters, Parameter};
use harness::nixgen::{Console, Control, Image, Wiring, domain_xml};
use harness::proptest::strategy::{Strategy as _, ValueTree as _};
use harness::proptest::test_runner::TestRunner;

#[path = "support/median.rs"]
mod median;

use median::median;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// A kernel that has not reached `/init` by then never will.
const LIMIT: Duration = Duration::from_secs(120);

/// The networks of the table. ext4 is built into the kernel; the others are modules of one to two
/// megabytes, which a guest loads on its way.
const NETWORKS: [(usize, FileSystem); 7] = [
    (1, FileSystem::Ext4),
    (2, FileSystem::Ext4),
    (4, FileSystem::Ext4),
    (1, FileSystem::Xfs),
    (4, FileSystem::Xfs),
    (1, FileSystem::Btrfs),
    (4, FileSystem::Btrfs),
];

fn main() -> Result<()> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(5);
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    println!("| machines | file system | bare /init, median s | ready, median s | ratio |");
    println!("| --- | --- | --- | --- | --- |");
    for (count, file_system) in NETWORKS {
        let network = network(&lab, count, file_system)?;
        let images = lab.images(&network)?;
        let initrd = bare_initrd(lab.run_directory().path())?;
        let (mut bare, mut ready) = (Vec::new(), Vec::new());
        // The first round only warms the host's caches, for both.
        for round in 0..=rounds {
            let times = (reach_init(&lab, &network, &images, &initrd)?, become_ready(&lab, &network)?);
            if round > 0 {
                bare.push(times.0);
                ready.push(times.1);
            }
        }
        let (bare, ready) = (median(bare), median(ready));
        println!("| {count} | {file_system} | {bare:.2} | {ready:.2} | {:.2} |", ready / bare);
    }
    Ok(())
}

/// A network of machines with the first kernel and as little memory as is generated.
fn network(lab: &Lab, count: usize, file_system: FileSystem) -> Result<Network> {
    let kernels = lab.kernels()?.into_iter().take(1).collect();
    let least = Mebibytes::new(96)?;
    let bounds = NetworkParameters::new(kernels)?
        .with(Parameter::memory(least..=least)?)
        .with(Parameter::scratches([file_system])?)
        .with_machines(count..=count);
    let strategy = bounds.strategy()?;
    let tree = strategy.new_tree(&mut TestRunner::deterministic()).map_err(|why| why.to_string())?;
    Ok(tree.current())
}

/// An initial file system whose `/init` does nothing but end, at which the kernel panics.
fn bare_initrd(directory: &Path) -> Result<PathBuf> {
    let (root, initrd) = (directory.join("bare"), directory.join("bare.cpio"));
    fs::create_dir_all(root.join("bin"))?;
    fs::copy("/bin/busybox", root.join("bin/busybox"))?;
    fs::write(root.join("init"), "#!/bin/busybox false\n")?;
    let status = Command::new("sh")
        .args([
            "-c",
            "chmod 755 init && printf '%s\\n' . bin bin/busybox init | cpio --quiet -o -H newc > \"$0\"",
        ])
        .arg(&initrd)
        .current_dir(&root)
        .stdin(Stdio::null())
        .status()?;
    if status.success() { Ok(initrd) } else { Err("cpio could not pack the bare /init".into()) }
}

/// Seconds until the last of the machines, started at once, has run its bare `/init`.
fn reach_init(lab: &Lab, network: &Network, images: &[Image], initrd: &Path) -> Result<f64> {
    let start = Instant::now();
    thread::scope(|scope| {
        let machines = network.machines().iter().zip(images).enumerate();
        let machines: Vec<_> = machines
            .map(|(index, (machine, image))| {
                scope.spawn(move || -> Result<()> {
                    let endpoints = lab.run_directory().endpoints(&format!("bare{index}"))?;
                    let mut image = image.clone();
                    image.initrd = initrd.to_owned();
                    image.loader = None;
                    let wiring = Wiring {
                        console: Console::Socket(endpoints.console.clone()),
                        control: Control::Socket(endpoints.control.clone()),
                        accelerator: lab.accelerator(),
                        ..Wiring::default()
                    };
                    let xml = domain_xml(machine, network, &image, &wiring)?;
                    let definition = Definition { name: machine.id.to_string(), xml, endpoints };
                    let mut machine = lab.hypervisor().define(&definition)?;
                    machine.start()?;
                    match machine.next_event(Instant::now() + LIMIT) {
                        Event::Panic(_) => Ok(()),
                        other => Err(format!("the bare /init ended in {other:?}").into()),
                    }
                })
            })
            .collect();
        machines.into_iter().try_for_each(|thread| thread.join().map_err(|_| "a thread panicked")?)
    })?;
    Ok(start.elapsed().as_secs_f64())
}

/// Seconds until the last machine of a network, made from nothing, says that it is ready.
fn become_ready(lab: &Lab, network: &Network) -> Result<f64> {
    let start = Instant::now();
    let live = LiveNetwork::create(lab, &network.clone().all_running())?;
    let elapsed = start.elapsed().as_secs_f64();
    drop(live);
    Ok(elapsed)
}
