//! Specifications of machines, as commands know them: those that `netprop` has by name, and one's own.

use clap::ValueEnum;
use model::{BoundsError, FaultSpec, MachineSpec, Model, NetworkParameters};

use super::Fatal;
use crate::as_test::nixos::{self, Guests, Steps};
use crate::as_test::{Call, Expressions, TestText};
use crate::machines::OnMachines;
use crate::machines::simulated::SimulatedSystem;
use crate::replay::ReplayError;
use crate::system::System;

/// A specification of machines within bounds, which commands run, replay and shrink.
pub(crate) trait Specified {
    /// The model.
    type Model: OnMachines<State: Send>;
    /// Its machines in memory, where it has some.
    type Simulation: System<Self::Model> + Sync;

    /// The model of networks within these bounds.
    fn within(&self, bounds: NetworkParameters) -> Result<Self::Model, Fatal>;

    /// Machines in memory, or why there are none.
    fn simulation(&self) -> Result<Self::Simulation, Fatal>;

    /// A test for one of its cases, on machines of any kind that `Lab::for_test` finds.
    fn as_test(&self, name: &str, seed: &str, about: String) -> TestText;

    /// What its commands are in the script of a test of NixOS.
    fn steps<'a>(&self, model: &'a Self::Model, guests: &'a Guests) -> Box<Steps<'a, Self::Model>>;
}

/// A specification that the command knows by name.
pub(crate) struct BuiltIn<M: Model> {
    /// What it is called in Rust.
    name: &'static str,
    new: fn(NetworkParameters) -> Result<M, BoundsError>,
    steps: for<'a> fn(&'a M, &'a Guests) -> Box<Steps<'a, M>>,
}

impl BuiltIn<MachineSpec> {
    pub(crate) const MACHINES: Self = Self {
        name: "MachineSpec",
        new: MachineSpec::new,
        steps: |_, guests| Box::new(|network, command| nixos::machines::step(guests, network, command)),
    };
}

impl BuiltIn<FaultSpec> {
    pub(crate) const FAULTS: Self = Self {
        name: "FaultSpec",
        new: FaultSpec::new,
        steps: |model, guests| {
            let mut steps = nixos::faults::Steps::new(guests);
            Box::new(move |world, command| steps.step(model, world, command))
        },
    };
}

impl<M: OnMachines<State: Send>> Specified for BuiltIn<M>
where
    SimulatedSystem: System<M>,
{
    type Model = M;
    type Simulation = SimulatedSystem;

    fn within(&self, bounds: NetworkParameters) -> Result<M, Fatal> {
        (self.new)(bounds).map_err(|error| Fatal::usage(&error))
    }

    fn simulation(&self) -> Result<SimulatedSystem, Fatal> {
        Ok(SimulatedSystem)
    }

    fn as_test(&self, name: &str, seed: &str, about: String) -> TestText {
        let expressions = Expressions {
            before: vec![
                "let Some(lab) = harness::machines::Lab::for_test()? else { return Ok(()) };".to_owned(),
                format!("let specification = harness::model::{}::new(lab.bounds()?)?;", self.name),
            ],
            model: "&specification".to_owned(),
            system: "&harness::machines::MachineSystem::of(&lab)".to_owned(),
        };
        TestText { name: TestText::name_of(name, seed), about, expressions, call: Call::Function }
    }

    fn steps<'a>(&self, model: &'a M, guests: &'a Guests) -> Box<Steps<'a, M>> {
        (self.steps)(model, guests)
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
    fn with<T: Specified>(self, specified: &T) -> Self::Output;
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
            Self::Machines => what.with(&BuiltIn::MACHINES),
            Self::Faults => what.with(&BuiltIn::FAULTS),
        }
    }
}
