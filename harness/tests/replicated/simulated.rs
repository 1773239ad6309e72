//! A simulation of the register in memory: the same protocol and the same bugs, in a world where
//! time passes only as somebody waits.

use std::collections::BTreeSet;

use harness::prelude::*;

use super::service::Bug;
use super::specification::{Answer, Command, Register, State};

/// How long a promise lasts, how much earlier its holder takes it to be over, what a boot and any
/// other command take, and how far a clock is set back: milliseconds.
const LEASE: i64 = 3000;
const MARGIN: i64 = 1500;
const BOOT: i64 = 1000;
const COMMAND: i64 = 100;
const SET_BACK: i64 = 60_000;

/// Simulated registers with this bug.
pub(crate) struct SimulatedRegister(pub(crate) Bug);

/// A stamp and a value: the greater stamp is the newer one.
type Stamped = (u64, u8);

#[derive(Clone, Default)]
struct Replica {
    is_on: bool,
    held: Stamped,
    /// What it finds when it boots.
    disk: Stamped,
    /// Whether it ever made a promise, as its disk knows too.
    has_promised: bool,
    /// Whom it has promised to take nothing from others, and until when; nobody after a boot.
    promise: Option<(Option<usize>, i64)>,
    /// When its own lease ends, by the clock that it goes by.
    lease_end: i64,
    skew: i64,
}

pub(crate) struct Simulation {
    ids: Vec<MachineId>,
    replicas: Vec<Replica>,
    cuts: BTreeSet<(usize, usize)>,
    now: i64,
    bug: Bug,
}

impl Simulation {
    fn place(&self, id: &MachineId) -> usize {
        self.ids.iter().position(|known| known == id).unwrap()
    }

    /// The replicas that hear this machine and that it hears, itself first.
    fn heard(&self, at: usize) -> Vec<usize> {
        let is_open = |other: usize| !self.cuts.contains(&(at, other)) && !self.cuts.contains(&(other, at));
        let others = (0..self.replicas.len()).filter(|other| *other != at);
        let heard = others.filter(|other| self.replicas[*other].is_on && is_open(*other));
        [at].into_iter().chain(heard).collect()
    }

    fn majority(&self) -> usize {
        self.replicas.len() / 2 + 1
    }

    /// What the holder of a lease goes by.
    fn lease_clock(&self, at: usize) -> i64 {
        self.now + if self.bug == Bug::WallClock { self.replicas[at].skew } else { 0 }
    }

    fn takes_from(&self, replica: usize, from: usize) -> bool {
        let promise = self.replicas[replica].promise;
        promise.is_none_or(|(holder, until)| holder == Some(from) || until <= self.now)
    }

    /// Those of the replicas that take something from a machine, once a majority of them does.
    fn willing(&mut self, asked: &[usize], from: usize) -> Vec<usize> {
        let needed = self.majority().min(asked.len());
        loop {
            let willing = asked.iter().copied().filter(|replica| self.takes_from(*replica, from));
            let willing: Vec<_> = willing.collect();
            if willing.len() >= needed {
                return willing;
            }
            self.now += COMMAND;
        }
    }

    fn store(&mut self, asked: &[usize], from: usize, stamped: Stamped) {
        for replica in self.willing(asked, from) {
            let replica = &mut self.replicas[replica];
            if stamped.0 > replica.held.0 {
                (replica.held, replica.lease_end) = (stamped, 0);
                if self.bug != Bug::Unsynced {
                    replica.disk = stamped;
                }
            }
        }
    }

    fn newest(&self, of: &[usize]) -> Stamped {
        of.iter().map(|replica| self.replicas[*replica].held).max().unwrap()
    }

    fn write(&mut self, at: usize, value: u8) -> Answer {
        let heard = self.heard(at);
        let needed = if self.bug == Bug::NoMajority { 1 } else { self.majority() };
        if heard.len() < needed {
            return Answer::Unavailable;
        }
        let stamp = (self.newest(&heard).0 / 16 + 1) * 16 + at as u64;
        self.store(&heard, at, (stamp, value));
        Answer::Stored
    }

    fn read(&mut self, at: usize) -> Answer {
        let own = &self.replicas[at];
        if self.lease_clock(at) < own.lease_end {
            return Answer::Value(own.held.1);
        }
        let (heard, own) = (self.heard(at), own.held.1);
        if heard.len() < self.majority() {
            return Answer::Unavailable;
        }
        if self.bug == Bug::StaleRead {
            return Answer::Value(own);
        }
        let newest = self.newest(&heard);
        self.store(&heard, at, newest);
        Answer::Value(newest.1)
    }

    fn lease(&mut self, at: usize) -> Answer {
        let (heard, end) = (self.heard(at), self.lease_clock(at) + LEASE - MARGIN);
        // Its own replica is among those that promise. Who can does so even where it comes to nothing.
        self.willing(&[at], at);
        let willing = self.willing(&heard, at);
        for replica in &willing {
            let replica = &mut self.replicas[*replica];
            (replica.promise, replica.has_promised) = (Some((Some(at), self.now + LEASE)), true);
        }
        if willing.len() < self.majority() {
            return Answer::Unavailable;
        }
        let newest = self.newest(&willing);
        self.store(&heard, at, newest);
        self.replicas[at].lease_end = end;
        Answer::Leased
    }

    fn cut_power(&mut self, at: usize) {
        let replica = &mut self.replicas[at];
        *replica = Replica { disk: replica.disk, has_promised: replica.has_promised, ..Replica::default() };
    }

    fn boot(&mut self) {
        self.now += BOOT;
        for replica in self.replicas.iter_mut().filter(|replica| !replica.is_on) {
            (replica.is_on, replica.held) = (true, replica.disk);
            replica.promise = replica.has_promised.then_some((None, self.now + LEASE));
        }
    }
}

impl System<Register> for SimulatedRegister {
    type Sut = Simulation;

    fn new_sut(&self, state: &State) -> Result<Simulation, SystemError> {
        let ids = state.network.ids();
        let replicas = vec![Replica { is_on: true, ..Replica::default() }; ids.len()];
        // Times are counted from a moment at which nobody's lease, which ends at 0, is in force.
        Ok(Simulation { ids, replicas, cuts: BTreeSet::new(), now: 2 * SET_BACK, bug: self.0 })
    }

    fn run(&self, register: &mut Simulation, command: &Command) -> Result<Outcome<Answer>, SystemError> {
        register.now += COMMAND;
        let place = |id: &MachineId| register.place(id);
        Ok(Outcome::Answered(match command {
            Command::Write { at, value } => register.write(place(at), *value),
            Command::Read { at } => register.read(place(at)),
            Command::Lease { at } => register.lease(place(at)),
            fault => {
                match fault {
                    Command::Partition { alone } => {
                        let alone = place(alone);
                        let others = (0..register.ids.len()).filter(|other| *other != alone);
                        register.cuts.extend(others.flat_map(|other| [(alone, other), (other, alone)]));
                    }
                    Command::OneWay { from, to } => {
                        let pair = (place(from), place(to));
                        register.cuts.insert(pair);
                    }
                    Command::Heal => register.cuts.clear(),
                    Command::PowerCut(id) => register.cut_power(place(id)),
                    Command::Outage => (0..register.ids.len()).for_each(|at| register.cut_power(at)),
                    Command::Boot => register.boot(),
                    Command::SetClock(id) => {
                        let at = place(id);
                        register.replicas[at].skew -= SET_BACK;
                    }
                    Command::Write { .. } | Command::Read { .. } | Command::Lease { .. } => {}
                }
                Answer::Done
            }
        }))
    }
}
