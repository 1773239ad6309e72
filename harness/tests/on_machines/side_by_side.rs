//! Networks of real machines side by side: none sees another, whatever their machines are called.

use harness::machines::give::give;
use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::{Outcome, System as _, SystemError};
use model::machines::{Command, Response};
use model::{MachineId, Network};

/// A network of machines with these names, of which some are on.
fn network(lab: &Lab, names: &[&str], on: &[&str]) -> Network {
    let kernel = lab.kernels().unwrap().remove(0);
    let machines = names.iter().zip(2..).map(|(name, address)| {
        let running = on.contains(name);
        format!(
            r#"{{ "id": "{name}", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-00000000000{address}",
                 "address": "172.16.2.{address}", "kernel": "{kernel}", "memory": 96,
                 "file_system": "ext4", "running": {running} }}"#
        )
    });
    let machines: Vec<_> = machines.collect();
    serde_json::from_str(&format!(r#"{{ "machines": [ {} ] }}"#, machines.join(","))).unwrap()
}

fn id(name: &str) -> MachineId {
    name.parse().unwrap()
}

fn said(live: &LiveNetwork<'_>, name: &str, line: &str) -> String {
    let output = live.run(&id(name), &remote::Command::new(line)).unwrap();
    assert!(output.ending.is_success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn pinged(live: &LiveNetwork<'_>, from: &str, to: &str) -> bool {
    match give(live, &Command::Ping { from: id(from), to: id(to) }).unwrap() {
        Outcome::Answered(Response::Pinged { answered }) => answered,
        other => panic!("a ping is answered or not, and not this: {other:?}"),
    }
}

#[test]
fn the_same_machines_in_two_networks_do_not_see_each_other() -> Result<(), SystemError> {
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    let whole = network(&lab, &["a", "b"], &["a", "b"]);
    let half = network(&lab, &["a", "b"], &["a"]);
    let one = LiveNetwork::create(&lab, &whole)?;
    let other = LiveNetwork::create(&lab, &half)?;
    assert!(pinged(&one, "a", "b") && pinged(&one, "b", "a"));
    assert!(!pinged(&other, "a", "b"), "the machine b that is on is the other network's");
    said(&one, "a", "echo here >/scratch/mark; sync");
    assert_eq!(said(&other, "a", "ls -A /scratch | grep mark || echo none"), "none");
    // Each is what its model says, whatever libvirt knows it by.
    let uuid = whole.machines()[0].uuid;
    for live in [&one, &other] {
        assert_eq!(said(live, "a", "hostname"), "a");
        assert_eq!(said(live, "a", "cat /etc/machine-id"), uuid.simple().to_string());
        assert_eq!(said(live, "a", "cat /sys/class/dmi/id/product_uuid"), uuid.to_string());
    }
    // The end of one is not the end of the other.
    drop(one);
    assert_eq!(said(&other, "a", "cat /proc/sys/kernel/hostname"), "a");
    Ok(())
}

#[test]
fn several_networks_rest_to_be_put_back() -> Result<(), SystemError> {
    let options = LabOptions { boots: Boots::Warm, ..LabOptions::default() };
    let Some(lab) = Lab::for_test_with(options)? else { return Ok(()) };
    let system = MachineSystem::new(&lab);
    let networks = [network(&lab, &["a"], &["a"]), network(&lab, &["a", "b"], &["a"])];
    for network in &networks {
        let live = system.new_sut(network)?;
        said(&live, "a", "echo here >/root/mark");
        system.destroy_sut(live)?;
    }
    assert_eq!(system.put_back(), 0);
    for (network, put_back) in networks.iter().zip(1..) {
        system.can_create_new_sut(network)?;
        let live = system.new_sut(network)?;
        assert_eq!(system.put_back(), put_back);
        assert_eq!(said(&live, "a", "ls -A /root | grep mark || echo none"), "none");
        system.destroy_sut(live)?;
    }
    Ok(())
}
