//! Lanes on machines in memory: the right model holds, races are caught and shrunk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "planted/shape.rs"]
mod shape;

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Duration;

use harness::machines::simulated::{SimulatedNetwork, SimulatedSystem};
use harness::{Config, LaneShape, Lanes, Runner, Shape, Silent, Stop, Summary, System, SystemError};
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network, NetworkParameters, Outcome};
use shape::shape;

fn run(system: &impl System<MachineSpec>, seed: u64) -> Summary<MachineSpec> {
    let bounds = NetworkParameters::new(vec!["6.1".parse().unwrap()]).unwrap().with_machines(1..=3);
    let lanes = LaneShape { lanes: 2..=3, commands: 1..=4, percent: 100, ..LaneShape::default() };
    let config = Config {
        cases: 200,
        shape: Shape { lanes: Some(lanes), ..Shape::sequential(0..=4) },
        seed: Some(seed.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let model = MachineSpec::new(bounds).unwrap();
    Runner::new(&model, system, &config, &Silent, &Stop::default()).run().unwrap()
}

#[test]
fn the_right_model_holds_in_lanes() {
    let summary = run(&SimulatedSystem, 1);
    assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (200, 0, "holds"));
}

/// Where lanes meet that do the same at the same time.
#[derive(Default)]
struct Crossing {
    /// How many have come so far, and how many are there.
    come: Mutex<(u64, u32)>,
    changed: Condvar,
}

impl Crossing {
    /// Waits for another lane, as long as one may take on a busy machine; whether there was one.
    fn cross(&self) -> bool {
        let mut come = self.come.lock().unwrap();
        *come = (come.0 + 1, come.1 + 1);
        let (mine, met) = (come.0, come.1 > 1);
        self.changed.notify_all();
        let alone = |come: &mut (u64, u32)| !met && come.0 == mine;
        let (mut come, _) = self.changed.wait_timeout_while(come, Duration::from_millis(100), alone).unwrap();
        come.1 -= 1;
        met || come.0 > mine
    }
}

/// What goes wrong where lanes meet.
#[derive(Clone, Copy)]
enum Race {
    /// Boot looks whether the machine is off, and switches it on a moment later, whoever did so
    /// meanwhile.
    BootedTwice,
    /// A machine that boots while another does never answers a ping.
    DeafFromBirth,
    /// A machine whose power is cut while another machine's is, stays on.
    CutForgotten,
}

struct Racy(Race);

struct RacyNetwork {
    network: Mutex<SimulatedNetwork>,
    crossing: Crossing,
    deaf: Mutex<BTreeSet<MachineId>>,
}

impl RacyNetwork {
    fn network(&self) -> MutexGuard<'_, SimulatedNetwork> {
        self.network.lock().unwrap()
    }

    fn give(&self, race: Race, command: &Command) -> Outcome<Response> {
        match (race, command) {
            (Race::BootedTwice, Command::Boot(id)) => {
                let on = self.network().machine(id).unwrap().running;
                self.crossing.cross();
                if !on {
                    self.network().give(command);
                    return Outcome::Answered(Response::Booted);
                }
            }
            (Race::DeafFromBirth, Command::Boot(id)) if self.crossing.cross() => {
                self.deaf.lock().unwrap().insert(id.clone());
            }
            (Race::DeafFromBirth, Command::Ping { from, to }) => {
                let network = self.network();
                if network.machine(from).unwrap().running && self.deaf.lock().unwrap().contains(to) {
                    return Outcome::Answered(Response::Pinged { answered: false });
                }
            }
            (Race::CutForgotten, Command::Shutdown(id)) => {
                let on = self.network().machine(id).unwrap().running;
                if self.crossing.cross() && on {
                    return Outcome::Answered(Response::ShutDown);
                }
            }
            _ => {}
        }
        self.network().give(command)
    }
}

impl System<MachineSpec> for Racy {
    type Sut = RacyNetwork;

    fn new_sut(&self, network: &Network) -> Result<RacyNetwork, SystemError> {
        let network = Mutex::new(network.into());
        Ok(RacyNetwork { network, crossing: Crossing::default(), deaf: Mutex::default() })
    }

    fn run(&self, sut: &mut RacyNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(sut.network().give(command))
    }

    fn run_lanes(&self, sut: &mut RacyNetwork, lanes: &Lanes<'_, MachineSpec>) -> Result<(), SystemError> {
        lanes.run(|_lane| Ok(|command: &Command| Ok(sut.give(self.0, command))))
    }
}

/// The smallest case of a race, over some seeds.
fn smallest(race: Race) -> Vec<String> {
    let found = (0..5).map(|seed| {
        let failure = run(&Racy(race), seed).failure.expect("the race is found");
        assert_eq!(failure.case.lanes.len(), 2, "{:?}", failure.case);
        shape(&failure.case)
    });
    found.collect()
}

#[test]
fn two_boots_of_one_machine_are_caught() {
    assert_eq!(smallest(Race::BootedTwice), [": Boot a || Boot a"; 5]);
}

#[test]
fn a_machine_that_is_deaf_from_birth_is_caught() {
    let known = [": Boot a, Ping a a || Boot a", ": Boot a || Boot a, Ping a a"];
    smallest(Race::DeafFromBirth)
        .iter()
        .for_each(|smallest| assert!(known.contains(&&**smallest), "{smallest}"));
}

#[test]
fn a_cut_that_is_forgotten_is_caught() {
    assert_eq!(smallest(Race::CutForgotten), ["Boot a: Shutdown a || Shutdown a"; 5]);
}
