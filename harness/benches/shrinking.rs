//! How long it takes to make a failing case of real machines smaller: booted cold each time, put back
//! to the start of a case, and put back to the middle of one.
//!
//! `cargo bench -p harness --bench shrinking [-- MACHINES]` prints a table. The case has 30 commands, of
//! which four are needed: a machine goes deaf once it is booted a second time. The same shrinker makes
//! it smaller in each row, from the moment at which it was seen to fail; a run is a candidate, or a run
//! that confirms the smallest.

#[path = "../tests/on_machines/deaf_machines/mod.rs"]
mod deaf_machines;

use std::error::Error;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use deaf_machines::DeafOnMachines;
use harness::machines::{Boots, Lab, LabOptions};
use harness::model::machines::Command;
use harness::model::{
    Case, FileSystem, MachineId, MachineSpec, Mebibytes, Network, NetworkParameters, Parameter,
};
use harness::proptest::strategy::{Strategy as _, ValueTree as _};
use harness::proptest::test_runner::TestRunner;
use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{Config, Continued, Event, Evidence, Observer, Runner, Stop};
use model::Model as _;

/// How many commands the case has.
const COMMANDS: usize = 30;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

fn main() -> Result<()> {
    let machines = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(2);
    // Where something is missing, this says so.
    if Lab::for_test()?.is_none() {
        return Ok(());
    }
    let told = Arc::new(Told::default());
    let lab = |boots| {
        Lab::open(LabOptions { boots, ..LabOptions::default() }, Arc::clone(&told) as _, Stop::default())
    };
    let (cold, warm) = (lab(Boots::Cold)?, lab(Boots::Auto)?);
    let model = specification(&warm, machines)?;
    let network = model.gen_initial_state().new_tree(&mut TestRunner::default());
    let network = network.map_err(|why| why.to_string())?.current();
    let network = network.ids().iter().fold(network.clone(), |network, id| network.with_running(id, false));
    let case = case(&network);
    println!("{} commands, {machines} machines, {:?}", case.len(), warm.accelerator());
    println!("| a candidate begins | s | runs | of them in the middle | smallest case | of the cold time |");
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut first = None;
    for (name, lab, saves) in [
        ("with a cold boot", &cold, false),
        ("at the start, put back", &warm, false),
        ("in the middle where it can, put back", &warm, true),
    ] {
        let mut system = DeafOnMachines::new(lab);
        system.saves = saves;
        let (seconds, runs, smallest) = shrink(&model, &system, &case, &told)?;
        let ratio = *first.get_or_insert(seconds) / seconds;
        let middle = told.went_back.swap(0, Ordering::Relaxed);
        println!("| {name} | {seconds:.1} | {runs} | {middle} | {smallest} commands | 1/{ratio:.1} |");
    }
    for text in told.warnings.lock().unwrap_or_else(PoisonError::into_inner).iter() {
        println!("warning: {text}");
    }
    Ok(())
}

/// What is told and matters to the table.
#[derive(Default)]
struct Told {
    /// When the case was last seen to fail for the first time.
    found: Mutex<Option<Instant>>,
    went_back: AtomicU32,
    warnings: Mutex<Vec<String>>,
}

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        match event {
            // A smaller form of it is told in the same way.
            Event::Falsified { .. } => {
                let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.get_or_insert_with(Instant::now);
            }
            Event::WentBack { .. } => drop(self.went_back.fetch_add(1, Ordering::Relaxed)),
            Event::Warning { text } => {
                self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push((*text).to_owned());
            }
            Event::Inconclusive { reason, .. } => {
                let text = format!("inconclusive: {reason}");
                self.warnings.lock().unwrap_or_else(PoisonError::into_inner).push(text);
            }
            _ => {}
        }
    }

    fn follows_cases(&self) -> bool {
        false
    }
}

fn specification(lab: &Lab, machines: usize) -> Result<MachineSpec> {
    let memory = Mebibytes::new(96)?;
    let bounds = NetworkParameters::new(lab.kernels()?.into_iter().take(1).collect())?
        .with(Parameter::memory(memory..=memory)?)
        .with(Parameter::scratches([FileSystem::Ext4])?)
        .with_machines(machines..=machines);
    Ok(MachineSpec::new(bounds)?)
}

/// Thirty commands, of which the last is the first that gets a wrong answer: all machines are booted, and
/// the first of them once more, which nobody pings before the others have pinged each other for long.
fn case(network: &Network) -> Case<MachineSpec> {
    let ids = network.ids();
    let (first, others) = (&ids[0], &ids[1..]);
    let ping = |from: &MachineId, to: &MachineId| Command::Ping { from: from.clone(), to: to.clone() };
    let mut commands: Vec<_> = ids.iter().cloned().map(Command::Boot).collect();
    commands.extend(ids.iter().flat_map(|to| ids.iter().map(|from| ping(from, to))));
    commands.extend([Command::Shutdown(first.clone()), Command::Boot(first.clone())]);
    let pings = others.iter().flat_map(|to| ids.iter().map(|from| ping(from, to))).cycle();
    commands.extend(pings.take(COMMANDS.saturating_sub(commands.len() + 1)));
    commands.push(ping(first, first));
    Case::sequential(network.clone(), commands)
}

/// Seconds, runs, and the length of the smallest case.
fn shrink(
    model: &MachineSpec,
    system: &DeafOnMachines<'_>,
    case: &Case<MachineSpec>,
    told: &Told,
) -> Result<(f64, u32, usize)> {
    let directory = tempfile::tempdir()?;
    let evidence = Evidence { number: case.len(), ..Evidence::default() };
    let replay = Replay::new(model, &"0".repeat(64), Default::default(), case.clone(), evidence);
    let file = replay.write(directory.path())?;
    let config = Config {
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let stop = Stop::default();
    let runner = Runner::new(model, system, &config, told, &stop);
    let continued = runner.shrink_file(&file)?;
    let found = told.found.lock().unwrap_or_else(PoisonError::into_inner).take();
    let start = found.ok_or("nobody told that the case fails")?;
    match continued {
        Continued::Failed(failure) if failure.smallest => {
            Ok((start.elapsed().as_secs_f64(), failure.shrink_runs, failure.case.len()))
        }
        Continued::Failed(_) => Err("the search did not come to its end".into()),
        Continued::Passed(verdict) => Err(format!("the case does not fail: {verdict:?}").into()),
    }
}
