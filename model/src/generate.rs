//! Strategies for networks: distinct ids, uuids and addresses by construction.

use std::ops::RangeInclusive;

use proptest::collection::vec;
use proptest::prelude::any;
use proptest::sample::select;
use proptest::strategy::{BoxedStrategy, Strategy};
use uuid::Builder;

use crate::machine::{FileSystem, KernelVersion, Machine, MachineError, MachineId, Mebibytes};
use crate::network::{Network, NetworkError, Subnet};

/// Why no network can be generated within the given bounds.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParameterError {
    /// The range of sizes is empty or has no machine in it.
    #[error("no network has {start}..{end} machines: give a range from at least 1 that does not end before it starts", start = .0.start(), end = .0.end())]
    Machines(RangeInclusive<usize>),
    /// The range of memory is empty.
    #[error("no machine has {start} to {end}: give a range of memory that does not end before it starts", start = .0.start(), end = .0.end())]
    Memory(RangeInclusive<Mebibytes>),
    /// There is no kernel to choose from.
    #[error("no kernel is offered: name at least one")]
    NoKernel,
    /// There is no file system to choose from.
    #[error("no file system is offered: name at least one")]
    NoFileSystem,
    /// The subnet is too small.
    #[error(transparent)]
    Network(#[from] NetworkError),
    /// A bound is no size of memory.
    #[error(transparent)]
    Machine(#[from] MachineError),
}

/// The bounds within which networks are generated.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct NetworkParameters {
    /// The subnet of every network.
    pub subnet: Subnet,
    /// How many machines a network has.
    pub machines: RangeInclusive<usize>,
    /// How much memory each has, in steps of 32 MiB from the least.
    pub memory: RangeInclusive<Mebibytes>,
    /// The kernels to choose from, plain to suspect.
    pub kernels: Vec<KernelVersion>,
    /// The file systems to choose from, plain to suspect.
    pub file_systems: Vec<FileSystem>,
}

/// Memory is generated in steps of this many mebibytes.
const MEMORY_STEP: u64 = 32;

impl NetworkParameters {
    /// 1 to 4 machines with 96 to 256 MiB on 172.16.2.0/24, all file systems, and these kernels.
    ///
    /// # Errors
    /// [`ParameterError::NoKernel`] for an empty list.
    pub fn new(kernels: Vec<KernelVersion>) -> Result<Self, ParameterError> {
        let parameters = Self {
            subnet: Subnet::default(),
            machines: 1..=4,
            memory: Mebibytes::new(96)?..=Mebibytes::new(256)?,
            kernels,
            file_systems: FileSystem::ALL.to_vec(),
        };
        parameters.check()?;
        Ok(parameters)
    }

    /// Whether at least one network lies within the bounds, and every one fits the subnet.
    ///
    /// # Errors
    /// The first bound that allows nothing.
    pub fn check(&self) -> Result<(), ParameterError> {
        let (most, room) = (*self.machines.end(), self.subnet.room());
        if self.machines.is_empty() || *self.machines.start() == 0 {
            return Err(ParameterError::Machines(self.machines.clone()));
        }
        if u32::try_from(most).map_or(true, |most| most > room) {
            return Err(NetworkError::Full { machines: most, subnet: self.subnet, room }.into());
        }
        if self.memory.is_empty() {
            return Err(ParameterError::Memory(self.memory.clone()));
        }
        if self.kernels.is_empty() {
            return Err(ParameterError::NoKernel);
        }
        if self.file_systems.is_empty() {
            return Err(ParameterError::NoFileSystem);
        }
        Ok(())
    }

    /// Networks within the bounds, all machines off.
    ///
    /// Ids, uuids and addresses are distinct without rejection: the n-th of each is a bijection
    /// of n, drawn for the network. They do not shrink, so that what refers to them stays valid.
    ///
    /// # Errors
    /// What [`NetworkParameters::check`] says.
    pub fn strategy(&self) -> Result<BoxedStrategy<Network>, ParameterError> {
        self.check()?;
        let parameters = self.clone();
        let steps = (self.memory.end().get() - self.memory.start().get()) / MEMORY_STEP;
        let machine = (0..=steps, select(self.kernels.clone()), select(self.file_systems.clone()));
        let strategy = (any::<Names>(), vec(machine, self.machines.clone()))
            .prop_map(move |(names, parts)| parameters.assemble(&names, parts))
            .no_shrink()
            .boxed();
        Ok(strategy)
    }

    fn assemble(&self, names: &Names, parts: Vec<(u64, KernelVersion, FileSystem)>) -> Network {
        let machines = (0..).zip(parts).map(|(index, (steps, kernel, file_system))| Machine {
            id: names.id(index),
            uuid: names.uuid(index),
            address: names.address(index, self.subnet),
            kernel,
            memory: Mebibytes::new(self.memory.start().get() + steps * MEMORY_STEP)
                .expect("lies between two sizes that were checked"),
            file_system,
            running: false,
        });
        Network::new(self.subnet, machines.collect()).expect("names are distinct and fit the subnet")
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
