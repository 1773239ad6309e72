//! A register that three machines replicate: its specification, the service (`register.pl`), how it
//! runs on machines, and a simulation of it in memory.

mod on_machines;
mod service;
mod shape;
mod shown;
mod simulated;
mod specification;

pub(crate) use service::{Bug, Replicas};
pub(crate) use shape::shape;
pub(crate) use simulated::SimulatedRegister;
pub(crate) use specification::{Fault, Register};
