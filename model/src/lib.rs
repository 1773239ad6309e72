//! Machines, networks and the models that predict them.
//!
//! Nothing here does input or output or knows virtual machines, Nix or SSH: what is in this
//! crate is a pure function of its arguments. The map, from the things to what is said of them:
//!
//! - [`machine`]: one machine and the types of its parts;
//! - [`network`]: machines on a subnet;
//! - [`mod@generate`]: strategies for networks;
//! - [`specification`]: the [`Model`] trait that every specification implements: start here;
//! - [`case`]: a state and commands, generated for a model;
//! - [`outcome`]: answered, refused or unknown;
//! - [`possible`]: which states the outcomes so far allow, and so which answers are wrong;
//! - [`machines`]: Boot, Shutdown and Ping, the specification that netprop runs by itself.

pub mod case;
pub mod generate;
pub mod machine;
pub mod machines;
pub mod network;
pub mod outcome;
pub mod possible;
pub mod specification;

pub use case::{Case, GenerateError, GeneratedCase, InvalidCase, generate};
pub use generate::{NetworkParameters, ParameterError};
pub use machine::{FileSystem, KernelVersion, Machine, MachineError, MachineId, Mebibytes};
pub use machines::MachineSpec;
pub use network::{Network, NetworkError, Subnet};
pub use outcome::Outcome;
pub use possible::{Judgement, Possible};
pub use specification::Model;
