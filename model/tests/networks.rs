//! Networks: what is generated is valid, and what is read is checked like what is built.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use model::{
    FileSystem, KernelVersion, Mebibytes, Network, NetworkError, NetworkParameters, Parameter, Subnet,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn kernels() -> Vec<KernelVersion> {
    ["6.1", "6.12"].map(|version| KernelVersion::new(version).unwrap()).to_vec()
}

fn parameters() -> NetworkParameters {
    NetworkParameters::new(kernels()).unwrap()
}

/// As many machines as the subnet has addresses for.
fn full() -> NetworkParameters {
    let mut bounds = parameters().with_machines(61..=61);
    bounds.subnet = "10.9.8.0/26".parse().unwrap();
    bounds
}

proptest! {
    #[test]
    fn generated_networks_lie_within_the_bounds(
        network in parameters().strategy().unwrap(),
    ) {
        prop_assert!((1..=4).contains(&network.machines().len()));
        for machine in network.machines() {
            prop_assert!((96..=256).contains(&machine.memory.get()));
            prop_assert!(kernels().contains(&machine.kernel));
            prop_assert!(!machine.running);
            prop_assert_eq!(machine.id.as_str().len(), 8);
            prop_assert_eq!(machine.uuid.get_version_num(), 4);
        }
    }

    /// The constructor refuses what is not distinct, so that a network fills its subnet proves
    /// that the strategies never repeat an id, uuid or address.
    #[test]
    fn a_full_subnet_has_distinct_names(
        network in full().strategy().unwrap(),
    ) {
        let addresses: HashSet<_> = network.machines().iter().map(|machine| machine.address).collect();
        prop_assert_eq!(addresses.len(), 61);
    }

    #[test]
    fn networks_survive_a_file(network in parameters().strategy().unwrap()) {
        let text = serde_json::to_string(&network).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), network);
    }

    #[test]
    fn removing_a_machine_leaves_the_others(
        network in parameters().strategy().unwrap(),
        index in any::<prop::sample::Index>(),
    ) {
        let id = index.get(network.machines()).id.clone();
        match network.without(&id) {
            None => prop_assert_eq!(network.machines().len(), 1),
            Some(smaller) => {
                prop_assert_eq!(smaller.machines().len(), network.machines().len() - 1);
                prop_assert!(smaller.machine(&id).is_none());
                prop_assert!(smaller.machines().iter().all(|left| network.machine(&left.id) == Some(left)));
            }
        }
    }
}

#[test]
fn all_kernels_and_file_systems_are_drawn() {
    let strategy = parameters().strategy().unwrap();
    let mut runner = TestRunner::deterministic();
    let mut seen = HashSet::new();
    for _ in 0..200 {
        for machine in strategy.new_tree(&mut runner).unwrap().current().machines() {
            seen.insert((machine.kernel.clone(), machine.file_system));
        }
    }
    assert_eq!(seen.len(), kernels().len() * FileSystem::ALL.len());
}

/// A network file with two machines, of which the second has this text in place of a part.
fn file_with(from: &str, to: &str) -> Result<Network, serde_json::Error> {
    let text = r#"{ "subnet": "172.16.2.0/24", "machines": [
        { "id": "a", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a01", "address": "172.16.2.2",
          "kernel": "6.1", "memory": 96, "file_system": "ext4" },
        { "id": "b", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a02", "address": "172.16.2.3",
          "kernel": "6.12", "memory": 128, "file_system": "xfs", "running": true } ] }"#;
    assert!(text.contains(from), "{from} is not in the file");
    serde_json::from_str(&text.replacen(from, to, 1))
}

#[test]
fn broken_files_are_refused_by_name() {
    file_with("6.12", "6.12").unwrap();
    let cases = [
        ("\"b\"", "\"a\"", "machine id a is used twice"),
        ("0a02", "0a01", "uuid b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a01 of machine b is used twice"),
        ("b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a02", "00000000-0000-0000-0000-000000000000", "nil uuid"),
        ("172.16.2.3", "172.16.2.2", "address 172.16.2.2 of machine b is used twice"),
        ("172.16.2.3", "172.16.3.3", "address 172.16.3.3 of machine b is outside the subnet 172.16.2.0/24"),
        ("172.16.2.3", "172.16.2.0", "is reserved in 172.16.2.0/24"),
        ("172.16.2.3", "172.16.2.1", "is reserved in 172.16.2.0/24"),
        ("172.16.2.3", "172.16.2.255", "is reserved in 172.16.2.0/24"),
        ("172.16.2.3", "172.16.2", "invalid IPv4 address"),
        ("128", "1", "memory of 1 MiB is out of bounds"),
        ("128", "1048577", "memory of 1048577 MiB is out of bounds"),
        ("128", "\"much\"", "invalid type"),
        ("xfs", "ntfs", "unknown variant `ntfs`"),
        ("6.12", "../6", "kernel version \"../6\" is not one"),
        ("\"b\"", "\"../b\"", "machine id \"../b\" is not a host name"),
        ("\"running\"", "\"runing\"", "unknown field `runing`"),
        ("172.16.2.0/24", "172.16.2.1/24", "subnet 172.16.2.1/24 has host bits set: write 172.16.2.0/24"),
        ("172.16.2.0/24", "172.16.2.0/31", "impossible prefix"),
        ("172.16.2.0/24", "127.0.0.0/24", "overlaps loopback"),
        ("172.16.2.0/24", "everywhere", "\"everywhere\" is not a subnet"),
    ];
    for (from, to, said) in cases {
        let error = file_with(from, to).expect_err(to).to_string();
        assert!(error.contains(said), "{to}: {error}");
    }
    let empty = serde_json::from_str::<Network>(r#"{ "machines": [] }"#).unwrap_err();
    assert!(empty.to_string().contains("no machines"), "{empty}");
}

#[test]
fn impossible_bounds_are_refused() {
    let refused = |change: &dyn Fn(&mut NetworkParameters), said: &str| {
        let mut parameters = parameters();
        change(&mut parameters);
        let error = parameters.strategy().expect_err(said).to_string();
        assert!(error.contains(said), "{error}");
    };
    #[expect(clippy::reversed_empty_ranges, reason = "this is what is to be refused")]
    refused(&|parameters| parameters.machines = 4..=1, "no network has 4..1 machines");
    refused(&|parameters| parameters.machines = 0..=1, "give a range from at least 1");
    refused(&|parameters| parameters.machines = 1..=254, "254 machines do not fit into subnet 172.16.2.0/24");
    let refused = |error: &dyn std::error::Error, said: &str| {
        assert!(error.to_string().contains(said), "{error}");
    };
    refused(&NetworkParameters::new(Vec::new()).unwrap_err(), "parameter \"kernel\" has no values");
    let none: [FileSystem; 0] = [];
    refused(&Parameter::scratches(none).unwrap_err(), "parameter \"file system\" has no values");
    let (least, most) = (Mebibytes::new(96).unwrap(), Mebibytes::new(128).unwrap());
    refused(&Parameter::memory(most..=least).unwrap_err(), "has the empty range 128..96");
}

#[test]
fn subnets_count_their_room() {
    let smallest: Subnet = "10.0.0.0/30".parse().unwrap();
    assert_eq!((smallest.room(), smallest.address(1)), (1, None));
    assert_eq!(smallest.address(0).unwrap().to_string(), "10.0.0.2");
    assert_eq!(Subnet::default().room(), 253);
    assert!(matches!("169.254.0.0/16".parse::<Subnet>(), Err(NetworkError::Reserved(_))));
}
