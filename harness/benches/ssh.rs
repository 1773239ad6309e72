//! What a command costs over SSH: on an open session, on one that is opened for it, and by an `ssh`
//! process of its own.
//!
//! `cargo bench -p harness --bench ssh [-- ROUNDS]` boots one machine, gives it `true` in all three
//! ways in turn, and prints medians.

use std::error::Error;
use std::time::{Duration, Instant};

use harness::machines::{Lab, LiveNetwork};
use harness::model::{MachineId, Network};
use harness::proptest::strategy::{Strategy as _, ValueTree as _};
use harness::proptest::test_runner::TestRunner;
use harness::remote::{Command, Session};

#[path = "support/median.rs"]
mod median;
#[path = "support/ssh_process.rs"]
mod ssh_process;

use median::median;

type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How long a login may take.
const LOGIN: Duration = Duration::from_secs(60);

fn main() -> Result<()> {
    let rounds = std::env::args().skip(1).find_map(|argument| argument.parse().ok()).unwrap_or(15);
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    let network = one_machine(&lab)?;
    let live = LiveNetwork::create(&lab, &network)?;
    let Some(id) = network.ids().into_iter().next() else { return Err("the network has no machine".into()) };
    let mut times: [Vec<f64>; 3] = Default::default();
    // The first round opens the session, and has all programs be in memory.
    for round in 0..=rounds {
        let measured = [
            seconds(|| on_open_session(&live, &id))?,
            seconds(|| on_new_session(&live, &id))?,
            seconds(|| ssh_process::run(&live.target(&id)?, "true"))?,
        ];
        if round > 0 {
            times.iter_mut().zip(measured).for_each(|(times, time)| times.push(time));
        }
    }
    let [open, new, process] = times.map(median);
    println!("| `true` | median s | of a process |\n| --- | --- | --- |");
    for (what, time) in [("on an open session", open), ("on a new session", new), ("by a process", process)] {
        println!("| {what} | {time:.4} | 1/{:.1} |", process / time);
    }
    Ok(())
}

fn one_machine(lab: &Lab) -> Result<Network> {
    let strategy = lab.bounds()?.with_machines(1..=1).strategy()?;
    let tree = strategy.new_tree(&mut TestRunner::deterministic()).map_err(|why| why.to_string())?;
    Ok(tree.current().all_running())
}

fn on_open_session(live: &LiveNetwork<'_>, id: &MachineId) -> Result<()> {
    succeeded(live.run(id, &Command::new("true"))?.ending.is_success())
}

fn on_new_session(live: &LiveNetwork<'_>, id: &MachineId) -> Result<()> {
    let mut session = Session::connect(&live.target(id)?, LOGIN)?;
    succeeded(session.run(&Command::new("true"))?.ending.is_success())
}

fn succeeded(success: bool) -> Result<()> {
    if success { Ok(()) } else { Err("true did not succeed".into()) }
}

fn seconds(act: impl FnOnce() -> Result<()>) -> Result<f64> {
    let start = Instant::now();
    act()?;
    Ok(start.elapsed().as_secs_f64())
}
