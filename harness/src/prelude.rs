//! What a specification of one's own mostly needs, with proptest's own prelude.

pub use crate::machines::{Boot, Lab, LabOptions, LiveNetwork};
pub use crate::{Config, System, SystemError, check, check_with};
pub use model::{Choice, Machine, MachineId, Model, Network, NetworkParameters, Outcome, Parameter, Setting};
pub use proptest::prelude::*;
pub use proptest::sample::select;
pub use remote;
