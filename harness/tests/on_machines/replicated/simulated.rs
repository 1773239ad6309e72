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

    /// The replicas that hear this machine, itself first.
    fn hearing(&self, at: usize) -> Vec<usize> {
        let others = (0..self.replicas.len()).filter(|other| *other != at);
        let hearing =
            others.filter(|other| self.replicas[*other].is_on && !self.cuts.contains(&(at, *other)));
        [at].into_iter().chain(hearing).collect()
    }

    /// Those of them whose answers it hears.
    fn heard(&self, at: usize) -> Vec<usize> {
        let mut heard = self.hearing(at);
        heard.retain(|other| !self.cuts.contains(&(*other, at)));
        heard
    }

    fn majority(&self) -> usize {
        self.replicas.len() / 2 + 1
    }

    /// What the holder of a lease goes by.
    fn lease_clock(&self, at: usize) -> i64 {
        self.now + if self.bug == Bug::WallClock { self.replicas[at].skew } else { 0 }
    }

    fn takes_from(&self, at: usize, from: usize) -> bool {
        let Replica { promise, lease_end, .. } = self.replicas[at];
        let is_free = promise.is_none_or(|(holder, until)| holder == Some(from) || until <= self.now);
        is_free && (at == from || lease_end <= self.lease_clock(at))
    }

    /// Waits until a majority of these takes something from a machine, or all of them where they are
    /// fewer.
    fn wait_for(&mut self, heard: &[usize], from: usize) {
        let needed = self.majority().min(heard.len());
        while heard.iter().filter(|replica| self.takes_from(**replica, from)).count() < needed {
            self.now += COMMAND;
        }
    }

    /// Whoever hears of a value takes it, whether or not the answer is heard.
    fn store(&mut self, from: usize, stamped: Stamped) {
        self.wait_for(&self.heard(from), from);
        for at in self.hearing(from) {
            if self.takes_from(at, from) && stamped.0 > self.replicas[at].held.0 {
                let replica = &mut self.replicas[at];
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
        self.store(at, (stamp, value));
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
        self.store(at, newest);
        Answer::Value(newest.1)
    }

    fn lease(&mut self, at: usize) -> Answer {
        let (heard, end) = (self.heard(at), self.lease_clock(at) + LEASE - MARGIN);
        // Its own replica is among those that promise. Who hears of it does so even where the answer is lost.
        self.wait_for(&[at], at);
        self.wait_for(&heard, at);
        let willing =
            |asked: Vec<usize>| asked.into_iter().filter(|other| self.takes_from(*other, at)).collect();
        let (promised, heard): (Vec<_>, Vec<_>) = (willing(self.hearing(at)), willing(heard));
        for replica in promised {
            let replica = &mut self.replicas[replica];
            (replica.promise, replica.has_promised) = (Some((Some(at), self.now + LEASE)), true);
        }
        if heard.len() < self.majority() {
            return Answer::Unavailable;
        }
        let newest = self.newest(&heard);
        self.store(at, newest);
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
        // However often a clock is set back, a lease that ended at 0 is over.
        Ok(Simulation { ids, replicas, cuts: BTreeSet::new(), now: 1_000_000 * SET_BACK, bug: self.0 })
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
