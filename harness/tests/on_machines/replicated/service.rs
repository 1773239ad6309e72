//! The service that replicates the register: a file and a line of shell on each machine.

use std::fmt;

use harness::model::{Machine, Network, PackageName, PackageVersion, Service};
use harness::remote;

/// The service and its client, of which the first lines say what they take and print.
const PROGRAM: &str = include_str!("register.pl");
const PATH: &str = "/etc/netprop-register.pl";
/// Its port, 7000, as the kernel lists it.
const READY: &str = "grep -q ':1B58 ' /proc/net/udp";

/// What is wrong with the register.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Bug {
    /// Nothing.
    None,
    /// A write is acknowledged once one replica has it.
    NoMajority,
    /// A read waits for a majority, and answers what its own replica has.
    StaleRead,
    /// A replica acknowledges what it has not synced.
    Unsynced,
    /// Whoever holds a lease takes it to be over when the clock on the wall says so.
    WallClock,
}

impl Bug {
    pub(crate) const ALL: [Self; 4] = [Self::NoMajority, Self::StaleRead, Self::Unsynced, Self::WallClock];
}

impl fmt::Display for Bug {
    /// What the service calls it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::None => "none",
            Self::NoMajority => "no-majority",
            Self::StaleRead => "stale-read",
            Self::Unsynced => "unsynced",
            Self::WallClock => "wall-clock",
        })
    }
}

/// What replicates the register on the machines of a network.
pub(crate) struct Replicas {
    pub(crate) bug: Bug,
    /// What runs the program.
    pub(crate) perl: (PackageName, PackageVersion),
}

impl Replicas {
    /// The network with a replica on each machine.
    pub(crate) fn on(&self, network: Network) -> Network {
        let all = network.machines().to_vec();
        let own = |network: Network, machine: &Machine| {
            network.with_changed(&machine.id, |changed| {
                changed.packages.extend([self.perl.clone()]);
                changed.files.insert(PATH.parse().unwrap(), PROGRAM.to_owned());
                let service = words(&all, machine, self.bug, &["serve"]).join(" ");
                let command = format!("{}exec {service}", known_addresses(&all, machine));
                let service = Service { command, ready: Some(READY.to_owned()) };
                changed.services.insert("register".parse().unwrap(), service);
            })
        };
        all.iter().fold(network, own)
    }
}

/// What has a kernel know where the other machines are. It would ask, and keep datagrams until it is told:
/// what was sent to who is cut off would arrive once that is healed.
fn known_addresses(all: &[Machine], own: &Machine) -> String {
    let known = |machine: &Machine| {
        let hardware = harness::nixgen::mac(machine.address);
        format!("arp -i eth1 -s {} {hardware}; ", machine.address)
    };
    all.iter().filter(|machine| machine.id != own.id).map(known).collect()
}

/// How a machine runs the program.
fn words(all: &[Machine], own: &Machine, bug: Bug, what: &[&str]) -> Vec<String> {
    let others = all.iter().filter(|machine| machine.id != own.id);
    let addresses = [own].into_iter().chain(others).map(|machine| machine.address.to_string());
    let program = ["perl", PATH, &bug.to_string()].map(str::to_owned);
    let what = ["--"].into_iter().chain(what.iter().copied()).map(str::to_owned);
    program.into_iter().chain(addresses).chain(what).collect()
}

/// How a client on a machine of the network is run: with the words of the machine's own service, but
/// for the last.
pub(crate) fn client(machine: &Machine, what: &[&str]) -> remote::Command {
    let service = machine.services.values().next().unwrap();
    let (_, program) = service.command.split_once("exec ").unwrap();
    let program = program.trim_end_matches("serve");
    remote::Command::from_words(program.split_whitespace().chain(what.iter().copied()))
}
