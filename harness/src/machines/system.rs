//! The commands of [`MachineSpec`] on real machines.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use model::machines::{Command, Response};
use model::{MachineSpec, Network, Outcome};

use crate::lanes::Lanes;
use crate::machines::lab::{Boots, Lab};
use crate::machines::live::{Boot, LiveNetwork};
use crate::machines::{change, inspect, ping};
use crate::system::{Cost, Purpose, System, SystemError};

/// Networks of real machines, made in a [`Lab`], or put back to their start where the lab says so and
/// the case before had the same machines.
pub struct MachineSystem<'lab> {
    lab: &'lab Lab,
    /// The network of the case before, which rests.
    kept: Mutex<Option<LiveNetwork<'lab>>>,
    put_back: AtomicU64,
}

impl<'lab> MachineSystem<'lab> {
    /// Makes its networks with what the lab has.
    #[must_use]
    pub fn new(lab: &'lab Lab) -> Self {
        Self { lab, kept: Mutex::default(), put_back: AtomicU64::new(0) }
    }

    /// How many networks were put back so far, and not made.
    #[must_use]
    pub fn put_back(&self) -> u64 {
        self.put_back.load(Ordering::Relaxed)
    }

    /// The network that is kept, put back to the start of a case on this one, if it can be and is to
    /// be. It is taken down otherwise, since machines of two networks may have the same names.
    fn take_kept(&self, network: &Network, is_warm: bool) -> Option<LiveNetwork<'lab>> {
        let kept = self.kept().take().filter(|kept| is_warm && kept.can_be(network))?;
        match kept.put_back(network) {
            Ok(()) => {
                self.put_back.fetch_add(1, Ordering::Relaxed);
                Some(kept)
            }
            Err(error) => {
                self.lab.warn(&format!("a network could not be put back to its start: {error}"));
                None
            }
        }
    }

    fn kept(&self) -> MutexGuard<'_, Option<LiveNetwork<'lab>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes note of a failure that leaves it open what the network is by now.
fn noted<T>(live: &LiveNetwork<'_>, result: Result<T, SystemError>) -> Result<T, SystemError> {
    if result.is_err() {
        live.shared.spoil();
    }
    result
}

impl<'lab> System<MachineSpec> for MachineSystem<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn can_create_new_sut(&self, network: &Network) -> Result<(), SystemError> {
        room_for(network)
    }

    fn new_sut(&self, network: &Network) -> Result<LiveNetwork<'lab>, SystemError> {
        self.new_sut_for(network, Purpose::Search)
    }

    fn new_sut_for(&self, network: &Network, purpose: Purpose) -> Result<LiveNetwork<'lab>, SystemError> {
        let is_warm = match (self.lab.options.boots, purpose) {
            (Boots::Cold, _) | (_, Purpose::Confirm) | (Boots::Auto, Purpose::Search) => false,
            (Boots::Auto, Purpose::Rerun) | (Boots::Warm, Purpose::Search | Purpose::Rerun) => true,
        };
        match self.take_kept(network, is_warm) {
            Some(live) => Ok(live),
            None if is_warm => LiveNetwork::create_warm(self.lab, network),
            None => LiveNetwork::create(self.lab, network),
        }
    }

    fn is_reused(&self, live: &LiveNetwork<'lab>) -> bool {
        live.was_put_back()
    }

    fn destroy_sut(&self, live: LiveNetwork<'lab>) -> Result<(), SystemError> {
        if live.is_sound() && live.rest().is_ok() {
            *self.kept() = Some(live);
        }
        Ok(())
    }

    fn prepare(&self, networks: &mut dyn Iterator<Item = Network>) {
        self.lab.build_ahead(networks.collect());
    }

    fn cost(&self, network: &Network) -> Cost {
        Cost(self.lab.missing(network) as u64)
    }

    fn run(&self, live: &mut LiveNetwork<'lab>, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let outcome = give(live, command);
        noted(live, outcome)
    }

    fn run_lanes(
        &self,
        live: &mut LiveNetwork<'lab>,
        lanes: &Lanes<'_, MachineSpec>,
    ) -> Result<(), SystemError> {
        let live = &*live;
        let ran = lanes.run(|lane| {
            let machines: BTreeSet<_> = lanes.commands(lane).iter().filter_map(Command::runs_on).collect();
            machines.into_iter().try_for_each(|id| live.connect(id))?;
            Ok(|command: &Command| give(live, command))
        });
        noted(live, ran)
    }
}

/// Gives a network of real machines one command of [`MachineSpec`]; several lanes can do so at
/// once.
///
/// What makes no sense by the time it gets there is refused. An outcome is unknown where another
/// command cut off the machine that this one was given to, or changed what is in its way.
///
/// # Errors
/// [`SystemError`] where what failed is not the network.
pub fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
    match command {
        Command::Boot(id) => {
            let mut held = live.hold(id)?;
            if let Some(why) = held.refusal(command) {
                return Ok(Outcome::Refused(why));
            }
            Ok(Outcome::Answered(match held.boot()? {
                Boot::Ready(_) => Response::Booted,
                Boot::Failed(why) => Response::Failed(why),
            }))
        }
        Command::Shutdown(id) => {
            let mut held = live.hold(id)?;
            if let Some(why) = held.refusal(command) {
                return Ok(Outcome::Refused(why));
            }
            held.power_cut()?;
            Ok(Outcome::Answered(Response::ShutDown))
        }
        Command::Ping { from, to } => ping::ping(live, from, to),
        Command::Inspect(id) => inspect::inspect(live, id),
        Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
            change::change(live, machine, command, to)
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
