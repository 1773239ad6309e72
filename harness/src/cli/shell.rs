//! `netprop shell`: a network to play with, without a specification.

use std::fs;
use std::path::Path;

use model::Network;
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

use super::args::ShellOptions;
use super::console::converse;
use super::lab;
use super::run::Session;
use super::{Fatal, wrong};
use crate::exit::Exit;
use crate::inside::Machines;
use crate::machines::{Lab, LiveNetwork};

pub(crate) fn shell(options: &ShellOptions) -> Result<Exit, Fatal> {
    let given = options.network.as_deref().map(read).transpose()?;
    let session = Session::start(&options.output)?;
    let Some(lab) = lab::open(&options.lab, &session)? else {
        return Err(wrong("there is nothing to see inside a simulated network: leave out --system"));
    };
    let network = given.map_or_else(|| generated(&lab, options.machines), Ok)?;
    let live = LiveNetwork::create(&lab, &network)?;
    converse(&mut Machines(&live), &session)
}

/// A network from a file.
fn read(path: &Path) -> Result<Network, Fatal> {
    let text = fs::read_to_string(path).map_err(|error| {
        wrong(format!("could not read the network {}: {error}: check that you may read it", path.display()))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        let path = path.display();
        wrong(format!("{path} is no network ({error}): `network` in a `netprop shell` prints one"))
    })
}

/// So many machines that the base can make, all of them on.
fn generated(lab: &Lab, machines: usize) -> Result<Network, Fatal> {
    let bounds = lab.bounds()?.with_machines(machines..=machines);
    let networks = bounds.strategy().map_err(|error| Fatal::usage(&error))?;
    let tree = networks
        .new_tree(&mut TestRunner::deterministic())
        .map_err(|reason| wrong(format!("no network of {machines} machines can be made: {reason}")))?;
    Ok(tree.current().all_running())
}
