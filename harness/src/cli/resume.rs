//! `netprop resume`: inside a failing case, just before what failed.

use super::args::{ResumeOptions, SystemKind};
use super::console::converse;
use super::lab::{self, Tested};
use super::offered::{Offered, SpecificationKind, With};
use super::run::Session;
use super::{Fatal, nixos, parameters, wrong};
use crate::exit::Exit;
use crate::inside::Stepping;
use crate::machines::MachineSystem;
use crate::machines::simulated::SimulatedSystem;
use crate::replay::{self, Replay};
use crate::system::{Purpose, System};

pub(crate) fn resume(options: &ResumeOptions) -> Result<Exit, Fatal> {
    let name = replay::specification(&options.file).map_err(|error| Fatal::usage(&error))?;
    SpecificationKind::of_file(&name, &options.file)?.with(Resume(options))
}

struct Resume<'a>(&'a ResumeOptions);

impl With for Resume<'_> {
    type Output = Result<Exit, Fatal>;

    fn with<M: Offered>(self) -> Result<Exit, Fatal>
    where
        SimulatedSystem: System<M>,
    {
        inside::<M>(self.0)
    }
}

fn inside<M: Offered>(options: &ResumeOptions) -> Result<Exit, Fatal> {
    if options.lab.system == SystemKind::Simulated {
        return Err(wrong("there is nothing to see inside a simulated network: leave out --system"));
    }
    let usage = |error: &dyn std::error::Error| Fatal::usage(error);
    let settings = replay::settings(&options.file).map_err(|error| usage(&error))?;
    let specification = M::within(parameters::bounds(&settings)?).map_err(|error| usage(&error))?;
    let replay = Replay::read(&specification, &options.file).map_err(|error| usage(&error))?;
    let at = options.at.unwrap_or(replay.failure.number);
    if !(1..=replay.case.len()).contains(&at) {
        return Err(wrong(format!("the case has commands 1 to {}, and none {at}", replay.case.len())));
    }
    let session = Session::start(&options.output)?;
    let Tested::Machines(lab) = lab::open(&nixos::recall(&options.lab, &settings), &session)? else {
        return Err(wrong("there are no machines"));
    };
    let system = MachineSystem::<M>::of(&lab);
    let mut live = system.new_sut_for(&replay.case.initial, Purpose::Rerun)?;
    let mut stepping = Stepping::new(&specification, &system, &mut live, &replay.case, Some(&replay.failure));
    stepping.go_to(at, |text| anstream::print!("{text}"))?;
    converse(&mut stepping, &session.stop)
}
