//! What a build tells while it runs, and how it is told to stop.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

/// A step of a build.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum Progress {
    /// apt works out which packages a part is made of.
    Resolving {
        /// The part, such as `kernel 6.12`.
        part: String,
    },
    /// Packages are downloaded.
    Downloading {
        /// Bytes that are there.
        done: u64,
        /// Bytes that there will be.
        total: u64,
    },
    /// Another build is on, which may be of what is needed.
    Waiting,
    /// Nix evaluates the network's expression.
    Evaluating,
    /// Nix builds one derivation.
    Building {
        /// Its name, such as `image-6.12`.
        name: String,
    },
    /// All images are there and were checked.
    Done,
}

/// Takes [`Progress`], on whichever thread it arises.
pub type Observer = Arc<dyn Fn(Progress) + Send + Sync>;

/// Ends a build from another thread: clones share one state.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Inner>);

#[derive(Default)]
struct Inner {
    cancelled: AtomicBool,
    /// What wakes those who wait for a child process.
    wakers: Mutex<Vec<Box<dyn Fn() + Send>>>,
}

impl Cancel {
    /// A token that nobody has cancelled yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Ends what runs with this token, now and from now on.
    pub fn cancel(&self) {
        self.0.cancelled.store(true, Ordering::SeqCst);
        for wake in self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            wake();
        }
    }

    /// Whether it was cancelled.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.0.cancelled.load(Ordering::SeqCst)
    }

    /// Has a message sent at cancellation, or at once where that has happened.
    pub(crate) fn notify<T: Send + 'static>(&self, sender: Sender<T>, message: fn() -> T) {
        let mut wakers = self.0.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        // A receiver that has gone wants no message: its waker is dropped at the next cancellation.
        wakers.push(Box::new(move || drop(sender.send(message()))));
        if self.is_cancelled() {
            for wake in wakers.drain(..) {
                wake();
            }
        }
    }
}

impl fmt::Debug for Cancel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Cancel").field(&self.is_cancelled()).finish()
    }
}
