//! One call for a `#[test]`.

use std::sync::{Mutex, PoisonError};

use model::{Case, Model};

use crate::as_test::{Call, TestText};
use crate::config::Config;
use crate::execute::{Exclusion, Execution, Verdict};
use crate::observe::{Event, Observer};
use crate::report;
use crate::runner::{RunError, Runner, Summary};
use crate::stop::Stop;
use crate::system::System;

/// Tests a model against a system as [`Config::default`] says, for use in a `#[test]`.
///
/// # Panics
/// With the report where the property is falsified, and with the reason where nothing could be
/// shown; both fail the test.
pub fn check<M: Model, S: System<M>>(model: &M, system: &S) {
    check_with(&Config::default(), model, system);
}

/// [`check`] with a configuration of one's own.
/// ```
/// use harness::prelude::*;
///
/// let numbers = reference("numbers", 0_u64, Just(()), |next: &mut u64, (): &()| {
///     *next += 1;
///     *next
/// });
/// struct InMemory;
/// impl<M: Model<State = u64, Command = (), Response = u64>> System<M> for InMemory {
///     type Sut = u64;
///     fn new_sut(&self, next: &u64) -> Result<u64, SystemError> {
///         Ok(*next)
///     }
///     fn run(&self, next: &mut u64, (): &()) -> Result<Outcome<u64>, SystemError> {
///         *next += 1;
///         Ok(Outcome::Answered(*next))
///     }
/// }
/// check_with(&Config { cases: 20, ..Config::default() }, &numbers, &InMemory);
/// ```
///
/// # Panics
/// As [`check`] does.
pub fn check_with<M: Model, S: System<M>>(config: &Config, model: &M, system: &S) {
    check_by(config, model, system, Call::Function);
}

/// [`check_with`] for cases that may run side by side, each on a system of its own: as many as
/// [`Config::jobs`] says.
///
/// # Panics
/// As [`check`] does.
pub fn check_side_by_side<M, S>(config: &Config, model: &M, system: &S)
where
    M: Model + Sync,
    M::State: Send,
    M::Command: Send,
    M::Response: Send,
    S: System<M> + Sync,
{
    check_run(config, model, system, Call::Function, |runner| runner.run_side_by_side());
}

/// [`check_with`] for what is tested by such a call.
pub(crate) fn check_by<M: Model, S: System<M>>(config: &Config, model: &M, system: &S, call: Call) {
    check_run(config, model, system, call, |runner| runner.run());
}

fn check_run<M: Model, S: System<M>>(
    config: &Config,
    model: &M,
    system: &S,
    call: Call,
    run: impl FnOnce(&Runner<'_, M, S>) -> Result<Summary<M>, RunError>,
) {
    let stop = Stop::default();
    let printer = Printer::new(config);
    match run(&Runner::new(model, system, config, &printer, &stop)) {
        Err(error) => panic!("{} could not be tested: {error}", model.name()),
        Ok(summary) => {
            if let Some(failure) = &summary.failure {
                let mut text = report::summary(model, &summary);
                if std::env::var_os("NETPROP_AS_TEST").is_some() {
                    let (name, seed) = (model.name(), failure.seed.to_string());
                    let about = failure.evidence.to_string();
                    let mut test = match call {
                        Call::Function => TestText::by_types::<M, S>(&name, &seed, about),
                        call => TestText::by_reference(&name, &seed, about, call),
                    };
                    if let Some(expressions) = &config.expressions {
                        test.expressions = expressions.clone();
                    }
                    text.push_str(&format!("\n{}", test.of(model, &failure.case)));
                }
                panic!("{}\n{text}", model.name());
            }
            let inconclusive = summary.inconclusive;
            assert!(inconclusive == 0, "{}: {inconclusive} cases were inconclusive", model.name());
        }
    }
}

/// Runs one case as it is, for a `#[test]` that stands alone.
///
/// # Panics
/// With what was expected and what came where it is falsified, and with the reason where nothing
/// could be shown.
pub fn check_case<M: Model, S: System<M>>(model: &M, system: &S, case: &Case<M>) {
    let name = model.name();
    if let Err(why) = case.validate(model) {
        panic!("{name}: the case is impossible: {why}");
    }
    let (config, stop) = (Config::default(), Stop::default());
    let printer = Printer::new(&config);
    match Runner::new(model, system, &config, &printer, &stop).run_case(case, "test") {
        Err(error) => panic!("{name} could not be tested: {error}"),
        Ok(Execution { verdict, .. }) => match verdict {
            Verdict::Holds => {}
            Verdict::Falsified(evidence) => {
                panic!("{name}: falsified by command {}: {evidence}", evidence.number)
            }
            Verdict::Inconclusive(reason) => panic!("{name}: inconclusive: {reason}"),
            Verdict::Excluded(Exclusion { configuration, reason }) => {
                panic!("{name}: {configuration} cannot be built or booted: {reason}")
            }
        },
    }
}

/// Prints what `cargo test` shows of a test that fails: as much as `PROPTEST_VERBOSE` asks for.
struct Printer {
    verbose: u32,
    /// Whether cases may run side by side.
    has_jobs: bool,
    /// The replay file that was told of last: each better case is saved in the same one.
    told: Mutex<String>,
}

impl Observer for Printer {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => eprintln!("warning: {text}"),
            Event::Inconclusive { reason, .. } => eprintln!("inconclusive: {reason}"),
            Event::Excluded { what, reason } => eprintln!("excluded: {what} ({reason})"),
            Event::Saved { file } => {
                let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
                if *told != *file {
                    eprintln!("saved as {file}");
                    (*file).clone_into(&mut told);
                }
            }
            event if self.verbose > 0 => self.detail(event),
            _ => {}
        }
    }

    fn follows_cases(&self) -> bool {
        self.verbose > 1
    }
}

impl Printer {
    fn new(config: &Config) -> Self {
        Self { verbose: config.verbose, has_jobs: config.jobs > 1, told: Mutex::default() }
    }

    /// What is printed only where it is asked for.
    fn detail(&self, event: &Event<'_>) {
        match event {
            Event::Falsified { number, expected, came } => {
                eprintln!("falsified by command {number}: expected {expected}; came {came}");
            }
            Event::Covered { coverage } => eprintln!("covered: {coverage}"),
            Event::Statistics { statistics } => eprintln!("{statistics}"),
            Event::ShrinkStep { runs, smaller: true, commands } => {
                eprintln!("shrunk to {commands} commands after {runs} runs");
            }
            event if self.follows_cases() => self.course(event),
            _ => {}
        }
    }

    /// Each case and each command. A case that is run by itself is told of to any observer.
    fn course(&self, event: &Event<'_>) {
        match event {
            Event::CaseStarted { number, cases, origin, initial, commands } => {
                eprintln!("case {number}/{cases}: {commands} commands, {origin}\n{initial}");
            }
            Event::CommandFinished { case, number, command, outcome, .. } => {
                let case = case.filter(|_| self.has_jobs).map(|case| format!("case {case}: "));
                eprintln!("{number:4}. {}{command}: {outcome}", case.unwrap_or_default());
            }
            Event::CaseFinished { number, verdict, .. } => eprintln!("case {number}: {verdict}"),
            _ => {}
        }
    }
}
