//! Builds the images of a network file and prints each machine's XML: nixgen alone, no libvirt.
//!
//! `cargo run -p nixgen --example vm_xml -- nixgen/examples/network.json`

use std::error::Error;
use std::process::ExitCode;
use std::sync::Arc;
use std::{env, fs};

use model::Network;
use nixgen::{BuildOptions, Builder, Wiring, domain_xml};

fn main() -> ExitCode {
    let Some(path) = env::args().nth(1) else {
        eprintln!("usage: vm_xml NETWORK.json");
        return ExitCode::from(2);
    };
    match print(&path) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn print(path: &str) -> Result<(), Box<dyn Error>> {
    let text =
        fs::read_to_string(path).map_err(|error| format!("cannot read the network file {path}: {error}"))?;
    let network: Network = serde_json::from_str(&text)
        .map_err(|error| format!("the network file {path} does not describe a network: {error}"))?;
    let run_directory = tempfile::Builder::new().prefix("vm_xml-").tempdir()?;
    let mut options = BuildOptions::new(run_directory.path())?;
    options.observer = Arc::new(|progress| eprintln!("{progress:?}"));
    let built = Builder::new(options)?.build(&network)?;
    for (machine, image) in built.machines() {
        println!("{}", domain_xml(machine, &network, image, &Wiring::default())?);
    }
    Ok(())
}
