//! Machines that exist in memory only, for tests of what is built on top of the traits.
//!
//! A simulated machine keeps the whole contract, plays the guest of the
//! [contract suite](crate::contract), and can be told to misbehave. It has one disk, which every file
//! stands for, and makes no file, no process and no socket.

mod disk;
#[cfg(test)]
mod tests;

use std::collections::{HashMap, VecDeque};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crate::journal::{self, Journal};
use crate::machine::{Definition, Event, Hypervisor, Machine, State, Transition};
use crate::{ConsoleLine, DiskFault, Error, Lost, Snapshot};
use disk::Disk;

/// How much of a console is kept, in bytes.
const KEPT: usize = 256 * 1024;
/// What a kernel says at its end.
const PANIC: &str = "Kernel panic - not syncing: simulated";

/// What a simulated machine does instead of getting ready.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Behaviour {
    /// It gets ready.
    Ready,
    /// It cannot be started: the hypervisor refuses with this text.
    RefusesToStart(String),
    /// It cannot be started since a port is taken.
    PortTaken,
    /// Its kernel panics before the guest speaks.
    Panics,
    /// Its guest says hello and nothing more.
    NeverReady,
    /// Its guest does not find its control port.
    Mute,
    /// Its guest fails with this reason.
    Fails(String),
    /// It ends before its guest speaks.
    Ends,
}

/// A hypervisor in memory. Clones are the same one.
#[derive(Clone, Debug, Default)]
pub struct Simulated {
    behaviours: Arc<Mutex<HashMap<String, Behaviour>>>,
    templates: Templates,
}

/// What machines were that others can begin from, by the directories that they would lie in.
type Templates = Arc<Mutex<HashMap<PathBuf, Guest>>>;

impl Simulated {
    /// One whose machines behave well.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// From its next start on, the machine `name` behaves like this.
    pub fn behave(&self, name: &str, behaviour: Behaviour) {
        lock(&self.behaviours).insert(name.to_owned(), behaviour);
    }
}

impl Hypervisor for Simulated {
    fn define(&self, definition: &Definition) -> Result<Box<dyn Machine>, Error> {
        definition.endpoints.check()?;
        Ok(Box::new(SimulatedMachine {
            name: definition.name.clone(),
            behaviours: Arc::clone(&self.behaviours),
            templates: Arc::clone(&self.templates),
            template: None,
            guest: Guest::default(),
            saved: Vec::new(),
            state: State::Off,
            console: String::new(),
            journal: Journal::default(),
            said: VecDeque::new(),
            held: VecDeque::new(),
            never: Never::default(),
        }))
    }
}

#[derive(Debug)]
struct SimulatedMachine {
    name: String,
    behaviours: Arc<Mutex<HashMap<String, Behaviour>>>,
    templates: Templates,
    /// Where this life is to be kept for others.
    template: Option<PathBuf>,
    guest: Guest,
    /// What was saved, and whether it was off then.
    saved: Vec<(Snapshot, Guest, bool)>,
    state: State,
    console: String,
    journal: Journal,
    /// What the guest did and nobody has taken yet.
    said: VecDeque<Event>,
    /// What was sent while the machine was suspended.
    held: VecDeque<String>,
    never: Never,
}

/// What is kept of a machine when it is saved.
#[derive(Clone, Debug, Default)]
struct Guest {
    /// What it remembers beyond its life.
    disk: Disk,
    /// What it remembers in this life.
    note: String,
    identified: bool,
    /// Whether it does nothing any more.
    mute: bool,
}

/// Something to wait on that never comes: no one else can make a simulated machine do anything.
#[derive(Debug, Default)]
struct Never(Mutex<()>, Condvar);

impl Never {
    fn wait(&self, deadline: Instant) {
        let mut guard = lock(&self.0);
        while let Some(left) = deadline.checked_duration_since(Instant::now()).filter(|left| !left.is_zero())
        {
            (guard, _) = self.1.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl SimulatedMachine {
    fn say(&mut self, line: impl Into<String>) {
        let line = line.into();
        match line.strip_prefix(journal::MARK) {
            Some(said) => self.journal.push(said),
            None => self.said.push_back(Event::Control(line)),
        }
    }

    fn print(&mut self, line: &str) {
        let _ = writeln!(self.console, "{line}");
        let surplus = self.console.len().saturating_sub(KEPT);
        if let Some(from) = (surplus..surplus + 4).find(|from| self.console.is_char_boundary(*from)) {
            self.console.drain(..from);
        }
    }

    fn find(&self, snapshot: &Snapshot) -> Result<usize, Error> {
        let found = self.saved.iter().position(|(saved, ..)| saved == snapshot);
        let foreign =
            || Error::ForeignSnapshot { machine: self.name.clone(), of: snapshot.machine().to_owned() };
        found.ok_or_else(foreign)
    }

    fn panic(&mut self) {
        self.print(PANIC);
        self.said.push_back(Event::Panic(PANIC.to_owned()));
        self.state = State::Crashed;
    }

    fn end(&mut self) {
        self.state = State::Off;
        self.template = None;
        self.held.clear();
    }

    /// The guest takes a line from its control port.
    fn take(&mut self, line: &str) {
        if self.guest.mute || self.state != State::Running {
            return;
        }
        let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
        if !self.guest.identified {
            match (word, rest.split_once(' ').unwrap_or((rest, ""))) {
                ("prepare" | "resumed", _) => self.say("ready"),
                ("contract", ("never", _)) => self.guest.mute = true,
                ("contract", ("panic", _)) => self.panic(),
                ("contract", ("fail", reason)) => {
                    self.say(format!("failed {reason}"));
                    self.guest.mute = true;
                }
                ("end", _) => {
                    self.guest.identified = true;
                    self.say("ready");
                }
                _ => {}
            }
            return;
        }
        match word {
            "say" => self.say(rest),
            "resumed" => self.say("ready"),
            "print" => {
                self.print(rest);
                self.say("printed");
            }
            "flood" => {
                (0..KEPT / 8).for_each(|_| self.print("flooding the console"));
                self.say("flooded");
            }
            "remember" | "recall" | "put" | "keep" | "get" => {
                let answer = self.guest.disk.obey(word, rest);
                self.say(answer);
            }
            "note" => {
                self.guest.note = rest.to_owned();
                self.say("noted");
            }
            "read" => self.say(self.guest.note.clone()),
            "panic" => self.panic(),
            "poweroff" => self.end(),
            _ => {}
        }
    }
}

impl Machine for SimulatedMachine {
    fn name(&self) -> &str {
        &self.name
    }

    fn start(&mut self) -> Result<(), Error> {
        Transition::Start.check(&self.name, self.state)?;
        let behaviour = lock(&self.behaviours).get(&self.name).cloned().unwrap_or(Behaviour::Ready);
        let machine = self.name.clone();
        match &behaviour {
            Behaviour::RefusesToStart(message) => {
                let message = message.clone();
                return Err(Error::Refused { action: Transition::Start, machine, message });
            }
            Behaviour::PortTaken => {
                return Err(Error::PortTaken { machine, message: "simulated".to_owned() });
            }
            _ => {}
        }
        self.state = State::Running;
        self.console.clear();
        self.journal = Journal::default();
        self.said.clear();
        self.held.clear();
        self.guest.disk.heal();
        self.guest.identified = false;
        self.guest.note.clear();
        self.guest.mute = matches!(behaviour, Behaviour::NeverReady | Behaviour::Mute | Behaviour::Fails(_));
        self.print("simulated machine begins");
        match behaviour {
            Behaviour::Panics => self.panic(),
            Behaviour::Ends => self.end(),
            Behaviour::Mute => {}
            Behaviour::Fails(reason) => {
                self.say("hello 1");
                self.say(format!("failed {reason}"));
            }
            _ => self.say("hello 1"),
        }
        Ok(())
    }

    fn power_cut(&mut self) -> Result<(), Error> {
        Transition::PowerCut.check(&self.name, self.state)?;
        self.end();
        Ok(())
    }

    fn shut_down(&mut self, limit: Duration) -> Result<(), Error> {
        Transition::ShutDown.check(&self.name, self.state)?;
        if self.guest.mute || !self.guest.identified {
            self.never.wait(Instant::now() + limit);
            let machine = self.name.clone();
            return Err(Error::Limit { action: Transition::ShutDown, machine, limit });
        }
        self.end();
        Ok(())
    }

    fn suspend(&mut self) -> Result<(), Error> {
        Transition::Suspend.check(&self.name, self.state)?;
        self.guest.disk.write_back();
        self.state = State::Suspended;
        Ok(())
    }

    fn resume(&mut self) -> Result<(), Error> {
        Transition::Resume.check(&self.name, self.state)?;
        self.state = State::Running;
        while let Some(line) = self.held.pop_front() {
            self.take(&line);
        }
        Ok(())
    }

    fn state(&self) -> State {
        self.state
    }

    fn console(&self) -> String {
        self.console.clone()
    }

    fn journal_lines(&self) -> Vec<ConsoleLine> {
        self.journal.lines()
    }

    fn send(&mut self, line: &str) -> Result<(), Error> {
        Transition::Send.check(&self.name, self.state)?;
        for line in line.lines() {
            if self.state == State::Suspended {
                self.held.push_back(line.to_owned());
            } else {
                self.take(line);
            }
        }
        Ok(())
    }

    fn next_event(&mut self, deadline: Instant) -> Event {
        if let Some(event) = self.said.pop_front() {
            return event;
        }
        if self.state == State::Off {
            return Event::Ended;
        }
        self.never.wait(deadline);
        Event::Timeout
    }

    fn save(&mut self) -> Result<Snapshot, Error> {
        Transition::Save.check(&self.name, self.state)?;
        let snapshot = Snapshot::new(&self.name);
        self.guest.disk.write_back();
        self.saved.push((snapshot.clone(), self.guest.clone(), self.state == State::Off));
        Ok(snapshot)
    }

    fn revert(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let (_, guest, was_off) = &self.saved[self.find(snapshot)?];
        (self.guest, self.state) = (guest.clone(), if *was_off { State::Off } else { State::Suspended });
        self.guest.disk.heal();
        self.console.clear();
        self.journal = Journal::default();
        self.said.clear();
        self.held.clear();
        Ok(())
    }

    fn forget(&mut self, snapshot: &Snapshot) -> Result<(), Error> {
        let index = self.find(snapshot)?;
        self.saved.remove(index);
        Ok(())
    }

    fn start_template(&mut self, directory: &Path) -> Result<(), Error> {
        self.start()?;
        self.template = Some(directory.to_owned());
        Ok(())
    }

    fn save_template(&mut self, directory: &Path) -> Result<(), Error> {
        Transition::SaveTemplate.check(&self.name, self.state)?;
        let is_one = self.template.as_deref() == Some(directory);
        self.end();
        if !is_one {
            return Err(Error::NoSnapshots { machine: self.name.clone() });
        }
        lock(&self.templates).insert(directory.to_owned(), self.guest.clone());
        Ok(())
    }

    fn start_from(&mut self, directory: &Path) -> Result<(), Error> {
        Transition::Start.check(&self.name, self.state)?;
        let Some(template) = lock(&self.templates).get(directory).cloned() else {
            let (machine, message) = (self.name.clone(), "there is no such template".to_owned());
            return Err(Error::Refused { action: Transition::Start, machine, message });
        };
        // The disk is its own.
        self.guest = Guest { disk: self.guest.disk.clone(), ..template };
        self.guest.disk.heal();
        self.console.clear();
        self.journal = Journal::default();
        self.said.clear();
        self.held.clear();
        self.state = State::Suspended;
        Ok(())
    }

    fn set_disk_fault(&mut self, _disk: &Path, fault: DiskFault) -> Result<(), Error> {
        Transition::ChangeDisk.check(&self.name, self.state)?;
        self.guest.disk.set(fault);
        Ok(())
    }

    fn set_volatile(&mut self, _disk: &Path) -> Result<(), Error> {
        Transition::ChangeDisk.check(&self.name, self.state)?;
        self.guest.disk.make_volatile();
        Ok(())
    }

    fn power_cut_losing(&mut self, seed: u64) -> Result<Lost, Error> {
        Transition::PowerCut.check(&self.name, self.state)?;
        let lost = self.guest.disk.lose(seed);
        let lost = lost.ok_or_else(|| Error::NotVolatile { machine: self.name.clone() })?;
        self.end();
        Ok(lost)
    }

    fn undefine(self: Box<Self>) -> Result<(), Error> {
        Ok(())
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
