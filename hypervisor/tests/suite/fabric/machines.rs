//! Machines on the fabric: QEMU's own `-netdev vde`, and guests with a network stack of their own.

use std::time::{Duration, Instant};

use hypervisor::fabric::{Fabric, FabricConfig, Pairs, Rule};
use hypervisor::{
    Access, ConnectOptions, Driver, Event, Hypervisor as _, Libvirt, Machine, RunDirectory, boot,
};

use crate::guest::Guest;
use crate::support::in_own_process;

/// How long a guest may take for anything, under software emulation on a busy host.
const LIMIT: Duration = Duration::from_secs(120);

/// A card that is plugged into the fabric's port with this number.
fn card(fabric: &Fabric, port: u16) -> String {
    let arguments = [
        "-netdev".to_owned(),
        format!("vde,id=data,sock={},port={port}", fabric.path().display()),
        "-device".to_owned(),
        format!("virtio-net-pci,netdev=data,mac=52:54:00:00:00:0{port},bus=pcie.0,addr=0x10,romfile="),
    ];
    let arguments: String = arguments.iter().map(|value| format!("<qemu:arg value='{value}'/>")).collect();
    format!("<qemu:commandline>{arguments}</qemu:commandline>")
}

/// What the guest says to this.
fn answer(machine: &mut dyn Machine, line: &str) -> String {
    machine.send(line).unwrap();
    match machine.next_event(Instant::now() + LIMIT) {
        Event::Control(said) => said,
        other => panic!("{line}: {other:?}; {}", machine.console()),
    }
}

#[test]
fn machines_reach_each_other_unless_a_rule_is_in_the_way() {
    in_own_process("fabric::machines::machines_reach_each_other_unless_a_rule_is_in_the_way", || {
        let Some(guest) = Guest::find() else { return };
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let config = FabricConfig::new(1, ["a", "b"]);
        let fabric = Fabric::start(&run, "f", Access::Owner, &config).unwrap();
        let options = ConnectOptions { driver: Driver::Embedded, cache: None };
        let libvirt = Libvirt::connect(&run, &options).unwrap();
        let machine = |port: u16| {
            let definition = guest.definition(run.path(), &format!("m{port}"), &card(&fabric, port));
            let mut machine = libvirt.define(&definition).unwrap();
            boot(&mut *machine, "end\n", LIMIT).unwrap();
            assert_eq!(answer(&mut *machine, &format!("address 10.0.0.{port}/24")), "addressed");
            machine
        };
        let mut a = machine(1);
        let mut b = machine(2);
        assert_eq!(fabric.plugged(), ["a", "b"]);
        assert_eq!(answer(&mut *a, "ping 10.0.0.2 60"), "answered");
        assert_eq!(answer(&mut *b, "ping 10.0.0.1 60"), "answered");

        // The question arrives, and the answer does not.
        let one_way = fabric.apply(&[Rule::cut(Pairs::one_way(&["b"], &["a"]))]).unwrap();
        let before = (fabric.counts("a", "b").unwrap(), fabric.counts("b", "a").unwrap());
        assert_eq!(answer(&mut *a, "ping 10.0.0.2 2"), "unanswered");
        let after = (fabric.counts("a", "b").unwrap(), fabric.counts("b", "a").unwrap());
        assert!(after.0.delivered.frames > before.0.delivered.frames);
        assert!(after.1.cut.frames > before.1.cut.frames);
        assert_eq!(after.1.delivered, before.1.delivered);
        drop(one_way);
        assert_eq!(answer(&mut *a, "ping 10.0.0.2 60"), "answered");

        // A machine that loses its power is unplugged, and can come back to its port at once.
        b.power_cut().unwrap();
        boot(&mut *b, "end\n", LIMIT).unwrap();
        assert_eq!(fabric.plugged(), ["a", "b"]);
        fabric.check().unwrap();
    });
}
