//! The backend that the crate's example writes is one.

#[path = "../../examples/own_backend.rs"]
mod own_backend;

use std::time::Duration;

use hypervisor::contract::{Subject, check};
use hypervisor::{Access, RunDirectory};

use crate::guest::Guest;
use crate::support::qemu;

#[test]
fn keeps_the_contract() {
    let Some(guest) = Guest::find() else { return };
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let backend = own_backend::OwnBackend { run: run.clone(), qemu: qemu() };
    let definition = |name: &str| guest.definition(run.path(), name, "");
    check(&Subject { hypervisor: &backend, definition: &definition, limit: Duration::from_secs(60) });
}
