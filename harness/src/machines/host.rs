//! What this host has, and what networks take of it.

use std::fs;
use std::thread;

use model::Network;

use crate::machines::room::Load;
use crate::system::SystemError;

/// What QEMU takes beside a guest's memory, in MiB. Under emulation it keeps what it has translated,
/// which was 90 to 190 MiB of machines that booted and ran a few commands.
const BESIDE: u64 = 192;

/// What is left to whatever else runs on the host, in MiB.
const RESERVE: u64 = 512;

/// What nothing fits beside.
pub(super) const EVERYTHING: Load = Load { memory: u64::MAX, cores: u64::MAX };

/// What no networks come up to.
const UNBOUNDED: Load = Load { memory: 1 << 48, cores: 1 << 48 };

/// What networks may take of this host together: the cores, and what memory is available now but
/// for a reserve; or as much as they like.
pub(super) fn room(overcommit: bool) -> Load {
    if overcommit {
        return UNBOUNDED;
    }
    let memory = memory("MemAvailable:").map_or(UNBOUNDED.memory, |memory| memory.saturating_sub(RESERVE));
    let cores = thread::available_parallelism().map_or(UNBOUNDED.cores, |cores| cores.get() as u64);
    Load { memory, cores }
}

/// What a network takes while it runs.
pub(super) fn load(network: &Network) -> Load {
    let machines = network.machines();
    let memory = machines.iter().map(|machine| machine.memory.get() + BESIDE).sum();
    Load { memory, cores: machines.iter().map(|machine| u64::from(machine.processors.get())).sum() }
}

/// Refuses a network whose memory this host does not have. One that takes more than there is room
/// for, or more processors than there are cores, can still be there by itself.
pub(super) fn check(network: &Network) -> Result<(), SystemError> {
    let needed: u64 = network.machines().iter().map(|machine| machine.memory.get()).sum();
    let Some(total) = memory("MemTotal:") else { return Ok(()) };
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

/// What the kernel says of this host's memory, in MiB.
fn memory(what: &str) -> Option<u64> {
    let text = fs::read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kibibytes| kibibytes / 1024)
}
