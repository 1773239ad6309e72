//! Commands from strategies, one by one: those that the model takes, of the kinds that the case
//! is to have, from user code that may panic.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use proptest::prelude::RngExt as _;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::{Reason, TestRunner};

use super::{GenerateError, Swarm, TRIES, Tree};
use crate::panics::{asking, caught_part};
use crate::specification::Model;
use crate::step::predict_in_place;
use crate::text;

/// How often a command of a kind that is left out is drawn again, before the kind is let in since
/// there seems to be nothing else to do.
const KIND_TRIES: u32 = 20;

/// States are measured only in cases that take longer than this: measuring a small one costs more
/// than changing it.
const SLOW: Duration = Duration::from_millis(100);

/// How many bytes of text a state may have.
const MOST_BYTES: usize = 64 << 20;

/// What of a model makes commands.
const STRATEGY: &str = "the strategy of gen_command";

/// A strategy for each state.
pub(crate) type Commands<'a, M> =
    dyn Fn(&M, &<M as Model>::State) -> BoxedStrategy<<M as Model>::Command> + 'a;

/// Draws the commands of one case.
pub(crate) struct Draw<'a, M: Model> {
    model: &'a M,
    /// Which kinds were met so far, and whether the case is to have them; none where it is to
    /// have all.
    kinds: Option<BTreeMap<String, bool>>,
    start: Instant,
}

impl<'a, M: Model> Draw<'a, M> {
    /// Draws of all kinds, or of some only, as chance has it.
    pub(crate) fn new(model: &'a M, swarm: Swarm, runner: &mut TestRunner) -> Self {
        let some = swarm.0 > 0 && runner.rng().random_range(0..100) < swarm.0;
        Self { model, kinds: some.then(BTreeMap::new), start: Instant::now() }
    }

    /// A command for this state, with its tree.
    pub(crate) fn command(
        &mut self,
        commands: &Commands<'_, M>,
        state: &M::State,
        runner: &mut TestRunner,
    ) -> Result<(Tree<M::Command>, M::Command), GenerateError> {
        let model = self.model;
        let strategy = guarded("gen_command", state, || commands(model, state))?;
        let (mut refused, mut left_out) = (0, 0);
        loop {
            let mut drawn = None;
            let asked = caught_part(STRATEGY, || {
                let tree = strategy.new_tree(runner)?;
                let command = tree.current();
                let (_, command) = drawn.insert((tree, command));
                Ok(asking("pre_condition", || model.pre_condition(state, command)))
            });
            let asked = asked.map_err(|(part, why)| {
                let command =
                    drawn.as_ref().map(|(_, command)| format!(" and command {}", text::cut(command)));
                let about = format!(" for state {}{}", text::cut(state), command.unwrap_or_default());
                GenerateError::Panicked { part, about, why }
            })?;
            let sensible = asked.map_err(|why: Reason| {
                let state = text::cut(state);
                GenerateError::Command { state, why: why.to_string() }
            })?;
            let Some((tree, command)) = drawn else { continue };
            if !sensible {
                refused += 1;
                if refused == TRIES {
                    let (state, command) = (text::cut(state), text::cut(&command));
                    return Err(GenerateError::CommandRefused { tries: TRIES, state, command });
                }
            } else if self.admits(&command, left_out, runner) {
                return Ok((tree, command));
            } else {
                left_out += 1;
            }
        }
    }

    fn admits(&mut self, command: &M::Command, left_out: u32, runner: &mut TestRunner) -> bool {
        let Some(kinds) = &mut self.kinds else { return true };
        let kind = kinds.entry(self.model.kind(command)).or_insert_with(|| runner.rng().random());
        // What is let in stays in, so that the case still has a subset of the kinds.
        *kind |= left_out >= KIND_TRIES;
        *kind
    }

    /// Changes the state as predicted. `number` is the command's place, counted from 1.
    pub(crate) fn advance(
        &self,
        state: &mut M::State,
        command: &M::Command,
        number: usize,
    ) -> Result<(), GenerateError> {
        guarded_for(
            "next_state",
            || predict_in_place(self.model, state, command),
            || format!(" at command {number} ({})", text::cut(command)),
        )?;
        // Asking for the time costs as much as changing a small state.
        if number.is_multiple_of(2) && self.start.elapsed() > SLOW && text::is_longer_than(state, MOST_BYTES)
        {
            return Err(GenerateError::Grown { number, command: text::cut(command), most: MOST_BYTES });
        }
        Ok(())
    }
}

/// What user code gives, unless it panics.
fn guarded<T, State: std::fmt::Debug>(
    part: &'static str,
    state: &State,
    ask: impl FnOnce() -> T,
) -> Result<T, GenerateError> {
    guarded_for(part, ask, || format!(" for state {}", text::cut(state)))
}

pub(super) fn guarded_for<T>(
    part: &'static str,
    ask: impl FnOnce() -> T,
    about: impl FnOnce() -> String,
) -> Result<T, GenerateError> {
    caught_part(part, ask).map_err(|(part, why)| GenerateError::Panicked { part, about: about(), why })
}
