//! Virtual machines: defined, started, cut off and watched behind one trait, with a switch
//! between them and the certainty that nothing outlives the run.
//!
//! ```
//! use hypervisor::{Definition, Endpoints, Hypervisor, Simulated, State, boot};
//! use std::{path::Path, time::Duration};
//!
//! // In memory; `Libvirt` makes real ones of the XML, by the same trait.
//! let hypervisor = Simulated::new();
//! let endpoints = Endpoints::new(Path::new("/run/example"), "a")?;
//! let definition = Definition { name: "a".to_owned(), xml: "<domain/>".to_owned(), endpoints };
//! let mut machine = hypervisor.define(&definition)?;
//! boot(&mut *machine, "end\n", Duration::from_secs(5))?;
//! assert_eq!(machine.state(), State::Running);
//! machine.power_cut()?;
//! assert_eq!(machine.state(), State::Off);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! Nothing here knows models, Nix or SSH: a machine is an XML and two sockets. The map, from
//! where to start:
//!
//! - [`machine`]: the traits [`Hypervisor`] and [`Machine`], and how to write a backend;
//! - [`run`]: the directory that everything of a run lies in, and its guardian;
//! - [`libvirt`]: the backend for real machines;
//! - [`boot()`], [`boot_from()`], [`resume()`]: from off, from a template, or from a snapshot, to ready, by
//!   what the guest says;
//! - [`TemplateCache`]: what machines begin from instead of booting, kept between runs;
//! - [`switch`]: the network between machines;
//! - [`fabric`]: a switch of our own for that, which cuts, delays, loses and captures frames;
//! - [`disk_fault`]: disks that are slow or fail, and power cuts that lose what was not flushed;
//! - [`disk`], [`loopback`], [`accelerator`]: what a machine's definition is made with;
//! - [`simulated`]: a backend in memory, and [`contract`]: what every backend has to do;
//! - [`guest_ports`]: our ends of a machine's console and control port, which backends share.
pub mod accelerator;
pub mod boot;
mod console;
pub mod contract;
pub mod disk;
pub mod disk_fault;
mod draws;
mod error;
pub mod fabric;
pub mod guest_ports;
mod journal;
pub mod libvirt;
pub mod loopback;
pub mod machine;
mod program;
pub mod run;
pub mod simulated;
mod snapshot;
mod still_there;
mod survival;
pub mod switch;
mod template_cache;

use std::path::PathBuf;

pub use accelerator::{Accelerator, Choice};
pub use boot::{BootError, Booted, Patience, boot, boot_as, boot_from, make_template, resume};
pub use console::ConsoleLine;
pub use disk::create_overlay;
pub use disk_fault::{DiskFault, Failing, Lost, Slowness};
pub use error::{Error, SOCKET_PATH_MAX};
pub use fabric::{Fabric, FabricConfig};
pub use guest_ports::GuestPorts;
pub use libvirt::{ConnectOptions, Driver, Libvirt};
pub use loopback::free_loopback_port;
pub use machine::{Definition, Endpoints, Event, Hypervisor, Machine, State, Transition};
pub use run::{Access, Report, RunDirectory, clean};
pub use simulated::{Behaviour, Simulated};
pub use snapshot::Snapshot;
pub use survival::{Survival, Survives};
pub use switch::Switch;
pub use template_cache::{Template, TemplateCache};

/// Where answers that are dear to find are kept between runs: `$XDG_CACHE_HOME/netprop`, else
/// `$HOME/.cache/netprop`; nowhere without either.
#[must_use]
pub fn cache_directory() -> Option<PathBuf> {
    let variable = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let cache = variable("XDG_CACHE_HOME").or_else(|| Some(variable("HOME")?.join(".cache")));
    Some(cache?.join("netprop"))
}
