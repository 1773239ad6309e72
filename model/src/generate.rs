//! Strategies for networks: distinct ids, uuids and addresses by construction.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::strategy::{SBoxedStrategy, Strategy};
use uuid::Builder;

use crate::machine::{FileSystem, KernelVersion, Machine, MachineError, MachineId, Mebibytes};
use crate::network::{Network, NetworkError, Subnet};
use crate::parameter::{Parameter, ParameterError, Scope};

/// Why no network can be generated within the given bounds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum BoundsError {
    /// The range of sizes is empty or has no machine in it.
    #[error("no network has {start}..{end} machines: give a range from at least 1 that does not end before it starts", start = .0.start(), end = .0.end())]
    Machines(RangeInclusive<usize>),
    /// Two parameters set one thing, so that one of them would be without effect.
    #[error("parameters {one:?} and {other:?} both set the {subject}: leave one out, or give both one name")]
    Overlap {
        /// One parameter.
        one: String,
        /// The other.
        other: String,
        /// What both set.
        subject: String,
    },
    /// A parameter is not one.
    #[error(transparent)]
    Parameter(#[from] ParameterError),
    /// The subnet is too small.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A bound is no size of memory.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// The bounds within which networks are generated: how many machines, and what they vary in.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkParameters {
    /// The subnet of every network.
    pub subnet: Subnet,
    /// How many machines a network has.
    pub machines: RangeInclusive<usize>,
    /// The kernel of a machine that no parameter gives another.
    kernel: KernelVersion,
    parameters: Vec<Parameter>,
}

impl NetworkParameters {
    /// 1 to 4 machines with 96 to 256 MiB on 172.16.2.0/24, all file systems, and these kernels,
    /// plain to suspect.
    ///
    /// # Errors
    /// [`ParameterError::NoValues`] for an empty list.
    pub fn new(kernels: Vec<KernelVersion>) -> Result<Self, BoundsError> {
        let none = || ParameterError::NoValues("kernel".to_owned());
        let kernel = kernels.first().cloned().ok_or_else(none)?;
        let memory = Mebibytes::new(96)?..=Mebibytes::new(256)?;
        let parameters = vec![
            Parameter::kernels(kernels)?,
            Parameter::memory(memory)?,
            Parameter::scratches(FileSystem::ALL)?,
        ];
        Ok(Self { subnet: Subnet::default(), machines: 1..=4, kernel, parameters })
    }

    /// The same bounds with one more parameter, or with this one in the place of another of its
    /// name.
    #[must_use]
    pub fn with(mut self, parameter: Parameter) -> Self {
        match self.parameters.iter_mut().find(|other| other.name() == parameter.name()) {
            Some(other) => *other = parameter,
            None => self.parameters.push(parameter),
        }
        self
    }

    /// The same bounds with another number of machines.
    #[must_use]
    pub fn with_machines(mut self, machines: RangeInclusive<usize>) -> Self {
        self.machines = machines;
        self
    }

    /// What machines vary in: kernel, memory and file system first.
    #[must_use]
    pub fn parameters(&self) -> &[Parameter] {
        &self.parameters
    }

    /// Whether at least one network lies within the bounds, and every one fits the subnet.
    ///
    /// # Errors
    /// The first bound that allows nothing.
    pub fn check(&self) -> Result<(), BoundsError> {
        let (most, room) = (*self.machines.end(), self.subnet.room());
        if self.machines.is_empty() || *self.machines.start() == 0 {
            return Err(BoundsError::Machines(self.machines.clone()));
        }
        let mut owners = BTreeMap::new();
        for parameter in &self.parameters {
            for subject in parameter.subjects() {
                let other = parameter.name().to_owned();
                if let Some(one) = owners.insert(subject.clone(), other.clone()) {
                    return Err(BoundsError::Overlap { one, other, subject });
                }
            }
        }
        if u32::try_from(most).map_or(true, |most| most > room) {
            return Err(NetworkError::Full { machines: most, subnet: self.subnet, room }.into());
        }
        Ok(())
    }

    /// A network of one machine for each value of each parameter, plain in all others: what there
    /// is to try whether all of it can be had.
    #[must_use]
    pub fn one_of_each(&self) -> Vec<Network> {
        let Some(address) = self.subnet.address(0) else { return Vec::new() };
        let one = |number: usize, parameter: &Parameter, value: usize| {
            let id = MachineId::new(format!("m{number}")).ok()?;
            let mut machine = self.plainest(id, uuid::Uuid::from_u128(1 + number as u128), address);
            parameter.set(&mut machine, value);
            Network::new(self.subnet, vec![machine]).ok()
        };
        let values = |parameter: &Parameter| 0..parameter.values().len();
        let all = self
            .parameters
            .iter()
            .flat_map(|parameter| values(parameter).map(move |value| (parameter, value)));
        all.enumerate().filter_map(|(number, (parameter, value))| one(number, parameter, value)).collect()
    }

    /// Networks within the bounds, all machines off.
    ///
    /// Ids, uuids and addresses are distinct without rejection: the n-th of each is a bijection
    /// of n, drawn for the network. They do not shrink, so that what refers to them stays valid.
    /// The strategy can be part of a model that lanes share.
    ///
    /// # Errors
    /// What [`NetworkParameters::check`] says.
    pub fn strategy(&self) -> Result<SBoxedStrategy<Network>, BoundsError> {
        self.check()?;
        let bounds = self.clone();
        let drawn = |scope| {
            let drawn = self.parameters.iter().filter(move |parameter| parameter.scope() == scope);
            drawn.map(|parameter| 0..parameter.values().len()).collect::<Vec<_>>()
        };
        let strategy =
            (any::<Names>(), drawn(Scope::Network), vec(drawn(Scope::Machine), self.machines.clone()))
                .prop_map(move |(names, shared, own)| bounds.assemble(&names, &shared, &own))
                .no_shrink()
                .sboxed();
        Ok(strategy)
    }

    fn assemble(&self, names: &Names, shared: &[usize], own: &[Vec<usize>]) -> Network {
        let machines = (0..).zip(own).map(|(index, own)| {
            let mut machine =
                self.plainest(names.id(index), names.uuid(index), names.address(index, self.subnet));
            let (mut shared, mut own) = (shared.iter(), own.iter());
            for parameter in &self.parameters {
                let value = match parameter.scope() {
                    Scope::Machine => own.next(),
                    Scope::Network => shared.next(),
                };
                parameter.set(&mut machine, *value.expect("one was drawn for each parameter"));
            }
            machine
        });
        Network::new(self.subnet, machines.collect()).expect("names are distinct and fit the subnet")
    }

    /// A machine with the first value of each parameter.
    fn plainest(&self, id: MachineId, uuid: uuid::Uuid, address: std::net::Ipv4Addr) -> Machine {
        let mut machine = Machine::new(id, uuid, address, self.kernel.clone());
        self.parameters.iter().for_each(|parameter| parameter.set(&mut machine, 0));
        machine
    }
}

/// Where a network's sequences of ids, uuids and addresses start, and how far apart they lie.
#[derive(Clone, Copy, Debug, proptest_derive::Arbitrary)]
struct Names {
    id_start: u64,
    id_stride: u64,
    uuid_high: u64,
    uuid_low: u64,
    address_start: u32,
}

/// The number of ids with eight lower-case letters.
const IDS: u64 = 26u64.pow(8);

impl Names {
    /// The n-th id: distinct for n below 26⁸, since the stride has no factor in common with 26.
    fn id(&self, n: u32) -> MachineId {
        let odd = (self.id_stride % IDS) | 1;
        let stride = if odd.is_multiple_of(13) { odd + 2 } else { odd };
        let mut rest = (u128::from(self.id_start) + u128::from(n) * u128::from(stride)) % u128::from(IDS);
        let letters = (0..8).map(|_| {
            let letter = b'a' + u8::try_from(rest % 26).expect("is below 26");
            rest /= 26;
            char::from(letter)
        });
        MachineId::new(letters.collect::<String>()).expect("eight lower-case letters are an id")
    }

    /// The n-th uuid, of version 4: distinct, since n is added where no bit has a fixed meaning.
    fn uuid(&self, n: u32) -> uuid::Uuid {
        let low = self.uuid_low.wrapping_add(u64::from(n)) & (u64::MAX >> 2);
        let random = (u128::from(self.uuid_high) << 64) | u128::from(low);
        Builder::from_random_bytes(random.to_be_bytes()).into_uuid()
    }

    /// The n-th address: distinct for n below the subnet's room.
    fn address(&self, n: u32, subnet: Subnet) -> std::net::Ipv4Addr {
        let start = u64::from(self.address_start % subnet.room());
        let index = (start + u64::from(n)) % u64::from(subnet.room());
        let index = u32::try_from(index).expect("is below the room of a subnet");
        subnet.address(index).expect("is below the room of the subnet")
    }
}
