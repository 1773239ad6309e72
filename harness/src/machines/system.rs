//! The commands of [`MachineSpec`] on real machines.

use std::time::Duration;

use hypervisor::State;
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network, Outcome};
use remote::Ending;

use crate::machines::lab::Lab;
use crate::machines::live::{Boot, LiveNetwork};
use crate::machines::{change, inspect};
use crate::system::{Cost, System, SystemError};

/// Networks of real machines, made in a [`Lab`].
pub struct MachineSystem<'lab> {
    lab: &'lab Lab,
}

impl<'lab> MachineSystem<'lab> {
    /// Makes its networks with what the lab has.
    #[must_use]
    pub fn new(lab: &'lab Lab) -> Self {
        Self { lab }
    }
}

impl<'lab> System<MachineSpec> for MachineSystem<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn can_create_new_sut(&self, network: &Network) -> Result<(), SystemError> {
        room_for(network)
    }

    fn new_sut(&self, network: &Network) -> Result<LiveNetwork<'lab>, SystemError> {
        LiveNetwork::create(self.lab, network)
    }

    fn cost(&self, network: &Network) -> Cost {
        Cost(self.lab.missing(network) as u64)
    }

    fn run(&self, live: &mut LiveNetwork<'lab>, command: &Command) -> Result<Outcome<Response>, SystemError> {
        give(live, command)
    }
}

/// Gives a network of real machines one command of [`MachineSpec`].
///
/// # Errors
/// [`SystemError`] where what failed is not the network.
pub fn give(live: &mut LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
    match command {
        Command::Boot(id) => Ok(Outcome::Answered(match live.boot(id)? {
            Boot::Ready(_) => Response::Booted,
            Boot::Failed(why) => Response::Failed(why),
        })),
        Command::Shutdown(id) => {
            live.power_cut(id)?;
            Ok(Outcome::Answered(Response::ShutDown))
        }
        Command::Ping { from, to } => ping(live, from, to),
        Command::Inspect(id) => inspect::inspect(live, id),
        Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
            change::change(live, machine, to)
        }
    }
}

/// How long to wait for echo replies: `fping`'s first timeout in milliseconds and its retries, of
/// which each waits half as long again as the one before.
struct Patience {
    timeout: u32,
    retries: u32,
}

/// A machine that is off cannot be slow: 0.75 s in all.
const FOR_OFF: Patience = Patience { timeout: 300, retries: 1 };
/// A machine that is on may be starved by a busy host: 12 s in all, of which an answer ends the
/// rest. Nothing of the verdict depends on the machine's state: only what the wait may cost does.
const FOR_ON: Patience = Patience { timeout: 900, retries: 4 };

fn ping(
    live: &mut LiveNetwork<'_>,
    from: &MachineId,
    to: &MachineId,
) -> Result<Outcome<Response>, SystemError> {
    let patience = if live.state(to)? == State::Running { FOR_ON } else { FOR_OFF };
    let address = live.network().machine(to).map(|machine| machine.address.to_string()).unwrap_or_default();
    let (timeout, retries) = (patience.timeout.to_string(), patience.retries.to_string());
    let words = ["fping", "-q", "-B", "1.5", "-t", &timeout, "-r", &retries, &address];
    let output = live.run(from, &remote::Command::from_words(words).limit(Duration::from_secs(30)))?;
    let answered = |answered| Ok(Outcome::Answered(Response::Pinged { answered }));
    match output.ending {
        Ending::Exited(0) => answered(true),
        Ending::Exited(1) => answered(false),
        Ending::TimedOut | Ending::ConnectionLost => {
            Ok(Outcome::Unknown(format!("fping on {from}: {}", output.ending)))
        }
        ending => {
            let said = String::from_utf8_lossy(&output.stderr);
            Err(SystemError::infrastructure(format!("fping on {from} {ending}: {}", said.trim())))
        }
    }
}

/// Refuses a network whose memory this host does not have.
fn room_for(network: &Network) -> Result<(), SystemError> {
    let needed: u64 = network.machines().iter().map(|machine| machine.memory.get()).sum();
    let Some(total) = total_memory() else { return Ok(()) };
    if needed <= total {
        return Ok(());
    }
    let machines = network.machines().len();
    Err(SystemError::WrongUse(
        format!(
            "{machines} machines with {needed} MiB do not fit into this host's {total} MiB: generate fewer machines (--machines) or less memory (--memory)"
        )
        .into(),
    ))
}

/// This host's memory in MiB, where the kernel tells.
fn total_memory() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes / 1024)
}
