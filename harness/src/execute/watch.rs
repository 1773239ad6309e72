//! What ends the process where a command never returns, or where a system is never made or taken
//! down, since a thread cannot be ended from outside. The case that it is in is kept before, and a
//! failure that was found before is told.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::process;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::{Case, Model};
use serde_json::Value;

use super::{Evidence, Spot};
use crate::config::Config;
use crate::exit::Exit;
use crate::regressions::Seed;
use crate::replay::{ReplayError, Unreturned};

/// The watch looks at what runs in sequence so many times in the shortest limit. So what does not
/// return is given up at most that part of the limit late, and giving a command costs neither a
/// lock nor a look at the clock.
const LOOKS: u32 = 16;

/// Waits beside a run for what does not return in time.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Begins with the first case.
    thread: OnceLock<()>,
}

/// How long what may take, and where its case is kept.
struct Shared {
    command_limit: Option<Duration>,
    system_limit: Option<Duration>,
    specification: String,
    settings: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    /// Whether a case can be read back from what is written of it.
    readable: fn(&[u8]) -> bool,
    /// What runs outside lanes: a count of all that ran there in the upper half, and in the lower
    /// half what runs now, as [`Step::code`] says it, 0 where nothing does.
    sequence: AtomicU64,
    now: Mutex<Now>,
    over: Condvar,
}

/// What runs now.
#[derive(Default)]
struct Now {
    over: bool,
    seed: Option<Seed>,
    /// The case, as JSON: its own type may not be one that another thread can look at.
    case: Vec<u8>,
    /// Why the case is falsified, where it is and its system is still there.
    falsified: Option<Evidence>,
    /// The reports of the failures that were found before, each with its seed.
    found: Vec<(Seed, String)>,
    /// What runs in lanes.
    given: Vec<Running>,
}

#[derive(Clone, Copy)]
struct Running {
    step: Step,
    since: Instant,
}

/// Takes in JSON, which comes in very short pieces, each case of a run anew.
struct Text<'a>(&'a mut Vec<u8>);

impl io::Write for Text<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match piece {
            [one] => self.0.push(*one),
            // A loop of a few steps, where a call to copy memory would take longer.
            short if short.len() < 16 => self.0.extend(short.iter().copied()),
            long => self.0.extend_from_slice(long),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
            readable: |case| serde_json::from_slice::<Case<M>>(case).is_ok(),
            sequence: AtomicU64::new(0),
            now: Mutex::default(),
            over: Condvar::new(),
        };
        Some(Self { shared: Arc::new(shared), thread: OnceLock::new() })
    }

    /// From now on, cases belong to this seed.
    pub(crate) fn seed(&self, seed: Seed) {
        self.shared.now().seed = Some(seed);
    }

    /// From now on, commands are those of this case.
    pub(crate) fn case<M: Model>(&self, case: &Case<M>) {
        self.thread.get_or_init(|| {
            let shared = Arc::clone(&self.shared);
            let name = "watch".to_owned();
            // Where no thread can be had, nothing is watched.
            thread::Builder::new().name(name).spawn(move || shared.wait()).ok();
        });
        let mut now = self.shared.now();
        now.falsified = None;
        now.case.clear();
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
        let mut now = self.shared.now();
        now.found.retain(|(known, _)| *known != seed);
        now.found.push((seed, report));
    }

    /// What was found is told by now.
    pub(crate) fn forget(&self) {
        self.shared.now().found.clear();
    }

    /// A command is given.
    pub(crate) fn given(&self, spot: Spot) -> Watched<'_> {
        self.begun(Step::Command(spot.number), spot.lane().is_some())
    }

    /// Something other than a command has begun.
    pub(crate) fn step(&self, step: Step) -> Watched<'_> {
        self.begun(step, matches!(step, Step::Opening(_)))
    }

    fn begun(&self, step: Step, beside: bool) -> Watched<'_> {
        if beside {
            self.shared.now().given.push(Running { step, since: Instant::now() });
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
    fn drop(&mut self) {
        if self.beside {
            self.shared.now().given.retain(|running| running.step != self.step);
        } else {
            self.shared.next(0);
        }
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn limit(&self, step: Step) -> Option<Duration> {
        match step {
            Step::Command(_) => self.command_limit,
            Step::Creating | Step::Opening(_) | Step::Destroying => self.system_limit,
        }
    }

    /// What runs in sequence is this from now on. Nobody else changes it meanwhile.
    fn next(&self, code: u32) {
        let count = (self.sequence.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.sequence.store((count << 32) | u64::from(code), Ordering::Relaxed);
    }

    /// Waits until the run is over, waking only when something could have taken too long.
    fn wait(&self) {
        let shortest = self.command_limit.into_iter().chain(self.system_limit).min().unwrap_or_default();
        let pause = (shortest / LOOKS).max(Duration::from_millis(1));
        let mut now = self.now();
        let (mut seen, mut since) = (self.sequence.load(Ordering::Relaxed), Instant::now());
        while !now.over {
            let runs = self.sequence.load(Ordering::Relaxed);
            if runs != seen {
                (seen, since) = (runs, Instant::now());
            }
            let in_sequence = Step::of_code((seen & u64::from(u32::MAX)) as u32);
            let in_sequence = in_sequence.map(|step| Running { step, since });
            let left =
                |running: &Running| Some(self.limit(running.step)?.saturating_sub(running.since.elapsed()));
            let running = now.given.iter().copied().chain(in_sequence);
            let first = running.filter_map(|running| Some((left(&running)?, running)));
            let first = first.min_by_key(|(left, _)| *left);
            if let Some((_, running)) = first.filter(|(left, _)| left.is_zero()) {
                self.leave(&now, running.step);
            }
            let left = first.map_or(pause, |(left, _)| left.min(pause));
            now = self.over.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self, now: &Now, step: Step) -> ! {
        let (what, option) = step.named(&now.case);
        let limit = self.limit(step).unwrap_or_default().as_secs_f64();
        let seed = now.seed.map(|seed| format!(" of seed {seed}")).unwrap_or_default();
        let kept = match self.keep(now, step, limit) {
            None => String::new(),
            Some(Ok(file)) => format!("; the case is kept in {}", file.display()),
            Some(Err(error)) => format!("; {error}"),
        };
        let stuck = format!(
            "has not returned for {limit} s, and nothing but the end of the process ends it{kept}: have it \
             give up in time, or set a greater limit ({option})"
        );
        let mut text = String::new();
        for (_, report) in &now.found {
            writeln!(text, "{}\n{report}", self.specification).ok();
        }
        let exit = match &now.falsified {
            // The case itself, which nobody has told of yet.
            Some(evidence) if now.found.is_empty() => {
                let number = evidence.number;
                writeln!(
                    text,
                    "{}\nfalsified by command {number} of the case{seed}: {evidence}",
                    self.specification
                )
                .ok();
                writeln!(text, "it was not made smaller: {what} {stuck}").ok();
                Exit::Falsified
            }
            _ if !now.found.is_empty() => {
                writeln!(text, "the run ended early: {what} in a case that was tried after this {stuck}")
                    .ok();
                Exit::Falsified
            }
            _ => {
                writeln!(text, "inconclusive: {what} of the case{seed} {stuck}").ok();
                Exit::Inconclusive
            }
        };
        std::io::stderr().write_all(text.as_bytes()).ok();
        process::exit(exit as i32)
    }

    fn keep(&self, now: &Now, step: Step, limit: f64) -> Option<Result<PathBuf, ReplayError>> {
        let directory = self.directory.as_ref().filter(|_| !now.case.is_empty())?;
        if !(self.readable)(&now.case) {
            let what = "JSON has no form for it that can be read back".to_owned();
            return Some(Err(ReplayError::Unkept { what }));
        }
        let number = if let Step::Command(number) = step { number } else { 0 };
        let came = format!("nothing within {limit} s");
        let expected = match step {
            Step::Command(_) => "that the command returns".to_owned(),
            step => format!("that {} comes to an end", step.named(&[]).0),
        };
        let failure = now.falsified.clone().unwrap_or_else(|| Evidence::new(number, expected, came));
        let Self { specification, settings, .. } = self;
        let seed = &now.seed.map(|seed| seed.to_string()).unwrap_or_default();
        let unreturned = Unreturned { specification, seed, settings, failure, case: &now.case };
        Some(unreturned.write(directory))
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
