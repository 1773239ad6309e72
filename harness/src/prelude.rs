//! What a specification of one's own mostly needs, with proptest's own prelude.

pub use crate::machines::{Boot, Lab, LabOptions, LiveNetwork};
pub use crate::{Config, System, SystemError, check, check_with, reference};
pub use model::{
    Case, Choice, Example, Labels, Machine, MachineId, Model, Network, NetworkParameters, Outcome, Parameter,
    Phase, Scenario, Setting, weighted,
};
pub use proptest;
pub use proptest::prelude::*;
pub use proptest::sample::select;
pub use remote;
pub use serde::{Deserialize, Serialize};
