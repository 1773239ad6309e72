//! Making a failing case smaller while it goes on failing in the same way.
//!
//! From the best case so far there are steps: commands less, with all that make sense only after
//! them; fewer commands to the same state; a lane less, earlier, or in sequence; a state with a
//! machine less or with plainer values; simpler commands. The next step is the one with the
//! greatest gain for its price: how much smaller the case would be, times how likely that is,
//! divided by the seconds that the run is expected to take. The likelihoods are learnt from what
//! came of earlier steps, the seconds from what was measured. A case is run only if the model
//! takes it, which costs nothing, and if it was not run before.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use model::{Case, Model};

use crate::execute::{Evidence, Verdict};
use crate::memory::{Finding, Memory};
use crate::system::SystemError;

mod alike;
mod candidates;
mod clock;
mod draft;
mod foresight;
mod hoist;
mod judge;
mod relevance;
mod reproduction;
mod shortcut;
mod step;
mod trail;
mod trees;
mod way;

use alike::{Domain, plainest, renamed};
use clock::Clock;
pub(crate) use clock::Took;
use draft::Draft;
use judge::Judged;
use relevance::Relevance;
pub use reproduction::Rate;
use step::{Change, Kind, Rates, Step};
pub use trail::{Candidate, Fate, Trail};
pub(crate) use trees::Trees;
pub(crate) use way::Way;

/// How much a search may cost.
#[derive(Clone, Copy, Debug)]
pub struct Budget {
    /// The most cases that are run.
    pub runs: u32,
    /// The longest that it takes; no limit where there is none.
    pub time: Option<Duration>,
}

impl Budget {
    /// Whether so many runs since then are all that it has.
    pub(crate) fn is_spent(&self, runs: u32, start: Instant) -> bool {
        runs >= self.runs || self.time.is_some_and(|limit| start.elapsed() >= limit)
    }
}

/// Runs one candidate and says what it shows.
pub(crate) type Judge<'a, M> = dyn FnMut(&Case<M>) -> Result<Verdict, SystemError> + 'a;

/// What one run of a case has shown, and what it took.
pub(crate) struct Trial {
    pub(crate) verdict: Verdict,
    /// How it failed, where it did.
    pub(crate) way: Option<Way>,
    pub(crate) took: Took,
}

/// What a search runs its candidates on, and tells of them.
pub(crate) trait Bench<M: Model> {
    /// Runs a case once.
    fn run(&mut self, case: &Case<M>) -> Result<Trial, SystemError>;
    /// How many cases it can run at once.
    fn at_once(&self) -> usize {
        1
    }
    /// After how many of its commands a run of the best case so far was kept, from where cases that
    /// begin alike go on.
    fn saved(&self) -> Vec<usize> {
        Vec::new()
    }
    /// May run these already, which are asked for next, in this order, as long as none fails; none
    /// but these is asked for then.
    fn foresee(&mut self, _cases: Vec<Case<M>>) {}
    /// Is told of each candidate: how many runs there were so far, and the best case now; with the
    /// evidence and the rate where the candidate fails and so is the best; and what is known by now.
    fn tried(&mut self, runs: u32, best: &Case<M>, better: Option<(&Evidence, Rate)>, memory: &Memory);
    /// Is told of a case that fails in another way.
    fn other(&mut self, case: &Case<M>, evidence: &Evidence, way: &Way);
}

/// A failing case to begin with.
pub(crate) struct First<M: Model> {
    pub(crate) case: Case<M>,
    pub(crate) evidence: Evidence,
    /// How it fails.
    pub(crate) way: Way,
    /// How often it failed when it was run again; none where it was not.
    pub(crate) rate: Option<Rate>,
    /// What proptest knows of how it becomes simpler.
    pub(crate) trees: Trees<M>,
}

/// A search for the smallest failing case.
pub(crate) struct Shrinker<'a, M: Model, B> {
    model: &'a M,
    bench: &'a mut B,
    memory: &'a mut Memory,
    trees: Trees<M>,
    best: Draft<M>,
    evidence: Evidence,
    way: Way,
    /// How often the best case failed.
    rate: Rate,
    /// How often cases fail that were taken so far, where one run of a candidate does not decide.
    reference: Option<Rate>,
    reruns: u32,
    relevance: Relevance,
    rates: Rates,
    clock: Clock,
    tried_sets: HashSet<Vec<usize>>,
    /// The values that the model's strategy makes.
    domain: Domain,
    /// The different commands of the first case.
    alphabet: Vec<M::Command>,
    /// Others that the model's strategy makes.
    drawn: Vec<M::Command>,
    /// How often the best case was replaced.
    epoch: u32,
    new_id: usize,
    runs: u32,
    budget: Budget,
    start: Instant,
    /// What was tried so far.
    trail: Trail,
    /// The best case's place in that; none for the first.
    from: Option<usize>,
}

/// What a search has come to.
pub(crate) struct Shrunk<M: Model> {
    pub(crate) case: Case<M>,
    pub(crate) evidence: Evidence,
    /// How often it failed.
    pub(crate) rate: Rate,
    pub(crate) runs: u32,
    /// Whether the search ended by itself rather than at the end of its budget or by a stop.
    pub(crate) complete: bool,
    /// What was tried on the way.
    pub(crate) trail: Trail,
}

/// Why a search ends early.
pub(crate) enum End {
    /// Its budget is spent.
    Budget,
    /// No system can be had, or the run is to stop.
    System(SystemError),
}

impl<'a, M: Model, B: Bench<M>> Shrinker<'a, M, B> {
    /// Prepares a search from a failing case. A candidate is run at most twice as often as
    /// `reruns`, where one run does not decide.
    pub(crate) fn new(
        model: &'a M,
        first: First<M>,
        budget: Budget,
        reruns: u32,
        memory: &'a mut Memory,
        bench: &'a mut B,
    ) -> Self {
        let First { case, evidence, way, rate, trees } = first;
        // One run decides where a sequence of commands has failed each time.
        let steady = rate.is_none_or(|rate| case.lanes.is_empty() && rate.is_always());
        let states = case.states(model);
        let best = Draft::new(case, trees.commands.len());
        let new_id = best.len();
        let mut alphabet: Vec<M::Command> = Vec::new();
        for traced in best.commands().filter(|traced| model.defines(&traced.command).is_none()) {
            if !alphabet.contains(&traced.command) {
                alphabet.push(traced.command.clone());
            }
        }
        let (domain, drawn) = Domain::of(model, &states, &alphabet);
        let mut shrinker = Self {
            model,
            bench,
            memory,
            trees,
            relevance: Relevance::new(evidence.number.min(new_id)),
            best,
            evidence,
            way,
            rate: rate.unwrap_or(Rate { failed: 1, runs: 1 }),
            reference: rate.filter(|_| !steady),
            reruns,
            rates: Rates::default(),
            clock: Clock::default(),
            tried_sets: HashSet::new(),
            domain,
            alphabet,
            drawn,
            epoch: 0,
            new_id,
            runs: 0,
            budget,
            start: Instant::now(),
            trail: Trail::default(),
            from: None,
        };
        shrinker.end_at_the_wrong_answer();
        shrinker
    }

    /// Searches until no step makes the case smaller, or the budget is spent.
    ///
    /// # Errors
    /// Only what ends the whole run and is no request to stop, which keeps the best so far.
    pub(crate) fn search(mut self) -> Result<Shrunk<M>, SystemError> {
        let searched = self.steps_down();
        // What may still have come next is of no use any more.
        self.bench.foresee(Vec::new());
        let complete = match searched.and_then(|()| self.measure()) {
            Ok(()) => true,
            Err(End::Budget | End::System(SystemError::Stopped)) => false,
            Err(End::System(error)) => return Err(error),
        };
        let case = self.best.case();
        let Self { evidence, rate, runs, trail, .. } = self;
        Ok(Shrunk { case, evidence, rate, runs, complete, trail })
    }

    fn steps_down(&mut self) -> Result<(), End> {
        'smaller: loop {
            for look in [Self::near_steps as fn(&Self) -> _, Self::far_steps] {
                let mut steps = look(self);
                while let Some(step) = self.most_promising(&mut steps) {
                    self.foresee(&step, &steps);
                    if self.take(&step)? {
                        continue 'smaller;
                    }
                    self.rates.was_in_vain(&step.name);
                }
            }
            if !self.look_again()? {
                return Ok(());
            }
        }
    }

    /// Where one run does not decide, a candidate may have been given up wrongly: those with one
    /// command less are judged once more at the end. Whether one of them helps.
    fn look_again(&mut self) -> Result<bool, End> {
        let doubtful = if self.reference.is_some() { self.best.len() } else { 0 };
        for index in 0..doubtful {
            let Some(id) = self.best.commands().nth(index).map(|traced| traced.id) else { break };
            let Some(draft) = self.best.without(&[id]).repaired(self.model) else { continue };
            if self.memory.doubt(&draft.case()) && self.attempt(Kind::Delete, draft)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Takes the step out that promises most for its price.
    fn most_promising(&mut self, steps: &mut Vec<Step<M>>) -> Option<Step<M>> {
        /// The least gain that several commands at once must promise to be deleted together.
        const WORTH_IT: f64 = 0.2;
        let mut best: Option<(usize, f64)> = None;
        for (index, step) in steps.iter().enumerate() {
            let promise = self.promise(step);
            if best.is_none_or(|(_, most)| promise > most) {
                best = Some((index, promise));
            }
        }
        let together = self.likeliest_deletion();
        let together = together.filter(|step| self.chance(step) * step.gain > WORTH_IT);
        if let Some(step) = together.filter(|step| best.is_none_or(|(_, most)| self.promise(step) >= most)) {
            return Some(step);
        }
        best.map(|(index, _)| steps.remove(index))
    }

    fn promise(&self, step: &Step<M>) -> f64 {
        self.chance(step) * step.gain / step.seconds
    }

    fn chance(&self, step: &Step<M>) -> f64 {
        match (&step.kind, &step.change) {
            (Kind::Delete, Change::Delete(ids)) => self.relevance.none_of(ids.iter().copied()),
            (kind, _) => self.rates.of(*kind, &step.name),
        }
    }

    /// Tries a step; whether the case is smaller now.
    fn take(&mut self, step: &Step<M>) -> Result<bool, End> {
        match &step.change {
            Change::Tree(id) => return self.simplify_by_tree(*id),
            Change::StateTree => return self.simplify_state_by_tree(),
            _ => {}
        }
        self.drafted(step).map_or(Ok(false), |draft| self.attempt(step.kind, draft))
    }

    /// What a step makes of the best case; nothing where a tree decides that.
    fn drafted(&mut self, step: &Step<M>) -> Option<Draft<M>> {
        let draft = match &step.change {
            Change::Tree(_) | Change::StateTree => None,
            Change::Hoist(index) => self.best.hoisted(self.model, *index),
            Change::Plainest(ids) => Some(plainest(&self.best, &self.domain, ids)),
            Change::Rename(rename) => Some(renamed(&self.best, &self.domain, rename)),
            change => Some(self.best.changed(change, self.new_id)),
        };
        if let Change::Delete(ids) = &step.change {
            self.tried_sets.insert(ids.clone());
        }
        if let Change::Shortcut { via, .. } = &step.change {
            self.new_id += via.len();
        }
        draft
    }

    /// Repairs a draft by the model, runs it unless it is known, and keeps it where it fails.
    fn attempt(&mut self, kind: Kind, draft: Draft<M>) -> Result<bool, End> {
        let Some(draft) = draft.repaired(self.model) else { return Ok(false) };
        let case = draft.case();
        if case.is_empty() || case == self.best.case() {
            return Ok(false);
        }
        if let Some(known) = self.memory.of(&case) {
            if *known == Finding::Holds {
                self.learn_needed(&draft);
            }
            return Ok(false);
        }
        let (change, commands) = (self.in_words(kind, &draft), case.len());
        let (runs, start) = (self.runs, Instant::now());
        let (fate, judged) = match self.judge(&case)? {
            Judged::Fails(evidence, rate) => (Fate::Kept, Some((*evidence, rate))),
            Judged::Dropped(fate) => (fate, None),
        };
        let (runs, seconds) = (self.runs - runs, start.elapsed().as_secs_f64());
        self.note(Candidate { from: self.from, change, commands, runs, seconds, fate });
        self.rates.learn(kind, judged.is_some());
        let Some((evidence, rate)) = judged else {
            self.learn_needed(&draft);
            let best = self.best.case();
            self.bench.tried(self.runs, &best, None, self.memory);
            return Ok(false);
        };
        (self.best, self.evidence, self.rate) = (draft, evidence, rate);
        self.reference = self.reference.map(|reference| reference.with(rate));
        self.epoch += 1;
        self.tried_sets.clear();
        self.end_at_the_wrong_answer();
        let best = self.best.case();
        self.bench.tried(self.runs, &best, Some((&self.evidence, self.rate)), self.memory);
        Ok(true)
    }

    /// What a case holds without is needed: one of it at least.
    fn learn_needed(&mut self, draft: &Draft<M>) {
        let kept: HashSet<usize> = draft.commands().map(|traced| traced.id).collect();
        let ids = self.best.commands().map(|traced| traced.id);
        let deleted: Vec<usize> = ids.filter(|id| !kept.contains(id)).collect();
        self.relevance.are_needed(&deleted);
    }

    /// Commands of the prefix are judged as they are given: what comes after a wrong answer there
    /// was never run, so it goes without a trial.
    fn end_at_the_wrong_answer(&mut self) {
        let Evidence { number, course, .. } = &self.evidence;
        // With a course it is the lanes that failed.
        if *number <= self.best.prefix.len() && course.is_none() {
            self.best.prefix.truncate(*number);
            self.best.lanes.clear();
            self.best.finally.clear();
        }
        let blamed = self.best.commands().nth(number.saturating_sub(1)).map(|traced| traced.id);
        if let Some(id) = blamed {
            self.relevance.suspect(id);
        }
    }
}
