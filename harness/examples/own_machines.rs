//! A program with all commands of `netprop` for a specification of machines; here for the one that
//! `netprop` has itself, where one's own would stand.
//!
//! `cargo run -p harness --example own_machines -- run --cases 2`

use std::process::ExitCode;

use harness::model::MachineSpec;

fn main() -> ExitCode {
    harness::cli::main_on_machines(MachineSpec::new)
}
