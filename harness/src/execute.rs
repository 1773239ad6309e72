//! One case on one system: what each command came to, and the verdict.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use model::{Case, Judgement, Model, Outcome, Possible};
use serde::{Deserialize, Serialize};

use crate::observe::{Event, Observer};
use crate::stop::Stop;
use crate::system::{System, SystemError};

/// Why a case is falsified.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Evidence {
    /// The place of the command that got a wrong answer, counted from 1.
    pub number: usize,
    /// What a right answer would have been.
    pub expected: String,
    /// What came.
    pub came: String,
}

impl std::fmt::Display for Evidence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "expected {}; came {}", self.expected, self.came)
    }
}

/// What running a case has shown.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Verdict {
    /// The model allows every answer.
    Holds,
    /// The model forbids an answer.
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

/// A command that was given, and what came of it.
#[derive(Debug)]
pub struct Step<M: Model> {
    /// What was given.
    pub command: M::Command,
    /// What came.
    pub outcome: Outcome<M::Response>,
    /// How long it took.
    pub elapsed: Duration,
}

/// A case that was run, as far as it went.
#[derive(Debug)]
pub struct Execution<M: Model> {
    /// The commands that were given.
    pub steps: Vec<Step<M>>,
    /// What they show.
    pub verdict: Verdict,
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

/// How a system and a model are put together to run cases.
pub(crate) struct Executor<'a, M: Model, S: System<M>> {
    pub(crate) model: &'a M,
    pub(crate) system: &'a S,
    pub(crate) observer: &'a dyn Observer,
    pub(crate) stop: &'a Stop,
    /// How often a case is tried on a fresh system before it counts as inconclusive.
    pub(crate) attempts: u32,
    /// What was found to be impossible so far.
    pub(crate) exclusions: RefCell<Vec<Exclusion>>,
}

impl<M: Model, S: System<M>> Executor<'_, M, S> {
    /// Runs a case, on a fresh system again where the infrastructure fails.
    ///
    /// # Errors
    /// What no fresh system would mend.
    pub(crate) fn run(&self, case: &Case<M>) -> Result<Execution<M>, SystemError> {
        let mut attempt = 1;
        loop {
            let mut steps = Vec::new();
            let execution = match self.run_once(case, &mut steps) {
                Ok(verdict) => Execution { steps, verdict },
                Err(SystemError::Infrastructure(error)) => {
                    let reason = crate::system::chain(error.as_ref());
                    Execution { steps: Vec::new(), verdict: Verdict::Inconclusive(reason) }
                }
                Err(SystemError::Unfit { configuration, error }) => {
                    let reason = crate::system::chain(error.as_ref());
                    let exclusion = self.exclude(Exclusion { configuration, reason });
                    Execution { steps, verdict: Verdict::Excluded(exclusion) }
                }
                Err(error) => return Err(error),
            };
            let Verdict::Inconclusive(reason) = &execution.verdict else { return Ok(execution) };
            self.observer.event(&Event::Inconclusive { attempt, attempts: self.attempts, reason });
            if attempt >= self.attempts {
                return Ok(execution);
            }
            attempt += 1;
        }
    }

    /// Takes note of a configuration, and tells of it the first time.
    fn exclude(&self, exclusion: Exclusion) -> Exclusion {
        let mut known = self.exclusions.borrow_mut();
        if !known.iter().any(|other| other.configuration == exclusion.configuration) {
            let Exclusion { configuration, reason } = &exclusion;
            self.observer.event(&Event::Excluded { what: configuration, reason });
            known.push(exclusion.clone());
        }
        exclusion
    }

    /// Runs a case once; the steps that were taken are there whatever becomes of it.
    fn run_once(&self, case: &Case<M>, steps: &mut Vec<Step<M>>) -> Result<Verdict, SystemError> {
        self.stopped()?;
        self.system.can_create_new_sut(&case.initial)?;
        let mut sut = self.system.new_sut(&case.initial)?;
        let result = self.drive(&mut sut, case, steps);
        // A verdict stands even where taking the system down goes wrong, but it is said.
        if let Err(error) = self.system.destroy_sut(sut) {
            self.observer.event(&Event::Warning { text: &error.to_string() });
        }
        result
    }

    fn drive(
        &self,
        sut: &mut S::Sut,
        case: &Case<M>,
        steps: &mut Vec<Step<M>>,
    ) -> Result<Verdict, SystemError> {
        let mut possible = Possible::new(case.initial.clone());
        for (index, command) in case.commands.iter().enumerate() {
            self.stopped()?;
            if !possible.allows_giving(self.model, command) {
                let reason = format!(
                    "command {} ({}) makes no sense in a state that an unknown outcome left possible",
                    index + 1,
                    self.model.show_command(command)
                );
                return Ok(Verdict::Inconclusive(reason));
            }
            let expected = possible.states().next().map(|state| self.model.expectation(state, command));
            let step = self.give(sut, index, command)?;
            let judgement = possible.observe(self.model, command, &step.outcome);
            let came = self.show_outcome(&step.outcome);
            steps.push(step);
            match judgement {
                Judgement::Allowed => {}
                Judgement::Undecided(reason) => {
                    return Ok(Verdict::Inconclusive(reason));
                }
                Judgement::Forbidden => {
                    let expected = expected.unwrap_or_default();
                    let evidence = Evidence { number: index + 1, expected, came };
                    return Ok(Verdict::Falsified(evidence));
                }
            }
        }
        Ok(Verdict::Holds)
    }

    fn give(&self, sut: &mut S::Sut, index: usize, command: &M::Command) -> Result<Step<M>, SystemError> {
        if !self.observer.follows_cases() {
            let start = Instant::now();
            let outcome = self.system.run(sut, command)?;
            return Ok(Step { command: command.clone(), outcome, elapsed: start.elapsed() });
        }
        let shown = self.model.show_command(command);
        self.observer.event(&Event::CommandStarted { number: index + 1, command: &shown });
        let start = Instant::now();
        let outcome = self.system.run(sut, command)?;
        let elapsed = start.elapsed();
        let came = self.show_outcome(&outcome);
        self.observer.event(&Event::CommandFinished {
            number: index + 1,
            command: &shown,
            outcome: &came,
            seconds: elapsed.as_secs_f64(),
        });
        Ok(Step { command: command.clone(), outcome, elapsed })
    }

    pub(crate) fn show_outcome(&self, outcome: &Outcome<M::Response>) -> String {
        match outcome {
            Outcome::Answered(response) => self.model.show_response(response),
            Outcome::Refused(why) => format!("refused: {why}"),
            Outcome::Unknown(why) => format!("unknown: {why}"),
        }
    }

    fn stopped(&self) -> Result<(), SystemError> {
        if self.stop.requested() { Err(SystemError::Stopped) } else { Ok(()) }
    }
}
