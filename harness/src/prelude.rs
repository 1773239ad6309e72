//! What a specification of one's own mostly needs, with proptest's own prelude.

pub use crate::machines::{Boot, Lab, LabOptions, LiveNetwork};
pub use crate::{Config, Lanes, System, SystemError, check, check_side_by_side, check_with, reference};
pub use model::{
    Case, Choice, Example, Labels, LaneShape, Machine, MachineId, Model, Named, Network, NetworkParameters,
    Outcome, Parameter, Phase, Scenario, Setting, Shape, Symbol, weighted,
};
pub use proptest;
pub use proptest::prelude::*;
pub use proptest::sample::select;
pub use remote;
pub use serde::{Deserialize, Serialize};
