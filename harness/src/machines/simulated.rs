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

/// A network in memory: what each machine is, how often it was booted, and whether it is on.
#[derive(Clone, Debug, Default)]
pub struct SimulatedNetwork {
    machines: HashMap<MachineId, Simulated>,
}

/// One simulated machine, whose `running` says whether it is on.
#[derive(Clone, Debug)]
struct Simulated {
    machine: Machine,
    boots: u32,
}

impl SimulatedNetwork {
    /// How often a machine was booted so far.
    #[must_use]
    pub fn boots(&self, id: &MachineId) -> u32 {
        self.machines.get(id).map_or(0, |simulated| simulated.boots)
    }

    /// What a machine is by now.
    #[must_use]
    pub fn machine(&self, id: &MachineId) -> Option<&Machine> {
        self.machines.get(id).map(|simulated| &simulated.machine)
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
        match command {
            Command::Boot(id) => self.switch(id, true).map(|()| Response::Booted),
            Command::Shutdown(id) => self.switch(id, false).map(|()| Response::ShutDown),
            Command::Ping { from, to } => {
                self.on(from)?;
                Ok(Response::Pinged { answered: self.machine(to).is_some_and(|machine| machine.running) })
            }
            Command::Inspect(id) => Ok(Response::Inspected(Box::new(Facts::of(&self.on(id)?.machine)))),
            Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
                let simulated = self.on(machine)?;
                to.apply(&mut simulated.machine);
                simulated.boots += 1;
                Ok(Response::Changed { scratch_kept: true })
            }
        }
    }

    fn switch(&mut self, id: &MachineId, on: bool) -> Result<(), String> {
        let simulated = self.machines.get_mut(id).ok_or("there is no such machine")?;
        if simulated.machine.running == on {
            return Err(format!("{id} is {} already", if on { "on" } else { "off" }));
        }
        simulated.machine.running = on;
        simulated.boots += u32::from(on);
        Ok(())
    }

    /// A machine that is on.
    fn on(&mut self, id: &MachineId) -> Result<&mut Simulated, String> {
        let machine = self.machines.get_mut(id).filter(|simulated| simulated.machine.running);
        machine.ok_or_else(|| format!("{id} is off"))
    }
}

impl From<&Network> for SimulatedNetwork {
    fn from(network: &Network) -> Self {
        let simulated =
            |machine: &Machine| Simulated { machine: machine.clone(), boots: u32::from(machine.running) };
        let machines = network.machines().iter();
        Self { machines: machines.map(|machine| (machine.id.clone(), simulated(machine))).collect() }
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
