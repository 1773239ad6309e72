//! What a program tests: what `netprop` has by name, or a specification of one's own.

use std::error::Error;

use clap::Command;
use model::{Model, NetworkParameters, Outcome};

use super::args::{BundleOptions, ReplayOptions, ResumeOptions, RunOptions, ShrinkOptions};
use super::export::ExportOptions;
use super::kept::{AboutKept as _, by_name};
use super::offered::Specified;
use super::{Fatal, bundle, export, replay, resume, run, shrink, wrong};
use crate::as_test::TestText;
use crate::as_test::nixos::{self, Guests, Steps};
use crate::exit::Exit;
use crate::machines::{MachineSystem, OnMachines};
use crate::system::{System, SystemError};

/// What the commands of a program work on.
pub(crate) trait Program {
    /// The command line with what it needs of it.
    fn define(&self, command: Command) -> Command;

    fn run(&self, options: &RunOptions) -> Result<Exit, Fatal>;

    fn replay(&self, options: &ReplayOptions) -> Result<Exit, Fatal>;

    fn shrink(&self, options: &ShrinkOptions) -> Result<Exit, Fatal>;

    fn resume(&self, options: &ResumeOptions) -> Result<Exit, Fatal>;

    fn bundle(&self, options: &BundleOptions) -> Result<Exit, Fatal>;

    fn export(&self, options: &ExportOptions) -> Result<Exit, Fatal>;
}

/// The `netprop` command itself.
pub(crate) struct Netprop;

impl Program for Netprop {
    fn define(&self, command: Command) -> Command {
        command
    }

    fn run(&self, options: &RunOptions) -> Result<Exit, Fatal> {
        run::run(options)
    }

    fn replay(&self, options: &ReplayOptions) -> Result<Exit, Fatal> {
        by_name(options)
    }

    fn shrink(&self, options: &ShrinkOptions) -> Result<Exit, Fatal> {
        by_name(options)
    }

    fn resume(&self, options: &ResumeOptions) -> Result<Exit, Fatal> {
        by_name(options)
    }

    fn bundle(&self, options: &BundleOptions) -> Result<Exit, Fatal> {
        by_name(options)
    }

    fn export(&self, options: &ExportOptions) -> Result<Exit, Fatal> {
        by_name(options)
    }
}

/// A model and a system in memory.
pub(crate) struct InMemory<M, S> {
    pub(crate) model: M,
    pub(crate) system: S,
}

/// Options that are about machines, beside those under headings of their own.
const OF_MACHINES: [&str; 3] = ["specification", "machines", "subnet"];
/// Headings of options that are about machines.
const HEADINGS: [&str; 3] = ["Machines", "NixOS", super::parameters::HEADING];
/// What is under these and is about any system.
const OF_ANY: [&str; 2] = ["command_limit", "system_limit"];
/// Commands that are about machines.
const COMMANDS: [&str; 4] = ["doctor", "clean", "shell", "xml"];

impl<M, S> Program for InMemory<M, S>
where
    M: Model<State: Send, Command: Send, Response: Send> + Sync,
    S: System<M> + Sync,
{
    fn define(&self, command: Command) -> Command {
        let about_machines = |id: &str, heading: Option<&str>| {
            let under = heading.is_some_and(|heading| HEADINGS.contains(&heading));
            OF_MACHINES.contains(&id) || (under && !OF_ANY.contains(&id))
        };
        let command = command.mut_subcommands(|command| {
            let is_hidden = COMMANDS.contains(&command.get_name());
            command.hide(is_hidden).mut_args(|option| {
                let hidden = about_machines(option.get_id().as_str(), option.get_help_heading());
                if hidden { option.hide(true) } else { option }
            })
        });
        without_lanes(command)
    }

    fn run(&self, options: &RunOptions) -> Result<Exit, Fatal> {
        run::in_memory(&self.model, &self.system, options)
    }

    fn replay(&self, options: &ReplayOptions) -> Result<Exit, Fatal> {
        replay::in_memory(&self.model, &self.system, options)
    }

    fn shrink(&self, options: &ShrinkOptions) -> Result<Exit, Fatal> {
        shrink::in_memory(&self.model, &self.system, options)
    }

    fn resume(&self, options: &ResumeOptions) -> Result<Exit, Fatal> {
        resume::in_memory(&self.model, &self.system, options)
    }

    fn bundle(&self, options: &BundleOptions) -> Result<Exit, Fatal> {
        bundle::in_memory(&self.model, options)
    }

    fn export(&self, options: &ExportOptions) -> Result<Exit, Fatal> {
        export::in_memory::<M, S>(&self.model, options)
    }
}

/// A model and a system have to be made for lanes: who has such asks for them.
fn without_lanes(command: Command) -> Command {
    command.mut_subcommand("run", |run| run.mut_arg("lane_share", |option| option.default_value("0")))
}

/// A specification of machines, by what makes it.
pub(crate) struct Machines<F>(pub(crate) F);

impl<F, M, E> Program for Machines<F>
where
    F: Fn(NetworkParameters) -> Result<M, E>,
    M: OnMachines<State: Send>,
    E: Error,
{
    fn define(&self, command: Command) -> Command {
        let command =
            command.mut_subcommand("run", |run| run.mut_arg("specification", |option| option.hide(true)));
        without_lanes(command)
    }

    fn run(&self, options: &RunOptions) -> Result<Exit, Fatal> {
        run::of_machines(self, options)
    }

    fn replay(&self, options: &ReplayOptions) -> Result<Exit, Fatal> {
        options.of_machines(self)
    }

    fn shrink(&self, options: &ShrinkOptions) -> Result<Exit, Fatal> {
        options.of_machines(self)
    }

    fn resume(&self, options: &ResumeOptions) -> Result<Exit, Fatal> {
        options.of_machines(self)
    }

    fn bundle(&self, options: &BundleOptions) -> Result<Exit, Fatal> {
        options.of_machines(self)
    }

    fn export(&self, options: &ExportOptions) -> Result<Exit, Fatal> {
        options.of_machines(self)
    }
}

impl<F, M, E> Specified for Machines<F>
where
    F: Fn(NetworkParameters) -> Result<M, E>,
    M: OnMachines<State: Send>,
    E: Error,
{
    type Model = M;
    type Simulation = NoSimulation;

    fn within(&self, bounds: NetworkParameters) -> Result<M, Fatal> {
        (self.0)(bounds).map_err(|error| Fatal::usage(&error))
    }

    fn simulation(&self) -> Result<NoSimulation, Fatal> {
        Err(wrong("this specification has no simulation, only machines: leave out --system"))
    }

    fn as_test(&self, name: &str, seed: &str, about: String) -> TestText {
        TestText::by_types::<M, MachineSystem<'_, M>>(name, seed, about)
    }

    fn steps<'a>(&self, _: &'a M, _: &'a Guests) -> Box<Steps<'a, M>> {
        Box::new(nixos::to_be_filled_in::<M>)
    }
}

/// A system that there is none of.
pub(crate) enum NoSimulation {}

impl<M: Model> System<M> for NoSimulation {
    type Sut = Self;

    fn new_sut(&self, _: &M::State) -> Result<Self, SystemError> {
        match *self {}
    }

    fn run(&self, _: &mut Self, _: &M::Command) -> Result<Outcome<M::Response>, SystemError> {
        match *self {}
    }
}
