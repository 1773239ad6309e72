//! `netprop resume`: inside a failing case, just before what failed.

use std::path::Path;

use model::Model;

use super::args::ResumeOptions;
use super::console::converse;
use super::kept::{AboutKept, Kept};
use super::offered::Specified;
use super::run::Session;
use super::{Fatal, wrong};
use crate::execute::Standing;
use crate::exit::Exit;
use crate::inside::{Live, Stepping};
use crate::machines::MachineSystem;
use crate::replay::Replay;
use crate::system::{Purpose, System};

impl AboutKept for ResumeOptions {
    fn file(&self) -> &Path {
        &self.file
    }

    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal> {
        let kept = Kept::read(specified, &self.file)?;
        let (model, replay, at) = (&kept.model, &kept.replay, at(self, &kept.replay)?);
        let session = Session::start(&self.output)?;
        match kept.lab(&self.lab, &session)? {
            None => inside(model, &specified.simulation()?, |_| None, replay, at, &session),
            Some(lab) => inside(model, &MachineSystem::of(&lab), |live| Some(live), replay, at, &session),
        }
    }
}

/// Inside a case of a system in memory.
pub(crate) fn in_memory<M: Model, S: System<M>>(
    model: &M,
    system: &S,
    options: &ResumeOptions,
) -> Result<Exit, Fatal> {
    let replay = Replay::read(model, &options.file).map_err(|error| Fatal::usage(&error))?;
    let at = at(options, &replay)?;
    inside(model, system, |_| None, &replay, at, &Session::start(&options.output)?)
}

/// The number of the command that is to come next.
fn at<M: Model>(options: &ResumeOptions, replay: &Replay<M>) -> Result<usize, Fatal> {
    let at = options.at.unwrap_or(replay.failure.number);
    if (1..=replay.case.len()).contains(&at) {
        return Ok(at);
    }
    Err(wrong(format!(
        "the case has commands 1 to {}, and none {at}: give --at one of them",
        replay.case.len()
    )))
}

/// Inside a system that a case has just failed on, as it stands.
pub(crate) fn standing<'lab, M: Model, S: System<M>>(
    model: &M,
    system: &S,
    sut: &mut S::Sut,
    live: Live<'lab, S::Sut>,
    standing: &Standing<'_, M>,
    session: &Session,
) -> Result<(), Fatal> {
    let Standing { case, history, evidence } = standing;
    let stepping = Stepping::new(model, system, sut, live, case, Some(evidence));
    session.screen.finish();
    super::print(&format!("it failed, and stands as it failed: {evidence}\n"));
    converse(&mut stepping.after(history), session).map(drop)
}

fn inside<'lab, M: Model, S: System<M>>(
    model: &M,
    system: &S,
    live: Live<'lab, S::Sut>,
    replay: &Replay<M>,
    at: usize,
    session: &Session,
) -> Result<Exit, Fatal> {
    let mut sut = system.new_sut_for(&replay.case.initial, Purpose::Rerun)?;
    let mut stepping = Stepping::new(model, system, &mut sut, live, &replay.case, Some(&replay.failure));
    stepping.go_to(at, super::print)?;
    let exit = converse(&mut stepping, session);
    system.destroy_sut(sut)?;
    exit
}
