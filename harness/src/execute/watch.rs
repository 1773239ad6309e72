//! What ends the process where a command never returns, since a thread cannot be ended from
//! outside. The case that it is in is kept before.

use std::collections::BTreeMap;
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
use crate::exit::Exit;
use crate::regressions::Seed;
use crate::replay::{ReplayError, Unreturned};

/// The watch looks at what runs in sequence so many times in the time that a command may take. So
/// one that does not return is given up at most that part of the limit late, and giving a command
/// costs neither a lock nor a look at the clock.
const LOOKS: u32 = 16;

/// Waits beside a run for commands that do not return in time.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Begins with the first case.
    thread: OnceLock<()>,
}

/// How long a command may take, and where its case is kept.
struct Shared {
    limit: Duration,
    specification: String,
    settings: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    /// What runs outside lanes: a count of all that ran there in the upper half, and in the lower
    /// half the number of what runs now, 0 where nothing does.
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
    /// What runs in lanes.
    given: Vec<Running>,
}

struct Running {
    number: usize,
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

/// A command that has not returned; it has once this is dropped.
pub(crate) struct Watched<'a> {
    shared: &'a Shared,
    spot: Spot,
}

impl Watch {
    /// A watch for commands that take longer than `limit`.
    pub(crate) fn new<M: Model>(
        model: &M,
        limit: Duration,
        settings: &BTreeMap<String, String>,
        directory: Option<PathBuf>,
    ) -> Self {
        let shared = Shared {
            limit,
            specification: model.name(),
            settings: settings.clone(),
            directory,
            sequence: AtomicU64::new(0),
            now: Mutex::default(),
            over: Condvar::new(),
        };
        Self { shared: Arc::new(shared), thread: OnceLock::new() }
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
            // Where no thread can be had, commands go unwatched.
            thread::Builder::new().name(name).spawn(move || shared.wait()).ok();
        });
        let mut now = self.shared.now();
        now.case.clear();
        if serde_json::to_writer(Text(&mut now.case), case).is_err() {
            // What cannot be written down cannot be kept; the seed is said all the same.
            now.case.clear();
        }
    }

    /// A command is given.
    pub(crate) fn given(&self, spot: Spot) -> Watched<'_> {
        match spot.lane() {
            None => self.shared.next(spot.number),
            Some(_) => self.shared.now().given.push(Running { number: spot.number, since: Instant::now() }),
        }
        Watched { shared: &self.shared, spot }
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
        match self.spot.lane() {
            None => self.shared.next(0),
            Some(_) => self.shared.now().given.retain(|running| running.number != self.spot.number),
        }
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What runs in sequence is this from now on. Nobody else changes it meanwhile.
    fn next(&self, number: usize) {
        let count = (self.sequence.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        self.sequence.store((count << 32) | number as u64, Ordering::Relaxed);
    }

    /// Waits until the run is over, waking only when a command could have taken too long.
    fn wait(&self) {
        let mut now = self.now();
        let (mut seen, mut since) = (self.sequence.load(Ordering::Relaxed), Instant::now());
        while !now.over {
            let runs = self.sequence.load(Ordering::Relaxed);
            if runs != seen {
                (seen, since) = (runs, Instant::now());
            }
            let in_sequence = Running { number: (seen & u64::from(u32::MAX)) as usize, since };
            let running = now.given.iter().chain((in_sequence.number > 0).then_some(&in_sequence));
            let first = running.min_by_key(|running| running.since);
            let left = first.map_or(self.limit, |first| self.limit.saturating_sub(first.since.elapsed()));
            if let Some(first) = first.filter(|_| left.is_zero()) {
                self.leave(&now, first);
            }
            let left = left.min((self.limit / LOOKS).max(Duration::from_millis(1)));
            now = self.over.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self, now: &Now, running: &Running) -> ! {
        let number = running.number;
        let command = command(&now.case, number).map(|command| format!(" ({command})")).unwrap_or_default();
        let limit = self.limit.as_secs_f64();
        let seed = now.seed.map(|seed| format!(" of seed {seed}")).unwrap_or_default();
        let kept = match self.keep(now, running) {
            None => String::new(),
            Some(Ok(file)) => format!("; the case is kept in {}", file.display()),
            Some(Err(error)) => format!("; {error}"),
        };
        let text = format!(
            "inconclusive: command {number}{command} of the case{seed} has not returned for {limit} s, and \
             nothing but the end of the process ends it{kept}: have it give up in time, or set a greater \
             limit (Config::command_limit)"
        );
        writeln!(std::io::stderr(), "{text}").ok();
        process::exit(Exit::Inconclusive as i32)
    }

    fn keep(&self, now: &Now, running: &Running) -> Option<Result<PathBuf, ReplayError>> {
        let directory = self.directory.as_ref().filter(|_| !now.case.is_empty())?;
        let came = format!("nothing within {} s", self.limit.as_secs_f64());
        let failure = Evidence::new(running.number, "that the command returns".to_owned(), came);
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
