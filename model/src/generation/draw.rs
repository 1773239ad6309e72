//! Commands from strategies, one by one: those that the model takes, of the kinds that the case
//! is to have, from user code that may panic.

use std::borrow::Cow;

use coarsetime::Instant;
use proptest::prelude::RngExt as _;
use proptest::strategy::{BoxedStrategy, Strategy, ValueTree};
use proptest::test_runner::TestRunner;

use super::{GenerateError, Keep, Swarm, TRIES, Tree};
use crate::panics::{Method, asking, caught_part};
use crate::specification::Model;
use crate::step::predict_in_place;
use crate::text;

/// How often a command of a kind that is left out is drawn again, before the kind is let in since
/// there seems to be nothing else to do.
const KIND_TRIES: u32 = 10;

/// How many bytes of text a state may have.
const MOST_BYTES: usize = 64 << 20;

/// Why there is a command.
const DRAWN: &str = "drawing ends with a command or an error";

/// A strategy for each state.
pub(crate) type Commands<'a, M> =
    dyn Fn(&M, &<M as Model>::State) -> BoxedStrategy<<M as Model>::Command> + 'a;

/// Draws the commands of one case.
pub(crate) struct Draw<'a, M: Model> {
    model: &'a M,
    /// Which kinds were met so far, and whether the case is to have them; none where it is to
    /// have all. They are few, so they are sooner looked through than hashed.
    kinds: Option<Vec<(Cow<'static, str>, bool)>>,
    /// When the last command changed the state.
    last: Option<Instant>,
}

impl<'a, M: Model> Draw<'a, M> {
    /// Draws of all kinds, or of some only, as chance has it.
    pub(crate) fn new(model: &'a M, swarm: Swarm, runner: &mut TestRunner) -> Self {
        let some = swarm.0 > 0 && runner.rng().random_range(0..100) < swarm.0;
        Self { model, kinds: some.then(Vec::new), last: None }
    }

    /// A command for this state, with its tree.
    pub(crate) fn command(
        &mut self,
        commands: &Commands<'_, M>,
        state: &M::State,
        runner: &mut TestRunner,
    ) -> Result<(Tree<M::Command>, M::Command), GenerateError> {
        let mut drawn = None;
        let asked = caught_part(Method::GenCommand, || self.draw(commands, state, runner, &mut drawn));
        let asked = asked.map_err(|panicked| panicked_at::<M>(panicked, state, drawn.as_ref(), None))?;
        let tree = asked.map_err(|error| *error)?;
        Ok((tree, drawn.expect(DRAWN)))
    }

    /// A command for this state, which is then changed as predicted; `keep` takes its tree.
    /// `number` is the command's place, counted from 1.
    pub(crate) fn next(
        &mut self,
        commands: &Commands<'_, M>,
        state: &mut M::State,
        number: usize,
        runner: &mut TestRunner,
        keep: &mut Keep<'_, M>,
    ) -> Result<M::Command, GenerateError> {
        let mut drawn = None;
        let asked = caught_part(Method::GenCommand, || {
            keep(self.draw(commands, state, runner, &mut drawn)?);
            self.advance(state, drawn.as_ref().expect(DRAWN), number)
        });
        let asked =
            asked.map_err(|panicked| panicked_at::<M>(panicked, state, drawn.as_ref(), Some(number)))?;
        asked.map_err(|error| *error)?;
        Ok(drawn.expect(DRAWN))
    }

    /// Draws until a command may be given, and gives its tree; what was drawn last is in `drawn`,
    /// whatever happens. Errors are boxed since they are seldom and large, and each result is moved.
    fn draw(
        &mut self,
        commands: &Commands<'_, M>,
        state: &M::State,
        runner: &mut TestRunner,
        drawn: &mut Option<M::Command>,
    ) -> Result<Tree<M::Command>, Box<GenerateError>> {
        let (model, strategy) = (self.model, commands(self.model, state));
        let (mut refused, mut left_out) = (0, 0);
        loop {
            let tree = asking(Method::Strategy, || strategy.new_tree(runner)).map_err(|why| {
                let state = text::cut(state);
                Box::new(GenerateError::Command { state, why: why.to_string() })
            })?;
            let command = drawn.insert(asking(Method::Strategy, || tree.current()));
            if !asking(Method::PreCondition, || model.pre_condition(state, command)) {
                refused += 1;
                if refused == TRIES {
                    let (state, command) = (text::cut(state), text::cut(command));
                    return Err(Box::new(GenerateError::CommandRefused { tries: TRIES, state, command }));
                }
            } else if self.kinds.is_none() || asking(Method::Kind, || self.admits(command, left_out, runner))
            {
                return Ok(tree);
            } else {
                left_out += 1;
            }
        }
    }

    fn admits(&mut self, command: &M::Command, left_out: u32, runner: &mut TestRunner) -> bool {
        let Some(kinds) = &mut self.kinds else { return true };
        let kind = self.model.kind(command);
        let met = kinds.iter().position(|(other, _)| *other == kind).unwrap_or_else(|| {
            kinds.push((kind, runner.rng().random()));
            kinds.len() - 1
        });
        // What is let in stays in, so that the case still has a subset of the kinds.
        kinds[met].1 |= left_out >= KIND_TRIES;
        kinds[met].1
    }

    fn advance(
        &mut self,
        state: &mut M::State,
        command: &M::Command,
        number: usize,
    ) -> Result<(), Box<GenerateError>> {
        asking(Method::NextState, || predict_in_place(self.model, state, command));
        if self.is_slow() && text::is_longer_than(state, MOST_BYTES) {
            let command = text::cut(command);
            return Err(Box::new(GenerateError::Grown { number, command, most: MOST_BYTES }));
        }
        Ok(())
    }

    /// Whether the last command took so long that the state may have grown large. Measuring a
    /// state takes longer than changing it, so only a clock is looked at each time: the coarse
    /// one, which moves each few milliseconds and costs hardly anything.
    fn is_slow(&mut self) -> bool {
        let now = Instant::now_without_cache_update();
        self.last.replace(now).is_some_and(|last| now != last)
    }
}

/// The error of a part that panicked: before a command was drawn, on what was drawn last, or, at
/// this place in the case, on the command that was taken.
fn panicked_at<M: Model>(
    (part, why): (Method, String),
    state: &M::State,
    drawn: Option<&M::Command>,
    number: Option<usize>,
) -> GenerateError {
    let command = drawn.map(text::cut);
    let about = match (command, number) {
        (Some(command), Some(number)) if matches!(part, Method::NextState | Method::MustFail) => {
            format!(" at command {number} ({command})")
        }
        (command, _) => {
            let command = command.map(|command| format!(" and command {command}")).unwrap_or_default();
            format!(" for state {}{command}", text::cut(state))
        }
    };
    GenerateError::Panicked { part, about, why }
}

/// What user code gives, unless it panics.
pub(super) fn guarded_for<T>(
    part: Method,
    ask: impl FnOnce() -> T,
    about: impl FnOnce() -> String,
) -> Result<T, GenerateError> {
    caught_part(part, ask).map_err(|(part, why)| GenerateError::Panicked { part, about: about(), why })
}
