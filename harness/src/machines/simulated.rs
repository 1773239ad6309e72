//! A network of machines in memory. It exists to test the runner; nothing is booted.

use std::collections::HashMap;

use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network, Outcome};

use crate::system::{System, SystemError};

/// Makes networks that switch on and off at once and answer each other's pings.
#[derive(Clone, Copy, Debug, Default)]
pub struct SimulatedSystem;

/// A network in memory: for each machine how often it was booted, and whether it is on.
#[derive(Clone, Debug, Default)]
pub struct SimulatedNetwork {
    machines: HashMap<MachineId, Power>,
}

/// The power of one simulated machine.
#[derive(Clone, Copy, Debug, Default)]
struct Power {
    on: bool,
    boots: u32,
}

impl SimulatedNetwork {
    /// How often a machine was booted so far.
    #[must_use]
    pub fn boots(&self, id: &MachineId) -> u32 {
        self.machines.get(id).map_or(0, |power| power.boots)
    }

    fn switch(&mut self, id: &MachineId, on: bool) -> Option<Result<(), String>> {
        let power = self.machines.get_mut(id)?;
        if power.on == on {
            return Some(Err(format!("{id} is {} already", if on { "on" } else { "off" })));
        }
        power.on = on;
        power.boots += u32::from(on);
        Some(Ok(()))
    }

    fn is_on(&self, id: &MachineId) -> bool {
        self.machines.get(id).is_some_and(|power| power.on)
    }

    /// Gives the network a command; what makes no sense is answered with a failure.
    pub fn run(&mut self, command: &Command) -> Response {
        let switched = |result: Option<Result<(), String>>, done| match result {
            Some(Ok(())) => done,
            Some(Err(why)) => Response::Failed(why),
            None => Response::Failed("there is no such machine".to_owned()),
        };
        match command {
            Command::Boot(id) => switched(self.switch(id, true), Response::Booted),
            Command::Shutdown(id) => switched(self.switch(id, false), Response::ShutDown),
            Command::Ping { from, .. } if !self.is_on(from) => Response::Failed(format!("{from} is off")),
            Command::Ping { to, .. } => Response::Pinged { answered: self.is_on(to) },
        }
    }
}

impl From<&Network> for SimulatedNetwork {
    fn from(network: &Network) -> Self {
        let power = |on| Power { on, boots: u32::from(on) };
        let machines = network.machines().iter();
        Self { machines: machines.map(|machine| (machine.id.clone(), power(machine.running))).collect() }
    }
}

impl System<MachineSpec> for SimulatedSystem {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(Outcome::Answered(sut.run(command)))
    }
}
