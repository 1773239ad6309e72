//! Bugs of machines, in a simulated network.

use harness::machines::simulated::SimulatedNetwork;
use harness::{Outcome, System, SystemError};
use model::machines::{Command, Response};
use model::{Case, MachineId, MachineSpec, Network, NetworkParameters};

/// Machines that run one of these kernels, of which the first is the plainest.
pub(crate) fn specification(kernels: &[&str]) -> MachineSpec {
    let kernels = kernels.iter().map(|kernel| kernel.parse().unwrap()).collect();
    MachineSpec::new(NetworkParameters::new(kernels).unwrap()).unwrap()
}

/// One machine is booted, shut down, booted and pinged by itself.
pub(crate) fn is_second_boot(case: &Case<MachineSpec>) -> bool {
    matches!(
        &case.commands[..],
        [Command::Boot(_), Command::Shutdown(_), Command::Boot(_), Command::Ping { .. }]
    ) && case.initial.machines().len() == 1
}

/// No ping is answered while three machines are on of which two run the old kernel.
pub(crate) struct TwoOldOfThree;

impl System<MachineSpec> for TwoOldOfThree {
    type Sut = (SimulatedNetwork, Vec<MachineId>);

    fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
        Ok((network.into(), network.machines().iter().map(|machine| machine.id.clone()).collect()))
    }

    fn run(&self, sut: &mut Self::Sut, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let machines = sut.1.iter().filter_map(|id| sut.0.machine(id));
        let on: Vec<_> = machines.filter(|machine| machine.running).collect();
        let old = on.iter().filter(|machine| machine.kernel.as_str() == "6.1").count();
        let lost = on.len() >= 3 && old >= 2;
        let answer = match command {
            Command::Ping { .. } if lost => Response::Pinged { answered: false },
            _ => sut.0.run(command),
        };
        Ok(Outcome::Answered(answer))
    }
}

/// Three machines, of which just two run the old kernel, are booted, and one is pinged.
pub(crate) fn is_two_old_of_three(case: &Case<MachineSpec>) -> bool {
    let machines = case.initial.machines();
    let old = machines.iter().filter(|machine| machine.kernel.as_str() == "6.1").count();
    let boots = case.commands.iter().filter(|command| matches!(command, Command::Boot(_))).count();
    (machines.len(), old, boots) == (3, 2, 3) && machines.iter().all(|machine| machine.memory.get() == 96)
}
