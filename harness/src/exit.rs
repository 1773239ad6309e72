//! Exit statuses of the `netprop` command. They are stable: scripts may rely on them.

use std::io::Write as _;
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};

use signal_hook::low_level;

/// How the command ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[repr(u8)]
pub enum Exit {
    /// The property held in every case (0).
    Holds = 0,
    /// The property is falsified (1).
    Falsified = 1,
    /// The arguments or files given cannot be meant so (2).
    Usage = 2,
    /// The infrastructure failed, so nothing is known (3).
    Inconclusive = 3,
    /// A program or library is missing (4).
    MissingComponent = 4,
    /// The run was stopped by a signal before its end (130).
    Stopped = 130,
}

/// What is done before the process ends at once.
type Last = Box<dyn FnOnce(Exit) + Send>;

static LAST: Mutex<Vec<Last>> = Mutex::new(Vec::new());

/// Has something done before the process ends at once, which is told how it ends; after any other end it is
/// not.
pub(crate) fn before_ending(act: impl FnOnce(Exit) + Send + 'static) {
    LAST.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(act));
}

impl Exit {
    /// Ends the process at once, whatever its other threads do. What libraries have done at the
    /// end of a process (libvirt, libssh2) would take away under these threads what they use, and
    /// now and then the process would die by a signal instead.
    pub(crate) fn at_once(self) -> ! {
        let last = std::mem::take(&mut *LAST.lock().unwrap_or_else(PoisonError::into_inner));
        last.into_iter().for_each(|act| act(self));
        std::io::stdout().flush().ok();
        low_level::exit(self as i32)
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit as u8)
    }
}

/// The table of exit statuses, for `--help`.
pub const HELP: &str = "Exit status: 0 the property holds, 1 it is falsified, 2 wrong use, \
3 inconclusive (the infrastructure failed), 4 a component is missing, 130 stopped.";

/// The table of exit statuses of `netprop check`, for its `--help`.
pub const CHECK_HELP: &str = "Exit status: 0 linearizable, 1 not linearizable, 2 a bad file or wrong use, \
3 undecided (time or memory ran out).";

/// The table of exit statuses of `netprop diff`, for its `--help`.
pub const DIFF_HELP: &str = "Exit status: 0 both runs are the same but for times, 1 they differ, \
2 a bad file or wrong use.";
