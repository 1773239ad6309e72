//! A test case: a state to begin in, the commands to give in sequence, and those to give side by
//! side.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::lanes;
use crate::specification::Model;
use crate::step::{makes_sense, predict};
use crate::symbol::Symbol;

/// A state to begin in and what is done from there: a sequential prefix, then lanes that run side
/// by side, then, once these have ended, final commands in sequence.
#[derive(Deserialize, Serialize)]
#[serde(bound = "", deny_unknown_fields)]
pub struct Case<M: Model> {
    /// The state in which the system is created.
    pub initial: M::State,
    /// What is done to it first, in this order.
    pub commands: Vec<M::Command>,
    /// What is done then, each lane in its order and all of them side by side.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub lanes: Vec<Vec<M::Command>>,
    /// What is done once all lanes have ended, in this order.
    #[serde(default = "Vec::new", skip_serializing_if = "Vec::is_empty")]
    pub finally: Vec<M::Command>,
}

// Derived, these would ask of the model what only its states and commands need.
impl<M: Model> fmt::Debug for Case<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = f.debug_struct("Case");
        text.field("initial", &self.initial).field("commands", &self.commands);
        if !self.lanes.is_empty() {
            text.field("lanes", &self.lanes);
        }
        if !self.finally.is_empty() {
            text.field("finally", &self.finally);
        }
        text.finish()
    }
}

impl<M: Model> Clone for Case<M> {
    fn clone(&self) -> Self {
        Self {
            initial: self.initial.clone(),
            commands: self.commands.clone(),
            lanes: self.lanes.clone(),
            finally: self.finally.clone(),
        }
    }
}

impl<M: Model> PartialEq for Case<M> {
    fn eq(&self, other: &Self) -> bool {
        self.initial == other.initial
            && self.commands == other.commands
            && self.lanes == other.lanes
            && self.finally == other.finally
    }
}

/// Where in a case a command stands; counted from 0 here, and from 1 where it is shown.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Place {
    /// In the sequential prefix.
    Prefix(usize),
    /// In a lane.
    Lane {
        /// Which lane.
        lane: usize,
        /// Where in it.
        index: usize,
    },
    /// Among the final commands.
    Finally(usize),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Prefix(index) => write!(f, "command {}", index + 1),
            Self::Lane { lane, index } => write!(f, "lane {}, command {}", lane + 1, index + 1),
            Self::Finally(index) => write!(f, "final command {}", index + 1),
        }
    }
}

/// The first thing that makes a case impossible.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCase {
    /// The model does not begin there.
    #[error("the case begins in a state that the model's initial pre-condition refuses")]
    Initial,
    /// The command makes no sense where it stands.
    #[error("{place} ({command}) is one that the model's pre-condition refuses at that point")]
    Command {
        /// Where it stands.
        place: Place,
        /// The command, as `Debug` prints it.
        command: String,
    },
    /// The command speaks of a result that no command before it gives.
    #[error("{place} ({command}) uses {symbol}, which no command before it defines")]
    Dangling {
        /// Where it stands.
        place: Place,
        /// The command, as `Debug` prints it.
        command: String,
        /// What it uses.
        symbol: Symbol,
    },
    /// Two commands give a result of the same name.
    #[error("{place} ({command}) defines {symbol} once more: give each result a symbol of its own")]
    Redefined {
        /// Where the later one stands.
        place: Place,
        /// The command, as `Debug` prints it.
        command: String,
        /// What it defines.
        symbol: Symbol,
    },
    /// The lanes can interleave in too many ways to look through.
    #[error("the lanes lead to more than {0} situations: make them shorter or fewer")]
    TooManyInterleavings(usize),
}

impl<M: Model> Case<M> {
    /// A case without lanes.
    pub fn sequential(initial: M::State, commands: Vec<M::Command>) -> Self {
        Self { initial, commands, lanes: Vec::new(), finally: Vec::new() }
    }

    /// Every command with its place: the prefix, lane after lane, the final ones.
    pub fn places(&self) -> impl Iterator<Item = (Place, &M::Command)> {
        let prefix = self.commands.iter().enumerate().map(|(index, command)| (Place::Prefix(index), command));
        let lanes = self.lanes.iter().enumerate().flat_map(|(lane, commands)| {
            let place = move |(index, command)| (Place::Lane { lane, index }, command);
            commands.iter().enumerate().map(place)
        });
        let last = self.finally.iter().enumerate().map(|(index, command)| (Place::Finally(index), command));
        prefix.chain(lanes).chain(last)
    }

    /// How many commands it has in all.
    #[must_use]
    pub fn len(&self) -> usize {
        self.commands.len() + self.lanes.iter().map(Vec::len).sum::<usize>() + self.finally.len()
    }

    /// Whether it has no command at all.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The predicted state before each command of the prefix, and after its last: one more than
    /// there are commands in it.
    pub fn states(&self, model: &M) -> Vec<M::State> {
        let mut states = vec![self.initial.clone()];
        for command in &self.commands {
            states.push(predict(model, &states[states.len() - 1], command));
        }
        states
    }

    /// Whether the model lets the case begin and each command follow, in whatever way the lanes
    /// interleave, and whether each symbol that is used is defined before: in the prefix or the
    /// same lane, and for final commands in any lane.
    ///
    /// # Errors
    /// The first state, command or symbol that makes it impossible.
    pub fn validate(&self, model: &M) -> Result<(), InvalidCase> {
        if !model.initial_pre_condition(&self.initial) {
            return Err(InvalidCase::Initial);
        }
        self.check_symbols(model)?;
        let mut state = self.initial.clone();
        for (index, command) in self.commands.iter().enumerate() {
            if !makes_sense(model, &state, command) {
                return Err(refused::<M>(Place::Prefix(index), command));
            }
            state = predict(model, &state, command);
        }
        for mut state in lanes::end_states(model, state, &self.lanes)? {
            for (index, command) in self.finally.iter().enumerate() {
                if makes_sense(model, &state, command) {
                    state = predict(model, &state, command);
                } else if !model.can_be_refused(command) {
                    return Err(refused::<M>(Place::Finally(index), command));
                }
            }
        }
        Ok(())
    }

    pub(crate) fn check_symbols(&self, model: &M) -> Result<(), InvalidCase> {
        let mut defined: BTreeSet<Symbol> = BTreeSet::new();
        let mut visible: BTreeSet<(Option<usize>, Symbol)> = BTreeSet::new();
        for (place, command) in self.places() {
            let text = || format!("{command:?}");
            let lane = match place {
                Place::Lane { lane, .. } => Some(lane),
                Place::Prefix(_) | Place::Finally(_) => None,
            };
            for symbol in model.uses(command) {
                let known = match place {
                    Place::Finally(_) => defined.contains(&symbol),
                    _ => visible.contains(&(None, symbol)) || visible.contains(&(lane, symbol)),
                };
                if !known {
                    return Err(InvalidCase::Dangling { place, command: text(), symbol });
                }
            }
            if let Some(symbol) = model.defines(command) {
                if !defined.insert(symbol) {
                    return Err(InvalidCase::Redefined { place, command: text(), symbol });
                }
                visible.insert((lane, symbol));
            }
        }
        Ok(())
    }
}

pub(crate) fn refused<M: Model>(place: Place, command: &M::Command) -> InvalidCase {
    InvalidCase::Command { place, command: format!("{command:?}") }
}
