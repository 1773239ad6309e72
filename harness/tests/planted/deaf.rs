//! A planted bug of machines in memory: they go deaf.

use std::collections::HashMap;

use harness::machines::simulated::SimulatedNetwork;
use harness::{Outcome, System, SystemError};
use model::machines::{Command, Response};
use model::{MachineId, MachineSpec, Network};

/// A system whose machines answer no pings once a second Boot was asked of them; an upgrade boots
/// a machine too, but is not asked for by that name.
pub(crate) struct DeafAfterSecondBoot;

/// A simulated network, and the Boots that it was asked for.
pub(crate) struct Deaf(SimulatedNetwork, HashMap<MachineId, u32>);

impl System<MachineSpec> for DeafAfterSecondBoot {
    type Sut = Deaf;

    fn new_sut(&self, network: &Network) -> Result<Deaf, SystemError> {
        Ok(Deaf(network.into(), HashMap::new()))
    }

    fn run(&self, sut: &mut Deaf, command: &Command) -> Result<Outcome<Response>, SystemError> {
        if let Command::Boot(id) = command {
            *sut.1.entry(id.clone()).or_default() += 1;
        }
        let answer = match command {
            Command::Ping { to, .. } if sut.1.get(to).is_some_and(|boots| *boots >= 2) => {
                Response::Pinged { answered: false }
            }
            _ => sut.0.run(command),
        };
        Ok(Outcome::Answered(answer))
    }
}
