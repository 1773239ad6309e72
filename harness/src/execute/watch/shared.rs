//! What the run and the thread that watches it share, and what that thread does.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::written::Haste;
use super::{Evidence, Step};
use crate::exit::Exit;
use crate::regressions::{self, Seed};
use crate::replay::{ReplayError, Unreturned};

/// The watch looks at what runs in sequence so many times in the shortest limit. So what does not
/// return is given up at most that part of the limit late, and giving a command costs neither a
/// lock nor a look at the clock.
const LOOKS: u32 = 16;

/// How long what may take, and where its case is kept.
#[derive(Default)]
pub(super) struct Shared {
    pub(super) command_limit: Option<Duration>,
    pub(super) system_limit: Option<Duration>,
    pub(super) specification: String,
    pub(super) settings: BTreeMap<String, String>,
    pub(super) directory: Option<PathBuf>,
    /// The file of seeds that runs begin with.
    pub(super) regressions: Option<PathBuf>,
    /// Whether a case can be read back from what is written of it.
    pub(super) readable: Option<fn(&[u8]) -> bool>,
    /// What runs outside lanes: a count of all that ran there in the upper half, and in the lower
    /// half what runs now, as [`Step::code`] says it, 0 where nothing does.
    pub(super) sequence: AtomicU64,
    pub(super) now: Mutex<Now>,
    /// The reports of the failures that were found before, by any job, each with its seed.
    pub(super) found: Arc<Mutex<Vec<(Seed, String)>>>,
    pub(super) over: Condvar,
}

/// What runs now.
#[derive(Default)]
pub(super) struct Now {
    pub(super) over: bool,
    pub(super) seed: Option<Seed>,
    pub(super) haste: Haste,
    /// The case, as JSON: its own type may not be one that another thread can look at. Empty where
    /// its seed has to do.
    pub(super) case: Vec<u8>,
    /// Why the case is falsified, where it is and its system is still there.
    pub(super) falsified: Option<Evidence>,
    /// What runs in lanes.
    pub(super) given: Vec<Running>,
}

#[derive(Clone, Copy)]
pub(super) struct Running {
    pub(super) step: Step,
    pub(super) since: Instant,
}

impl Shared {
    pub(super) fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn found(&self) -> MutexGuard<'_, Vec<(Seed, String)>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The same for another job, in which nothing runs yet.
    pub(super) fn of_job(&self) -> Self {
        let Self { command_limit, system_limit, specification, settings, .. } = self;
        let Self { directory, regressions, readable, found, .. } = self;
        Self {
            command_limit: *command_limit,
            system_limit: *system_limit,
            specification: specification.clone(),
            settings: settings.clone(),
            directory: directory.clone(),
            regressions: regressions.clone(),
            readable: *readable,
            found: Arc::clone(found),
            ..Self::default()
        }
    }

    fn limit(&self, step: Step) -> Option<Duration> {
        match step {
            Step::Command(_) => self.command_limit,
            Step::Creating | Step::Opening(_) | Step::Destroying => self.system_limit,
        }
    }

    /// Something runs in a lane from now on.
    pub(super) fn begun_beside(&self, step: Step) {
        self.now().given.push(Running { step, since: Instant::now() });
    }

    /// It has ended.
    pub(super) fn ended_beside(&self, step: Step) {
        self.now().given.retain(|running| running.step != step);
    }

    /// What runs in sequence is this from now on. Nobody else changes it meanwhile.
    #[inline]
    pub(super) fn next(&self, code: u32) {
        let count = (self.sequence.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.sequence.store((count << 32) | u64::from(code), Ordering::Relaxed);
    }

    /// Waits until the run is over, waking only when something could have taken too long.
    pub(super) fn wait(&self) {
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
            let looked = Instant::now();
            now = self.over.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
            // Who has not looked for so long has stood still with the whole process, as after a Ctrl-Z, and
            // nothing could have returned meanwhile.
            let overslept = looked.elapsed().saturating_sub(left);
            if overslept > pause {
                since += overslept;
                now.given.iter_mut().for_each(|running| running.since += overslept);
            }
        }
    }

    fn leave(&self, now: &Now, step: Step) -> ! {
        let (what, option) = step.named(&now.case);
        let limit = self.limit(step).unwrap_or_default().as_secs_f64();
        let seed = now.seed.map(|seed| format!(" of seed {seed}")).unwrap_or_default();
        let kept = match self.keep(now, step, limit) {
            None => self.keep_seed(now),
            Some(Ok(file)) => format!("; the case is kept in {}", file.display()),
            Some(Err(error)) => format!("; {error}"),
        };
        let stuck = format!(
            "has not returned for {limit} s, and nothing but the end of the process ends it{kept}: have it \
             give up in time, or set a greater limit ({option})"
        );
        let mut text = String::new();
        let found = self.found();
        for (_, report) in found.iter() {
            writeln!(text, "{}\n{report}", self.specification).ok();
        }
        let exit = match &now.falsified {
            // The case itself, which nobody has told of yet.
            Some(evidence) if found.is_empty() => {
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
            _ if !found.is_empty() => {
                writeln!(text, "the run ended early: {what} in another case {stuck}").ok();
                Exit::Falsified
            }
            _ => {
                writeln!(text, "inconclusive: {what} of the case{seed} {stuck}").ok();
                Exit::Inconclusive
            }
        };
        std::io::stderr().write_all(text.as_bytes()).ok();
        exit.at_once()
    }

    /// Keeps the seed of a case that was not written down; says what that is good for.
    fn keep_seed(&self, now: &Now) -> String {
        let (Some(seed), Some(file), true) = (now.seed, &self.regressions, now.case.is_empty()) else {
            return String::new();
        };
        regressions::save(file, seed, &"what never returned");
        format!("; {} has its seed, so that the next run begins with the case and keeps it", file.display())
    }

    fn keep(&self, now: &Now, step: Step, limit: f64) -> Option<Result<PathBuf, ReplayError>> {
        let directory = self.directory.as_ref().filter(|_| !now.case.is_empty())?;
        if !self.readable.is_none_or(|readable| readable(&now.case)) {
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

#[cfg(test)]
mod tests {
    use super::{Now, Shared};
    use crate::regressions::{self, Seed};

    #[test]
    fn the_seed_is_kept_of_a_case_that_was_not_written_down() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("register.txt");
        let shared = Shared { regressions: Some(file.clone()), ..Shared::default() };
        let mut now = Now { seed: Some(Seed::from(7)), case: b"{}".to_vec(), ..Now::default() };
        assert_eq!((shared.keep_seed(&now), file.exists()), (String::new(), false));
        now.case.clear();
        let told = shared.keep_seed(&now);
        assert!(told.contains("register.txt has its seed") && told.contains("next run"), "{told}");
        assert_eq!(regressions::load(&file), [Seed::from(7)]);
    }
}
