//! The first specification: machines that are booted, powered off, pinged, asked what they are
//! made of, and given other software.

use std::borrow::Cow;
use std::cmp::Ordering;

use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, SBoxedStrategy, Strategy, Union};

use crate::factor::Choice;
use crate::generate::{BoundsError, NetworkParameters};
use crate::machine::{Machine, MachineId};
use crate::network::Network;
use crate::parameter::{Scope, Setting};
use crate::scene::{Power, Role, Scene, Seat};
use crate::specification::{Model, plainer_states};

mod command;
mod facts;

pub use command::{Command, Response};
pub use facts::Facts;

/// The specification of [`Command`].
///
/// A Boot or Shutdown succeeds; a Ping is answered exactly if its target is on; an Inspect finds
/// what the machine was given; an Upgrade or Downgrade succeeds and keeps the scratch disk.
#[derive(Clone, Debug)]
pub struct MachineSpec {
    bounds: NetworkParameters,
    networks: SBoxedStrategy<Network>,
}

impl MachineSpec {
    /// Tests networks within these bounds.
    ///
    /// # Errors
    /// What [`NetworkParameters::check`] says.
    pub fn new(bounds: NetworkParameters) -> Result<Self, BoundsError> {
        Ok(Self { networks: bounds.strategy()?, bounds })
    }

    /// What the machine could be changed to: each other value of a parameter of its own that is
    /// one piece of software.
    fn changes(&self, machine: &Machine) -> Vec<Command> {
        let own = self.bounds.parameters().iter().filter(|parameter| parameter.scope() == Scope::Machine);
        let settings =
            own.flat_map(|parameter| parameter.values()).filter_map(|value| match &value.settings[..] {
                [setting] if setting.is_software() && !setting.holds(machine) => Some(setting.clone()),
                _ => None,
            });
        let command = |to: Setting| {
            let machine_id = machine.id.clone();
            match direction(machine, &to) {
                Some(Ordering::Greater) => Command::Downgrade { machine: machine_id, to },
                _ => Command::Upgrade { machine: machine_id, to },
            }
        };
        settings.map(command).collect()
    }
}

/// How the machine's version compares with another; none where nothing tells, such as for a
/// package that it does not have.
fn direction(machine: &Machine, to: &Setting) -> Option<Ordering> {
    match to {
        Setting::Kernel(kernel) => Some(machine.kernel.numbers().cmp(&kernel.numbers())),
        Setting::Package(name, to) => match (machine.packages.get(name), to) {
            (Some(from), Some(to)) => from.order(to),
            (from, to) => Some(from.is_some().cmp(&to.is_some())),
        },
        _ => None,
    }
}

/// A machine in one line, without what is as in any other.
fn show_machine(machine: &Machine) -> String {
    format!("{}  {}", machine.id, details(machine).join("  "))
}

/// What a machine was given, without what is as in any other.
fn details(machine: &Machine) -> Vec<String> {
    let Machine { address, kernel, memory, .. } = machine;
    let mut parts = vec![
        address.to_string(),
        format!("kernel {kernel}"),
        memory.to_string(),
        machine.scratch().to_string(),
    ];
    let mut add = |part: String| parts.push(part);
    machine.packages.iter().for_each(|(name, version)| add(format!("{name} {version}")));
    machine.services.keys().for_each(|name| add(format!("service {name}")));
    machine.files.keys().for_each(|path| add(path.to_string()));
    machine.kernel_parameters.iter().map(facts::word).for_each(&mut add);
    if machine.processors != Default::default() {
        add(format!("{} processors", machine.processors));
    }
    machine.clock_source.iter().for_each(|source| add(format!("clock source {source}")));
    if machine.mtu != Default::default() {
        add(format!("MTU {}", machine.mtu));
    }
    machine.parameters.iter().for_each(|(name, value)| add(format!("{name} {value}")));
    parts
}

impl Scene {
    /// A network on a map, with nothing wrong in it.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let seat = |machine: &Machine| Seat {
            name: machine.id.to_string(),
            details: details(machine),
            power: if machine.running { Power::On } else { Power::Off },
            notes: Vec::new(),
        };
        Self { machines: network.machines().iter().map(seat).collect(), links: Vec::new() }
    }
}

/// A network in a line for itself and one for each machine.
pub(crate) fn show_network(network: &Network) -> String {
    let machine = |machine: &Machine| format!("\nmachine {}", show_machine(machine));
    let machines: String = network.machines().iter().map(machine).collect();
    format!("subnet {}{machines}", network.subnet())
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
        self.networks.clone().boxed()
    }

    fn gen_command(&self, network: &Network) -> BoxedStrategy<Command> {
        let (on, off): (Vec<_>, Vec<_>) = network.machines().iter().partition(|machine| machine.running);
        let (on, off) = (ids(on), ids(off));
        let boot = || select(off.clone()).prop_map(Command::Boot).boxed();
        let shutdown = || select(on.clone()).prop_map(Command::Shutdown).boxed();
        if on.is_empty() {
            return boot();
        }
        let inspect = select(on.clone()).prop_map(Command::Inspect).boxed();
        let mut commands = vec![(2, shutdown()), (8, ping(&on, &on)), (2, inspect)];
        if !off.is_empty() {
            commands.extend([(4, boot()), (8, ping(&on, &off))]);
        }
        let running = network.machines().iter().filter(|machine| machine.running);
        let changes: Vec<_> = running.flat_map(|machine| self.changes(machine)).collect();
        if !changes.is_empty() {
            commands.push((1, select(changes).boxed()));
        }
        Union::new_weighted(commands).boxed()
    }

    fn kind(&self, command: &Command) -> Cow<'static, str> {
        command.verb().into()
    }

    fn pre_condition(&self, network: &Network, command: &Command) -> bool {
        command.check(network).is_ok()
    }

    /// Each of them: a machine that another lane has booted, cut off or changed meanwhile is left
    /// as it is.
    fn can_be_refused(&self, _command: &Command) -> bool {
        true
    }

    fn next_state(&self, network: &Network, command: &Command) -> Network {
        match command {
            Command::Boot(id) => network.clone().with_running(id, true),
            Command::Shutdown(id) => network.clone().with_running(id, false),
            Command::Ping { .. } | Command::Inspect(_) => network.clone(),
            Command::Upgrade { machine, to } | Command::Downgrade { machine, to } => {
                network.clone().with_changed(machine, |machine| to.apply(machine))
            }
        }
    }

    fn post_condition(&self, network: &Network, command: &Command, response: &Response) -> bool {
        match command {
            Command::Boot(_) => *response == Response::Booted,
            Command::Shutdown(_) => *response == Response::ShutDown,
            Command::Ping { to, .. } => *response == Response::Pinged { answered: network.is_running(to) },
            Command::Inspect(id) => match (network.machine(id), response) {
                (Some(machine), Response::Inspected(facts)) => facts.differences(machine).is_empty(),
                _ => false,
            },
            Command::Upgrade { .. } | Command::Downgrade { .. } => {
                *response == Response::Changed { scratch_kept: true }
            }
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
            Command::Inspect(id) => {
                let machine = network.machine(id).map(show_machine).unwrap_or_default();
                format!("what it was given: {machine}")
            }
            Command::Upgrade { .. } | Command::Downgrade { .. } => {
                Response::Changed { scratch_kept: true }.to_string()
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
        show_network(network)
    }

    fn show_progress(&self, network: &Network) -> String {
        let power =
            |machine: &Machine| format!("{} {}", machine.id, if machine.running { "on" } else { "off" });
        network.machines().iter().map(power).collect::<Vec<_>>().join(", ")
    }

    fn scene(&self, network: &Network) -> Option<Scene> {
        Some(Scene::of(network))
    }

    fn role(&self, command: &Command) -> Role {
        match command {
            Command::Ping { .. } | Command::Inspect(_) => Role::Ask,
            Command::Boot(_) | Command::Upgrade { .. } | Command::Downgrade { .. } => Role::Boot,
            Command::Shutdown(_) => Role::Off,
        }
    }

    fn concerns(&self, command: &Command) -> Vec<String> {
        match command {
            Command::Ping { from, to } => vec![from.to_string(), to.to_string()],
            Command::Boot(id)
            | Command::Shutdown(id)
            | Command::Inspect(id)
            | Command::Upgrade { machine: id, .. }
            | Command::Downgrade { machine: id, .. } => vec![id.to_string()],
        }
    }

    fn choices(&self, network: &Network) -> Vec<Choice> {
        self.bounds.choices(network)
    }

    fn with_choice(&self, network: &Network, choice: &Choice) -> Option<Network> {
        self.bounds.with_choice(network, choice)
    }

    /// Networks with one machine less, then those with plainer values.
    fn simpler_states(&self, network: &Network) -> Vec<Network> {
        let mut simpler: Vec<_> =
            network.machines().iter().filter_map(|machine| network.without(&machine.id)).collect();
        simpler.extend(plainer_states(self, network));
        simpler
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
