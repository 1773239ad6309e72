//! The effectful half of a specification: a real system, or one that is simulated.

use std::error::Error;

use hypervisor::ConsoleLine;
use model::panics::BrokenModel;
use model::{Model, Outcome};
use serde::{Deserialize, Serialize};

use crate::lanes::Lanes;
use crate::moments::Moments;

/// Acts: creates a system in a state, gives it commands, and takes it down again.
///
/// The pure half that predicts it is [`model::Model`]. The same model runs against any system,
/// so a simulated one and a real one can be held to the same specification.
/// [`Runner`](crate::Runner) has an example of both.
///
/// A panic of [`System::run`], or of a lane's session, is an answer that no model allows: it
/// falsifies, with what it said as what came, and the system is taken down all the same. A panic
/// of any other method is a failure of the infrastructure.
pub trait System<M: Model> {
    /// A system under test, ready for commands. Dropping it must leave nothing behind, since a
    /// panic does just that.
    type Sut;

    /// Waits until there is room for a system in this state, and keeps that room for the call of
    /// [`System::new_sut`] which follows on the same thread; it is free again once the system is
    /// taken down. Several threads ask where cases run side by side, so whoever came first has to
    /// be let in first, and nobody may wait for what another who waits has.
    ///
    /// By default there is room for any number of systems. No limit in time holds for it, since it
    /// waits for others, whose commands and systems are limited; a stop of the run has to end it.
    ///
    /// # Errors
    /// [`SystemError`] where there will never be, and [`SystemError::Stopped`].
    fn can_create_new_sut(&self, _state: &M::State) -> Result<(), SystemError> {
        Ok(())
    }

    /// Creates a system in this state.
    ///
    /// # Errors
    /// [`SystemError`]: this never falsifies a property. [`SystemError::Unfit`] where it is the
    /// state that asks for what cannot be made.
    fn new_sut(&self, state: &M::State) -> Result<Self::Sut, SystemError>;

    /// Creates a system in this state for a purpose: this is what runs call. A system that takes
    /// long to make can be made in a quicker way for some, out of what an earlier case has left;
    /// by default it is the same for all. What wraps another system passes this on.
    ///
    /// # Errors
    /// As [`System::new_sut`].
    fn new_sut_for(&self, state: &M::State, _purpose: Purpose) -> Result<Self::Sut, SystemError> {
        self.new_sut(state)
    }

    /// How systems are saved while a case runs, and given back as they were then, for cases that begin
    /// with the same commands; by default they are not. What wraps another system passes this on where
    /// it keeps nothing of each system itself.
    fn moments(&self) -> Option<&dyn Moments<M, Self::Sut>> {
        None
    }

    /// Whether the system, or a part of it, was not made from nothing. What fails on such a one is
    /// run again on one that was, before it is reported.
    fn is_reused(&self, _sut: &Self::Sut) -> bool {
        false
    }

    /// Gives it a command and waits for the outcome.
    ///
    /// # Errors
    /// [`SystemError`] where what failed is not the system under test; this never falsifies a
    /// property. A command without an answer in time is not an error but an unknown outcome.
    fn run(&self, sut: &mut Self::Sut, command: &M::Command) -> Result<Outcome<M::Response>, SystemError>;

    /// Runs lanes side by side, each over a session of its own, by [`Lanes::run`]:
    ///
    /// ```
    /// use harness::prelude::*;
    /// use std::sync::atomic::{AtomicU64, Ordering};
    ///
    /// /// Gives out numbers, to each lane one that no other has.
    /// struct Numbers;
    ///
    /// impl<M: Model<State = u64, Command = (), Response = u64> + Sync> System<M> for Numbers {
    ///     type Sut = AtomicU64;
    ///
    ///     fn new_sut(&self, given: &u64) -> Result<AtomicU64, SystemError> {
    ///         Ok(AtomicU64::new(*given))
    ///     }
    ///
    ///     fn run(&self, given: &mut AtomicU64, (): &()) -> Result<Outcome<u64>, SystemError> {
    ///         Ok(Outcome::Answered(given.fetch_add(1, Ordering::SeqCst) + 1))
    ///     }
    ///
    ///     fn run_lanes(&self, given: &mut AtomicU64, lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
    ///         let given = &*given;
    ///         lanes.run(|_lane| Ok(|(): &()| Ok(Outcome::Answered(given.fetch_add(1, Ordering::SeqCst) + 1))))
    ///     }
    /// }
    ///
    /// let numbers = reference("numbers", 0, Just(()), |given: &mut u64, (): &()| {
    ///     *given += 1;
    ///     *given
    /// });
    /// check_with(&Config::default().with_lanes(), &numbers, &Numbers);
    /// ```
    ///
    /// By default a system runs none, and is given none unless lanes are asked for.
    ///
    /// # Errors
    /// [`SystemError`] where what failed is not the system under test.
    fn run_lanes(&self, _sut: &mut Self::Sut, _lanes: &Lanes<'_, M>) -> Result<(), SystemError> {
        let why = "this system runs no lanes side by side: implement System::run_lanes, or ask for none";
        Err(SystemError::WrongUse(why.into()))
    }

    /// Is told of the states that the next cases of a run are likely to begin in, to get ready for
    /// them beside these cases, such as by building what they need. A state is generated as it is
    /// asked for; by default none is.
    fn prepare(&self, _states: &mut dyn Iterator<Item = M::State>) {}

    /// What creating a system in this state costs, given what is there already: among states
    /// that tell as much, those that cost least are tried first. By default all cost the same.
    fn cost(&self, _state: &M::State) -> Cost {
        Cost::default()
    }

    /// The end of what the parts of the system have said by themselves, such as the consoles of
    /// machines and what their services said: for the report of a case that has just failed. By default they say nothing.
    fn consoles(&self, _sut: &Self::Sut) -> Vec<Console> {
        Vec::new()
    }

    /// Takes the system down.
    ///
    /// # Errors
    /// [`SystemError`] where something of it may be left.
    fn destroy_sut(&self, sut: Self::Sut) -> Result<(), SystemError> {
        drop(sut);
        Ok(())
    }
}

/// What a part of a system speaks by.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Voice {
    /// A console, such as a machine's kernel has.
    #[default]
    Console,
    /// What keeps account of services: each line has a service's name first.
    Journal,
}

/// The end of what a part of a system has said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Console {
    /// The part, such as the name of a machine.
    pub name: String,
    /// What it spoke by.
    pub voice: Voice,
    /// What it said last.
    pub lines: Vec<ConsoleLine>,
    /// Whether it said more before that.
    pub is_cut: bool,
}

impl Console {
    /// So many bytes of what a part said are kept at most.
    pub const MOST: usize = 64 << 10;

    /// The last lines of what a part has said.
    #[must_use]
    pub fn end_of(name: impl Into<String>, voice: Voice, mut lines: Vec<ConsoleLine>) -> Self {
        let mut room = Self::MOST;
        let fits = lines.iter().rev().take_while(|line| {
            let size = line.text.len() + 1;
            let fits = size <= room;
            room = room.saturating_sub(size);
            fits
        });
        let cut = lines.len() - fits.count();
        lines.drain(..cut);
        Self { name: name.into(), voice, lines, is_cut: cut > 0 }
    }
}

/// What a system is made for.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Purpose {
    /// A case of a run, or one that somebody runs by itself.
    #[default]
    Search,
    /// One of many runs of cases that are alike: a failing case again, or a smaller form of it.
    Rerun,
    /// Showing that a failure does not come of how the system was made: it is made from nothing
    /// ([`System::is_reused`] is false then).
    Confirm,
}

/// What a system costs to create, in a unit of the system's own, such as images to be built.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd)]
pub struct Cost(pub u64);

/// Why a system could not be created or driven: none of these says anything about the property.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SystemError {
    /// Something beneath the system failed; a fresh one may do better.
    #[error("{}", chain(.0.as_ref()))]
    Infrastructure(Box<dyn Error + Send + Sync>),
    /// Trying again would fail in the same way.
    #[error("{}", chain(.0.as_ref()))]
    Hopeless(Box<dyn Error + Send + Sync>),
    /// The state asks for something that cannot be built or booted, while others can be: a
    /// kernel without a module that it needs, a version that is not to be had. The run goes on
    /// without such cases and says so once for each `configuration`.
    ///
    /// A system gives it only where it is sure that trying again would fail in the same way, and
    /// where the reason lies in the values of this state. A system that remembers what it gave
    /// it for can give it at once the next time, with the same `configuration`.
    #[error("{configuration} cannot be built or booted: {}", chain(.error.as_ref()))]
    Unfit {
        /// What cannot be, as the person who runs it knows it, such as `kernel 6.1 with xfs`.
        configuration: String,
        /// Why not.
        error: Box<dyn Error + Send + Sync>,
    },
    /// What was asked for cannot be meant so.
    #[error("{}", chain(.0.as_ref()))]
    WrongUse(Box<dyn Error + Send + Sync>),
    /// A program or library is not on this machine.
    #[error("{}", chain(.0.as_ref()))]
    MissingComponent(Box<dyn Error + Send + Sync>),
    /// The run was asked to stop.
    #[error("the run was stopped")]
    Stopped,
}

impl SystemError {
    /// A failure beneath the system that a fresh system may not meet.
    pub fn infrastructure(error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Infrastructure(error.into())
    }

    /// A configuration that cannot be built or booted.
    pub fn unfit(configuration: impl Into<String>, error: impl Into<Box<dyn Error + Send + Sync>>) -> Self {
        Self::Unfit { configuration: configuration.into(), error: error.into() }
    }
}

impl From<BrokenModel> for SystemError {
    fn from(broken: BrokenModel) -> Self {
        Self::WrongUse(Box::new(broken))
    }
}

/// An error with all its sources in one line, without saying twice what a source repeats.
#[must_use]
pub fn chain(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        source = error.source();
    }
    text
}
