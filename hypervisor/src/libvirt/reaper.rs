//! The last of a QEMU process: to be killed, and to be taken off the process table.
//!
//! libvirt lets its QEMU processes go to the system's first process, asks the kernel again and
//! again whether one that it killed is gone, and counts one that nobody has waited for as still
//! there. In a container the first process may wait late, or never, and each end of a machine
//! takes seconds then, or fails. So, where libvirt runs inside our process, we adopt what it lets
//! go and wait for it.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::Arc;
use std::thread::JoinHandle;

use rustix::io::Errno;
use rustix::process::{
    Signal, WaitId, WaitIdOptions, getpid, pidfd_send_signal, set_child_subreaper, waitid,
};

/// Makes processes that lose their parent ours, if they come from us.
pub(super) fn adopt_orphans() {
    if let Err(error) = set_child_subreaper(Some(getpid())) {
        tracing::debug!(%error, "the ends of machines may take long");
    }
}

/// Waits for one process beside everything else.
#[derive(Debug)]
pub(super) struct Reaper {
    process: Arc<OwnedFd>,
    waiting: JoinHandle<()>,
}

impl Reaper {
    /// Begins to wait.
    pub(super) fn start(process: Arc<OwnedFd>) -> Option<Self> {
        let handle = Arc::clone(&process);
        let wait = move || {
            while let Err(Errno::INTR) = waitid(WaitId::PidFd(handle.as_fd()), WaitIdOptions::EXITED) {}
        };
        let waiting = std::thread::Builder::new().name("qemu reaper".to_owned()).spawn(wait).ok()?;
        Some(Self { process, waiting })
    }

    /// Kills the process, as cutting its power does, and waits until it is gone where it is ours.
    /// A process that belongs to another user is left to libvirt.
    pub(super) fn kill(self) {
        if pidfd_send_signal(&*self.process, Signal::KILL) != Err(Errno::PERM) {
            let _ = self.waiting.join();
        }
    }
}
