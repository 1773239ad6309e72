//! A world on a map, and what commands do to it.

use std::collections::BTreeSet;

use super::clock::Drift;
use super::command::Command;
use super::service::Act;
use super::world::World;
use crate::machine::MachineId;
use crate::scene::{Link, Power, Role, Scene};

/// The world as a map shows it.
pub(super) fn of(world: &World) -> Scene {
    let mut scene = Scene::of(&world.network);
    for seat in &mut scene.machines {
        let is_it = |id: &&MachineId| id.as_str() == seat.name;
        let is_among = |ids: &BTreeSet<MachineId>| ids.iter().any(|id| is_it(&id));
        if seat.power == Power::On && is_among(&world.paused) {
            seat.power = Power::Paused;
        }
        let mut note = |is_so: bool, what: &str| seat.notes.extend(is_so.then(|| what.to_owned()));
        note(is_among(&world.full), "disk full");
        note(is_among(&world.failed), "disk failed");
        if let Some(service) = world.services.iter().find(|(id, _)| is_it(id)) {
            seat.notes.push(format!("service {}", service.1));
        }
        if let Some(ahead) = world.ahead.iter().find(|(id, ahead)| is_it(id) && **ahead != 0) {
            seat.notes.push(format!("clock {:+} s", ahead.1));
        }
    }
    let link = |(from, to): &(MachineId, MachineId), cut: bool, what: String| Link {
        from: from.to_string(),
        to: to.to_string(),
        cut,
        what,
    };
    let cut = world.cut.iter().map(|way| link(way, true, "cut".to_owned()));
    let worse = world.worse.iter().map(|(way, quality)| link(way, false, quality.to_string()));
    scene.links = cut.chain(worse).collect();
    scene
}

/// What a command does to a network.
pub(super) fn role(command: &Command) -> Role {
    match command {
        Command::Boot(_) | Command::Reboot(_) => Role::Boot,
        Command::ShutDown(_) => Role::Off,
        Command::Pause(_) => Role::Pause,
        Command::Resume(_) => Role::Resume,
        Command::Ping { .. } | Command::Read { .. } | Command::AskClock(_) | Command::AskService(_) => {
            Role::Ask
        }
        Command::Skew { drift, .. } if *drift == Drift::default() => Role::Heal,
        Command::Heal
        | Command::Mend(_)
        | Command::Free(_)
        | Command::Relax(_)
        | Command::Service { act: Act::Start | Act::Continue, .. } => Role::Heal,
        Command::PowerCut(_)
        | Command::Cut(_)
        | Command::Worsen { .. }
        | Command::Volatile { .. }
        | Command::Ail { .. }
        | Command::Fill(_)
        | Command::SetClock { .. }
        | Command::Strobe { .. }
        | Command::Skew { .. }
        | Command::Service { .. }
        | Command::Strain { .. } => Role::Fault,
        Command::Write { .. } | Command::Sync(_) => Role::Command,
    }
}

impl Command {
    /// The machines that it names.
    #[must_use]
    pub fn machines(&self) -> Vec<&MachineId> {
        match self {
            Self::Ping { from, to } => vec![from, to],
            Self::Cut(links) | Self::Worsen { links, .. } => links.machines(),
            Self::Boot(id)
            | Self::PowerCut(id)
            | Self::ShutDown(id)
            | Self::Reboot(id)
            | Self::Pause(id)
            | Self::Resume(id)
            | Self::Volatile { machine: id, .. }
            | Self::Ail { machine: id, .. }
            | Self::Mend(id) => vec![id],
            Self::Heal => Vec::new(),
            _ => self.runs_on().into_iter().collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::faults::Links;
    use crate::{Machine, Network, Subnet};

    fn world() -> World {
        let machine = |name: &str, last: u8| {
            let id = name.parse().unwrap();
            let uuid = uuid::Uuid::from_bytes([last; 16]);
            Machine::new(id, uuid, [172, 16, 2, last].into(), "6.1".parse().unwrap())
        };
        let machines = vec![machine("a", 5), machine("b", 6)];
        Network::new(Subnet::default(), machines).unwrap().with_running(&"a".parse().unwrap(), true).into()
    }

    #[test]
    fn a_map_shows_what_is_wrong_and_where() {
        let mut world = world();
        let (a, b): (MachineId, MachineId) = ("a".parse().unwrap(), "b".parse().unwrap());
        world.paused.insert(a.clone());
        world.full.insert(a.clone());
        world.ahead.insert(b.clone(), -7);
        world.cut.insert((b.clone(), a.clone()));
        let scene = of(&world);
        let shown: Vec<_> = scene.machines.iter().map(|seat| (seat.power, seat.notes.join("; "))).collect();
        let expected = [(Power::Paused, "disk full".to_owned()), (Power::Off, "clock -7 s".to_owned())];
        assert_eq!(shown, expected);
        let way = Link { from: "b".to_owned(), to: "a".to_owned(), cut: true, what: "cut".to_owned() };
        assert_eq!(scene.links, [way]);
    }

    #[test]
    fn commands_are_of_the_machines_that_they_name() {
        let (a, b): (MachineId, MachineId) = ("a".parse().unwrap(), "b".parse().unwrap());
        let cut = Command::Cut(Links::Between(a.clone(), b.clone()));
        assert_eq!((cut.machines(), role(&cut)), (vec![&a, &b], Role::Fault));
        let read = Command::Read { machine: b.clone(), file: 0 };
        assert_eq!((read.machines(), role(&read)), (vec![&b], Role::Ask));
        assert_eq!((Command::Heal.machines(), role(&Command::Heal)), (vec![], Role::Heal));
    }
}
