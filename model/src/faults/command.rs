//! What a network that is disturbed can be told, and what it says to it.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::clock::Drift;
use super::disk::{Ailment, Found};
use super::links::{Links, Quality};
use super::service::{Act, Service, Strain};
use super::world::World;
use crate::machine::MachineId;

/// Something to do to a network of machines, or to ask it.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Switch a machine on and wait until it serves SSH.
    Boot(MachineId),
    /// Cut a machine's power.
    PowerCut(MachineId),
    /// Press a machine's power button (ACPI) and wait until it is off.
    ShutDown(MachineId),
    /// Shut a machine down in order and boot it.
    Reboot(MachineId),
    /// Have a machine stand still.
    Pause(MachineId),
    /// Let a machine that stands still go on; its clock jumps by as long as it stood still.
    Resume(MachineId),
    /// Send ICMP echo requests from one machine to the address of another.
    Ping {
        /// Who sends.
        from: MachineId,
        /// Whose address they go to.
        to: MachineId,
    },
    /// Let nothing pass on these ways.
    Cut(Links),
    /// Have frames fare worse on these ways.
    Worsen {
        /// Which ways.
        links: Links,
        /// What becomes of frames.
        quality: Quality,
    },
    /// Undo all that was done to any way.
    Heal,
    /// Put a file on a machine's scratch disk in the place of the one of this number, and do not sync it.
    Write {
        /// Whose disk.
        machine: MachineId,
        /// Which file.
        file: u8,
        /// What to write.
        value: u16,
    },
    /// Have all that was written to a machine's disk be on it.
    Sync(MachineId),
    /// Read a file on a machine's scratch disk.
    Read {
        /// Whose disk.
        machine: MachineId,
        /// Which file.
        file: u8,
    },
    /// Have a machine's disk lose, of what is not flushed when its power is cut, what a number decides:
    /// writes are dropped, overtaken or torn. It is so until then.
    Volatile {
        /// Whose.
        machine: MachineId,
        /// Decides what is lost.
        seed: u32,
    },
    /// Have something be wrong with a machine's disk, until it is mended or the machine is off.
    Ail {
        /// Whose.
        machine: MachineId,
        /// What is wrong.
        ailment: Ailment,
    },
    /// Have nothing be wrong with a machine's disk. A file system that has given up stays so.
    Mend(MachineId),
    /// Take up all room on a machine's scratch disk.
    Fill(MachineId),
    /// Give the room back that was taken up.
    Free(MachineId),
    /// Set a machine's clock ahead, or back, of what it says now.
    SetClock {
        /// Whose.
        machine: MachineId,
        /// By how many seconds.
        seconds: i32,
    },
    /// Set a machine's clock back and forth in quick succession; it is right again in the end.
    Strobe {
        /// Whose.
        machine: MachineId,
        /// By how many seconds.
        seconds: i32,
    },
    /// Have a machine's clock run fast or slow from now on, until it is told otherwise or the machine is off.
    Skew {
        /// Whose.
        machine: MachineId,
        /// By how much.
        drift: Drift,
    },
    /// Ask a machine for the time.
    AskClock(MachineId),
    /// Do something to a machine's service.
    Service {
        /// Whose.
        machine: MachineId,
        /// What to do.
        act: Act,
    },
    /// Ask what a machine's service does.
    AskService(MachineId),
    /// Keep a machine busy.
    Strain {
        /// Which.
        machine: MachineId,
        /// With what.
        strain: Strain,
    },
    /// Take from a machine all that keeps it busy.
    Relax(MachineId),
}

impl Command {
    /// What it does, in one word.
    #[must_use]
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Boot(_) => "Boot",
            Self::PowerCut(_) => "PowerCut",
            Self::ShutDown(_) => "ShutDown",
            Self::Reboot(_) => "Reboot",
            Self::Pause(_) => "Pause",
            Self::Resume(_) => "Resume",
            Self::Ping { .. } => "Ping",
            Self::Cut(_) => "Cut",
            Self::Worsen { .. } => "Worsen",
            Self::Heal => "Heal",
            Self::Write { .. } => "Write",
            Self::Sync(_) => "Sync",
            Self::Read { .. } => "Read",
            Self::Volatile { .. } => "Volatile",
            Self::Ail { .. } => "Ail",
            Self::Mend(_) => "Mend",
            Self::Fill(_) => "Fill",
            Self::Free(_) => "Free",
            Self::SetClock { .. } => "SetClock",
            Self::Strobe { .. } => "Strobe",
            Self::Skew { .. } => "Skew",
            Self::AskClock(_) => "AskClock",
            Self::Service { .. } => "Service",
            Self::AskService(_) => "AskService",
            Self::Strain { .. } => "Strain",
            Self::Relax(_) => "Relax",
        }
    }

    /// Whether it asks the file system of a scratch disk for something.
    pub(super) fn is_of_disk(&self) -> bool {
        matches!(self, Self::Write { .. } | Self::Sync(_) | Self::Read { .. } | Self::Fill(_) | Self::Free(_))
    }

    /// The machine on which a program is run for it, which has to be on and to go on for that.
    #[must_use]
    pub fn runs_on(&self) -> Option<&MachineId> {
        match self {
            Self::Ping { from: id, .. }
            | Self::Write { machine: id, .. }
            | Self::Sync(id)
            | Self::Read { machine: id, .. }
            | Self::Fill(id)
            | Self::Free(id)
            | Self::SetClock { machine: id, .. }
            | Self::Strobe { machine: id, .. }
            | Self::Skew { machine: id, .. }
            | Self::AskClock(id)
            | Self::Service { machine: id, .. }
            | Self::AskService(id)
            | Self::Strain { machine: id, .. }
            | Self::Relax(id) => Some(id),
            _ => None,
        }
    }

    /// Why it cannot be given to a network that is as this one: the reason in words. A system refuses it
    /// for that, before it has any effect.
    ///
    /// # Errors
    /// The reason.
    pub fn check(&self, world: &World) -> Result<(), String> {
        let known = |id: &MachineId| match world.network.machine(id) {
            Some(machine) => Ok(machine.running),
            None => Err(format!("there is no machine {id}")),
        };
        let on = |id| if known(id)? { Ok(()) } else { Err(format!("{id} is off")) };
        let usable = |id| match on(id) {
            Ok(()) if world.paused.contains(id) => Err(format!("{id} is paused")),
            result => result,
        };
        let all_known = |links: &Links| links.machines().into_iter().try_for_each(|id| known(id).map(drop));
        match self {
            Self::Boot(id) if known(id)? => Err(format!("{id} is on already")),
            Self::Boot(_) => Ok(()),
            Self::PowerCut(id) => on(id),
            Self::Resume(id) if on(id).is_ok() && !world.paused.contains(id) => {
                Err(format!("{id} is not paused"))
            }
            Self::Resume(id) => on(id),
            Self::ShutDown(id)
            | Self::Reboot(id)
            | Self::Pause(id)
            | Self::Volatile { machine: id, .. }
            | Self::Ail { machine: id, .. }
            | Self::Mend(id) => usable(id),
            Self::Ping { from, to } => known(to).and(usable(from)),
            Self::Cut(links) => all_known(links),
            Self::Worsen { links, quality } => {
                all_known(links)?;
                if matches!(quality, Quality::Narrow { kilobits: ..64 }) {
                    return Err(format!("{quality} is too narrow for a ping: give 64 kbit/s or more"));
                }
                let ways = links.ways(&world.network.ids());
                match world.worse.iter().find(|(way, _)| ways.contains(way)) {
                    // Delays add up, and a ping would be waited for in vain.
                    Some(((from, to), worse)) => Err(format!("{from} -> {to} has {worse} already")),
                    None => Ok(()),
                }
            }
            // Whatever runs a program needs a machine to run it on; to heal nothing is needed.
            _ => self.runs_on().map_or(Ok(()), usable),
        }
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verb = self.verb();
        match self {
            Self::Boot(id)
            | Self::PowerCut(id)
            | Self::ShutDown(id)
            | Self::Reboot(id)
            | Self::Pause(id)
            | Self::Resume(id)
            | Self::Sync(id)
            | Self::Fill(id)
            | Self::Free(id)
            | Self::AskClock(id)
            | Self::AskService(id)
            | Self::Mend(id)
            | Self::Relax(id) => write!(f, "{verb} {id}"),
            Self::Volatile { machine, seed } => write!(f, "{verb} disk of {machine} (seed {seed})"),
            Self::Ail { machine, ailment } => write!(f, "{verb} disk of {machine}: {ailment}"),
            Self::Service { machine, act } => write!(f, "{verb} of {machine}: {act}"),
            Self::Strain { machine, strain } => write!(f, "{verb} {machine}: {strain}"),
            Self::Ping { from, to } => write!(f, "{verb} {from} -> {to}"),
            Self::Cut(links) => write!(f, "{verb} {links}"),
            Self::Worsen { links, quality } => write!(f, "{verb} {links}: {quality}"),
            Self::Heal => f.write_str(verb),
            Self::Write { machine, file, value } => write!(f, "{verb} {value} to file {file} of {machine}"),
            Self::Read { machine, file } => write!(f, "{verb} file {file} of {machine}"),
            Self::SetClock { machine, seconds } | Self::Strobe { machine, seconds } => {
                write!(f, "{verb} {machine} by {seconds} s")
            }
            Self::Skew { machine, drift } => write!(f, "{verb} {machine}: {drift}"),
        }
    }
}

/// What a network says to a [`Command`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// It was done.
    Done,
    /// Whether the ping was answered.
    Pinged {
        /// True where an echo reply came.
        answered: bool,
    },
    /// What is in the file.
    Found(Found),
    /// The disk had no room for it; what was there before is there.
    NoRoom,
    /// The clock was set.
    ClockSet {
        /// Whether the clock that counts since the machine began went on meanwhile as if nothing had
        /// been.
        monotonic: bool,
    },
    /// The time.
    Time {
        /// By how many seconds it is ahead of what time it is.
        ahead: i64,
    },
    /// What the service does.
    Service(Service),
    /// The machine could not do it, for the reason given.
    Failed(String),
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Done => f.write_str("done"),
            Self::Pinged { answered: true } => f.write_str("answered"),
            Self::Pinged { answered: false } => f.write_str("not answered"),
            Self::Found(found) => write!(f, "{found}"),
            Self::NoRoom => f.write_str("no room on the disk"),
            Self::ClockSet { monotonic: true } => f.write_str("set, and other clocks went on"),
            Self::ClockSet { monotonic: false } => f.write_str("set, and the monotonic clock jumped"),
            Self::Time { ahead } => write!(f, "{ahead} s ahead"),
            Self::Service(service) => write!(f, "{service}"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}
