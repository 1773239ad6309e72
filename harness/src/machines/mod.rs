//! Systems for [`model::MachineSpec`].

pub mod simulated;
