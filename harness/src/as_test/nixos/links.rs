//! What is wrong with the ways between machines, brought about on the machines themselves.
//!
//! A way that is cut is a rule at its end, so that one-way cuts are; a way that is worse is a queue of the
//! kernel's (netem) at its beginning. Rules are in a machine's memory: they are set anew as it boots, and
//! once it goes on where it stood still meanwhile.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use model::MachineId;
use model::faults::{Quality, World};

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

    /// Has what goes to each of them wait in a queue of its own.
    fn worsening(&self, guests: &Guests) -> String {
        let mut text = "set -e; tc qdisc del dev eth1 root 2>/dev/null || :".to_owned();
        if !self.worse.is_empty() {
            text.push_str("; tc qdisc add dev eth1 root handle 1: htb");
        }
        for ((to, quality), number) in self.worse.iter().zip(1..) {
            let address = guests.address(to);
            write!(
                text,
                "; tc class add dev eth1 parent 1: classid 1:{number:x} htb rate 10gbit quantum 1514\
                 ; tc qdisc add dev eth1 parent 1:{number:x} netem {}\
                 ; tc filter add dev eth1 parent 1: protocol ip u32 match ip dst {address}/32 flowid 1:{number:x}",
                netem(*quality)
            )
            .ok();
        }
        text
    }
}

/// What netem is told; it decides by chance of its own which frames it is.
fn netem(quality: Quality) -> String {
    match quality {
        Quality::Slow { delay, jitter } => {
            let (delay, jitter) = (delay.milliseconds(), jitter.milliseconds());
            // netem's jitter goes both ways; a frame that is late may be overtaken.
            let (middle, spread) =
                (u32::from(delay) * 1000 + u32::from(jitter) * 500, u32::from(jitter) * 500);
            format!("delay {middle}us {spread}us")
        }
        Quality::Lossy(percent) => format!("loss {}%", percent.get()),
        Quality::Duplicating(percent) => format!("duplicate {}%", percent.get()),
        Quality::Reordering(percent) => format!("delay {OVERTAKEN}ms reorder {}%", 100 - percent.get()),
        Quality::Corrupting(percent) => format!("corrupt {}%", percent.get()),
        Quality::Narrow { kilobits } => format!("rate {kilobits}kbit"),
    }
}
