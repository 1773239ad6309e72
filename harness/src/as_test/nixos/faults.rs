//! The commands of [`FaultSpec`] in a script.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use model::faults::{Command, Found, Reach, Service, World};
use model::step::predict;
use model::{FaultSpec, MachineId};

use super::guests::Guests;
use super::links::Links;
use super::literal::python;
use super::machines::{boot, ping};
use super::script::Step;
use crate::machines::faults::lines;

/// So many mebibytes are spared where memory is taken up: systemd and the driver's shell have to go on, which
/// whoever ends programs for want of memory might take first.
const SPARED: u32 = 256;

/// What commands are on some guests, one after another.
pub struct Steps<'a> {
    guests: &'a Guests,
    links: Links,
    /// Files of which the script cannot know whether they were written.
    open: BTreeSet<(MachineId, u8)>,
}

impl<'a> Steps<'a> {
    /// Before the first command.
    #[must_use]
    pub fn new(guests: &'a Guests) -> Self {
        Self { guests, links: Links::default(), open: BTreeSet::new() }
    }

    /// What the next command is, in the state before it, with what it makes of the ways between machines.
    pub fn step(&mut self, model: &FaultSpec, world: &World, command: &Command) -> Step {
        let mut step = self.command(world, command);
        step.lines.extend(self.links.follow(self.guests, &predict(model, world, command)));
        if let (Command::Cut(_) | Command::Worsen { .. } | Command::Heal, true) =
            (command, step.lines.is_empty())
        {
            step.lines.push("pass  # nothing runs on which it would change anything now".to_owned());
        }
        step
    }

    fn command(&mut self, world: &World, command: &Command) -> Step {
        match command {
            Command::Boot(id) => boot(self.guests, id),
            Command::PowerCut(id) => self.does(id, "crash()"),
            Command::ShutDown(id) => self.does(id, "shutdown()"),
            Command::Reboot(id) => {
                self.links.forget(id);
                let mut step = self.does(id, "shutdown()");
                step.lines.extend(boot(self.guests, id).lines);
                step
            }
            Command::Pause(id) => self.does(id, "send_monitor_command(\"stop\")"),
            Command::Resume(id) => self.resume(world, id),
            Command::Ping { from, to } => {
                let is_answered = match world.reach(from, to) {
                    Reach::Answered => Some(true),
                    Reach::Silent(_) => Some(false),
                    Reach::Either => None,
                };
                ping(self.guests, from, to, is_answered)
            }
            Command::Cut(_) | Command::Worsen { .. } | Command::Heal => Step::default(),
            Command::Write { machine, file, value } => self.write(world, machine, *file, *value),
            Command::Read { machine, file } => self.read(world, machine, *file),
            Command::Sync(id) => self.runs(id, lines::SYNC),
            Command::Fill(id) => self.runs(id, lines::FILL),
            Command::Free(id) => self.runs(id, lines::FREE),
            Command::Relax(id) => self.runs(id, lines::RELAX),
            Command::Strain { machine, strain } => self.runs(machine, &lines::strain(*strain, SPARED)),
            Command::Service { machine, act } => self.runs(machine, &lines::service(*act)),
            Command::AskService(id) => self.service(id, world.service(id)),
            Command::SetClock { machine, seconds } => self.watched(machine, &lines::step((*seconds).into())),
            Command::Strobe { machine, seconds } => self.watched(machine, &lines::strobe((*seconds).into())),
            Command::Skew { machine, drift } => self.watched(machine, &lines::skew(*drift)),
            Command::AskClock(id) => self.clock(id, world.may_be_ahead(id)),
            Command::Volatile { .. } => {
                Step::left_out("a disk of the driver loses nothing that the guest has given it")
            }
            Command::Ail { .. } => Step::left_out("no disk of the driver is slow, or fails"),
            Command::Mend(_) => Step::left_out("no disk of the driver has failed"),
        }
    }

    /// A method of a machine.
    fn does(&self, id: &MachineId, what: &str) -> Step {
        Step::line(format!("{}.{what}", self.guests.name(id)))
    }

    /// Lines of shell that succeed.
    fn runs(&self, id: &MachineId, text: &str) -> Step {
        self.does(id, &format!("succeed(lines({}))", python(text)))
    }

    /// A clock that stood still is told the time: it stays as far off as it was set.
    fn resume(&self, world: &World, id: &MachineId) -> Step {
        let mut step = self.does(id, "send_monitor_command(\"cont\")");
        let set = world.ahead.get(id).copied().unwrap_or_default();
        step.lines.push(format!("set_clock({}, {set})", self.guests.name(id)));
        step
    }

    /// A disk that is full may have room all the same, and then nobody knows what is in the file.
    fn write(&mut self, world: &World, id: &MachineId, file: u8, value: u16) -> Step {
        let place = (id.clone(), file);
        if world.full.contains(id) {
            self.open.insert(place);
            let line = python(&lines::write(file, value));
            return Step::line(format!("print({}.execute(lines({line})))", self.guests.name(id)));
        }
        self.open.remove(&place);
        self.runs(id, &lines::write(file, value))
    }

    fn read(&self, world: &World, id: &MachineId, file: u8) -> Step {
        let read = format!("read({}, {})", self.guests.name(id), python(&lines::path(file)));
        if self.open.contains(&(id.clone(), file)) {
            return Step::line(format!("print({read})"));
        }
        let found = |found: &Found| match found {
            Found::Absent => "None".to_owned(),
            Found::Blank => python(""),
            Found::Value(value) => python(&value.to_string()),
            Found::Damaged(text) => python(text),
        };
        let may: Vec<_> = world.may_hold(id, file).iter().map(found).collect();
        Step {
            lines: vec![format!("found = {read}"), format!("assert found in [{}], found", may.join(", "))],
            left_out: None,
        }
    }

    fn service(&self, id: &MachineId, service: Service) -> Step {
        let word = match service {
            Service::Down => "down",
            Service::Going => "going",
            Service::Stopped => "stopped",
        };
        let ask = format!("{}.succeed(lines({}))", self.guests.name(id), python(&lines::ask_service()));
        Step::line(format!("assert {ask}.strip() == {}", python(word)))
    }

    fn watched(&self, id: &MachineId, text: &str) -> Step {
        Step::line(format!("watched({}, {})", self.guests.name(id), python(&lines::watched(text))))
    }

    fn clock(&self, id: &MachineId, may: RangeInclusive<i64>) -> Step {
        let mut lines = vec![format!("seconds = ahead({})", self.guests.name(id))];
        if *may.start() > i64::MIN {
            lines.push(format!("assert seconds >= {}, seconds", may.start()));
        }
        if *may.end() < i64::MAX {
            lines.push(format!("assert seconds <= {}, seconds", may.end()));
        }
        if lines.len() == 1 {
            lines.push("print(seconds)".to_owned());
        }
        Step { lines, left_out: None }
    }
}
