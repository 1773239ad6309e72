//! The machines of a case and the subnet that they share.

use std::collections::HashSet;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use ipnet::Ipv4Net;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::by_text::by_text;
use crate::machine::{Machine, MachineId};

/// Why machines and a subnet do not make a network.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum NetworkError {
    /// The text is no subnet in CIDR notation.
    #[error("{0:?} is not a subnet: write it as address/prefix, such as 172.16.2.0/24")]
    NotASubnet(String),
    /// The address of the subnet has bits set beyond its prefix.
    #[error("subnet {given} has host bits set: write {meant}")]
    HostBits {
        /// What was given.
        given: Ipv4Net,
        /// The subnet that holds it.
        meant: Ipv4Net,
    },
    /// The subnet has room for no machine, or for more than a switch can learn.
    #[error("subnet {0} has an impossible prefix: use /8 to /30")]
    Prefix(Ipv4Net),
    /// The subnet lies where no data network can be.
    #[error(
        "subnet {0} overlaps loopback, multicast or link-local addresses (the management network lies there): use a private one, such as 172.16.2.0/24"
    )]
    Reserved(Ipv4Net),
    /// There is nothing to test.
    #[error("the network has no machines: give it at least one")]
    Empty,
    /// More machines than the subnet has addresses.
    #[error("{machines} machines do not fit into subnet {subnet}, which has {room} addresses for them")]
    Full {
        /// How many machines were asked for.
        machines: usize,
        /// The subnet.
        subnet: Subnet,
        /// How many it can hold.
        room: u32,
    },
    /// Two machines have one name.
    #[error("machine id {0} is used twice: ids are distinct in a network")]
    DuplicateId(MachineId),
    /// Two machines have one uuid.
    #[error("uuid {uuid} of machine {id} is used twice: uuids are distinct in a network")]
    DuplicateUuid {
        /// The second machine that has it.
        id: MachineId,
        /// The uuid.
        uuid: Uuid,
    },
    /// The hypervisor takes no nil uuid.
    #[error("machine {0} has the nil uuid, which hypervisors refuse: give it another")]
    NilUuid(MachineId),
    /// Two machines have one address.
    #[error("address {address} of machine {id} is used twice: addresses are distinct in a network")]
    DuplicateAddress {
        /// The second machine that has it.
        id: MachineId,
        /// The address.
        address: Ipv4Addr,
    },
    /// The address is not one of the subnet's.
    #[error("address {address} of machine {id} is outside the subnet {subnet}")]
    Outside {
        /// The machine.
        id: MachineId,
        /// Its address.
        address: Ipv4Addr,
        /// The subnet of the network.
        subnet: Subnet,
    },
    /// The address has another use in the subnet.
    #[error(
        "address {address} of machine {id} is reserved in {subnet}: the first is the subnet's, the second the host's, the last for broadcasts"
    )]
    ReservedAddress {
        /// The machine.
        id: MachineId,
        /// Its address.
        address: Ipv4Addr,
        /// The subnet of the network.
        subnet: Subnet,
    },
}

/// The IPv4 subnet of a data network, 172.16.2.0/24 by default.
///
/// Three addresses are never a machine's: the subnet's own, the one after it (for a host that
/// joins the switch) and the broadcast address.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct Subnet(Ipv4Net);

impl Subnet {
    /// Takes a subnet from /8 to /30 that no other part of a guest needs.
    ///
    /// # Errors
    /// [`NetworkError::HostBits`], [`NetworkError::Prefix`] or [`NetworkError::Reserved`].
    pub fn new(net: Ipv4Net) -> Result<Self, NetworkError> {
        if net.trunc() != net {
            return Err(NetworkError::HostBits { given: net, meant: net.trunc() });
        }
        if !(8..=30).contains(&net.prefix_len()) {
            return Err(NetworkError::Prefix(net));
        }
        let taken = [([0, 0, 0, 0], 8), ([127, 0, 0, 0], 8), ([169, 254, 0, 0], 16), ([224, 0, 0, 0], 3)];
        let overlaps = |(octets, prefix)| {
            let other = Ipv4Net::new_assert(Ipv4Addr::from(octets), prefix);
            other.contains(&net) || net.contains(&other)
        };
        if taken.into_iter().any(overlaps) {
            return Err(NetworkError::Reserved(net));
        }
        Ok(Self(net))
    }

    /// The number of leading bits that its addresses share.
    #[must_use]
    pub fn prefix_len(self) -> u8 {
        self.0.prefix_len()
    }

    /// How many machines can have an address of their own.
    #[must_use]
    pub fn room(self) -> u32 {
        (1 << (32 - self.prefix_len())) - 3
    }

    /// The address of the `index`-th possible machine, counted from 0; none past [`Subnet::room`].
    #[must_use]
    pub fn address(self, index: u32) -> Option<Ipv4Addr> {
        (index < self.room()).then(|| Ipv4Addr::from(u32::from(self.0.network()) + 2 + index))
    }

    /// The address kept for a host that joins the switch.
    #[must_use]
    pub fn host_address(self) -> Ipv4Addr {
        Ipv4Addr::from(u32::from(self.0.network()) + 1)
    }

    /// Whether the address lies in the subnet, reserved or not.
    #[must_use]
    pub fn contains(self, address: Ipv4Addr) -> bool {
        self.0.contains(&address)
    }

    /// Whether the address is in the subnet but never a machine's.
    #[must_use]
    pub fn reserves(self, address: Ipv4Addr) -> bool {
        [self.0.network(), self.host_address(), self.0.broadcast()].contains(&address)
    }
}

impl Default for Subnet {
    fn default() -> Self {
        Self(Ipv4Net::new_assert(Ipv4Addr::new(172, 16, 2, 0), 24))
    }
}

impl fmt::Display for Subnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Subnet {
    type Err = NetworkError;

    fn from_str(text: &str) -> Result<Self, NetworkError> {
        Self::new(text.parse().map_err(|_| NetworkError::NotASubnet(text.to_owned()))?)
    }
}

by_text!(Subnet, NetworkError);

/// Machines on one subnet, with distinct ids, uuids and addresses.
#[derive(Clone, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(try_from = "RawNetwork")]
pub struct Network {
    subnet: Subnet,
    machines: Vec<Machine>,
}

/// What a file holds before [`Network::new`] has checked it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNetwork {
    #[serde(default)]
    subnet: Subnet,
    machines: Vec<Machine>,
}

impl TryFrom<RawNetwork> for Network {
    type Error = NetworkError;

    fn try_from(raw: RawNetwork) -> Result<Self, NetworkError> {
        Self::new(raw.subnet, raw.machines)
    }
}

impl Network {
    /// Puts machines on a subnet.
    ///
    /// # Errors
    /// A [`NetworkError`] that names the first machine that does not fit, and why.
    pub fn new(subnet: Subnet, machines: Vec<Machine>) -> Result<Self, NetworkError> {
        if machines.is_empty() {
            return Err(NetworkError::Empty);
        }
        let (mut ids, mut uuids, mut addresses) = (HashSet::new(), HashSet::new(), HashSet::new());
        for Machine { id, uuid, address, .. } in &machines {
            let (id, uuid, address) = (id.clone(), *uuid, *address);
            if uuid.is_nil() {
                return Err(NetworkError::NilUuid(id));
            }
            if !subnet.contains(address) {
                return Err(NetworkError::Outside { id, address, subnet });
            }
            if subnet.reserves(address) {
                return Err(NetworkError::ReservedAddress { id, address, subnet });
            }
            if !ids.insert(id.clone()) {
                return Err(NetworkError::DuplicateId(id));
            }
            if !uuids.insert(uuid) {
                return Err(NetworkError::DuplicateUuid { id, uuid });
            }
            if !addresses.insert(address) {
                return Err(NetworkError::DuplicateAddress { id, address });
            }
        }
        Ok(Self { subnet, machines })
    }

    /// The subnet that all machines are on.
    #[must_use]
    pub fn subnet(&self) -> Subnet {
        self.subnet
    }

    /// The machines, in the order of the file or of generation.
    #[must_use]
    pub fn machines(&self) -> &[Machine] {
        &self.machines
    }

    /// The names of the machines, in their order.
    #[must_use]
    pub fn ids(&self) -> Vec<MachineId> {
        self.machines.iter().map(|machine| machine.id.clone()).collect()
    }

    /// The machine of that name.
    #[must_use]
    pub fn machine(&self, id: &MachineId) -> Option<&Machine> {
        self.machines.iter().find(|machine| machine.id == *id)
    }

    /// Whether that machine is there and on.
    #[must_use]
    pub fn is_running(&self, id: &MachineId) -> bool {
        self.machine(id).is_some_and(|machine| machine.running)
    }

    /// The same network with one machine on or off; unchanged where it has no such machine.
    #[must_use]
    pub fn with_running(mut self, id: &MachineId, running: bool) -> Self {
        if let Some(machine) = self.machines.iter_mut().find(|machine| machine.id == *id) {
            machine.running = running;
        }
        self
    }

    /// The same network with one machine changed, but for what tells it from its neighbours;
    /// unchanged where it has no such machine.
    #[must_use]
    pub fn with_changed(mut self, id: &MachineId, change: impl FnOnce(&mut Machine)) -> Self {
        if let Some(machine) = self.machines.iter_mut().find(|machine| machine.id == *id) {
            let (uuid, address) = (machine.uuid, machine.address);
            change(machine);
            (machine.id, machine.uuid, machine.address) = (id.clone(), uuid, address);
        }
        self
    }

    /// The same network with every machine on.
    #[must_use]
    pub fn all_running(mut self) -> Self {
        self.machines.iter_mut().for_each(|machine| machine.running = true);
        self
    }

    /// The same network without one machine; none where nothing would be left or nothing changes.
    #[must_use]
    pub fn without(&self, id: &MachineId) -> Option<Self> {
        let machines: Vec<_> = self.machines.iter().filter(|machine| machine.id != *id).cloned().collect();
        let smaller = !machines.is_empty() && machines.len() < self.machines.len();
        smaller.then_some(Self { subnet: self.subnet, machines })
    }
}
