//! Asking a run to stop.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// A request that a run looks for between steps; clones share it.
#[derive(Clone, Default)]
pub struct Stop(Arc<Shared>);

#[derive(Default)]
struct Shared {
    requested: AtomicBool,
    actions: Mutex<Vec<Action>>,
}

/// What a request sets off besides.
type Action = Box<dyn FnOnce() + Send>;

impl Stop {
    /// Asks the run to stop as soon as it can, keeping what it has found.
    pub fn request(&self) {
        self.0.requested.store(true, Ordering::SeqCst);
        let actions = std::mem::take(&mut *self.actions());
        actions.into_iter().for_each(|action| action());
    }

    /// Whether it was asked to.
    #[must_use]
    #[inline]
    pub fn requested(&self) -> bool {
        self.0.requested.load(Ordering::SeqCst)
    }

    /// A request of its own, which is made where this one is too: for one of several jobs.
    pub(crate) fn of_job(&self) -> Self {
        let job = Self::default();
        let shared = Arc::downgrade(&job.0);
        self.on_request(move || {
            if let Some(shared) = shared.upgrade() {
                Self(shared).request();
            }
        });
        job
    }

    /// Takes the request to a job back, unless it was made of all of them.
    pub(crate) fn take_back(&self, all: &Self) {
        self.0.requested.store(false, Ordering::SeqCst);
        // If that is made only now, this job is asked after it was set, by what that sets off.
        if all.requested() {
            self.request();
        }
    }

    /// What is set at the request.
    pub(crate) fn flag(&self) -> &AtomicBool {
        &self.0.requested
    }

    /// Has something done at the request, or now where it was made already: ending a build, say,
    /// that looks for nothing while it runs.
    pub fn on_request(&self, action: impl FnOnce() + Send + 'static) {
        self.actions().push(Box::new(action));
        if self.requested() {
            self.request();
        }
    }

    fn actions(&self) -> std::sync::MutexGuard<'_, Vec<Action>> {
        self.0.actions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Stop").field(&self.requested()).finish()
    }
}
