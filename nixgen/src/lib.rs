//! Turns a network into a Nix expression, builds it and describes each machine as libvirt XML.
//!
//! ```no_run
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let run_directory = std::path::PathBuf::new();
//! let network: model::Network = serde_json::from_str(&std::fs::read_to_string("network.json")?)?;
//! let options = nixgen::BuildOptions::new(run_directory)?;
//! let built = nixgen::Builder::new(options)?.build(&network)?;
//! for (machine, image) in built.machines() {
//!     let wiring = nixgen::Wiring::default();
//!     println!("{}", nixgen::domain_xml(machine, &network, image, &wiring)?);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Neither libvirt nor a network is needed for this once packages are pinned, and no socket is
//! opened here. What identifies a machine (name, address, uuid, memory, file system) is in no
//! image: it reaches the guest at boot, by the contract in `nix/guest/README.md`.
//!
//! The map, from what is called to what it calls:
//!
//! - [`Builder`] (`builder`) takes a network to its images, with [`BuildOptions`] (`options`)
//!   that say where, [`Progress`] and [`Cancel`] (`progress`) meanwhile;
//! - `base` is what a guest can be made of: `debian`, where `apt` resolves and downloads and `lock`
//!   pins, or `nixos`, from a tree of nixpkgs;
//! - [`EvaluationError`] (`evaluation`) is the first error of a failing evaluation, understood;
//! - `template` renders what goes to Nix and to libvirt, `sources` carries the Nix files;
//! - `nix` runs `nix-build`, `process` any child;
//! - [`Image`] (`image`) is a result, checked;
//! - [`domain_xml`] (`xml`) describes a machine, with a [`Wiring`] that differs by run.

mod apt;
mod base;
mod builder;
mod debian;
mod error;
mod evaluation;
mod host;
mod image;
mod lock;
mod nix;
mod nixos;
mod options;
mod process;
mod progress;
mod sources;
mod template;
mod xml;

pub use base::BaseOffer;
pub use builder::{Builder, Built, Expression};
pub use error::Error;
pub use evaluation::{EvaluationError, Position, Problem};
pub use image::{Image, Loader};
pub use nixos::{NixosOptions, NixosStore, NixpkgsPin, NixpkgsSource, UserModule};
pub use options::{BaseChoice, BuildOptions, StoreChoice};
pub use progress::{Cancel, Observer, Progress};
pub use template::nix_string;
pub use xml::{Accelerator, Console, Control, Data, DiskIo, Management, Wiring, domain_xml, mac, mac_bytes};
