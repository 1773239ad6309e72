//! What a specification of one's own mostly needs, with proptest's own prelude.

pub use crate::machines::{Boot, Lab, LabOptions, LiveNetwork, MachineSystem, OnMachines};
pub use crate::{Config, Lanes, System, SystemError, check, check_side_by_side, check_with, reference};
pub use model::{
    BoundsError, Case, Choice, Example, Labels, LaneShape, Machine, MachineId, Mebibytes, Model, Named,
    Network, NetworkParameters, Outcome, PackageVersion, Parameter, Phase, Scenario, Service, Setting, Shape,
    Symbol, weighted,
};
pub use proptest;
pub use proptest::prelude::*;
pub use proptest::sample::select;
pub use remote;
pub use serde::{Deserialize, Serialize};
