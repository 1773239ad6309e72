//! How reports show the register: its commands, what came, and the network as it was then.

use std::fmt::{self, Display, Formatter};

use harness::model::MachineId;
use harness::model::scene::{Link, Role, Scene};

use super::specification::{Answer, Command, State};

impl Display for Command {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Write { at, value } => write!(f, "Write {value} at {at}"),
            Self::Read { at } => write!(f, "Read at {at}"),
            Self::Lease { at } => write!(f, "Lease at {at}"),
            Self::Partition { alone } => write!(f, "Partition {alone} from the others"),
            Self::OneWay { from, to } => write!(f, "OneWay cut from {from} to {to}"),
            Self::Heal => f.write_str("Heal"),
            Self::PowerCut(id) => write!(f, "PowerCut of {id}"),
            Self::Outage => f.write_str("Outage of all machines"),
            Self::Boot => f.write_str("Boot"),
            Self::SetClock(id) => write!(f, "SetClock of {id} back by a minute"),
        }
    }
}

impl Display for Answer {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stored => f.write_str("stored"),
            Self::Value(value) => write!(f, "{value}"),
            Self::Leased => f.write_str("leased"),
            Self::Unavailable => f.write_str("no majority answers"),
            Self::Done => f.write_str("done"),
            Self::Failed(why) => write!(f, "failed: {why}"),
        }
    }
}

impl Display for State {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "the register holds {}", self.value)?;
        let (on, all) = (self.network.machines().len() - self.off(), self.network.machines().len());
        write!(f, ", {on} of {all} on")?;
        for (from, to) in &self.cuts {
            write!(f, ", cut {from} -> {to}")?;
        }
        if let Some(id) = &self.leased {
            write!(f, ", {id} has a lease")?;
        }
        for id in &self.skewed {
            write!(f, ", the clock of {id} is a minute late")?;
        }
        Ok(())
    }
}

/// What is right, and why.
pub(super) fn expectation(state: &State, command: &Command) -> String {
    let (Command::Write { at, .. } | Command::Read { at } | Command::Lease { at }) = command else {
        return "done".to_owned();
    };
    let value = state.value;
    match (command, state.has_majority(at)) {
        (Command::Read { .. }, true) => {
            format!("{value}, which was acknowledged last, since {at} hears a majority")
        }
        (Command::Read { .. }, false) if state.leased.as_ref() == Some(at) => {
            format!("{value}, which was acknowledged last, or that no majority answers {at}")
        }
        (Command::Write { .. }, true) => format!("stored, since {at} hears a majority"),
        (Command::Lease { .. }, true) => format!("leased, since {at} hears a majority"),
        _ => format!("that no majority answers {at}"),
    }
}

pub(super) fn scene(state: &State) -> Scene {
    let mut scene = Scene::of(&state.network);
    for seat in &mut scene.machines {
        let is_it = |id: &MachineId| id.as_str() == seat.name;
        let is_leased = state.leased.as_ref().is_some_and(is_it);
        let is_skewed = state.skewed.iter().any(is_it);
        seat.notes.extend(is_leased.then(|| "has a lease".to_owned()));
        seat.notes.extend(is_skewed.then(|| "clock -60 s".to_owned()));
    }
    let link = |(from, to): &(MachineId, MachineId)| Link {
        from: from.to_string(),
        to: to.to_string(),
        cut: true,
        what: "cut".to_owned(),
    };
    scene.links = state.cuts.iter().map(link).collect();
    scene
}

pub(super) fn role(command: &Command) -> Role {
    match command {
        Command::Read { .. } => Role::Ask,
        Command::Boot => Role::Boot,
        Command::Heal => Role::Heal,
        Command::Write { .. } | Command::Lease { .. } => Role::Command,
        Command::Partition { .. }
        | Command::OneWay { .. }
        | Command::PowerCut(_)
        | Command::Outage
        | Command::SetClock(_) => Role::Fault,
    }
}

pub(super) fn concerns(command: &Command) -> Vec<String> {
    let machines = match command {
        Command::Write { at, .. } | Command::Read { at } | Command::Lease { at } => vec![at],
        Command::Partition { alone: id } | Command::PowerCut(id) | Command::SetClock(id) => vec![id],
        Command::OneWay { from, to } => vec![from, to],
        Command::Heal | Command::Outage | Command::Boot => Vec::new(),
    };
    machines.into_iter().map(ToString::to_string).collect()
}
