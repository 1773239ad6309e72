//! Commands from strategies, one by one: those that the model takes, of the kinds that the case
//! is to have, from user code that may panic.

use std::borrow::Cow;
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
    kinds: Option<BTreeMap<Cow<'static, str>, bool>>,
    /// When the first look at the clock was, for cases that are long enough to need one.
    start: Option<Instant>,
    /// Whether commands take so long that a look at the clock is nothing beside them.
    dear: bool,
}

impl<'a, M: Model> Draw<'a, M> {
    /// Draws of all kinds, or of some only, as chance has it.
    pub(crate) fn new(model: &'a M, swarm: Swarm, runner: &mut TestRunner) -> Self {
        let some = swarm.0 > 0 && runner.rng().random_range(0..100) < swarm.0;
        Self { model, kinds: some.then(BTreeMap::new), start: None, dear: false }
    }

    /// A command for this state, with its tree.
    pub(crate) fn command(
        &mut self,
        commands: &Commands<'_, M>,
        state: &M::State,
        runner: &mut TestRunner,
    ) -> Result<(Tree<M::Command>, M::Command), GenerateError> {
        let model = self.model;
        let (mut refused, mut left_out, mut drawn) = (0, 0, None);
        // One look for panics, rather than one for each part of the model that is asked.
        let asked = caught_part("gen_command", || {
            let strategy = commands(model, state);
            loop {
                let tree = asking(STRATEGY, || strategy.new_tree(runner)).map_err(|why: Reason| {
                    GenerateError::Command { state: text::cut(state), why: why.to_string() }
                })?;
                let command = asking(STRATEGY, || tree.current());
                let (_, command) = drawn.insert((tree, command));
                if !asking("pre_condition", || model.pre_condition(state, command)) {
                    refused += 1;
                    if refused == TRIES {
                        let (state, command) = (text::cut(state), text::cut(command));
                        return Err(GenerateError::CommandRefused { tries: TRIES, state, command });
                    }
                } else if asking("kind", || self.admits(command, left_out, runner)) {
                    return Ok(());
                } else {
                    left_out += 1;
                }
            }
        });
        match asked {
            Ok(Ok(())) => Ok(drawn.expect("it ends with a command or an error")),
            Ok(Err(error)) => Err(error),
            Err((part, why)) => {
                let command = drawn.map(|(_, command)| format!(" and command {}", text::cut(&command)));
                let about = format!(" for state {}{}", text::cut(state), command.unwrap_or_default());
                Err(GenerateError::Panicked { part, about, why })
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
        &mut self,
        state: &mut M::State,
        command: &M::Command,
        number: usize,
    ) -> Result<(), GenerateError> {
        guarded_for(
            "next_state",
            || predict_in_place(self.model, state, command),
            || format!(" at command {number} ({})", text::cut(command)),
        )?;
        if self.is_slow(number) && text::is_longer_than(state, MOST_BYTES) {
            return Err(GenerateError::Grown { number, command: text::cut(command), most: MOST_BYTES });
        }
        Ok(())
    }

    /// Whether the case has taken so long that its state may have grown large. Asking for the
    /// time costs as much as changing a small state, so while all is fast it is asked now and then.
    fn is_slow(&mut self, number: usize) -> bool {
        if !self.dear && !number.is_multiple_of(4) {
            return false;
        }
        let elapsed = self.start.get_or_insert_with(Instant::now).elapsed();
        self.dear = elapsed > SLOW / 10;
        elapsed > SLOW
    }
}

/// What user code gives, unless it panics.
pub(super) fn guarded_for<T>(
    part: &'static str,
    ask: impl FnOnce() -> T,
    about: impl FnOnce() -> String,
) -> Result<T, GenerateError> {
    caught_part(part, ask).map_err(|(part, why)| GenerateError::Panicked { part, about: about(), why })
}
