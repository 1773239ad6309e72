//! Which steps there are from the best case so far.

use std::collections::HashMap;

use model::{Choice, Model};

use super::alike::{plainer, renames};
use super::clock::{Clock, real};
use super::shortcut::ways;
use super::step::{Change, Kind, Step};
use super::{Bench, Shrinker};

/// How many predictions the model may be asked for to find a shorter way to the last state.
const FIRST_LOOK: usize = 500;
/// The same for ways between any two states, once nothing else helps.
const LAST_LOOK: usize = 5000;

impl<M: Model, B: Bench<M>> Shrinker<'_, M, B> {
    /// Steps that may help soon, in an order in which equals are tried.
    pub(super) fn near_steps(&self) -> Vec<Step<M>> {
        let mut steps = Vec::new();
        if self.epoch == 0 {
            steps.extend(self.shortcut_to_the_end());
        }
        self.state_steps(&mut steps);
        self.lane_steps(&mut steps);
        self.loops(&mut steps);
        let prices = self.prices();
        for traced in self.best.commands() {
            steps.push(prices.deletion(Kind::Delete, vec![traced.id]));
        }
        self.hoists(&mut steps);
        self.value_steps(&mut steps);
        steps
    }

    /// Steps to try once no near one helps any more.
    pub(super) fn far_steps(&self) -> Vec<Step<M>> {
        let (mut steps, prices) = (self.shortcuts(), self.prices());
        let ids: Vec<usize> = self.best.commands().map(|traced| traced.id).collect();
        for (index, first) in ids.iter().enumerate() {
            for second in &ids[index + 1..] {
                steps.push(prices.deletion(Kind::Pair, vec![*first, *second]));
            }
        }
        steps
    }

    /// What a run of the best case is expected to take, in seconds.
    pub(super) fn seconds(&self) -> f64 {
        Clock::price(self.system_seconds(&self.best.initial) + self.command_seconds())
    }

    fn system_seconds(&self, state: &M::State) -> f64 {
        self.clock.system(self.size(state))
    }

    fn command_seconds(&self) -> f64 {
        self.each_command().map(|(_, seconds)| seconds).sum()
    }

    /// Each command of the best case, and what it is expected to take.
    fn each_command(&self) -> impl Iterator<Item = (usize, f64)> {
        let commands = self.best.commands();
        commands.map(|traced| (traced.id, self.clock.command(&self.model.kind(&traced.command))))
    }

    /// What the best case is expected to take, by its parts.
    fn prices(&self) -> Prices {
        let each: HashMap<usize, f64> = self.each_command().collect();
        let (system, commands) = (self.system_seconds(&self.best.initial), self.command_seconds());
        let saved = self.bench.saved();
        let (mut places, mut skipped) = (HashMap::new(), Vec::new());
        let (mut before, mut kept) = (0.0, 0.0);
        let prefix = self.best.prefix.iter().map(|traced| Some(traced.id)).chain([None]);
        for (place, id) in prefix.enumerate() {
            if saved.contains(&place) {
                kept = before;
            }
            skipped.push(kept);
            if let Some(id) = id {
                before += each.get(&id).copied().unwrap_or_default();
                places.insert(id, place);
            }
        }
        Prices { system, commands, each, places, skipped }
    }

    /// How many sites a state has, such as machines.
    pub(super) fn size(&self, state: &M::State) -> usize {
        self.model.choices(state).chunk_by(|one, other| one.site == other.site).count()
    }

    /// The commands that relevance would have deleted next, where these are more than one.
    pub(super) fn likeliest_deletion(&self) -> Option<Step<M>> {
        let price = |command: &M::Command| Clock::price(self.clock.command(&self.model.kind(command)));
        let priced = self.best.commands().map(|traced| (price(&traced.command), traced.id));
        let mut priced: Vec<(f64, usize)> = priced.collect();
        // Of commands of which equally little is known, those that take longest come first.
        priced.sort_by(|one, other| other.0.total_cmp(&one.0));
        let ids: Vec<usize> = priced.into_iter().map(|(_, id)| id).collect();
        let set = self.relevance.best_set(&ids, &self.tried_sets)?;
        Some(self.prices().deletion(Kind::Delete, set))
    }

    fn state_steps(&self, steps: &mut Vec<Step<M>>) {
        let before = self.model.choices(&self.best.initial);
        let commands = self.command_seconds();
        if self.has_state_tree() {
            // It can be followed once, so rather when commands are gone that keep it from going on.
            steps.push(Step::new(Kind::State, Change::StateTree, 0.2, self.seconds()));
        }
        for state in self.model.simpler_states(&self.best.initial) {
            let after = self.model.choices(&state);
            let gain = state_gain(&before, &after);
            let seconds = Clock::price(self.system_seconds(&state) + commands);
            let step = Step::new(Kind::State, Change::State(Box::new(state)), gain, seconds);
            steps.push(match difference(&before, &after) {
                Some(name) => Step { name, ..step },
                None => step,
            });
        }
    }

    fn lane_steps(&self, steps: &mut Vec<Step<M>>) {
        let lanes = &self.best.lanes;
        if lanes.is_empty() {
            return;
        }
        let (seconds, prices) = (self.seconds(), self.prices());
        let in_order: Vec<usize> = (0..lanes.len()).collect();
        let reversed: Vec<usize> = in_order.iter().rev().copied().collect();
        let all = real(lanes.iter().map(Vec::len).sum());
        for order in [in_order, reversed] {
            let change = Change::Sequence(order);
            steps.push(Step::new(Kind::Sequence, change, all, seconds));
        }
        for (index, lane) in lanes.iter().enumerate() {
            let ids = lane.iter().map(|traced| traced.id).collect();
            let step = prices.deletion(Kind::Lane, ids);
            steps.push(Step { gain: step.gain + 1.0, ..step });
            steps.push(Step::new(Kind::Advance, Change::Advance(index), 0.5, seconds));
        }
        // Of two lanes, to join them is to give them in sequence.
        let several = if lanes.len() > 2 { lanes.len() } else { 0 };
        for first in 0..several {
            let others = (0..several).filter(|second| *second != first);
            steps.extend(
                others.map(|second| Step::new(Kind::Join, Change::Join(first, second), 1.0, seconds)),
            );
        }
        if !self.best.finally.is_empty() {
            let ids = self.best.finally.iter().map(|traced| traced.id).collect();
            steps.push(prices.deletion(Kind::Lane, ids));
        }
    }

    fn value_steps(&self, steps: &mut Vec<Step<M>>) {
        let seconds = self.seconds();
        let ids: Vec<usize> = self.best.commands().map(|traced| traced.id).collect();
        let each = ids.iter().map(|id| vec![*id]);
        for set in std::iter::once(ids.clone()).chain(each) {
            let gain = 0.5 * real(set.len());
            steps.push(Step::new(Kind::Plainest, Change::Plainest(set), gain, seconds));
        }
        for traced in self.best.commands() {
            let mut simpler = self.model.simpler_commands(&traced.command);
            if traced.bare {
                simpler.extend(plainer::<M>(&traced.command, &self.domain));
            }
            let replace = simpler.into_iter().map(|command| Change::Replace(traced.id, command));
            steps.extend(replace.map(|change| Step::new(Kind::Value, change, 0.3, seconds)));
            let tree = traced.tree.map(|_| Change::Tree(traced.id));
            steps.extend(tree.map(|change| Step::new(Kind::Value, change, 0.5, seconds)));
        }
        steps.extend(renames(&self.best, &self.domain).into_iter().map(|rename| {
            let gain = 0.3 * real(rename.places);
            Step::new(Kind::Rename, Change::Rename(rename), gain, seconds)
        }));
    }

    /// Commands of the prefix that lead back to the state before them, and to it for the first
    /// time.
    fn loops(&self, steps: &mut Vec<Step<M>>) {
        let (states, prices) = (self.best.case().states(self.model), self.prices());
        for (from, state) in states.iter().enumerate() {
            let back = states[from + 1..].iter().position(|later| later == state);
            if let Some(further) = back.filter(|further| *further > 0) {
                let looped = &self.best.prefix[from..=from + further];
                let ids = looped.iter().map(|traced| traced.id).collect();
                steps.push(prices.deletion(Kind::Loop, ids));
            }
        }
    }

    fn hoists(&self, steps: &mut Vec<Step<M>>) {
        if self.model.choices(&self.best.initial).is_empty() {
            return;
        }
        let states = self.best.case().states(self.model);
        let choices: Vec<_> = states.iter().map(|state| self.model.choices(state)).collect();
        let changes = choices.windows(2).enumerate().filter(|(_, pair)| pair[0] != pair[1]);
        let seconds = self.seconds();
        steps.extend(changes.map(|(index, _)| Step::new(Kind::Hoist, Change::Hoist(index), 1.0, seconds)));
    }

    /// A shorter way to the state in which the last command of the prefix is given, or the lanes
    /// begin.
    fn shortcut_to_the_end(&self) -> Option<Step<M>> {
        let states = self.best.case().states(self.model);
        let last = states.len() - 1;
        let to =
            if self.best.lanes.is_empty() && self.best.finally.is_empty() { last.max(1) - 1 } else { last };
        let targets = [(states[to].clone(), to.checked_sub(1)?)];
        let way = ways(self.model, &self.best.initial, &self.alphabet, &targets, FIRST_LOOK).pop()??;
        Some(self.shortcut(0, to, way))
    }

    /// Shorter ways between any two states of the prefix.
    fn shortcuts(&self) -> Vec<Step<M>> {
        let states = self.best.case().states(self.model);
        let mut alphabet = self.alphabet.clone();
        alphabet.extend(self.drawn.iter().filter(|command| !self.alphabet.contains(command)).cloned());
        let mut steps = Vec::new();
        for (from, start) in states.iter().enumerate() {
            let further = states.iter().enumerate().skip(from + 3);
            let targets: Vec<_> = further.map(|(to, state)| (state.clone(), to - from - 1)).collect();
            let found = ways(self.model, start, &alphabet, &targets, LAST_LOOK / states.len());
            let found = found.into_iter().enumerate();
            steps.extend(found.filter_map(|(index, way)| Some(self.shortcut(from, from + 3 + index, way?))));
        }
        steps
    }

    fn shortcut(&self, from: usize, to: usize, via: Vec<M::Command>) -> Step<M> {
        let gain = real(to - from - via.len());
        let change = Change::Shortcut { from, to, via };
        Step::new(Kind::Shortcut, change, gain, self.seconds())
    }
}

/// What a case is expected to take, in seconds: making its system, its commands, and each of these by its
/// identity. To ask all commands for each set of them what is left without it would take the square of
/// their number.
struct Prices {
    system: f64,
    commands: f64,
    each: HashMap<usize, f64>,
    /// Where in the prefix a command stands.
    places: HashMap<usize, usize>,
    /// What need not be given where nothing changes before a place in the prefix, since a run of the best case was kept
    /// there or earlier.
    skipped: Vec<f64>,
}

impl Prices {
    fn deletion<M: Model>(&self, kind: Kind, ids: Vec<usize>) -> Step<M> {
        let deleted: f64 = ids.iter().filter_map(|id| self.each.get(id)).sum();
        // What is left of no time at all is not less.
        let first = ids.iter().filter_map(|id| self.places.get(id).copied()).min();
        let first = first.unwrap_or(self.skipped.len() - 1);
        let left = self.commands - deleted - self.skipped[first];
        let seconds = Clock::price(self.system + left.max(0.0));
        let gain = real(ids.len());
        Step::new(kind, Change::Delete(ids), gain, seconds)
    }
}

/// How much smaller a state is: a site counts like two commands, a plainer value like a third of one.
fn state_gain(before: &[Choice], after: &[Choice]) -> f64 {
    let sites = |choices: &[Choice]| choices.chunk_by(|one, other| one.site == other.site).count();
    let fewer = real(sites(before).saturating_sub(sites(after)));
    let plainer = before.iter().filter_map(|own| {
        let new = after.iter().find(|new| new.site == own.site && new.factor.name == own.factor.name)?;
        (new.value < own.value).then(|| real(own.value - new.value) / real(own.value))
    });
    let plainer: f64 = plainer.sum();
    (2.0 * fewer + 0.3 * plainer).max(0.3)
}

/// In what two states differ; none where their choices do not tell.
fn difference(before: &[Choice], after: &[Choice]) -> Option<String> {
    let shown = |choice: &Choice| format!("{}: {} {}", choice.site, choice.factor.name, choice.value);
    let is_there = |choice: &Choice, there: &[Choice]| {
        there.iter().any(|other| other.site == choice.site && other.factor.name == choice.factor.name)
    };
    let gone = before.iter().filter(|choice| !is_there(choice, after)).map(|choice| choice.site.clone());
    let new = after.iter().filter(|choice| !before.contains(choice)).map(shown);
    let parts: Vec<String> = gone.chain(new).collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}
