//! What machines can be told, and what they say to it.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::direction;
use super::facts::Facts;
use crate::machine::{Machine, MachineId};
use crate::network::Network;
use crate::parameter::Setting;

/// Something to do to a network of machines.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Switch a machine on and wait until it serves SSH.
    Boot(MachineId),
    /// Cut a machine's power.
    Shutdown(MachineId),
    /// Send ICMP echo requests from one machine to the address of another.
    Ping {
        /// Who sends.
        from: MachineId,
        /// Whose address they go to.
        to: MachineId,
    },
    /// Ask a machine what it is made of.
    Inspect(MachineId),
    /// Shut a machine down in order and boot it with later software; its scratch disk stays.
    Upgrade {
        /// Which.
        machine: MachineId,
        /// The kernel or the package that is another then.
        to: Setting,
    },
    /// As [`Command::Upgrade`], with earlier software.
    Downgrade {
        /// Which.
        machine: MachineId,
        /// The kernel or the package that is another then.
        to: Setting,
    },
}

impl Command {
    /// What it does, in one word, such as `Boot`.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Boot(_) => "Boot",
            Self::Shutdown(_) => "Shutdown",
            Self::Ping { .. } => "Ping",
            Self::Inspect(_) => "Inspect",
            Self::Upgrade { .. } => "Upgrade",
            Self::Downgrade { .. } => "Downgrade",
        }
    }

    /// The machine on which something is run for it, and which has to be on for that.
    #[must_use]
    pub fn runs_on(&self) -> Option<&MachineId> {
        match self {
            Self::Boot(_) | Self::Shutdown(_) => None,
            Self::Ping { from: id, .. }
            | Self::Inspect(id)
            | Self::Upgrade { machine: id, .. }
            | Self::Downgrade { machine: id, .. } => Some(id),
        }
    }

    /// Why it cannot be given to a network that is as this one: the reason in words. A system
    /// refuses it for that, before it has any effect.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self, network: &Network) -> Result<(), String> {
        let known = |id| network.machine(id).ok_or_else(|| format!("there is no machine {id}"));
        let on = |id| match known(id)? {
            machine if machine.running => Ok(machine),
            _ => Err(format!("{id} is off")),
        };
        match self {
            Self::Boot(id) if known(id)?.running => Err(format!("{id} is on already")),
            Self::Boot(_) => Ok(()),
            Self::Shutdown(id) | Self::Inspect(id) => on(id).map(drop),
            Self::Ping { from, to } => on(from).and(known(to)).map(drop),
            Self::Upgrade { machine, to } => can_change(on(machine)?, to, Ordering::Less),
            Self::Downgrade { machine, to } => can_change(on(machine)?, to, Ordering::Greater),
        }
    }
}

/// Whether a machine can be given this software, which lies in that direction.
fn can_change(machine: &Machine, to: &Setting, wanted: Ordering) -> Result<(), String> {
    let id = &machine.id;
    if !to.is_software() {
        return Err(format!("{to} is no software"));
    }
    if to.holds(machine) {
        return Err(format!("{id} has {to} already"));
    }
    // What nothing tells the order of counts as an upgrade, and so do two that are equally late.
    let is_down = direction(machine, to) == Some(Ordering::Greater);
    match (is_down, wanted == Ordering::Greater) {
        (true, false) => Err(format!("{to} is earlier than what {id} has")),
        (false, true) => Err(format!("{to} is not earlier than what {id} has")),
        _ => Ok(()),
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb();
        match self {
            Self::Boot(id) | Self::Shutdown(id) | Self::Inspect(id) => write!(f, "{verb} {id}"),
            Self::Ping { from, to } => write!(f, "{verb} {from} -> {to}"),
            Self::Upgrade { machine, to } | Self::Downgrade { machine, to } => {
                write!(f, "{verb} {machine} to {to}")
            }
        }
    }
}

/// What a network says to a [`Command`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// The machine is up and serves SSH.
    Booted,
    /// The machine is off.
    ShutDown,
    /// Whether the ping was answered.
    Pinged {
        /// True where an echo reply came.
        answered: bool,
    },
    /// What the machine is made of.
    Inspected(Box<Facts>),
    /// The machine is up with its new software.
    Changed {
        /// Whether what was written to its scratch disk before is still there.
        scratch_kept: bool,
    },
    /// The machine could not do it, for the reason given (such as a kernel panic).
    Failed(String),
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booted => f.write_str("booted"),
            Self::ShutDown => f.write_str("shut down"),
            Self::Pinged { answered: true } => f.write_str("answered"),
            Self::Pinged { answered: false } => f.write_str("not answered"),
            Self::Inspected(facts) => write!(f, "{facts}"),
            Self::Changed { scratch_kept: true } => f.write_str("changed, with its scratch disk as it was"),
            Self::Changed { scratch_kept: false } => {
                f.write_str("changed, and its scratch disk lost what it held")
            }
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}
