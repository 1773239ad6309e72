//! The machines of a test, and what each is called in it.

use std::collections::BTreeSet;

use model::scene::{Power, Scene};
use model::{Machine, MachineId, Network};

/// What a machine cannot be called in the script: words of Python and what the driver or the script use.
const TAKEN: &str = "False None True and as assert async await break class continue def del elif else except \
    finally for from global if import in is lambda nonlocal not or pass raise return try while with yield \
    match case print int float str map exec eval list dict set len open type \
    Driver Machine VLan VLans Logger NixStartScript BaseMachine QemuMachine NspawnMachine \
    driver machine machines machines_qemu machines_nspawn vlans vlan log logger subtest start_all \
    test_script run_tests join_all create_machine create_vlan polling_condition retry serial_stdout_on \
    serial_stdout_off dump_machine_ssh t main args argparse atexit base64 codecs colorama io json os pathlib \
    ptpython pty queue re shlex shutil socket subprocess sys tempfile threading time unicodedata \
    debug ahead boot found lines ping read seconds set_clock watched";

/// A machine of a test.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guest {
    /// What the case calls it.
    pub id: String,
    /// What the test calls it: a name of Nix, of a host, and of Python.
    pub name: String,
    /// Whether it is on as the case begins.
    pub is_on: bool,
    /// What it is made of, where the case has machines of netprop's own kind.
    pub machine: Option<Machine>,
    /// What it was given, in words, where there is nothing else.
    pub details: Vec<String>,
}

/// The machines of a test, in the order of their network.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Guests {
    all: Vec<Guest>,
    /// How many leading bits addresses share, where they are known.
    prefix: Option<u8>,
}

impl Guests {
    /// Those of a network, as a case begins.
    #[must_use]
    pub fn of(network: &Network) -> Self {
        let guests = network.machines().iter().map(|machine| Guest {
            id: machine.id.to_string(),
            name: String::new(),
            is_on: machine.running,
            machine: Some(machine.clone()),
            details: Vec::new(),
        });
        Self { all: named(guests.collect()), prefix: Some(network.subnet().prefix_len()) }
    }

    /// Those on a model's map, of which only names are known to programs.
    #[must_use]
    pub fn of_scene(scene: Scene) -> Self {
        let guests = scene.machines.into_iter().map(|seat| Guest {
            id: seat.name,
            name: String::new(),
            is_on: seat.power != Power::Off,
            machine: None,
            details: seat.details,
        });
        Self { all: named(guests.collect()), prefix: None }
    }

    /// All of them.
    pub fn iter(&self) -> impl Iterator<Item = &Guest> {
        self.all.iter()
    }

    /// How many leading bits their addresses share, where they are known.
    #[must_use]
    pub fn prefix(&self) -> Option<u8> {
        self.prefix
    }

    /// The machine of that name, as a case of this network cannot but have.
    pub(super) fn find(&self, id: &MachineId) -> Option<&Guest> {
        self.all.iter().find(|guest| guest.id == id.as_str())
    }

    /// What the test calls it.
    pub(super) fn name(&self, id: &MachineId) -> &str {
        self.find(id).map_or("machine_that_is_not_there", |guest| &guest.name)
    }

    /// Its address on the data network.
    pub(super) fn address(&self, id: &MachineId) -> String {
        let machine = self.find(id).and_then(|guest| guest.machine.as_ref());
        machine.map(|machine| machine.address.to_string()).unwrap_or_default()
    }
}

/// Gives each a name of its own.
fn named(mut guests: Vec<Guest>) -> Vec<Guest> {
    let mut given = BTreeSet::new();
    for guest in &mut guests {
        let letter = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '_' };
        let mut name: String = guest.id.chars().take(40).map(letter).collect();
        let is_word = name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.ends_with(|last: char| last.is_ascii_alphanumeric());
        if !is_word || TAKEN.split_whitespace().any(|taken| taken == name) {
            let stem = name.trim_matches('_');
            name = format!("machine_{}", if stem.is_empty() { "0" } else { stem });
        }
        let (mut candidate, mut number) = (name.clone(), 2);
        while !given.insert(candidate.clone()) {
            candidate = format!("{name}_{number}");
            number += 1;
        }
        guest.name = candidate;
    }
    guests
}

#[cfg(test)]
mod tests {
    use model::scene::Seat;

    use super::*;

    #[test]
    fn each_has_a_name_that_nix_hosts_and_python_take() {
        let seat = |name: &&str| Seat {
            name: (*name).to_owned(),
            details: Vec::new(),
            power: Power::On,
            notes: Vec::new(),
        };
        let names = ["db-1", "db_1", "if", "os", "1", "", "ä'); import os", "a b", "_"];
        let scene = Scene { machines: names.iter().map(seat).collect(), links: Vec::new() };
        let guests = Guests::of_scene(scene);
        let given: Vec<_> = guests.iter().map(|guest| guest.name.as_str()).collect();
        let expected = [
            "db_1",
            "db_1_2",
            "machine_if",
            "machine_os",
            "machine_1",
            "machine_0",
            "machine_import_os",
            "a_b",
            "machine_0_2",
        ];
        assert_eq!(given, expected);
    }
}
