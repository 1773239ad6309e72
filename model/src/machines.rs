//! The first specification: machines that are booted, powered off and pinged.

use std::fmt;

use proptest::prelude::prop_oneof;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Strategy, Union};
use serde::{Deserialize, Serialize};

use crate::generate::{NetworkParameters, ParameterError};
use crate::machine::{FileSystem, KernelVersion, Machine, MachineId, Mebibytes};
use crate::network::Network;
use crate::specification::Model;

/// Something to do to a network of machines.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Command {
    /// Switch a machine on and wait until it serves SSH.
    Boot(MachineId),
    /// Cut a machine's power.
    Shutdown(MachineId),
    /// Send ICMP echo requests from one machine to the address of another.
    Ping {
        /// Who sends.
        from: MachineId,
        /// Whose address they go to.
        to: MachineId,
    },
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boot(id) => write!(f, "Boot {id}"),
            Self::Shutdown(id) => write!(f, "Shutdown {id}"),
            Self::Ping { from, to } => write!(f, "Ping {from} -> {to}"),
        }
    }
}

/// What a network says to a [`Command`].
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Response {
    /// The machine is up and serves SSH.
    Booted,
    /// The machine is off.
    ShutDown,
    /// Whether the ping was answered.
    Pinged {
        /// True where an echo reply came.
        answered: bool,
    },
    /// The machine could not do it, for the reason given (such as a kernel panic).
    Failed(String),
}

impl fmt::Display for Response {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Booted => f.write_str("booted"),
            Self::ShutDown => f.write_str("shut down"),
            Self::Pinged { answered: true } => f.write_str("answered"),
            Self::Pinged { answered: false } => f.write_str("not answered"),
            Self::Failed(reason) => write!(f, "failed: {reason}"),
        }
    }
}

/// The specification of Boot, Shutdown and Ping.
///
/// A Boot or Shutdown succeeds; a Ping is answered exactly if its target is on.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    parameters: NetworkParameters,
    networks: BoxedStrategy<Network>,
}

impl MachineSpec {
    /// Tests networks within these bounds.
    ///
    /// # Errors
    /// What [`NetworkParameters::check`] says.
    pub fn new(parameters: NetworkParameters) -> Result<Self, ParameterError> {
        Ok(Self { networks: parameters.strategy()?, parameters })
    }

    fn simpler_machines(&self, machine: &Machine) -> Vec<Machine> {
        let with_kernel = |kernel: &KernelVersion| Machine { kernel: kernel.clone(), ..machine.clone() };
        let with_memory = |memory: Mebibytes| Machine { memory, ..machine.clone() };
        let with_file_system = |file_system: FileSystem| Machine { file_system, ..machine.clone() };
        let kernels = before(&self.parameters.kernels, &machine.kernel).iter().map(with_kernel);
        let least = *self.parameters.memory.start();
        let memories = (least < machine.memory).then_some(least).into_iter().map(with_memory);
        let file_systems = before(&self.parameters.file_systems, &machine.file_system);
        kernels.chain(file_systems.iter().copied().map(with_file_system)).chain(memories).collect()
    }
}

/// The part of a list that stands before a value; empty where the value is not in it.
fn before<'a, T: PartialEq>(list: &'a [T], value: &T) -> &'a [T] {
    let end = list.iter().position(|other| other == value).unwrap_or(0);
    &list[..end]
}

fn ids<'a>(machines: impl IntoIterator<Item = &'a Machine>) -> Vec<MachineId> {
    machines.into_iter().map(|machine| machine.id.clone()).collect()
}

fn ping(from: &[MachineId], to: &[MachineId]) -> BoxedStrategy<Command> {
    (select(from.to_vec()), select(to.to_vec())).prop_map(|(from, to)| Command::Ping { from, to }).boxed()
}

impl Model for MachineSpec {
    type State = Network;
    type Command = Command;
    type Response = Response;

    fn name(&self) -> String {
        "machines".to_owned()
    }

    fn gen_initial_state(&self) -> BoxedStrategy<Network> {
        self.networks.clone()
    }

    fn gen_command(&self, network: &Network) -> BoxedStrategy<Command> {
        let (on, off): (Vec<_>, Vec<_>) = network.machines().iter().partition(|machine| machine.running);
        let (on, off) = (ids(on), ids(off));
        let boot = || select(off.clone()).prop_map(Command::Boot).boxed();
        let shutdown = || select(on.clone()).prop_map(Command::Shutdown).boxed();
        if on.is_empty() {
            boot()
        } else if off.is_empty() {
            prop_oneof![1 => shutdown(), 4 => ping(&on, &on)].boxed()
        } else {
            Union::new_weighted(vec![(2, boot()), (1, shutdown()), (4, ping(&on, &on)), (4, ping(&on, &off))])
                .boxed()
        }
    }

    fn pre_condition(&self, network: &Network, command: &Command) -> bool {
        match command {
            Command::Boot(id) => network.machine(id).is_some_and(|machine| !machine.running),
            Command::Shutdown(id) => network.is_running(id),
            Command::Ping { from, to } => network.is_running(from) && network.machine(to).is_some(),
        }
    }

    fn next_state(&self, network: &Network, command: &Command) -> Network {
        match command {
            Command::Boot(id) => network.clone().with_running(id, true),
            Command::Shutdown(id) => network.clone().with_running(id, false),
            Command::Ping { .. } => network.clone(),
        }
    }

    fn post_condition(&self, network: &Network, command: &Command, response: &Response) -> bool {
        match command {
            Command::Boot(_) => *response == Response::Booted,
            Command::Shutdown(_) => *response == Response::ShutDown,
            Command::Ping { to, .. } => *response == Response::Pinged { answered: network.is_running(to) },
        }
    }

    fn expectation(&self, network: &Network, command: &Command) -> String {
        match command {
            Command::Boot(_) => Response::Booted.to_string(),
            Command::Shutdown(_) => Response::ShutDown.to_string(),
            Command::Ping { to, .. } => {
                let answered = network.is_running(to);
                let state = if answered { "on" } else { "off" };
                format!("{}, since {to} is {state}", Response::Pinged { answered })
            }
        }
    }

    fn show_command(&self, command: &Command) -> String {
        command.to_string()
    }

    fn show_response(&self, response: &Response) -> String {
        response.to_string()
    }

    fn show_state(&self, network: &Network) -> String {
        let machine = |machine: &Machine| {
            let Machine { id, address, kernel, memory, file_system, .. } = machine;
            format!("\nmachine {id}  {address}  kernel {kernel}  {memory}  {file_system}")
        };
        let machines: String = network.machines().iter().map(machine).collect();
        format!("subnet {}{machines}", network.subnet())
    }

    fn show_progress(&self, network: &Network) -> String {
        let power =
            |machine: &Machine| format!("{} {}", machine.id, if machine.running { "on" } else { "off" });
        network.machines().iter().map(power).collect::<Vec<_>>().join(", ")
    }

    /// Networks with one machine less, then with one value of one machine nearer to plain.
    fn simpler_states(&self, network: &Network) -> Vec<Network> {
        let fewer = network.machines().iter().filter_map(|machine| network.without(&machine.id));
        let plainer = network.machines().iter().enumerate().flat_map(|(index, machine)| {
            self.simpler_machines(machine).into_iter().filter_map(move |simpler| {
                let mut machines = network.machines().to_vec();
                machines[index] = simpler;
                Network::new(network.subnet(), machines).ok()
            })
        });
        fewer.chain(plainer).collect()
    }

    fn simpler_commands(&self, command: &Command) -> Vec<Command> {
        match command {
            Command::Ping { from, to } if from != to => {
                [to, from].map(|id| Command::Ping { from: id.clone(), to: id.clone() }).to_vec()
            }
            _ => Vec::new(),
        }
    }
}
