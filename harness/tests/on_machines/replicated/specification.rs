//! What the register promises, whatever happens to its machines and their network.

use std::collections::BTreeSet;

use harness::model::scene::{Role, Scene};
use harness::prelude::*;

use super::service::Replicas;
use super::shown;

/// What a case knows of the register, its machines and their network.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct State {
    pub(crate) network: Network,
    /// What was written last; 0 at first.
    pub(crate) value: u8,
    /// From whom to whom nothing comes through.
    pub(crate) cuts: BTreeSet<(MachineId, MachineId)>,
    /// The machine that may still hold a lease.
    pub(crate) leased: Option<MachineId>,
    /// Whose clocks were set back since they booted.
    pub(crate) skewed: BTreeSet<MachineId>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    /// A client on this machine writes a value.
    Write { at: MachineId, value: u8 },
    /// One reads.
    Read { at: MachineId },
    /// One has the machine's replica answer reads by itself for some time.
    Lease { at: MachineId },
    /// Nothing comes through between this machine and the others.
    Partition { alone: MachineId },
    /// Nothing comes through from one machine to another. The way back is open.
    OneWay { from: MachineId, to: MachineId },
    /// Everything comes through.
    Heal,
    /// A machine's power is cut.
    PowerCut(MachineId),
    /// The power of all machines is cut.
    Outage,
    /// All machines that are off boot.
    Boot,
    /// A machine's clock is set back by a minute.
    SetClock(MachineId),
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Answer {
    Stored,
    Value(u8),
    Leased,
    /// No majority answered, and nothing was changed.
    Unavailable,
    /// The fault is there, or gone.
    Done,
    Failed(String),
}

/// What a case may do beside writing, reading and leasing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Fault {
    Partition,
    OneWay,
    PowerCut,
    Outage,
    SetClock,
}

impl Fault {
    pub(crate) const ALL: [Self; 5] =
        [Self::Partition, Self::OneWay, Self::PowerCut, Self::Outage, Self::SetClock];
}

/// A register that is one register to all its clients, and that whoever reaches a majority of its
/// machines can write and read.
pub(crate) struct Register {
    networks: SBoxedStrategy<Network>,
    bounds: NetworkParameters,
    faults: Vec<Fault>,
}

impl State {
    pub(crate) fn is_on(&self, id: &MachineId) -> bool {
        self.network.is_running(id)
    }

    fn hear_each_other(&self, one: &MachineId, other: &MachineId) -> bool {
        let pair = |from: &MachineId, to: &MachineId| self.cuts.contains(&(from.clone(), to.clone()));
        self.is_on(one) && self.is_on(other) && !pair(one, other) && !pair(other, one)
    }

    /// Whether requests of this machine's clients reach a majority whose answers reach them.
    pub(super) fn has_majority(&self, at: &MachineId) -> bool {
        let ids = self.network.ids();
        2 * ids.iter().filter(|id| self.hear_each_other(at, id)).count() > ids.len()
    }

    pub(super) fn off(&self) -> usize {
        self.network.machines().iter().filter(|machine| !machine.running).count()
    }

    fn all_on(&self) -> bool {
        self.off() == 0
    }

    /// Whoever had something in memory has lost it.
    fn loses_power(&mut self, id: &MachineId) {
        self.network = self.network.clone().with_running(id, false);
        self.leased.take_if(|leased| leased == id);
        self.skewed.remove(id);
    }

    fn written(&mut self, value: u8) {
        self.value = value;
        // Nothing is acknowledged while another may read by itself.
        self.leased = None;
    }
}

impl Register {
    /// The register in networks within these bounds, under such faults. Where a service is given, its
    /// machines run it; a simulation needs none.
    pub(crate) fn new(bounds: NetworkParameters, service: Option<Replicas>, faults: &[Fault]) -> Self {
        let bounds = bounds.with_machines(3..=3);
        let networks = bounds.strategy().unwrap().prop_map(move |network| {
            let network = network.all_running();
            service.as_ref().map_or(network.clone(), |service| service.on(network))
        });
        Self { networks: networks.sboxed(), bounds, faults: faults.to_vec() }
    }

    fn has(&self, fault: Fault) -> bool {
        self.faults.contains(&fault)
    }
}

impl Model for Register {
    type State = State;
    type Command = Command;
    type Response = Answer;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        let state = |network| State {
            network,
            value: 0,
            cuts: BTreeSet::new(),
            leased: None,
            skewed: BTreeSet::new(),
        };
        self.networks.clone().prop_map(state).boxed()
    }

    fn gen_command(&self, state: &State) -> BoxedStrategy<Command> {
        let ids = state.network.ids();
        let on: Vec<_> = ids.iter().filter(|id| state.is_on(id)).cloned().collect();
        let (any, some) = (|| select(ids.clone()), || select(on.clone()));
        let is_uncut = state.cuts.is_empty();
        let pairs: Vec<_> = ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to))).collect();
        let pairs = pairs.into_iter().filter(|(from, to)| from != to);
        let one_way =
            |(from, to): (&MachineId, &MachineId)| Command::OneWay { from: from.clone(), to: to.clone() };
        let one_ways: Vec<_> = pairs.map(one_way).collect();
        let weight = |is_so: bool, weight: u32| if is_so { weight } else { 0 };
        weighted()
            .or(weight(!on.is_empty(), 6), || {
                (some(), 1..=9_u8).prop_map(|(at, value)| Command::Write { at, value })
            })
            .or(weight(!on.is_empty(), 6), || some().prop_map(|at| Command::Read { at }))
            .or(weight(!on.is_empty(), 2), || some().prop_map(|at| Command::Lease { at }))
            .or(weight(self.has(Fault::Partition) && is_uncut, 3), || {
                any().prop_map(|alone| Command::Partition { alone })
            })
            .or(weight(self.has(Fault::OneWay) && is_uncut, 3), || select(one_ways))
            .or(weight(!is_uncut, 2), || Just(Command::Heal))
            .or(weight(self.has(Fault::PowerCut) && state.all_on(), 2), || some().prop_map(Command::PowerCut))
            .or(weight(self.has(Fault::Outage) && state.all_on(), 2), || Just(Command::Outage))
            .or(weight(!state.all_on(), 4), || Just(Command::Boot))
            .or(weight(self.has(Fault::SetClock) && !on.is_empty(), 2), || some().prop_map(Command::SetClock))
            .boxed()
    }

    fn pre_condition(&self, state: &State, command: &Command) -> bool {
        let there = |id: &MachineId| state.network.machine(id).is_some();
        match command {
            Command::Write { at, .. } | Command::Read { at } | Command::Lease { at } => state.is_on(at),
            Command::Partition { alone } => there(alone) && state.cuts.is_empty(),
            Command::OneWay { from, to } => there(from) && there(to) && from != to && state.cuts.is_empty(),
            Command::Heal => !state.cuts.is_empty(),
            Command::PowerCut(id) => there(id) && state.all_on(),
            Command::Outage => state.all_on(),
            Command::Boot => !state.all_on(),
            Command::SetClock(id) => state.is_on(id),
        }
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        let mut next = state.clone();
        match command {
            Command::Write { at, value } if state.has_majority(at) => next.written(*value),
            Command::Lease { at } if state.has_majority(at) => next.leased = Some(at.clone()),
            Command::Write { .. } | Command::Lease { .. } | Command::Read { .. } => {}
            Command::Partition { alone } => {
                let others = state.network.ids().into_iter().filter(|id| id != alone);
                let both = |other: MachineId| [(alone.clone(), other.clone()), (other, alone.clone())];
                next.cuts.extend(others.flat_map(both));
            }
            Command::OneWay { from, to } => drop(next.cuts.insert((from.clone(), to.clone()))),
            Command::Heal => next.cuts.clear(),
            Command::PowerCut(id) => next.loses_power(id),
            Command::Outage => state.network.ids().iter().for_each(|id| next.loses_power(id)),
            Command::Boot => next.network = next.network.all_running(),
            Command::SetClock(id) => drop(next.skewed.insert(id.clone())),
        }
        next
    }

    /// What no majority answered for may have been acknowledged all the same; then it counts.
    fn next_state_after(&self, state: &State, command: &Command, answer: &Answer) -> State {
        let mut next = self.next_state(state, command);
        if let (Command::Write { value, .. }, Answer::Stored) = (command, answer) {
            next.written(*value);
        }
        next
    }

    /// Whoever reaches a majority is served. Who does not is told so; but whether a write was
    /// acknowledged rightly is for later reads to show, and a lease may outlast what it was given by.
    fn post_condition(&self, state: &State, command: &Command, answer: &Answer) -> bool {
        match command {
            Command::Write { at, .. } => match answer {
                Answer::Stored => true,
                Answer::Unavailable => !state.has_majority(at),
                _ => false,
            },
            Command::Read { at } => match answer {
                Answer::Value(value) => {
                    *value == state.value && (state.has_majority(at) || state.leased.as_ref() == Some(at))
                }
                Answer::Unavailable => !state.has_majority(at),
                _ => false,
            },
            Command::Lease { at } if state.has_majority(at) => *answer == Answer::Leased,
            Command::Lease { .. } => *answer == Answer::Unavailable,
            _ => *answer == Answer::Done,
        }
    }

    /// Everybody reads while all is as it is, and once everything is healed.
    fn final_commands(&self, state: &State) -> Vec<Command> {
        let ids = state.network.ids();
        let reads = |id: &MachineId| Command::Read { at: id.clone() };
        let is_cut = !state.cuts.is_empty();
        let now = ids.iter().filter(|id| is_cut && state.is_on(id)).map(reads);
        let heal = is_cut.then_some(Command::Heal);
        let boot = (!state.all_on()).then_some(Command::Boot);
        now.chain(heal).chain(boot).chain(ids.iter().map(reads)).collect()
    }

    /// A read changes nothing, and may show at once what another one shows later.
    fn simpler_commands(&self, command: &Command) -> Vec<Command> {
        match command {
            Command::Write { at, value } if *value > 1 => {
                vec![Command::Read { at: at.clone() }, Command::Write { at: at.clone(), value: 1 }]
            }
            Command::Write { at, .. } => vec![Command::Read { at: at.clone() }],
            _ => Vec::new(),
        }
    }

    fn expectation(&self, state: &State, command: &Command) -> String {
        shown::expectation(state, command)
    }

    fn show_command(&self, command: &Command) -> String {
        command.to_string()
    }

    fn show_response(&self, answer: &Answer) -> String {
        answer.to_string()
    }

    fn show_state(&self, state: &State) -> String {
        let machine = |machine: &Machine| format!("\nmachine {}  {}", machine.id, machine.address);
        let machines: String = state.network.machines().iter().map(machine).collect();
        format!("{state}{machines}")
    }

    fn show_progress(&self, state: &State) -> String {
        state.to_string()
    }

    fn scene(&self, state: &State) -> Option<Scene> {
        Some(shown::scene(state))
    }

    fn role(&self, command: &Command) -> Role {
        shown::role(command)
    }

    fn concerns(&self, command: &Command) -> Vec<String> {
        shown::concerns(command)
    }

    fn choices(&self, state: &State) -> Vec<Choice> {
        self.bounds.choices(&state.network)
    }

    fn with_choice(&self, state: &State, choice: &Choice) -> Option<State> {
        let network = self.bounds.with_choice(&state.network, choice)?;
        Some(State { network, ..state.clone() })
    }
}
