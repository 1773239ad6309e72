//! Machines, networks and the models that predict them.
//!
//! Nothing here does input or output or knows virtual machines, Nix or SSH: what is in this
//! crate is a pure function of its arguments. The map:
//!
//! - [`machine`]: one machine and the types of its parts;
//! - [`network`]: machines on a subnet.
pub mod machine;
pub mod network;

pub use machine::{FileSystem, KernelVersion, Machine, MachineError, MachineId, Mebibytes};
pub use network::{Network, NetworkError, Subnet};
