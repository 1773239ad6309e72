//! What libvirt would be given for a network, without a libvirt.

use std::sync::Arc;

use hypervisor::{Access, RunDirectory};
use model::Network;
use nixgen::Wiring;

use crate::machines::builds::Builds;
use crate::machines::key;
use crate::machines::lab::LabOptions;
use crate::observe::Observer;
use crate::stop::Stop;
use crate::system::SystemError;

/// The XML of each machine of a network, in their order, after its images are built; it is wired to
/// nothing, and ready for `virsh define`.
///
/// # Errors
/// [`SystemError`] where images cannot be built.
pub(crate) fn xml(
    mut options: LabOptions,
    network: &Network,
    observer: &Arc<dyn Observer>,
    stop: &Stop,
) -> Result<Vec<String>, SystemError> {
    let run = RunDirectory::create(options.run_directory.as_deref(), Access::Owner)?;
    let authorized_key = key::prepare(&mut options, run.path())?;
    let builds = Builds::new(&options, authorized_key, &run, observer, stop)?;
    let built = builds.build(network)?;
    let machines = built.machines();
    let wiring = Wiring::default();
    machines.map(|(machine, image)| Ok(nixgen::domain_xml(machine, network, image, &wiring)?)).collect()
}
