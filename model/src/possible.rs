//! The states that a system may be in after outcomes of which some are unknown.

use rustc_hash::FxHashMap;

use crate::fingerprint::Interner;
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
///
/// A world is left out where another one has the same state and at least the same commands
/// pending: whatever can become of the one can become of the other, in which what it has more of
/// never takes effect. So of unknown writes to a register there are as many worlds as values, not
/// as many as subsets of the writes. Once there are too many worlds, each judgement is that nobody
/// can tell.
pub struct Possible<M: Model> {
    known: Known<M>,
    /// Whether some worlds had to be left out, so that nothing can be told any more.
    too_many: bool,
}

enum Known<M: Model> {
    /// The one state, with nothing pending; none once an answer was forbidden.
    Surely(Option<M::State>),
    /// Several worlds, or one with commands pending.
    Perhaps(Box<Worlds<M>>),
}

/// The worlds with all that pending commands can lead to from them.
struct Worlds<M: Model> {
    states: Interner<Box<M::State>>,
    /// In the order in which they were found, the one in which nothing pending took effect first.
    worlds: Vec<World>,
    /// The worlds of each state.
    of_state: FxHashMap<u32, Vec<usize>>,
    /// The distinct commands with unknown outcomes.
    commands: Vec<M::Command>,
    /// Where each command leads to from each state, by their numbers.
    steps: FxHashMap<(u32, usize), Option<u32>>,
}

struct World {
    state: u32,
    /// How often each command is pending. Those that are alike need not be told apart.
    pending: Vec<u32>,
    /// Another world with the same state has at least the same commands pending.
    needless: bool,
}

impl<M: Model> Possible<M> {
    /// The one state in which a case begins.
    #[must_use]
    pub fn new(initial: M::State) -> Self {
        Self { known: Known::Surely(Some(initial)), too_many: false }
    }

    /// The possible states, without repetition of those known to differ only in what is pending.
    pub fn states(&self) -> impl Iterator<Item = &M::State> {
        let (one, several) = match &self.known {
            Known::Surely(state) => (state.as_ref(), None),
            Known::Perhaps(worlds) => (None, Some(&**worlds)),
        };
        one.into_iter().chain(several.into_iter().flat_map(Worlds::states))
    }

    /// Whether the command can be given whatever is true, so that its answer can be judged.
    #[must_use]
    pub fn allows_giving(&self, model: &M, command: &M::Command) -> bool {
        self.states().all(|state| makes_sense(model, state, command))
    }

    /// Takes in the outcome of a command and says whether the model allows it.
    pub fn observe(&mut self, model: &M, command: &M::Command, outcome: &Outcome<M::Response>) -> Judgement {
        let judgement = match outcome {
            _ if self.too_many => Err(TooMany),
            Outcome::Refused(_) => Ok(Judgement::Allowed),
            Outcome::Unknown(_) => self.pend(model, command),
            Outcome::Answered(response) => self.answer(model, command, response),
        };
        judgement.unwrap_or_else(|TooMany| {
            self.too_many = true;
            let why = format!("unknown outcomes leave more than {MOST_WORLDS} possible states");
            Judgement::Undecided(why)
        })
    }

    fn pend(&mut self, model: &M, command: &M::Command) -> Result<Judgement, TooMany> {
        if let Known::Surely(state) = &mut self.known {
            let mut worlds = Worlds::new(Vec::new());
            if let Some(state) = state.take() {
                worlds.add(state, Vec::new());
            }
            self.known = Known::Perhaps(Box::new(worlds));
        }
        if let Known::Perhaps(worlds) = &mut self.known {
            worlds.pend(command);
            worlds.settle(model)?;
        }
        Ok(Judgement::Allowed)
    }

    fn answer(
        &mut self,
        model: &M,
        command: &M::Command,
        response: &M::Response,
    ) -> Result<Judgement, TooMany> {
        // Mostly everything is known, and the one state need not be copied.
        let worlds = match &mut self.known {
            Known::Surely(Some(state)) => {
                return Ok(match step_in_place(model, state, command, response) {
                    Ok(()) => Judgement::Allowed,
                    Err(why) => {
                        self.known = Known::Surely(None);
                        Judgement::Forbidden(why)
                    }
                });
            }
            // After what is forbidden, nothing more is known to be.
            Known::Surely(None) => return Ok(Judgement::Allowed),
            Known::Perhaps(worlds) => worlds,
        };
        let impossible = worlds.answer(model, command, response);
        match impossible {
            Some(why) if worlds.worlds.is_empty() => {
                self.known = Known::Surely(None);
                Ok(Judgement::Forbidden(why))
            }
            _ => {
                worlds.settle(model)?;
                if let Some(state) = worlds.only() {
                    self.known = Known::Surely(Some(state.clone()));
                }
                Ok(Judgement::Allowed)
            }
        }
    }
}

/// There are more worlds than are told apart.
struct TooMany;

impl<M: Model> Worlds<M> {
    fn new(commands: Vec<M::Command>) -> Self {
        Self {
            states: Interner::default(),
            worlds: Vec::new(),
            of_state: FxHashMap::default(),
            commands,
            steps: FxHashMap::default(),
        }
    }

    fn states(&self) -> impl Iterator<Item = &M::State> {
        let first = |place: &usize| self.of_state[&self.worlds[*place].state].first() == Some(place);
        let firsts = (0..self.worlds.len()).filter(first);
        firsts.map(|place| &**self.states.value(self.worlds[place].state))
    }

    /// The one state, if it is known and nothing is pending.
    fn only(&self) -> Option<&M::State> {
        match &self.worlds[..] {
            [World { state, pending, .. }] if pending.iter().all(|count| *count == 0) => {
                Some(self.states.value(*state))
            }
            _ => None,
        }
    }

    /// Takes in a command that may take effect from now on.
    fn pend(&mut self, command: &M::Command) {
        let number = self.commands.iter().position(|other| other == command).unwrap_or_else(|| {
            self.commands.push(command.clone());
            self.commands.len() - 1
        });
        for world in &mut self.worlds {
            world.pending.resize(self.commands.len(), 0);
            world.pending[number] += 1;
        }
    }

    /// Leaves the worlds that allow an answer, as it changes them; gives why the first of the
    /// others does not.
    fn answer(&mut self, model: &M, command: &M::Command, response: &M::Response) -> Option<Impossible> {
        // What was possible before is of no use any more.
        let commands = std::mem::take(&mut self.commands);
        let after = Self { states: self.states.emptied(), ..Self::new(commands) };
        let before = std::mem::replace(self, after);
        let mut steps: FxHashMap<u32, Option<u32>> = FxHashMap::default();
        let mut impossible = None;
        for World { state, pending, .. } in before.worlds {
            let next = steps.entry(state).or_insert_with(|| {
                match step(model, before.states.value(state), command, Some(response)) {
                    Ok(next) => Some(self.states.number(Box::new(next)).0),
                    Err(why) => {
                        impossible = impossible.take().or(Some(why));
                        None
                    }
                }
            });
            if let Some(next) = *next {
                self.add_numbered(next, pending);
            }
        }
        impossible
    }

    fn add(&mut self, state: M::State, pending: Vec<u32>) {
        let state = self.states.number(Box::new(state)).0;
        self.add_numbered(state, pending);
    }

    /// Adds a world, unless it would be needless.
    fn add_numbered(&mut self, state: u32, pending: Vec<u32>) {
        let place = self.worlds.len();
        let alike = self.of_state.entry(state).or_default();
        if alike.iter().any(|other| at_most(&pending, &self.worlds[*other].pending)) {
            return;
        }
        alike.retain(|other| {
            let world = &mut self.worlds[*other];
            world.needless = at_most(&world.pending, &pending);
            !world.needless
        });
        alike.push(place);
        self.worlds.push(World { state, pending, needless: false });
    }

    /// Adds every world that pending commands can lead to from those already there.
    fn settle(&mut self, model: &M) -> Result<(), TooMany> {
        let mut next = 0;
        while let Some(world) = self.worlds.get(next) {
            let state = world.state;
            for number in 0..world.pending.len() {
                let World { pending, needless, .. } = &self.worlds[next];
                if *needless {
                    break;
                }
                if pending[number] > 0
                    && let Some(after) = self.step(model, state, number)
                    && after != state
                {
                    let mut pending = self.worlds[next].pending.clone();
                    pending[number] -= 1;
                    self.add_numbered(after, pending);
                }
            }
            next += 1;
            if self.worlds.len() > MOST_WORLDS {
                next -= self.worlds[..next].iter().filter(|world| world.needless).count();
                self.tidy();
                if self.worlds.len() > MOST_WORLDS {
                    return Err(TooMany);
                }
            }
        }
        self.tidy();
        Ok(())
    }

    /// The state in which the command takes effect in another, if it can.
    fn step(&mut self, model: &M, state: u32, number: usize) -> Option<u32> {
        let Self { states, commands, steps, .. } = self;
        *steps.entry((state, number)).or_insert_with(|| {
            let from = states.value(state);
            let next = step(model, from, &commands[number], None).ok()?;
            // Many commands change nothing, which is soon seen.
            Some(if next == **from { state } else { states.number(Box::new(next)).0 })
        })
    }

    /// Leaves out what is needless.
    fn tidy(&mut self) {
        if self.worlds.iter().any(|world| world.needless) {
            self.worlds.retain(|world| !world.needless);
            self.of_state.clear();
            for (place, world) in self.worlds.iter().enumerate() {
                self.of_state.entry(world.state).or_default().push(place);
            }
        }
    }
}

/// Whether each count is at most the other's; what is missing is none.
fn at_most(counts: &[u32], others: &[u32]) -> bool {
    let others = others.iter().copied().chain(std::iter::repeat(0));
    counts.iter().zip(others).all(|(count, other)| *count <= other)
}
