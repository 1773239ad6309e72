//! What a checker needs to know of the thing that is used side by side.

use std::fmt::Debug;
use std::hash::Hash;

/// An object as it would behave were it used by one client at a time.
///
/// Everything here is a pure function of its arguments. Steps are asked for once and remembered,
/// so they may be slow; states are kept and compared, so they should be small.
pub trait Sequential {
    /// What the object holds.
    type State: Clone + Debug + Eq + Hash;
    /// What it can be asked to do.
    type Command: Clone + Debug + Eq + Hash;
    /// What it may answer.
    type Response: Clone + Debug + Eq + Hash;

    /// What it holds before the first operation.
    fn initial(&self) -> Self::State;

    /// What it holds once the command took effect with this answer; none where it would never
    /// answer so in this state.
    ///
    /// Without a response nothing is known of the answer. There the command may always take
    /// effect, if only to leave the state as it is; none says that it cannot even be given.
    fn step(
        &self,
        state: &Self::State,
        command: &Self::Command,
        response: Option<&Self::Response>,
    ) -> Option<Self::State>;

    /// Whether [`step`](Self::step) has a state here. A quicker way to know is worth having, since
    /// it is asked of each operation that only reads in each state.
    fn allows(
        &self,
        state: &Self::State,
        command: &Self::Command,
        response: Option<&Self::Response>,
    ) -> bool {
        self.step(state, command, response).is_some()
    }

    /// Whether a command with this answer (or with an unknown one) leaves *every* state as it is.
    ///
    /// Such operations are put into the order as soon as they fit, without a search. To say so of
    /// an operation that only sometimes changes nothing makes the check unsound.
    fn only_reads(&self, _command: &Self::Command, _response: Option<&Self::Response>) -> bool {
        false
    }

    /// The part of the object that is all the command touches. Parts that never touch one another
    /// are checked each by itself, which is as strict: linearizability is local (Herlihy and Wing,
    /// 1990). If any command of a history has none, the history is checked as a whole.
    fn part<'a>(&self, _command: &'a Self::Command) -> Option<&'a str> {
        None
    }

    /// Whether the order of these two commands makes no difference, in *any* state and whatever
    /// they answer: not to whether they are possible, and not to the state after both.
    ///
    /// Where parts cannot be checked by themselves, because some commands touch several, this
    /// spares the search the orders of those that do not meet.
    fn independent(&self, _one: &Self::Command, _other: &Self::Command) -> bool {
        false
    }

    /// What must have been made before the command can be answered so, as marks of which one
    /// suffices: it is possible only after some other operation with one of them among what it
    /// [makes](Self::makes). None where it may be possible without, as in the initial state.
    ///
    /// An answer that tells of what nobody made needs no search then.
    fn needs(&self, _command: &Self::Command, _response: &Self::Response) -> Option<Vec<u64>> {
        None
    }

    /// The marks of what the command may make if it takes effect; see [`needs`](Self::needs).
    /// It does no harm if different things have the same mark.
    fn makes(&self, _command: &Self::Command, _response: Option<&Self::Response>) -> Vec<u64> {
        Vec::new()
    }

    /// How much memory a state takes, in bytes.
    fn size(&self, _state: &Self::State) -> usize {
        size_of::<Self::State>()
    }

    /// Why [`step`](Self::step) has none here, in a few words: "the register holds 1".
    fn explain(
        &self,
        state: &Self::State,
        _command: &Self::Command,
        _response: Option<&Self::Response>,
    ) -> String {
        format!("the state is {state:?}")
    }
}
