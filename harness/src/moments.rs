//! Systems that can be saved while a case runs, so that another case which begins alike goes on from
//! there.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Model;

use crate::system::SystemError;

/// A name for what a system was between two commands. Whoever saved the system keeps it as long as it
/// can give the system back, and drops it when it cannot any more; the runner keeps it as long as cases
/// may want that.
#[derive(Clone, Debug)]
pub struct Moment {
    number: u64,
    kept: Arc<()>,
}

impl Moment {
    /// One that no other equals.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "no two are equal, so none is the default")]
    pub fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        Self { number: NEXT.fetch_add(1, Ordering::Relaxed), kept: Arc::new(()) }
    }

    /// Its number, which no other has in this process: what keeps something beside a system that
    /// another saves knows it by this, and not by the moment, which it would keep too.
    #[must_use]
    pub fn number(&self) -> u64 {
        self.number
    }

    /// Whether the other side has not dropped it: only the one who asks keeps it otherwise.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        Arc::strong_count(&self.kept) > 1
    }
}

impl PartialEq for Moment {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Moment {}

/// How a system is saved and given back, for [`System::moments`]. It is asked only while a failing case
/// is run again and made smaller ([`Purpose::Rerun`]).
///
/// All that the system under test is by then has to be as it was, or what is shown is wrong: what a
/// wrapper keeps of each system beside it, too. What fails on a system that was given back is confirmed
/// on one that was made from nothing, so [`System::is_reused`] has to be true of it.
///
/// [`System::moments`]: crate::System::moments
/// [`System::is_reused`]: crate::System::is_reused
/// [`Purpose::Rerun`]: crate::Purpose::Rerun
pub trait Moments<M: Model, Sut> {
    /// Saves a system as it is between two commands, and has it go on as if nothing had been. None
    /// where it is not saved. A case takes `age` to get there, which is what going back saves.
    ///
    /// # Errors
    /// [`SystemError`] where the system may not be what it was: the case has no verdict then, and no
    /// more systems are saved in the run.
    fn save(&self, sut: &mut Sut, age: Duration) -> Result<Option<Moment>, SystemError>;

    /// Waits for room as [`System::can_create_new_sut`] does, best for a system that can be given back
    /// as it was at one of these moments, of which an earlier one is better.
    ///
    /// # Errors
    /// Those of [`System::can_create_new_sut`].
    ///
    /// [`System::can_create_new_sut`]: crate::System::can_create_new_sut
    fn can_go_back(&self, state: &M::State, wanted: &[Moment]) -> Result<(), SystemError>;

    /// Gives a system that began in this state back as it was at one of these moments; follows
    /// [`Moments::can_go_back`] on the same thread. Where there is none, or after an error,
    /// [`System::new_sut_for`] is called, with the same room.
    ///
    /// # Errors
    /// [`SystemError`] where going back failed.
    ///
    /// [`System::new_sut_for`]: crate::System::new_sut_for
    fn go_back(&self, state: &M::State, wanted: &[Moment]) -> Result<Option<(Sut, Moment)>, SystemError>;
}
