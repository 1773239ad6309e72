//! Machines under faults, in memory. It exists to test the runner and the model; nothing is booted.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use model::faults::{Command, Drift, Found, Quality, Response, Service, Way, World};
use model::{FaultSpec, MachineId, Outcome};

use crate::lanes::Lanes;
use crate::machines::simulated::SimulatedSystem;
use crate::system::{System, SystemError};

/// A network in memory, with what faults have made of it.
///
/// Of what was not synced a power cut takes odd values and leaves even ones. Which pings are lost where
/// some are is drawn from a seed that follows from the network. A clock that runs wrong gains a second for
/// each percent whenever it is asked.
#[derive(Clone, Debug)]
pub struct SimulatedWorld {
    /// Which machines there are, are on, or stand still.
    world: World,
    cut: BTreeSet<Way>,
    worse: BTreeMap<Way, Quality>,
    /// What is in a file, and what of it is on the disk.
    files: HashMap<(MachineId, u8), Stored>,
    full: BTreeSet<MachineId>,
    ahead: HashMap<MachineId, i64>,
    drift: HashMap<MachineId, Drift>,
    services: HashMap<MachineId, Service>,
    chance: u64,
}

#[derive(Clone, Copy, Debug, Default)]
struct Stored {
    now: Option<u16>,
    synced: Option<u16>,
}

impl From<&World> for SimulatedWorld {
    fn from(world: &World) -> Self {
        Self {
            world: World::from(world.network.clone()),
            cut: BTreeSet::new(),
            worse: BTreeMap::new(),
            files: HashMap::new(),
            full: BTreeSet::new(),
            ahead: HashMap::new(),
            drift: HashMap::new(),
            services: HashMap::new(),
            chance: world.network.machines().len() as u64,
        }
    }
}

impl SimulatedWorld {
    /// Gives it a command; what makes no sense is refused.
    pub fn give(&mut self, command: &Command) -> Outcome<Response> {
        self.answer(command).map_or_else(Outcome::Refused, Outcome::Answered)
    }

    /// A number below 100, by a linear congruence (the multiplier is of Knuth's MMIX).
    fn percent(&mut self) -> u64 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.chance >> 33) % 100
    }

    fn passes(&mut self, from: &MachineId, to: &MachineId) -> bool {
        let way = (from.clone(), to.clone());
        let lost = match self.worse.get(&way) {
            Some(Quality::Lossy(percent) | Quality::Corrupting(percent)) => u64::from(percent.get()),
            _ => 0,
        };
        !self.cut.contains(&way) && self.percent() >= lost
    }

    fn of<'a>(&'a mut self, id: &'a MachineId) -> impl Iterator<Item = &'a mut Stored> {
        self.files.iter_mut().filter(move |((machine, _), _)| machine == id).map(|(_, stored)| stored)
    }

    fn sync(&mut self, id: &MachineId) {
        self.of(id).for_each(|stored| stored.synced = stored.now);
    }

    fn switch(&mut self, id: &MachineId, on: bool) {
        self.world.network = self.world.network.clone().with_running(id, on);
        self.world.paused.remove(id);
        self.ahead.remove(id);
        self.drift.remove(id);
        self.services.remove(id);
    }

    fn answer(&mut self, command: &Command) -> Result<Response, String> {
        command.check(&self.world)?;
        match command {
            Command::Boot(id) => self.switch(id, true),
            Command::PowerCut(id) => {
                let is_lost = |stored: &Stored| stored.now.is_some_and(|value| value % 2 == 1);
                self.of(id).filter(|stored| is_lost(stored)).for_each(|stored| stored.now = stored.synced);
                self.sync(id);
                self.switch(id, false);
            }
            Command::ShutDown(id) | Command::Reboot(id) => {
                self.sync(id);
                self.switch(id, matches!(command, Command::Reboot(_)));
            }
            Command::Pause(id) => drop(self.world.paused.insert(id.clone())),
            Command::Resume(id) => drop(self.world.paused.remove(id)),
            Command::Ping { from, to } => {
                let is_there = self.world.is_usable(to) && self.passes(from, to);
                return Ok(Response::Pinged { answered: is_there && self.passes(to, from) });
            }
            Command::Cut(links) => self.cut.extend(links.ways(&self.world.network.ids())),
            Command::Worsen { links, quality } => {
                let ways = links.ways(&self.world.network.ids());
                if ways.iter().any(|way| self.worse.contains_key(way)) {
                    return Err("a way is worse already".to_owned());
                }
                self.worse.extend(ways.into_iter().map(|way| (way, *quality)));
            }
            Command::Heal => {
                self.cut.clear();
                self.worse.clear();
            }
            Command::Write { machine, .. } if self.full.contains(machine) => return Ok(Response::NoRoom),
            Command::Write { machine, file, value } => {
                self.files.entry((machine.clone(), *file)).or_default().now = Some(*value);
            }
            Command::Sync(id) => self.sync(id),
            Command::Read { machine, file } => {
                let stored = self.files.get(&(machine.clone(), *file)).copied().unwrap_or_default();
                return Ok(Response::Found(stored.now.map_or(Found::Absent, Found::Value)));
            }
            Command::Fill(id) => {
                self.sync(id);
                self.full.insert(id.clone());
            }
            Command::Free(id) => {
                self.sync(id);
                self.full.remove(id);
            }
            Command::SetClock { machine, seconds } => {
                *self.ahead.entry(machine.clone()).or_default() += i64::from(*seconds);
                return Ok(Response::ClockSet { monotonic: true });
            }
            Command::Strobe { .. } => return Ok(Response::ClockSet { monotonic: true }),
            Command::Skew { machine, drift } => {
                self.drift.insert(machine.clone(), *drift);
                return Ok(Response::ClockSet { monotonic: true });
            }
            Command::Service { machine, act } => {
                let service = self.services.entry(machine.clone()).or_default();
                *service = service.after(*act);
            }
            Command::AskService(id) => {
                return Ok(Response::Service(self.services.get(id).copied().unwrap_or_default()));
            }
            Command::Volatile { .. }
            | Command::Ail { .. }
            | Command::Mend(_)
            | Command::Strain { .. }
            | Command::Relax(_) => {}
            Command::AskClock(id) => {
                let gained = self.drift.get(id).copied().unwrap_or_default().percent();
                let ahead = self.ahead.entry(id.clone()).or_default();
                *ahead += i64::from(gained);
                return Ok(Response::Time { ahead: *ahead });
            }
        }
        Ok(Response::Done)
    }
}

impl System<FaultSpec> for SimulatedSystem {
    type Sut = SimulatedWorld;

    fn new_sut(&self, world: &World) -> Result<SimulatedWorld, SystemError> {
        Ok(world.into())
    }

    fn run(&self, sut: &mut SimulatedWorld, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(sut.give(command))
    }

    fn run_lanes(&self, sut: &mut SimulatedWorld, lanes: &Lanes<'_, FaultSpec>) -> Result<(), SystemError> {
        let world = Mutex::new(sut);
        lanes.run(|_lane| {
            Ok(|command: &Command| {
                let mut world = world.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(world.give(command))
            })
        })
    }
}
