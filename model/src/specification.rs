//! The pure half of a specification: what a system's state is, and what commands do to it.

use std::borrow::Cow;
use std::fmt::Debug;

use proptest::strategy::BoxedStrategy;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::case::Case;
use crate::example::Example;
use crate::factor::Choice;
use crate::labels::Labels;
use crate::scenario::Scenario;
use crate::scene::{Role, Scene};
use crate::symbol::Symbol;
use crate::text;

/// Predicts a system: its states, the commands it takes, and what it may answer.
///
/// The names are those of ScalaCheck's `Commands`. Everything here is a pure function of its
/// arguments: a case is generated, shortened and judged by calling these alone, and only what is
/// worth it runs on the real system (the effectful half is `harness::System`).
///
/// States and commands are written to replay files, so they have serde's traits.
/// ```
/// use model::{Judgement, Model, Outcome, Possible};
/// use proptest::prelude::*;
///
/// /// A register holds what was written last.
/// struct Register;
///
/// impl Model for Register {
///     type State = u8;
///     type Command = Option<u8>; // Write this, or read.
///     type Response = u8; // What it holds then.
///
///     fn gen_initial_state(&self) -> BoxedStrategy<u8> {
///         Just(0).boxed()
///     }
///
///     fn gen_command(&self, _: &u8) -> BoxedStrategy<Option<u8>> {
///         proptest::option::of(1..9_u8).boxed()
///     }
///
///     fn next_state(&self, held: &u8, write: &Option<u8>) -> u8 {
///         write.unwrap_or(*held)
///     }
///
///     fn post_condition(&self, held: &u8, write: &Option<u8>, answer: &u8) -> bool {
///         *answer == self.next_state(held, write)
///     }
/// }
///
/// // Nobody knows what became of a write of 5: 0 and 5 may be read, and 7 may not.
/// let mut possible = Possible::new(0);
/// let lost = Outcome::Unknown("no answer in time".to_owned());
/// assert_eq!(possible.observe(&Register, &Some(5), &lost), Judgement::Allowed);
/// assert_eq!(possible.observe(&Register, &None, &Outcome::Answered(5)), Judgement::Allowed);
/// let other = possible.observe(&Register, &None, &Outcome::Answered(7));
/// assert!(matches!(other, Judgement::Forbidden(_)));
/// ```
pub trait Model {
    /// What the model knows of the system.
    type State: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// Something to do to the system.
    type Command: Clone + Debug + PartialEq + Serialize + DeserializeOwned;
    /// What the system says to a command.
    type Response: Clone + Debug + Serialize + DeserializeOwned;

    /// A short name for files and reports: letters, digits and hyphens. By default it is made
    /// from the name of the type: `my_crate::EveryName` becomes `every-name`.
    fn name(&self) -> String {
        hyphenated(std::any::type_name::<Self>())
    }

    /// Generates the state in which a case begins.
    fn gen_initial_state(&self) -> BoxedStrategy<Self::State>;

    /// Whether a case can begin in this state; also asked of each smaller one while shrinking.
    fn initial_pre_condition(&self, _state: &Self::State) -> bool {
        true
    }

    /// Generates a command that makes sense in this state; its shrinking is used as well.
    fn gen_command(&self, state: &Self::State) -> BoxedStrategy<Self::Command>;

    /// Whether the command can be given in this state. While shrinking it is asked of commands
    /// that were generated for another state, so it must not take anything for granted. A command
    /// whose outcome is unknown takes effect, sooner or later, only in states where this holds.
    fn pre_condition(&self, _state: &Self::State, _command: &Self::Command) -> bool {
        true
    }

    /// The state once the command has taken effect, as it can be predicted without the answer.
    fn next_state(&self, state: &Self::State, command: &Self::Command) -> Self::State;

    /// Changes the state to what [`Model::next_state`], or with an answer
    /// [`Model::next_state_after`], gives for it. It is for states that are large: one that is
    /// changed in place need not be copied for each command.
    fn advance(&self, state: &mut Self::State, command: &Self::Command, response: Option<&Self::Response>) {
        *state = match response {
            Some(response) => self.next_state_after(state, command, response),
            None => self.next_state(state, command),
        };
    }

    /// The state once the command has taken effect and given this answer, which the
    /// post-condition allows; by default [`Model::next_state`]. It is for what only the system
    /// can decide, such as the number of a lease.
    fn next_state_after(
        &self,
        state: &Self::State,
        command: &Self::Command,
        _response: &Self::Response,
    ) -> Self::State {
        self.next_state(state, command)
    }

    /// Whether the command has to fail in this state, although it can be given. It then changes
    /// nothing, and each answer is right, and only those, that [`Model::is_failure`] says yes to.
    fn must_fail(&self, _state: &Self::State, _command: &Self::Command) -> bool {
        false
    }

    /// Whether the answer says that the command failed and changed nothing.
    fn is_failure(&self, _response: &Self::Response) -> bool {
        false
    }

    /// What must be true of every state that commands and their answers lead to.
    ///
    /// # Errors
    /// What is not true, in one sentence.
    fn invariant(&self, _state: &Self::State) -> Result<(), String> {
        Ok(())
    }

    /// Whether the system refuses the command, without any effect, where its pre-condition does
    /// not hold by the time it gets there. A command of which this is not known is given beside
    /// others only where its pre-condition holds whatever these have done.
    fn can_be_refused(&self, _command: &Self::Command) -> bool {
        false
    }

    /// What is done and asked last, once all else has ended: heal everything, read everything.
    /// It is drawn up for the state that the model predicts at the end of a generated case.
    fn final_commands(&self, _state: &Self::State) -> Vec<Self::Command> {
        Vec::new()
    }

    /// What kind of command it is, such as `Boot`: swarm testing leaves kinds out, the summary
    /// counts them and which follows which, and two wrong answers are of one failure only where
    /// they are to commands of one kind. By default the name of the enumeration's variant as
    /// serde writes it; of what is no enumeration the name that its `Debug` text begins with, or
    /// that of its type.
    fn kind(&self, command: &Self::Command) -> Cow<'static, str> {
        text::variant(command)
    }

    /// What of a state is worth telling apart, such as `3 of 4 on`: the summary counts how many
    /// of these the cases have met. By default states are not counted.
    fn abstraction(&self, _state: &Self::State) -> Option<String> {
        None
    }

    /// Says of a case that had a verdict what the summary is to count: labels, classes, and what
    /// share of all cases has to be of a class.
    fn describe(&self, _case: &Case<Self>, _labels: &mut Labels)
    where
        Self: Sized,
    {
    }

    /// Cases that every run begins with, after those that failed before.
    fn examples(&self) -> Vec<Example<Self>>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// What cases are made by, instead of [`Model::gen_command`] alone, where there are some:
    /// each case is made by one of them, by weight.
    fn scenarios(&self) -> Vec<(u32, Scenario<Self>)>
    where
        Self: Sized,
    {
        Vec::new()
    }

    /// The symbol under which later commands speak of what this one results in.
    fn defines(&self, _command: &Self::Command) -> Option<Symbol> {
        None
    }

    /// The symbols of earlier results that the command speaks of.
    fn uses(&self, _command: &Self::Command) -> Vec<Symbol> {
        Vec::new()
    }

    /// The command with the real results in the place of its symbols, of which
    /// [`Model::uses`] says that there are some; none where one of the answers gave no result.
    fn bind(
        &self,
        command: &Self::Command,
        _result: &dyn Fn(Symbol) -> Option<Self::Response>,
    ) -> Option<Self::Command> {
        Some(command.clone())
    }

    /// Whether this answer to the command, given in this state, is a right one. A panic counts
    /// as no, so that it can be written with assertions.
    fn post_condition(&self, state: &Self::State, command: &Self::Command, response: &Self::Response)
    -> bool;

    /// What a right answer would be, in words, for the report of a failure.
    fn expectation(&self, _state: &Self::State, _command: &Self::Command) -> String {
        "an answer that the post-condition allows".to_owned()
    }

    /// A command as reports show it, in one line.
    fn show_command(&self, command: &Self::Command) -> String {
        format!("{command:?}")
    }

    /// An answer as reports show it, in one line.
    fn show_response(&self, response: &Self::Response) -> String {
        format!("{response:?}")
    }

    /// A state as reports show it, in one line for each of its parts.
    fn show_state(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// What a state has become since a case began, in one line; by default the whole state.
    fn show_progress(&self, state: &Self::State) -> String {
        format!("{state:?}")
    }

    /// The state on a map of its network, for the report of a failure; none where it has no machines.
    /// [`Scene::of`] is that of a network, to which what is wrong can be added.
    fn scene(&self, _state: &Self::State) -> Option<Scene> {
        None
    }

    /// What the command does to a network, for the report of a failure.
    fn role(&self, _command: &Self::Command) -> Role {
        Role::default()
    }

    /// The names of the machines that the command concerns, as [`Model::scene`] has them, for the report
    /// of a failure.
    fn concerns(&self, _command: &Self::Command) -> Vec<String> {
        Vec::new()
    }

    /// What of an initial state is varied: the value that it has of each factor at each site.
    ///
    /// Cases are generated so that all values and pairs of values are met soon, a failing case
    /// shrinks toward the first values, and then each choice is probed: does it matter?
    fn choices(&self, _state: &Self::State) -> Vec<Choice> {
        Vec::new()
    }

    /// The state with another value in one place, as [`Model::choices`] names it; none where
    /// there is no such place or value.
    fn with_choice(&self, _state: &Self::State, _choice: &Choice) -> Option<Self::State> {
        None
    }

    /// States to try instead while shrinking, the greatest steps first; each must be smaller in
    /// some order that has an end. By default, those with plainer values: all at once, those of
    /// a site, then one by one.
    fn simpler_states(&self, state: &Self::State) -> Vec<Self::State> {
        plainer_states(self, state)
    }

    /// Commands to try instead while shrinking, the greatest steps first, beside those that the
    /// strategy of [`Model::gen_command`] shrinks to.
    fn simpler_commands(&self, _command: &Self::Command) -> Vec<Self::Command> {
        Vec::new()
    }
}

/// The states that [`Model::choices`] has plainer values for: all plain, all of one site plain,
/// then each choice by itself, from the plainest value on. Of an ordered factor's values it is
/// those that halve the way each time, so that many values cost few tries.
pub fn plainer_states<M: Model + ?Sized>(model: &M, state: &M::State) -> Vec<M::State> {
    let suspect: Vec<_> = model.choices(state).into_iter().filter(|choice| choice.value > 0).collect();
    let plain = |choices: &[Choice]| {
        let plain = choices.iter().map(|choice| Choice { value: 0, ..choice.clone() });
        plain.into_iter().try_fold(state.clone(), |state, choice| model.with_choice(&state, &choice))
    };
    let sites = suspect.chunk_by(|one, other| one.site == other.site).filter(|site| site.len() > 1);
    let mut states = Vec::new();
    if suspect.len() > 1 {
        states.extend(plain(&suspect));
    }
    states.extend(sites.filter(|site| site.len() < suspect.len()).filter_map(plain));
    states.extend(suspect.iter().flat_map(|choice| {
        let plainer = plainer_values(choice).map(|value| Choice { value, ..choice.clone() });
        plainer.filter_map(|choice| model.with_choice(state, &choice)).collect::<Vec<_>>()
    }));
    states
}

/// The values before a choice's own; of an ordered factor the least, then each time the middle
/// between the last one and the choice's own.
fn plainer_values(choice: &Choice) -> Box<dyn Iterator<Item = usize>> {
    let own = choice.value;
    if choice.factor.ordered {
        let first = (own > 0).then_some(0);
        Box::new(std::iter::successors(first, move |value| {
            let middle = value + (own - value).div_ceil(2);
            (middle < own).then_some(middle)
        }))
    } else {
        Box::new(0..own)
    }
}

/// The last part of a type's path, in lower case with hyphens between its words.
fn hyphenated(path: &str) -> String {
    let path = path.split('<').next().unwrap_or(path);
    let mut name = String::new();
    for letter in path.rsplit("::").next().unwrap_or(path).chars() {
        if letter.is_uppercase() && !name.is_empty() {
            name.push('-');
        }
        name.extend(letter.to_lowercase().filter(|letter| letter.is_alphanumeric()));
    }
    name
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::{hyphenated, plainer_values};
    use crate::factor::{Choice, Factor};

    #[test]
    fn plainer_values_of_a_scale_halve_the_way_and_end_at_the_neighbour() {
        let values = |ordered, value| {
            let values = (0..100).map(|value: u32| value.to_string()).collect();
            let factor = Arc::new(Factor { name: "size".to_owned(), values, ordered });
            plainer_values(&Choice { site: "site".to_owned(), factor, value }).collect::<Vec<_>>()
        };
        assert_eq!(values(true, 99), [0, 50, 75, 87, 93, 96, 98]);
        assert_eq!((values(true, 0), values(true, 1), values(true, 2)), (vec![], vec![0], vec![0, 1]));
        assert_eq!(values(false, 3), [0, 1, 2]);
    }

    #[test]
    fn names_come_from_types() {
        assert_eq!(hyphenated("my_crate::EveryName"), "every-name");
        assert_eq!(hyphenated("a::B<c::D>"), "b");
        assert_eq!(hyphenated("register"), "register");
    }
}
