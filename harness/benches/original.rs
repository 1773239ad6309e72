//! Cases an hour, beside the way of the original: a build for each case, boots one after another,
//! SSH tried every 500 ms by a process of `ssh`, and such a process for each command.
//!
//! `cargo bench -p harness --bench original [-- CASES]` gives the same cases, of 4 machines and 10
//! commands, to both in turn. What its machines were called and told was in their images, so that
//! each case built images of its own: here one of each case, with a key of its own, rather than one of
//! each machine. It is taken out of the store again, which is not measured.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command as Process, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use harness::execute::Verdict;
use harness::machines::{Boot, Lab, LiveNetwork, MachineSystem};
use harness::model::machines::Command;
use harness::model::{
    Case, FileSystem, MachineId, MachineSpec, Mebibytes, Network, Parameter, Shape, generate,
};
use harness::proptest::test_runner::TestRunner;
use harness::{Config, Runner, Silent, Stop};
use nixgen::{BuildOptions, Builder};

#[path = "support/ssh_process.rs"]
mod ssh_process;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How often the original tries to log in.
const PAUSE: Duration = Duration::from_millis(500);
/// It gives a machine up after so many tries.
const TRIES: u32 = 240;

fn main() -> Result<()> {
    let cases = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(20);
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    let model = specification(&lab)?;
    let (config, stop) = (Config { failures: None, regressions: None, ..Config::default() }, Stop::default());
    let system = MachineSystem::new(&lab);
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let (mut ours, mut original) = (Duration::ZERO, Duration::ZERO);
    println!("| case | ours, s | the original, s | ratio |\n| --- | --- | --- | --- |");
    let mut generator = TestRunner::deterministic();
    for number in 1..=cases {
        let case = generate(&model, &Shape::sequential(10..=10), &mut generator)?.case;
        // Both have the host's caches as the other has left them, and take turns in being first.
        let (mut times, mut image) = ([Duration::ZERO; 2], None);
        for side in if number % 2 == 0 { [0, 1] } else { [1, 0] } {
            let start = Instant::now();
            if side == 0 {
                let verdict = runner.run_case(&case, "case")?.verdict;
                if verdict != Verdict::Holds {
                    return Err(format!("case {number} has to hold: {verdict:?}").into());
                }
            } else {
                image = Some(as_the_original(&lab, &case)?);
            }
            times[side] = start.elapsed();
        }
        image.as_deref().map_or(Ok(()), delete)?;
        let [own, other] = times.map(|time| time.as_secs_f64());
        println!("| {number} | {own:.1} | {other:.1} | {:.1} |", other / own);
        ours += times[0];
        original += times[1];
    }
    let hour = |time: Duration| f64::from(cases) * 3600.0 / time.as_secs_f64();
    let (ours, original) = (hour(ours), hour(original));
    println!("\n{ours:.0} cases an hour, the original {original:.0}: {:.1} times as many", ours / original);
    Ok(())
}

/// Networks of four machines that differ in their file systems.
fn specification(lab: &Lab) -> Result<MachineSpec> {
    let kernel = lab.kernels()?.into_iter().next().ok_or("the base offers no kernel")?;
    let memory = Mebibytes::new(128)?;
    let bounds = lab
        .bounds()?
        .with(Parameter::kernels(vec![kernel])?)
        .with(Parameter::memory(memory..=memory)?)
        .with(Parameter::scratches(FileSystem::ALL)?)
        .with_machines(4..=4);
    Ok(MachineSpec::new(bounds)?)
}

/// Runs a case, and gives the image that was built for it.
fn as_the_original(lab: &Lab, case: &Case<MachineSpec>) -> Result<PathBuf> {
    let image = build(lab.run_directory().path(), &case.initial)?;
    let live = LiveNetwork::create(lab, &all_off(&case.initial))?;
    for machine in case.initial.machines().iter().filter(|machine| machine.running) {
        boot(&live, &machine.id)?;
    }
    for command in &case.commands {
        match command {
            Command::Boot(id) => boot(&live, id)?,
            Command::Shutdown(id) => live.power_cut(id)?,
            Command::Ping { from, to } => {
                let address = case.initial.machine(to).ok_or("no such machine")?.address;
                // It may not be answered, by a machine that is off.
                ssh_process::run(&live.target(from)?, &format!("fping -t 500 -r 0 {address}")).ok();
            }
            Command::Inspect(id) => ssh_process::run(&live.target(id)?, "uname -r; cat /proc/meminfo")?,
            Command::Upgrade { .. } | Command::Downgrade { .. } => return Err("one kernel is all".into()),
        }
    }
    Ok(image)
}

/// Has Nix build an image that there was not before.
fn build(run: &Path, network: &Network) -> Result<PathBuf> {
    let key = run.join("key-of-the-case.pub");
    fs::write(&key, format!("ssh-ed25519 {} case\n", data_encoding::BASE64.encode(&random_key())))?;
    let mut options = BuildOptions::new(run)?;
    options.authorized_key = Some(key);
    let built = Builder::new(options)?.build(network)?;
    let (_, image) = built.machines().next().ok_or("the network has no machine")?;
    Ok(image.root.parent().ok_or("the image is in no directory")?.to_owned())
}

/// A public key that nobody has the private half of, as SSH writes it.
fn random_key() -> Vec<u8> {
    let mut key = b"\0\0\0\x0bssh-ed25519\0\0\0\x20".to_vec();
    key.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    key.extend_from_slice(uuid::Uuid::new_v4().as_bytes());
    key
}

fn delete(image: &Path) -> Result<()> {
    let mut command = Process::new("nix-store");
    let status = command
        .args(["--delete", "--ignore-liveness"])
        .arg(image)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("{} is still there", image.display()).into()) }
}

fn all_off(network: &Network) -> Network {
    network.ids().iter().fold(network.clone(), |network, id| network.with_running(id, false))
}

/// Boots a machine, which is taken to have booted once an `ssh` comes through.
fn boot(live: &LiveNetwork<'_>, id: &MachineId) -> Result<()> {
    thread::scope(|scope| {
        // What our guests are told at boot, the original's knew from their images.
        let booted = scope.spawn(|| live.boot(id));
        for _ in 0..TRIES {
            if ssh_process::run(&live.target(id)?, "true").is_ok() {
                break;
            }
            thread::sleep(PAUSE);
        }
        match booted.join().map_err(|_| "a thread panicked")?? {
            Boot::Ready(_) => Ok(()),
            Boot::Failed(why) => Err(why.into()),
        }
    })
}
