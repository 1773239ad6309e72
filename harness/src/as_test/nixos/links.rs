//! What is wrong with the ways between machines, brought about on the machines themselves.
//!
//! A way that is cut is a rule at its end, so that one-way cuts are; a way that is worse is a queue of the
//! kernel's (netem) at its beginning, or a rule there that has frames go twice. Rules are in a machine's
//! memory: they are set anew as it boots, and once it goes on where it stood still meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::MachineId;
use model::faults::{Percent, Quality, World};

use super::guests::Guests;
use super::literal::python;

/// By how many milliseconds a frame is late that others overtake.
const OVERTAKEN: u32 = 50;

/// The rules that are set on each machine.
#[derive(Default)]
pub(super) struct Links(BTreeMap<MachineId, Rules>);

/// The rules of one machine.
#[derive(Clone, Default, Eq, PartialEq)]
struct Rules {
    /// From whom it takes nothing.
    cut: BTreeSet<MachineId>,
    /// What becomes of what it sends to whom.
    worse: BTreeSet<(MachineId, Quality)>,
}

impl Links {
    /// A machine's memory is gone, and its rules with it.
    pub(super) fn forget(&mut self, id: &MachineId) {
        self.0.remove(id);
    }

    /// Statements that set on each machine that runs what the ways of a world are like.
    pub(super) fn follow(&mut self, guests: &Guests, world: &World) -> Vec<String> {
        let mut lines = Vec::new();
        for id in world.network.ids() {
            if !world.network.is_running(&id) {
                self.0.remove(&id);
            } else if world.is_usable(&id) {
                let (wanted, is_set) = (Rules::of(world, &id), self.0.entry(id.clone()).or_default());
                let name = guests.name(&id);
                let mut say = |text: String| lines.push(format!("{name}.succeed(lines({}))", python(&text)));
                if wanted.cut != is_set.cut {
                    say(wanted.cutting(guests));
                }
                if wanted.worse != is_set.worse {
                    say(wanted.worsening(guests));
                }
                *is_set = wanted;
            }
        }
        lines
    }
}

impl Rules {
    fn of(world: &World, id: &MachineId) -> Self {
        let cut = world.cut.iter().filter(|(_, to)| to == id).map(|(from, _)| from.clone());
        let worse = world.worse.iter().filter(|((from, _), _)| from == id);
        Self { cut: cut.collect(), worse: worse.map(|((_, to), quality)| (to.clone(), *quality)).collect() }
    }

    /// Drops what comes from those that are cut off, and nothing else.
    fn cutting(&self, guests: &Guests) -> String {
        let mut text = "set -e; iptables -F INPUT".to_owned();
        for from in &self.cut {
            write!(text, "; iptables -A INPUT -i eth1 -s {} -j DROP", guests.address(from)).ok();
        }
        text
    }

    /// Has what goes to each of them wait in a queue of its own, or go twice.
    fn worsening(&self, guests: &Guests) -> String {
        let mut text =
            "set -e; tc qdisc del dev eth1 root 2>/dev/null || :; iptables -t mangle -F OUTPUT".to_owned();
        let worse = self.worse.iter().map(|(to, quality)| (guests.address(to), worse(*quality)));
        let mut queues = 0;
        for (address, worse) in worse {
            match worse {
                Worse::Queue(netem) => {
                    queues += 1;
                    text.push_str(&queue(queues, &address, &netem));
                }
                Worse::Twice(percent) => text.push_str(&twice(&address, percent)),
            }
        }
        text
    }
}

/// The queue of this number, from 1, for what goes to an address.
fn queue(number: u32, address: &str, netem: &str) -> String {
    let root = if number == 1 { "; tc qdisc add dev eth1 root handle 1: htb" } else { "" };
    format!(
        "{root}; tc class add dev eth1 parent 1: classid 1:{number:x} htb rate 10gbit quantum 1514\
         ; tc qdisc add dev eth1 parent 1:{number:x} netem {netem}\
         ; tc filter add dev eth1 parent 1: protocol ip u32 match ip dst {address}/32 flowid 1:{number:x}"
    )
}

/// Sends a second one after so many of what goes to an address. netem could do so too, but kernels since 2025
/// refuse one that does beside any other on the same device.
fn twice(address: &str, percent: Percent) -> String {
    let share = f32::from(percent.get()) / 100.0;
    format!(
        "; iptables -t mangle -A OUTPUT -o eth1 -d {address} -m statistic --mode random --probability {share:.2} \
         -j TEE --gateway {address}"
    )
}

/// What a way is that is worse.
enum Worse {
    /// A queue, and what netem is told for it; it decides by chance of its own which frames it is.
    Queue(String),
    /// So many go twice.
    Twice(Percent),
}

/// What a quality is.
fn worse(quality: Quality) -> Worse {
    Worse::Queue(match quality {
        Quality::Slow { delay, jitter } => {
            let (delay, jitter) = (delay.milliseconds(), jitter.milliseconds());
            // netem's jitter goes both ways; a frame that is late may be overtaken.
            let (middle, spread) =
                (u32::from(delay) * 1000 + u32::from(jitter) * 500, u32::from(jitter) * 500);
            format!("delay {middle}us {spread}us")
        }
        Quality::Lossy(percent) => format!("loss {}%", percent.get()),
        Quality::Duplicating(percent) => return Worse::Twice(percent),
        Quality::Reordering(percent) => format!("delay {OVERTAKEN}ms reorder {}%", 100 - percent.get()),
        Quality::Corrupting(percent) => format!("corrupt {}%", percent.get()),
        Quality::Narrow { kilobits } => format!("rate {kilobits}kbit"),
    })
}
