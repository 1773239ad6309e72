//! libvirt's drivers keep the contract.

use std::time::Duration;

use crate::guest::Guest;
use hypervisor::contract::{Subject, check};
use hypervisor::{Access, ConnectOptions, Libvirt, RunDirectory};

#[test]
fn embedded() {
    let Some(guest) = Guest::find() else { return };
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let t = std::time::Instant::now();
    let libvirt = Libvirt::connect(&run, &ConnectOptions::default()).unwrap();
    eprintln!("connect {:?}", t.elapsed());
    let definition = |name: &str| guest.definition(run.path(), name, "");
    check(&Subject { hypervisor: &libvirt, definition: &definition, limit: Duration::from_secs(60) });
}
