//! Ctrl-C and its kin: stop soon and keep what was found; stop at once when asked again.

use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use super::screen::Screen;
use crate::exit::Exit;
use crate::observe::{Event, Observer};
use crate::stop::Stop;

/// How long a run may go on after it was asked to stop. What it then leaves is cleaned up by the
/// guardian of its directory, as after any other end.
const PATIENCE: Duration = Duration::from_secs(5);

/// Where the best case so far is, for the last words of a run that does not stop by itself.
type BestSoFar = Arc<Mutex<Option<String>>>;

/// Requests a stop at the first signal, and ends the process at the second or when the run does
/// not stop in time.
pub(crate) fn watch(stop: &Stop, best: &BestSoFar, screen: &Screen) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let (stop, best, screen) = (stop.clone(), Arc::clone(best), screen.clone());
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for _ in signals.forever() {
            if stop.requested() {
                leave(&best);
            }
            let best = Arc::clone(&best);
            thread::spawn(move || {
                thread::sleep(PATIENCE);
                leave(&best);
            });
            // Not before, since whoever reads this may be stuck; not after, since the run may end first.
            screen.line("stopping (again to stop at once)");
            stop.request();
        }
    })?;
    Ok(())
}

fn leave(best: &BestSoFar) -> ! {
    let saved = best.lock().unwrap_or_else(PoisonError::into_inner);
    let last = saved.as_deref().map_or_else(
        || "stopped: nothing was falsified so far".to_owned(),
        |file| format!("stopped: the best case so far is kept; try: {} replay {file}", super::called()),
    );
    // Whoever shows the bars may be stuck: they are left where they are.
    writeln!(std::io::stderr(), "\n{last}").ok();
    Exit::Stopped.at_once()
}

/// Passes everything on, and remembers the last replay file that was written.
pub(crate) struct Remembering {
    pub(crate) inner: Box<dyn Observer>,
    pub(crate) best: BestSoFar,
}

impl Observer for Remembering {
    fn event(&self, event: &Event<'_>) {
        if let Event::Saved { file } = event {
            *self.best.lock().unwrap_or_else(PoisonError::into_inner) = Some((*file).to_owned());
        }
        self.inner.event(event);
    }

    fn follows_cases(&self) -> bool {
        self.inner.follows_cases()
    }

    fn text(&self, text: &str) {
        self.inner.text(text);
    }
}
