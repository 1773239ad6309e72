//! Systems for [`model::MachineSpec`], and real machines for anybody's specification.
//!
//! - [`lab`]: what all networks of a run share;
//! - [`live`]: a network of real machines: use this for a specification of your own;
//! - [`identity`]: what a machine is told of itself when it boots;
//! - [`system`]: cases on real machines, of any model of networks;
//! - [`give`]: the commands of [`model::MachineSpec`] on real machines;
//! - [`faults`]: what else can be done to them, and the commands of [`model::FaultSpec`];
//! - [`simulated`], [`simulated_faults`]: the same in memory, to test the runner with.

mod builds;
mod change;
mod echoes;
mod errors;
pub mod faults;
pub mod give;
mod hold;
mod host;
pub mod identity;
mod inspect;
mod kept;
mod key;
pub mod lab;
pub mod live;
mod ping;
mod room;
mod said;
mod scratch;
mod shared;
pub mod simulated;
pub mod simulated_faults;
mod status;
mod stepwise;
pub mod system;
mod templates;
mod unfit;
mod warm;
mod xml;

pub use lab::{Boots, Lab, LabOptions, Reach, SwitchChoice};
pub use live::{Boot, LiveNetwork};
pub use system::{MachineSystem, OnMachines};
pub(crate) use xml::xml;
