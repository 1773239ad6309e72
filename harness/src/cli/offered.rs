//! The specifications that the command knows by name.

use clap::ValueEnum;
use model::{BoundsError, FaultSpec, MachineSpec, NetworkParameters};

use super::Fatal;
use crate::machines::OnMachines;
use crate::machines::simulated::SimulatedSystem;
use crate::replay::ReplayError;
use crate::system::System;

/// A specification of machines within bounds, which the command runs, replays and shrinks.
pub(crate) trait Offered: OnMachines<State: Send> + Sized {
    /// What it is called in Rust.
    const TYPE: &'static str;

    /// Of networks within these bounds.
    fn within(bounds: NetworkParameters) -> Result<Self, BoundsError>;
}

impl Offered for MachineSpec {
    const TYPE: &'static str = "MachineSpec";

    fn within(bounds: NetworkParameters) -> Result<Self, BoundsError> {
        Self::new(bounds)
    }
}

impl Offered for FaultSpec {
    const TYPE: &'static str = "FaultSpec";

    fn within(bounds: NetworkParameters) -> Result<Self, BoundsError> {
        Self::new(bounds)
    }
}

/// Which of them.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
pub(crate) enum SpecificationKind {
    Machines,
    Faults,
}

/// Something to be done with whichever specification it is.
pub(crate) trait With {
    /// What comes of it.
    type Output;

    /// Does it with this one.
    fn with<M: Offered>(self) -> Self::Output
    where
        SimulatedSystem: System<M>;
}

impl SpecificationKind {
    /// The one of this name, as replay files have it.
    pub(crate) fn of_file(name: &str, path: &std::path::Path) -> Result<Self, Fatal> {
        let all = Self::value_variants().iter().copied();
        let mut all =
            all.filter(|kind| kind.to_possible_value().is_some_and(|value| value.get_name() == name));
        all.next().ok_or_else(|| {
            Fatal::usage(&ReplayError::Specification {
                path: path.to_owned(),
                found: name.to_owned(),
                expected: "machines or faults".to_owned(),
            })
        })
    }

    pub(crate) fn with<W: With>(self, what: W) -> W::Output {
        match self {
            Self::Machines => what.with::<MachineSpec>(),
            Self::Faults => what.with::<FaultSpec>(),
        }
    }
}
