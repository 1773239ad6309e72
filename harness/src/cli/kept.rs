//! A case that is kept in a file, by a specification of machines: what several commands begin with.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use super::args::LabOptions;
use super::bundle::environment;
use super::offered::{SpecificationKind, Specified, With};
use super::run::Session;
use super::{Fatal, lab, nixos, parameters};
use crate::bundle::Bundle;
use crate::exit::Exit;
use crate::machines::{Lab, OnMachines};
use crate::observe::Event;
use crate::replay::{self, Replay};

/// A command about a case of machines that is kept in a file.
pub(crate) trait AboutKept {
    /// The file.
    fn file(&self) -> &Path;

    /// Does what the command does, with the specification that the case is of.
    fn of_machines<T: Specified>(&self, specified: &T) -> Result<Exit, Fatal>;
}

/// Does what a command does, with the one of the specifications that `netprop` has which the file names.
pub(crate) fn by_name<C: AboutKept>(command: &C) -> Result<Exit, Fatal> {
    let name = replay::specification(command.file()).map_err(|error| Fatal::usage(&error))?;
    SpecificationKind::of_file(&name, command.file())?.with(Named(command))
}

struct Named<'a, C>(&'a C);

impl<C: AboutKept> With for Named<'_, C> {
    type Output = Result<Exit, Fatal>;

    fn with<T: Specified>(self, specified: &T) -> Result<Exit, Fatal> {
        self.0.of_machines(specified)
    }
}

/// A case that was read from a file, with the model that it is of.
pub(crate) struct Kept<M: OnMachines> {
    pub(crate) model: M,
    pub(crate) replay: Replay<M>,
    settings: BTreeMap<String, String>,
    file: PathBuf,
}

impl<M: OnMachines<State: Send>> Kept<M> {
    /// Reads a file, before anything is prepared.
    pub(crate) fn read<T: Specified<Model = M>>(specified: &T, file: &Path) -> Result<Self, Fatal> {
        // What machines vary in is in the file; how many there are was decided already.
        let settings = replay::settings(file).map_err(|error| Fatal::usage(&error))?;
        let model = specified.within(parameters::bounds(&settings)?)?;
        let replay = Replay::read(&model, file).map_err(|error| Fatal::usage(&error))?;
        Ok(Self { model, replay, settings, file: file.to_owned() })
    }

    /// Prepares what its machines need, where real ones are asked for, and warns of what is another here
    /// than where the case was found.
    pub(crate) fn lab(&self, options: &LabOptions, session: &Session) -> Result<Option<Lab>, Fatal> {
        let Some(lab) = lab::open(&nixos::recall(options, &self.settings), session)? else { return Ok(None) };
        let mut differences = nixos::differences(&self.settings, &lab.pins()?);
        if Bundle::is_one(&self.file) {
            let bundle = Bundle::read(&self.file).map_err(|error| Fatal::usage(&error))?;
            let here = environment(&lab, M::network(&self.replay.case.initial))?;
            differences.extend(bundle.differences(&here));
        }
        for text in differences {
            session.observer.event(&Event::Warning { text: &text });
        }
        Ok(Some(lab))
    }
}
