//! Changes that threads wait for.

use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::stop::Stop;

/// Counts changes of what is kept elsewhere. Who waits for one takes the count first and then looks, so
/// that no change is slept through, whichever lock what changes is behind, or none.
#[derive(Debug, Default)]
pub(super) struct Changes {
    count: Mutex<u64>,
    changed: Condvar,
}

impl Changes {
    /// A request to stop is one of the changes.
    pub(super) fn with_stop(stop: &Stop) -> Arc<Self> {
        let changes = Arc::new(Self::default());
        let counted = Arc::downgrade(&changes);
        stop.on_request(move || {
            if let Some(changes) = counted.upgrade() {
                changes.add();
            }
        });
        changes
    }

    /// How many there were so far.
    pub(super) fn count(&self) -> u64 {
        *self.locked()
    }

    /// Counts one that has happened.
    pub(super) fn add(&self) {
        *self.locked() += 1;
        self.changed.notify_all();
    }

    /// Waits until there are more than so many.
    pub(super) fn wait(&self, count: u64) {
        let waited = self.changed.wait_while(self.locked(), |now| *now == count);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }

    fn locked(&self) -> MutexGuard<'_, u64> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
