//! The states that a system may be in after outcomes of which some are unknown.

use crate::outcome::Outcome;
use crate::specification::Model;
use crate::step::{Impossible, makes_sense, step, step_in_place};

/// More possible worlds than this are not told apart; the case is then undecided.
const MOST_WORLDS: usize = 4096;

/// What an outcome means for the model.
#[derive(Clone, Debug, Eq, PartialEq)]
#[must_use]
pub enum Judgement {
    /// At least one possible state allows it.
    Allowed,
    /// No possible state allows it, for this reason in the first of them: the property is
    /// falsified.
    Forbidden(Impossible),
    /// The model cannot tell, for the reason given; never to be taken for a failure.
    Undecided(String),
}

/// Every state that the system may be in, given all outcomes so far.
///
/// With answers alone there is exactly one. A command with an unknown outcome may take effect
/// between any two later commands, or never, so from then on each world carries the commands that
/// are still pending in it.
pub struct Possible<M: Model> {
    worlds: Vec<World<M>>,
}

#[derive(Debug)]
struct World<M: Model> {
    state: M::State,
    pending: Vec<M::Command>,
}

impl<M: Model> PartialEq for World<M> {
    fn eq(&self, other: &Self) -> bool {
        self.state == other.state && self.pending == other.pending
    }
}

impl<M: Model> World<M> {
    /// The world in which the pending command at `index` takes effect now, if it can.
    fn after_pending(&self, model: &M, index: usize) -> Option<Self> {
        let command = &self.pending[index];
        step(model, &self.state, command, None).ok().map(|state| {
            let mut pending = self.pending.clone();
            pending.remove(index);
            Self { state, pending }
        })
    }
}

impl<M: Model> Possible<M> {
    /// The one state in which a case begins.
    #[must_use]
    pub fn new(initial: M::State) -> Self {
        Self { worlds: vec![World { state: initial, pending: Vec::new() }] }
    }

    /// The possible states, without repetition of those known to differ only in what is pending.
    pub fn states(&self) -> impl Iterator<Item = &M::State> {
        self.worlds.iter().map(|world| &world.state)
    }

    /// Whether the command can be given whatever is true, so that its answer can be judged.
    #[must_use]
    pub fn allows_giving(&self, model: &M, command: &M::Command) -> bool {
        self.states().all(|state| makes_sense(model, state, command))
    }

    /// Takes in the outcome of a command and says whether the model allows it.
    pub fn observe(&mut self, model: &M, command: &M::Command, outcome: &Outcome<M::Response>) -> Judgement {
        match outcome {
            Outcome::Refused(_) => Judgement::Allowed,
            Outcome::Unknown(_) => {
                for world in &mut self.worlds {
                    world.pending.push(command.clone());
                }
                self.settle(model)
            }
            Outcome::Answered(response) => self.answer(model, command, response),
        }
    }

    fn answer(&mut self, model: &M, command: &M::Command, response: &M::Response) -> Judgement {
        // Mostly everything is known, and the one state need not be copied.
        if let [World { state, pending }] = &mut self.worlds[..]
            && pending.is_empty()
        {
            return match step_in_place(model, state, command, response) {
                Ok(()) => Judgement::Allowed,
                Err(why) => {
                    self.worlds.clear();
                    Judgement::Forbidden(why)
                }
            };
        }
        let mut worlds: Vec<World<M>> = Vec::new();
        let mut impossible = None;
        for world in self.worlds.drain(..) {
            match step(model, &world.state, command, Some(response)) {
                Ok(state) => push_new(&mut worlds, World { state, pending: world.pending }),
                Err(why) => impossible = impossible.or(Some(why)),
            }
        }
        self.worlds = worlds;
        match impossible {
            Some(why) if self.worlds.is_empty() => Judgement::Forbidden(why),
            _ => self.settle(model),
        }
    }

    /// Adds every world that pending commands can lead to from those already there.
    fn settle(&mut self, model: &M) -> Judgement {
        let mut next = 0;
        while next < self.worlds.len() {
            for index in 0..self.worlds[next].pending.len() {
                if let Some(world) = self.worlds[next].after_pending(model, index) {
                    push_new(&mut self.worlds, world);
                }
            }
            if self.worlds.len() > MOST_WORLDS {
                return Judgement::Undecided(format!(
                    "unknown outcomes leave more than {MOST_WORLDS} possible states"
                ));
            }
            next += 1;
        }
        Judgement::Allowed
    }
}

fn push_new<M: Model>(worlds: &mut Vec<World<M>>, world: World<M>) {
    if !worlds.contains(&world) {
        worlds.push(world);
    }
}
