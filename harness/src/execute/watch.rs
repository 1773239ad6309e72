//! What ends the process where a command never returns, or where a system is never made or taken
//! down, since a thread cannot be ended from outside. The case that it is in is kept before, and a
//! failure that was found before is told.

use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Condvar, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use model::{Case, Model};
use serde_json::Value;

use super::{Evidence, Spot};
use crate::config::Config;
use crate::origin::regressions_file;
use crate::regressions::Seed;

mod shared;
mod written;

use shared::Shared;
use written::Text;

/// Waits beside a run for what does not return in time.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Begins with the first case.
    thread: OnceLock<()>,
}

/// What may not return.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Step {
    /// The system is made.
    Creating,
    /// The session of this lane, counted from 0, is opened.
    Opening(usize),
    /// The command of this number is given.
    Command(usize),
    /// The system is taken down.
    Destroying,
}

impl Step {
    /// What stands for it where it is outside lanes. No case has so many commands.
    fn code(self) -> u32 {
        match self {
            Self::Creating => u32::MAX - 1,
            Self::Destroying => u32::MAX,
            Self::Command(number) | Self::Opening(number) => u32::try_from(number).unwrap_or(0),
        }
    }

    fn of_code(code: u32) -> Option<Self> {
        match code {
            0 => None,
            _ if code == Self::Creating.code() => Some(Self::Creating),
            _ if code == Self::Destroying.code() => Some(Self::Destroying),
            number => Some(Self::Command(number as usize)),
        }
    }

    /// What it is, and the option that says how long it may take.
    fn named(self, case: &[u8]) -> (String, &'static str) {
        match self {
            Self::Creating => ("making the system".to_owned(), SYSTEM_LIMIT),
            Self::Opening(lane) => (format!("opening the session of lane {}", lane + 1), SYSTEM_LIMIT),
            Self::Destroying => ("taking the system down".to_owned(), SYSTEM_LIMIT),
            Self::Command(number) => {
                let command = command(case, number).map(|command| format!(" ({command})"));
                (format!("command {number}{}", command.unwrap_or_default()), "Config::command_limit")
            }
        }
    }
}

const SYSTEM_LIMIT: &str = "Config::system_limit";

/// What has not returned; it has once this is dropped.
pub(crate) struct Watched<'a> {
    shared: &'a Shared,
    step: Step,
    /// Whether it is in a lane.
    beside: bool,
}

impl Watch {
    /// A watch for what takes longer than it may; none where nothing is limited.
    pub(crate) fn new<M: Model>(model: &M, config: &Config) -> Option<Self> {
        let limited = |limit: Option<Duration>| limit.filter(|limit| !limit.is_zero());
        let (command_limit, system_limit) = (limited(config.command_limit), limited(config.system_limit));
        command_limit.or(system_limit)?;
        let shared = Shared {
            command_limit,
            system_limit,
            specification: model.name(),
            settings: config.settings.clone(),
            directory: config.failures.clone(),
            regressions: config.regressions.as_ref().map(|directory| regressions_file(model, directory)),
            readable: Some(|case| serde_json::from_slice::<Case<M>>(case).is_ok()),
            sequence: AtomicU64::new(0),
            now: Mutex::default(),
            found: Arc::default(),
            over: Condvar::new(),
        };
        Some(Self { shared: Arc::new(shared), thread: OnceLock::new() })
    }

    /// A watch for another job of the same run, which knows of the same failures.
    pub(crate) fn of_job(&self) -> Self {
        Self { shared: Arc::new(self.shared.of_job()), thread: OnceLock::new() }
    }

    /// From now on, cases belong to this seed.
    pub(crate) fn seed(&self, seed: Seed) {
        self.shared.now().seed = Some(seed);
    }

    /// From now on, commands are those of this case. Where cases that a seed makes follow one
    /// another so fast that writing them down would take longer than running them, `generated` is
    /// all that is kept.
    pub(crate) fn case<M: Model>(&self, case: &Case<M>, generated: Option<Seed>) {
        self.thread.get_or_init(|| {
            let shared = Arc::clone(&self.shared);
            let name = "watch".to_owned();
            // Where no thread can be had, nothing is watched.
            thread::Builder::new().name(name).spawn(move || shared.wait()).ok();
        });
        let mut now = self.shared.now();
        now.seed = generated.or(now.seed);
        let brief = generated.is_some() && now.haste.is_brief(case.len());
        now.falsified = None;
        now.case.clear();
        if brief {
            return;
        }
        if serde_json::to_writer(Text(&mut now.case), case).is_err() {
            // What cannot be written down cannot be kept; the seed is said all the same.
            now.case.clear();
        }
    }

    /// The case is falsified, and its system still has to be taken down.
    pub(crate) fn falsified(&self, evidence: &Evidence) {
        self.shared.now().falsified = Some(evidence.clone());
    }

    /// A failure of this seed was found, or a smaller form of it: what is to be told of it.
    pub(crate) fn found(&self, seed: Seed, report: String) {
        let mut found = self.shared.found();
        found.retain(|(known, _)| *known != seed);
        found.push((seed, report));
    }

    /// What was found is told by now.
    pub(crate) fn forget(&self) {
        self.shared.found().clear();
    }

    /// A command is given.
    #[inline]
    pub(crate) fn given(&self, spot: Spot) -> Watched<'_> {
        self.begun(Step::Command(spot.number), spot.lane().is_some())
    }

    /// Something other than a command has begun.
    pub(crate) fn step(&self, step: Step) -> Watched<'_> {
        self.begun(step, matches!(step, Step::Opening(_)))
    }

    #[inline]
    fn begun(&self, step: Step, beside: bool) -> Watched<'_> {
        if beside {
            self.shared.begun_beside(step);
        } else {
            self.shared.next(step.code());
        }
        Watched { shared: &self.shared, step, beside }
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.now().over = true;
        self.shared.over.notify_all();
    }
}

impl Drop for Watched<'_> {
    #[inline]
    fn drop(&mut self) {
        if self.beside {
            self.shared.ended_beside(self.step);
        } else {
            self.shared.next(0);
        }
    }
}

/// A command of a case that is JSON, in one line; none where it is not to be had.
fn command(case: &[u8], number: usize) -> Option<String> {
    let case: Value = serde_json::from_slice(case).ok()?;
    let list = |name: &str| case.get(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let lanes = list("lanes").into_iter().filter_map(|lane| lane.as_array().cloned()).flatten();
    let mut commands = list("commands").into_iter().chain(lanes).chain(list("finally"));
    commands.nth(number.checked_sub(1)?).map(|command| command.to_string())
}
