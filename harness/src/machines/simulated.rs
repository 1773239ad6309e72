//! A network of machines in memory. It exists to test the runner; nothing is booted.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use model::machines::{Command, Facts, Response};
use model::{Machine, MachineId, MachineSpec, Network, Outcome};

use crate::lanes::Lanes;
use crate::system::{System, SystemError};

/// Makes networks that switch on and off at once and answer each other's pings.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedSystem;

/// A network in memory: what each machine is, whether it is on, and how often it was booted.
#[derive(Clone, Debug)]
pub struct SimulatedNetwork {
    network: Network,
    boots: HashMap<MachineId, u32>,
}

impl SimulatedNetwork {
    /// How often a machine was booted so far.
    #[must_use]
    pub fn boots(&self, id: &MachineId) -> u32 {
        self.boots.get(id).copied().unwrap_or_default()
    }

    /// What a machine is by now.
    #[must_use]
    pub fn machine(&self, id: &MachineId) -> Option<&Machine> {
        self.network.machine(id)
    }

    /// Gives the network a command; what makes no sense is refused.
    pub fn give(&mut self, command: &Command) -> Outcome<Response> {
        self.answer(command).map_or_else(Outcome::Refused, Outcome::Answered)
    }

    /// Gives the network a command; what makes no sense is answered with a failure.
    pub fn run(&mut self, command: &Command) -> Response {
        self.answer(command).unwrap_or_else(Response::Failed)
    }

    fn answer(&mut self, command: &Command) -> Result<Response, String> {
        command.check(&self.network)?;
        Ok(match command {
            Command::Boot(id) => {
                self.change(id, |machine| machine.running = true);
                *self.boots.entry(id.clone()).or_default() += 1;
                Response::Booted
            }
            Command::Shutdown(id) => {
                self.change(id, |machine| machine.running = false);
                Response::ShutDown
            }
            Command::Ping { to, .. } => Response::Pinged { answered: self.network.is_running(to) },
            Command::Inspect(id) => {
                let machine = self.machine(id).ok_or("there is no such machine")?;
                Response::Inspected(Box::new(Facts::of(machine)))
            }
            Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
                self.change(machine, |machine| to.apply(machine));
                *self.boots.entry(machine.clone()).or_default() += 1;
                Response::Changed { scratch_kept: true }
            }
        })
    }

    fn change(&mut self, id: &MachineId, change: impl FnOnce(&mut Machine)) {
        self.network = self.network.clone().with_changed(id, change);
    }
}

impl From<&Network> for SimulatedNetwork {
    fn from(network: &Network) -> Self {
        let on = network.machines().iter().filter(|machine| machine.running);
        Self { network: network.clone(), boots: on.map(|machine| (machine.id.clone(), 1)).collect() }
    }
}

impl System<MachineSpec> for SimulatedSystem {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(sut.give(command))
    }

    fn run_lanes(
        &self,
        sut: &mut SimulatedNetwork,
        lanes: &Lanes<'_, MachineSpec>,
    ) -> Result<(), SystemError> {
        let network = Mutex::new(sut);
        lanes.run(|_lane| {
            Ok(|command: &Command| {
                let mut network = network.lock().unwrap_or_else(PoisonError::into_inner);
                Ok(network.give(command))
            })
        })
    }
}
