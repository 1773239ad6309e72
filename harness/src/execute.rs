//! One case on one system: what each command came to, and the verdict.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};

use model::panics::{Panicked, caught, no_broken_model};
use model::{Case, Model};
use serde::{Deserialize, Serialize};

use crate::lanes::Order;
use crate::observe::{Event, Observer};
use crate::regressions::Seed;
use crate::spans;
use crate::stop::Stop;
use crate::system::{Console, Purpose, System, SystemError, chain};

mod confirm;
mod drive;
mod evidence;
mod judge;
mod prefixes;
mod record;
mod watch;

pub(crate) use confirm::Confirmation;
pub(crate) use evidence::in_order;
pub use evidence::{Course, Evidence, Given, Obstacle};
pub(crate) use prefixes::Prefixes;
pub use record::Recorded;
pub(crate) use record::{Halt, Panic, Recorder, Spot, show_command, show_outcome};
pub(crate) use watch::{Step, Watch};

/// What running a case has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The model allows every answer.
    Holds,
    /// The model forbids an answer, or the system panicked.
    Falsified(Evidence),
    /// Nothing was shown, for the reason given.
    Inconclusive(String),
    /// Nothing can be shown, since the case asks for what cannot be built or booted.
    Excluded(Exclusion),
}

/// A configuration that cannot be built or booted, and why.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Exclusion {
    /// What cannot be, as the system names it.
    pub configuration: String,
    /// Why not.
    pub reason: String,
}

/// A case that was run, as far as it went.
#[derive(Debug)]
pub struct Execution<M: Model> {
    /// The commands that were given, in the order in which they were.
    pub history: Vec<Recorded<M>>,
    /// What they show.
    pub verdict: Verdict,
    /// Whether the system was not made from nothing ([`System::is_reused`]).
    pub reused: bool,
    /// Where it is falsified, the end of what the parts of the system said ([`System::consoles`]).
    pub consoles: Vec<Console>,
}

impl<M: Model> Execution<M> {
    /// Why it is falsified, if it is.
    #[must_use]
    pub fn evidence(&self) -> Option<&Evidence> {
        match &self.verdict {
            Verdict::Falsified(evidence) => Some(evidence),
            Verdict::Holds | Verdict::Inconclusive(_) | Verdict::Excluded(_) => None,
        }
    }
}

/// What was found to be impossible in a run, each configuration once.
#[derive(Clone, Default)]
pub(crate) struct Exclusions(Arc<Mutex<Vec<Exclusion>>>);

impl Exclusions {
    /// Takes note of one; whether it is new.
    fn add(&self, exclusion: &Exclusion) -> bool {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_new = !known.iter().any(|other| other.configuration == exclusion.configuration);
        if is_new {
            known.push(exclusion.clone());
        }
        is_new
    }

    /// Takes out what was found so far.
    pub(crate) fn take(&self) -> Vec<Exclusion> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A case that has just failed, on a system that still stands as it failed.
#[derive(Debug)]
pub struct Standing<'a, M: Model> {
    /// The case.
    pub case: &'a Case<M>,
    /// The commands that were given, in the order in which they were, with what came.
    pub history: &'a [Recorded<M>],
    /// What they show.
    pub evidence: &'a Evidence,
}

/// Looks at a system that a case has just failed on, before it is taken down. It is called on the thread
/// that runs the case, and the case waits for it.
pub type Look<'a, M, S> = dyn Fn(&mut <S as System<M>>::Sut, &Standing<'_, M>) + Sync + 'a;

/// How a system and a model are put together to run cases.
pub(crate) struct Executor<'a, M: Model, S: System<M>> {
    pub(crate) model: &'a M,
    pub(crate) system: &'a S,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) stop: &'a Stop,
    /// How often a case is tried on a fresh system before it counts as inconclusive.
    pub(crate) attempts: u32,
    /// How often a failing case is run again.
    pub(crate) reruns: u32,
    /// What was found to be impossible so far, by any job.
    pub(crate) exclusions: Exclusions,
    /// What was saved so far, by any job.
    pub(crate) prefixes: Prefixes<M>,
    /// What ends the process where a command never returns.
    pub(crate) watch: Option<Watch>,
    /// Who looks at what failed, where somebody does.
    pub(crate) look: Option<&'a Look<'a, M, S>>,
    /// Whether it is of use to know how long commands take. Mostly nobody asks, and looking at
    /// the clock takes longer than many a command in memory.
    pub(crate) timed: Cell<bool>,
    /// The place in the run of the case that runs, where it has one.
    pub(crate) number: Cell<Option<u32>>,
    /// The seed that brings the next case back, where one does.
    pub(crate) generated: Cell<Option<Seed>>,
    /// What the next systems are made for.
    pub(crate) purpose: Cell<Purpose>,
    /// The room of a history that nobody needs any more, for that of the next case.
    pub(crate) spare: RefCell<Vec<Recorded<M>>>,
}

/// What an executor is made of, on whichever thread it is to run.
pub(crate) struct Parts<'a, M: Model, S: System<M>> {
    pub(crate) model: &'a M,
    pub(crate) system: &'a S,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) attempts: u32,
    pub(crate) reruns: u32,
    pub(crate) exclusions: Exclusions,
    pub(crate) prefixes: Prefixes<M>,
    pub(crate) watch: Option<Watch>,
    pub(crate) look: Option<&'a Look<'a, M, S>>,
}

impl<'a, M: Model, S: System<M>> Parts<'a, M, S> {
    /// Puts them together.
    pub(crate) fn executor(self, stop: &'a Stop) -> Executor<'a, M, S> {
        let Self { model, system, observer, attempts, reruns, exclusions, prefixes, watch, look } = self;
        Executor {
            model,
            system,
            observer,
            stop,
            attempts,
            reruns,
            exclusions,
            prefixes,
            watch,
            look,
            timed: Cell::default(),
            number: Cell::default(),
            generated: Cell::default(),
            purpose: Cell::default(),
            spare: RefCell::default(),
        }
    }
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    /// Runs a case, on a fresh system again where the infrastructure fails; with lanes that follow
    /// an order, where there is one.
    ///
    /// # Errors
    /// What no fresh system would mend.
    pub(crate) fn run(&self, case: &Case<M>, order: Option<&Order>) -> Result<Execution<M>, SystemError> {
        let seed = self.generated.take();
        let _case = spans::case(self.number.get(), seed).entered();
        if let Some(watch) = &self.watch {
            watch.case(case, seed);
        }
        let mut attempt = 1;
        loop {
            let mut history = self.spare.take();
            history.reserve(case.len());
            let (mut attempts, mut reused, mut consoles) = (self.attempts, false, Vec::new());
            let execution = match self.run_once(case, order, &mut history, &mut reused, &mut consoles) {
                Ok(verdict) => {
                    // Where the model cannot tell, no fresh system would mend it.
                    attempts = attempt;
                    Execution { history, verdict, reused, consoles }
                }
                Err(SystemError::Infrastructure(error)) => {
                    let verdict = Verdict::Inconclusive(chain(error.as_ref()));
                    Execution { history: Vec::new(), verdict, reused, consoles }
                }
                Err(SystemError::Unfit { configuration, error }) => {
                    let reason = chain(error.as_ref());
                    let exclusion = self.exclude(Exclusion { configuration, reason });
                    Execution { history, verdict: Verdict::Excluded(exclusion), reused, consoles }
                }
                Err(error) => return Err(error),
            };
            let Verdict::Inconclusive(reason) = &execution.verdict else { return Ok(execution) };
            let case = self.number.get();
            self.observer.event(&Event::Inconclusive { case, attempt, attempts, reason });
            if attempt >= attempts {
                return Ok(execution);
            }
            attempt += 1;
        }
    }

    /// Takes the history of a case back that nobody needs any more.
    pub(crate) fn recycle(&self, mut history: Vec<Recorded<M>>) {
        history.clear();
        self.spare.replace(history);
    }

    /// Takes note of a configuration, and tells of it the first time.
    fn exclude(&self, exclusion: Exclusion) -> Exclusion {
        let is_new = self.exclusions.add(&exclusion);
        if is_new {
            let Exclusion { configuration, reason } = &exclusion;
            self.observer.event(&Event::Excluded { what: configuration, reason });
        }
        exclusion
    }

    /// Runs a case once; what was given, and whether the system was `reused`, is there whatever
    /// becomes of it, and the `consoles` where it fails.
    fn run_once(
        &self,
        case: &Case<M>,
        order: Option<&Order>,
        history: &mut Vec<Recorded<M>>,
        reused: &mut bool,
        consoles: &mut Vec<Console>,
    ) -> Result<Verdict, SystemError> {
        self.stopped()?;
        let created = caught(|| self.begin_case(case));
        let created = created.unwrap_or_else(|panicked| Err(failed("the system was created", panicked)));
        let (mut sut, beginning) = created?;
        // A model that is broken ends the run, but the system is taken down before.
        let driven = no_broken_model(|| self.drive(&mut sut, beginning, case, order, history));
        let verdict = driven.unwrap_or_else(|broken| Err(broken.into()));
        // Not before: a part of the system may be made by a command.
        *reused = self.system.is_reused(&sut);
        if let (Some(watch), Ok(Verdict::Falsified(evidence))) = (&self.watch, &verdict) {
            watch.falsified(evidence);
        }
        if let Ok(Verdict::Falsified(evidence)) = &verdict {
            // What cannot be had takes nothing from the verdict.
            *consoles = caught(|| self.system.consoles(&sut)).unwrap_or_default();
            if let (Some(look), Purpose::Search) = (self.look, self.purpose.get()) {
                look(&mut sut, &Standing { case, history, evidence });
            }
        }
        let watched = self.watch.as_ref().map(|watch| watch.step(Step::Destroying));
        let destroyed = caught(|| self.system.destroy_sut(sut));
        drop(watched);
        match (verdict, destroyed) {
            (verdict, Ok(Ok(()))) => verdict,
            // What holds may not hold where the system cannot even be taken down.
            (Ok(Verdict::Holds), Err(panicked)) => Err(failed("the system was taken down", panicked)),
            // Any other verdict stands even where taking the system down goes wrong, but it is said.
            (verdict, Ok(Err(error))) => self.warn(&error.to_string(), verdict),
            (verdict, Err(panicked)) => self.warn(&format!("taking the system down {panicked}"), verdict),
        }
    }

    fn warn<T>(&self, text: &str, result: T) -> T {
        self.observer.event(&Event::Warning { text });
        result
    }

    fn stopped(&self) -> Result<(), SystemError> {
        if self.stop.requested() { Err(SystemError::Stopped) } else { Ok(()) }
    }
}

/// A panic where no answer was asked for: a fresh system may do better, unless it is the model's.
pub(crate) fn failed(when: &str, panicked: Panicked) -> SystemError {
    match panicked {
        Panicked::Model(broken) => broken.into(),
        Panicked::Said { text, .. } => SystemError::infrastructure(format!("while {when}, it {text}")),
    }
}
