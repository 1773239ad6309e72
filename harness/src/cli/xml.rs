//! `netprop xml`: the XML that libvirt would be given for the machines of a network.

use std::io::Read as _;
use std::path::Path;

use model::Network;

use super::args::XmlOptions;
use super::lab::lab_options;
use super::run::Session;
use super::{Fatal, wrong};
use crate::exit::Exit;
use crate::machines;

pub(crate) fn xml(options: &XmlOptions) -> Result<Exit, Fatal> {
    let network = read(&options.network)?;
    let session = Session::start(&options.output)?;
    let xml = machines::xml(lab_options(&options.lab)?, &network, &session.observer, &session.stop)?;
    // It is done, so nothing is in its way any more.
    session.observer.text("");
    xml.iter().for_each(|machine| super::print(&format!("{machine}\n")));
    Ok(Exit::Holds)
}

fn read(path: &Path) -> Result<Network, Fatal> {
    let name = path.display();
    let text = if path == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().lock().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(path)
    };
    let text = text.map_err(|error| {
        wrong(format!("cannot read the network file {name}: {error}: name one, or - for standard input"))
    })?;
    serde_json::from_str(&text).map_err(|error| {
        wrong(format!(
            "the network file {name} does not describe a network: {error}: nixgen/examples/network.json is one"
        ))
    })
}
