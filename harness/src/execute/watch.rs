//! What ends the process where a command never returns, since a thread cannot be ended from
//! outside. The case that it is in is kept before.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::process;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use model::{Case, Model};
use serde_json::Value;

use super::Evidence;
use crate::exit::Exit;
use crate::replay::{ReplayError, Unreturned};

/// Waits beside a run for commands that do not return in time.
pub(crate) struct Watch {
    shared: Arc<Shared>,
    /// Begins with the first command.
    thread: OnceLock<()>,
}

/// How long a command may take, and where its case is kept.
struct Shared {
    limit: Duration,
    specification: String,
    settings: BTreeMap<String, String>,
    directory: Option<PathBuf>,
    now: Mutex<Now>,
    over: Condvar,
}

/// What runs now.
#[derive(Default)]
struct Now {
    over: bool,
    seed: String,
    /// The case, as JSON: its own type may not be one that another thread can look at.
    case: Vec<u8>,
    given: Vec<Running>,
}

struct Running {
    number: usize,
    since: Instant,
}

/// A command that has not returned; it has once this is dropped.
pub(crate) struct Watched<'a> {
    shared: &'a Shared,
    number: usize,
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
            now: Mutex::default(),
            over: Condvar::new(),
        };
        Self { shared: Arc::new(shared), thread: OnceLock::new() }
    }

    /// From now on, cases belong to this seed.
    pub(crate) fn seed(&self, seed: &str) {
        seed.clone_into(&mut self.shared.now().seed);
    }

    /// From now on, commands are those of this case.
    pub(crate) fn case<M: Model>(&self, case: &Case<M>) {
        let mut now = self.shared.now();
        now.case.clear();
        if serde_json::to_writer(&mut now.case, case).is_err() {
            // What cannot be written down cannot be kept; the seed is said all the same.
            now.case.clear();
        }
    }

    /// A command is given.
    pub(crate) fn given(&self, number: usize) -> Watched<'_> {
        self.thread.get_or_init(|| {
            let shared = Arc::clone(&self.shared);
            let name = "watch".to_owned();
            // Where no thread can be had, commands go unwatched.
            thread::Builder::new().name(name).spawn(move || shared.wait()).ok();
        });
        self.shared.now().given.push(Running { number, since: Instant::now() });
        Watched { shared: &self.shared, number }
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
        self.shared.now().given.retain(|running| running.number != self.number);
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the run is over, waking only when a command could have taken too long.
    fn wait(&self) {
        let mut now = self.now();
        while !now.over {
            let first = now.given.iter().min_by_key(|running| running.since);
            let left = first.map_or(self.limit, |first| self.limit.saturating_sub(first.since.elapsed()));
            if let Some(first) = first.filter(|_| left.is_zero()) {
                self.leave(&now, first);
            }
            now = self.over.wait_timeout(now, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn leave(&self, now: &Now, running: &Running) -> ! {
        let number = running.number;
        let command = command(&now.case, number).map(|command| format!(" ({command})")).unwrap_or_default();
        let limit = self.limit.as_secs_f64();
        let seed = if now.seed.is_empty() { String::new() } else { format!(" of seed {}", now.seed) };
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
        let unreturned = Unreturned { specification, seed: &now.seed, settings, failure, case: &now.case };
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
