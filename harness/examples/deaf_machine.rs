//! A failure of a network to look at, in a second and without machines: simulated ones answer no pings
//! after their second boot.
//!
//! `cargo run -p harness --example deaf_machine -- run`

#[path = "../tests/planted/deaf.rs"]
mod deaf;

use std::error::Error;
use std::process::ExitCode;

use deaf::DeafAfterSecondBoot;
use harness::model::{MachineSpec, NetworkParameters};

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let bounds = NetworkParameters::new(vec!["6.1".parse()?, "6.12".parse()?])?;
    Ok(harness::cli::main_for(MachineSpec::new(bounds)?, DeafAfterSecondBoot))
}
