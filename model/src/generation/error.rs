//! Why no case comes out of a model's strategies.

use std::ops::RangeInclusive;

use crate::panics::Method;

/// Why no case came out of the model's strategies. States and commands are cut to a length that
/// can be read.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum GenerateError {
    /// The strategy of initial states gave up.
    #[error("no initial state could be generated ({0}): loosen the filters of gen_initial_state")]
    State(String),
    /// The model refuses what its own strategy makes.
    #[error(
        "gen_initial_state made {tries} states, and initial_pre_condition refused each: make the two agree"
    )]
    InitialRefused {
        /// How often it was tried.
        tries: u32,
    },
    /// The strategy of commands gave up.
    #[error("no command could be generated for state {state} ({why}): loosen the filters of gen_command")]
    Command {
        /// The state, as `Debug` prints it.
        state: String,
        /// What proptest said.
        why: String,
    },
    /// The model refuses what its own strategy makes.
    #[error(
        "gen_command made {tries} commands for state {state}, and pre_condition refused each (the last: {command}): make the two agree"
    )]
    CommandRefused {
        /// How often it was tried.
        tries: u32,
        /// The state, as `Debug` prints it.
        state: String,
        /// The last command that was made.
        command: String,
    },
    /// The user's code panicked.
    #[error("{part} gives nothing{about}, since it {why}: mend it, or no cases can be generated")]
    Panicked {
        /// What panicked, such as `gen_command`.
        part: Method,
        /// ` for state …`, or nothing where there is no state yet.
        about: String,
        /// What the panic said, and where.
        why: String,
    },
    /// States have become too large to go on with.
    #[error(
        "the state grew beyond {most} bytes of text by command {number} ({command}), and cases would take all memory: let next_state keep it bounded"
    )]
    Grown {
        /// The place of the command, counted from 1.
        number: usize,
        /// The command, as `Debug` prints it.
        command: String,
        /// How large states may become, in bytes of what `Debug` prints.
        most: usize,
    },
    /// A phase that ends by a condition did not come to its end.
    #[error(
        "phase {phase:?} of scenario {scenario:?} did not come to its end in {most} commands, {tries} times over (the last state: {state}): let it offer what leads there, or allow it more commands"
    )]
    Phase {
        /// The scenario.
        scenario: String,
        /// The phase.
        phase: String,
        /// How many commands it may have.
        most: usize,
        /// How often it was tried.
        tries: u32,
        /// Where the last try ended, as `Debug` prints it.
        state: String,
    },
    /// Scenarios without any weight, or a phase without any length.
    #[error("{0}")]
    Scenario(String),
    /// The range of lengths is empty.
    #[error("no case has {0:?} commands: give a range whose end is not before its start")]
    Length(RangeInclusive<usize>),
    /// The ranges of lanes or of their lengths are empty, or do not begin with two lanes.
    #[error(
        "no case has {lanes:?} lanes of {commands:?} commands: give at least 2 lanes, and ranges whose ends are not before their starts"
    )]
    Lanes {
        /// How many lanes were asked for.
        lanes: RangeInclusive<usize>,
        /// How long they were to be.
        commands: RangeInclusive<usize>,
    },
}
