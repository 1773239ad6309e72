//! Lanes on machines in memory: the right model holds, races are caught and shrunk.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "planted/shape.rs"]
mod shape;

use std::collections::BTreeSet;
use std::sync::{Condvar, Mutex, MutexGuard};

use harness::machines::simulated::{SimulatedNetwork, SimulatedSystem};
use harness::{Config, LaneShape, Lanes, Runner, Shape, Silent, Stop, Summary, System, SystemError, report};
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network, NetworkParameters, Outcome};
use shape::shape;

fn model() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap());
    let bounds = NetworkParameters::new(kernels.to_vec()).unwrap().with_machines(1..=3);
    MachineSpec::new(bounds).unwrap()
}

fn run(system: &impl System<MachineSpec>, lanes: usize, seed: u64) -> Summary<MachineSpec> {
    let lanes = LaneShape { lanes: 2..=lanes, commands: 1..=4, percent: 100, ..LaneShape::default() };
    let config = Config {
        cases: 200,
        shape: Shape { lanes: Some(lanes), ..Shape::sequential(0..=4) },
        seed: Some(seed.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    };
    Runner::new(&model(), system, &config, &Silent, &Stop::default()).run().unwrap()
}

#[test]
fn the_right_model_holds_in_lanes() {
    for seed in 1..=10 {
        let summary = run(&SimulatedSystem, 3, seed);
        let verdict = (summary.held, summary.inconclusive, summary.verdict());
        assert_eq!(verdict, (200, 0, "holds"), "seed {seed}");
    }
}

/// Where lanes meet that do the same at the same time. Who comes waits for another, as long as
/// there is one that may come, so that nothing depends on how busy the machine is.
#[derive(Default)]
struct Crossing {
    waits: Mutex<Waits>,
    changed: Condvar,
}

#[derive(Default)]
struct Waits {
    /// How many lanes have not ended.
    lanes: usize,
    /// How many have come so far.
    come: u64,
    /// How many are there.
    there: usize,
}

/// A lane that has not ended.
struct Underway<'a>(&'a Crossing);

impl Drop for Underway<'_> {
    fn drop(&mut self) {
        self.0.waits.lock().unwrap().lanes -= 1;
        self.0.changed.notify_all();
    }
}

impl Crossing {
    fn enter(&self) -> Underway<'_> {
        self.waits.lock().unwrap().lanes += 1;
        Underway(self)
    }

    /// Waits for another lane; whether there was one.
    fn cross(&self) -> bool {
        let mut waits = self.waits.lock().unwrap();
        waits.come += 1;
        waits.there += 1;
        let (mine, met) = (waits.come, waits.there > 1);
        self.changed.notify_all();
        let alone = |waits: &mut Waits| !met && waits.come == mine && waits.lanes > waits.there;
        let mut waits = self.changed.wait_while(waits, alone).unwrap();
        waits.there -= 1;
        met || waits.come > mine
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
    /// Where those meet again who have met, before either goes on.
    leaving: Crossing,
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
                let outcome = self.network().give(command);
                // Whoever pings next finds both on.
                self.leaving.cross();
                return outcome;
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
        let (crossing, leaving) = Default::default();
        Ok(RacyNetwork { network, crossing, leaving, deaf: Mutex::default() })
    }

    fn run(&self, sut: &mut RacyNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(sut.network().give(command))
    }

    fn run_lanes(&self, sut: &mut RacyNetwork, lanes: &Lanes<'_, MachineSpec>) -> Result<(), SystemError> {
        let sut = &*sut;
        lanes.run(|_lane| {
            let underway = (sut.crossing.enter(), sut.leaving.enter());
            Ok(move |command: &Command| {
                let _ = &underway;
                Ok(sut.give(self.0, command))
            })
        })
    }
}

/// The smallest case of a race for each of some seeds. What lanes met by a chance that does not
/// come again ends no run.
fn smallest(race: Race) -> Vec<String> {
    let found = (0..5).map(|seed| {
        let failure = run(&Racy(race), 2, seed).failure.expect("the race is found");
        // Shown where an assertion fails.
        println!("{}", report::failure(&model(), &failure));
        assert!(failure.came_again(), "{:?}", failure.case);
        assert_eq!(failure.case.lanes.len(), 2, "{:?}", failure.case);
        shape(&failure.case)
    });
    found.collect()
}

fn all_are(smallest: &[String], known: &str) {
    assert!(smallest.iter().all(|smallest| smallest == known), "{smallest:?}");
}

#[test]
fn two_boots_of_one_machine_are_caught() {
    all_are(&smallest(Race::BootedTwice), ": Boot a || Boot a");
}

#[test]
fn a_machine_that_is_deaf_from_birth_is_caught() {
    // The other Boot may be of the same machine, where it is refused, or of another, and the ping
    // of either; all of these are equally small.
    for smallest in smallest(Race::DeafFromBirth) {
        let count = |word: &str| smallest.matches(word).count();
        let is_known = smallest.starts_with(": ") && (count("Boot "), count("Ping ")) == (2, 1);
        assert!(is_known && count(" ||") == 1 && count(",") == 1, "{smallest}");
    }
}

#[test]
fn a_cut_that_is_forgotten_is_caught() {
    all_are(&smallest(Race::CutForgotten), "Boot a: Shutdown a || Shutdown a");
}
