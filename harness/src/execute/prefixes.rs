//! What is known of the moments at which systems were saved: which commands had been given by then, and
//! what came of them, so that a case which begins with the same commands is given only the others.
//!
//! Cases of which this is of use are those that a failing case is made smaller by: nearly all have some
//! of its commands. So what is saved is beginnings of the smallest failing case so far.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use model::panics::caught;
use model::{Case, Model, Outcome};

use super::{Executor, Recorded, Step, failed};
use crate::moments::{Moment, Moments};
use crate::observe::Event;
use crate::system::{Purpose, System, SystemError};

/// Saving has to be worth so many times the time that saving and going back take.
const WORTH: u32 = 3;

/// The moments of a run, which all its jobs share.
pub(crate) struct Prefixes<M: Model>(Arc<Mutex<Known<M>>>);

struct Known<M: Model> {
    /// What candidates are smaller forms of.
    best: Option<Case<M>>,
    saved: Vec<Saved<M>>,
    saving: Mean,
    going_back: Mean,
    /// Whether a system could not be saved and go on, or not be given back.
    is_broken: bool,
}

/// A system that can be given back after these commands of a case.
struct Saved<M: Model> {
    moment: Moment,
    initial: M::State,
    commands: Vec<M::Command>,
    past: Past<M>,
}

/// What came of the first commands of a case on a system that is given back after them.
pub(super) struct Past<M: Model> {
    pub(super) outcomes: Vec<Outcome<M::Response>>,
    /// How long a system takes to get there by these commands.
    took: Duration,
}

/// What a case begins with.
pub(super) struct Beginning<M: Model> {
    pub(super) past: Past<M>,
    /// How long the system took to be made or given back.
    made: Duration,
}

impl<M: Model> Clone for Past<M> {
    fn clone(&self) -> Self {
        Self { outcomes: self.outcomes.clone(), took: self.took }
    }
}

impl<M: Model> Default for Past<M> {
    fn default() -> Self {
        Self { outcomes: Vec::new(), took: Duration::ZERO }
    }
}

#[derive(Default)]
struct Mean {
    sum: Duration,
    count: u32,
}

impl Mean {
    fn add(&mut self, time: Duration) {
        self.sum += time;
        self.count += 1;
    }

    fn value(&self) -> Option<Duration> {
        self.sum.checked_div(self.count)
    }
}

impl<M: Model> Clone for Prefixes<M> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<M: Model> Default for Prefixes<M> {
    fn default() -> Self {
        let (saving, going_back) = (Mean::default(), Mean::default());
        let known = Known { best: None, saved: Vec::new(), saving, going_back, is_broken: false };
        Self(Arc::new(Mutex::new(known)))
    }
}

impl<M: Model> Prefixes<M> {
    fn known(&self) -> MutexGuard<'_, Known<M>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// From now on candidates are smaller forms of this case, or there are none.
    pub(crate) fn aim_at(&self, best: Option<&Case<M>>) {
        let mut known = self.known();
        known.saved.retain(|saved| best.is_some_and(|best| saved.begins(best)));
        known.best = best.cloned();
    }

    /// Nothing is saved any more.
    fn give_up(&self) {
        let mut known = self.known();
        known.is_broken = true;
        known.saved.clear();
    }

    /// After how many commands of the case that candidates are smaller forms of there are systems.
    pub(crate) fn lengths(&self) -> Vec<usize> {
        self.known().there().map(|saved| saved.commands.len()).collect()
    }

    /// With how many commands of the case that candidates are smaller forms of this one begins.
    fn shared(&self, case: &Case<M>) -> usize {
        let known = self.known();
        match &known.best {
            Some(best) if !known.is_broken && best.initial == case.initial => {
                let pairs = best.commands.iter().zip(&case.commands);
                pairs.take_while(|(one, other)| one == other).count()
            }
            _ => 0,
        }
    }

    /// The moments that a case can go on from, the last first.
    fn wanted(&self, case: &Case<M>) -> Vec<(Moment, Past<M>)> {
        let known = self.known();
        let mut saved: Vec<_> = known.there().filter(|saved| saved.begins(case)).collect();
        saved.sort_by_key(|saved| std::cmp::Reverse(saved.commands.len()));
        saved.into_iter().map(|saved| (saved.moment.clone(), saved.past.clone())).collect()
    }
}

impl<M: Model> Known<M> {
    fn there(&self) -> impl Iterator<Item = &Saved<M>> {
        self.saved.iter().filter(|saved| saved.moment.is_shared())
    }

    /// What it takes to save a system and to give it back; none where that was not measured yet.
    fn price(&self) -> Option<Duration> {
        let saving = self.saving.value()?;
        // What is written takes about as long to be read.
        Some(saving + self.going_back.value().unwrap_or(saving))
    }
}

impl<M: Model> Saved<M> {
    /// Whether a case begins so, and has more to come.
    fn begins(&self, case: &Case<M>) -> bool {
        self.initial == case.initial
            && case.commands.starts_with(&self.commands)
            && self.commands.len() < case.len()
    }
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    /// A system for a case, as it was after the first commands of it where it can be.
    pub(super) fn begin_case(&self, case: &Case<M>) -> Result<(S::Sut, Beginning<M>), SystemError> {
        let watched = || self.watch.as_ref().map(|watch| watch.step(Step::Creating));
        let moments = self.moments();
        let wanted = moments.map(|_| self.prefixes.wanted(case)).unwrap_or_default();
        let Some(moments) = moments.filter(|_| !wanted.is_empty()) else {
            self.system.can_create_new_sut(&case.initial)?;
            let _watched = watched();
            return self.begin_at_start(case);
        };
        let names: Vec<_> = wanted.iter().map(|(moment, _)| moment.clone()).collect();
        moments.can_go_back(&case.initial, &names)?;
        let _watched = watched();
        let start = Instant::now();
        let back = caught(|| moments.go_back(&case.initial, &names));
        match back.unwrap_or_else(|panicked| Err(failed("a system was given back", panicked))) {
            Ok(Some((sut, moment))) => {
                self.prefixes.known().going_back.add(start.elapsed());
                let past = wanted.into_iter().find(|(wanted, _)| *wanted == moment).map(|(_, past)| past);
                let why = "Moments::go_back gave a system of a moment that was not asked for";
                let past = past.ok_or_else(|| SystemError::WrongUse(why.into()))?;
                let (case, commands) = (self.number.get(), past.outcomes.len());
                self.observer.event(&Event::WentBack { case, commands });
                return Ok((sut, Beginning { past, made: start.elapsed() }));
            }
            Ok(None) => {}
            Err(SystemError::Stopped) => return Err(SystemError::Stopped),
            Err(error) => {
                self.prefixes.give_up();
                let text =
                    format!("cases run from their start, since no system could be given back: {error}");
                self.observer.event(&Event::Warning { text: &text });
            }
        }
        self.begin_at_start(case)
    }

    fn begin_at_start(&self, case: &Case<M>) -> Result<(S::Sut, Beginning<M>), SystemError> {
        let start = Instant::now();
        let sut = self.system.new_sut_for(&case.initial, self.purpose.get())?;
        Ok((sut, Beginning { past: Past::default(), made: start.elapsed() }))
    }

    /// How systems are saved, where they may be.
    fn moments(&self) -> Option<&dyn Moments<M, S::Sut>> {
        if self.purpose.get() == Purpose::Rerun { self.system.moments() } else { None }
    }
}

/// Saves the system of a case on its way.
pub(super) struct Saver<'a, 'e, M: Model, S: System<M>> {
    executor: &'a Executor<'e, M, S>,
    moments: &'a dyn Moments<M, S::Sut>,
    case: &'a Case<M>,
    /// How many commands the system had been given when the case began.
    given: usize,
    /// What the commands took that were given by `since`.
    age: Duration,
    since: Instant,
    /// What the system took to be made, as a first idea of what going back takes.
    made: Duration,
}

impl<'a, 'e, M: Model, S: System<M>> Saver<'a, 'e, M, S> {
    /// For a case that begins so; none where nothing is to be saved of it.
    pub(super) fn new(
        executor: &'a Executor<'e, M, S>,
        case: &'a Case<M>,
        Beginning { past, made }: &Beginning<M>,
    ) -> Option<Self> {
        let moments = executor.moments()?;
        let given = past.outcomes.len();
        let (age, since, made) = (past.took, Instant::now(), *made);
        let is_worth_it = executor.prefixes.shared(case) > given;
        is_worth_it.then_some(Self { executor, moments, case, given, age, since, made })
    }

    /// Saves the system if that is worth it, which has been given so many commands of the case by now.
    ///
    /// # Errors
    /// [`SystemError`] where it may not be what it was.
    pub(super) fn passed(
        &mut self,
        sut: &mut S::Sut,
        commands: usize,
        history: &[Recorded<M>],
    ) -> Result<(), SystemError> {
        let Executor { prefixes, watch, .. } = self.executor;
        if commands <= self.given || commands >= self.case.len() {
            return Ok(());
        }
        let (took, price) = (self.since.elapsed(), prefixes.known().price().unwrap_or(self.made));
        if took < WORTH * price || commands > prefixes.shared(self.case) {
            return Ok(());
        }
        self.age += took;
        let (start, age) = (Instant::now(), self.age);
        let watched = watch.as_ref().map(|watch| watch.step(Step::Creating));
        let saved = caught(|| self.moments.save(sut, age));
        let saved = saved.unwrap_or_else(|panicked| Err(failed("the system was saved", panicked)));
        drop(watched);
        self.since = Instant::now();
        let mut known = prefixes.known();
        match saved {
            Ok(Some(moment)) => {
                known.saving.add(start.elapsed());
                let outcomes = history[..commands].iter().map(|recorded| recorded.operation.outcome.clone());
                let past = Past { outcomes: outcomes.collect(), took: age };
                let Case { initial, commands: all, .. } = self.case;
                let (initial, commands) = (initial.clone(), all[..commands].to_vec());
                known.saved.retain(|saved| saved.moment.is_shared());
                known.saved.push(Saved { moment, initial, commands, past });
                Ok(())
            }
            Ok(None) => Ok(()),
            Err(error) => {
                drop(known);
                prefixes.give_up();
                Err(error)
            }
        }
    }
}
