//! The last of a QEMU process: to be killed, and to be taken off the process table.
//!
//! libvirt lets its QEMU processes go to the system's first process, asks the kernel again and
//! again whether one that it killed is gone, and counts one that nobody has waited for as still
//! there. In a container the first process may wait late, or never, and each end of a machine
//! takes seconds then, or fails. So, where libvirt runs inside our process, we adopt the machines
//! that it lets go and wait for them.

use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;
use rustix::process::{
    Pid, PidfdFlags, PidfdGetfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_getfd, pidfd_open,
    pidfd_send_signal, set_child_subreaper, waitid,
};

/// How long a process that was killed may take to be gone.
const DIES: Timespec = Timespec { tv_sec: 10, tv_nsec: 0 };

/// How many [`Adoption`]s there are.
static ADOPTING: Mutex<usize> = Mutex::new(0);
/// Held shared by each [`Adoption`], and exclusively while none may be.
static STARTS: RwLock<()> = RwLock::new(());

/// While it is there, processes that come from us and lose their parent become ours.
///
/// It is there while a machine starts, and no longer: whatever else comes from us and loses its
/// parent would be ours too, and we would not know to wait for it. What libvirt starts meanwhile
/// to learn about QEMU is known, by [`Foundlings`].
#[derive(Debug)]
pub(super) struct Adoption {
    _foundlings: Option<Foundlings>,
    _starting: RwLockReadGuard<'static, ()>,
}

impl Adoption {
    pub(super) fn begin() -> Self {
        let starting = STARTS.read().unwrap_or_else(PoisonError::into_inner);
        let mut adopting = ADOPTING.lock().unwrap_or_else(PoisonError::into_inner);
        *adopting += 1;
        if *adopting == 1
            && let Err(error) = set_child_subreaper(Some(getpid()))
        {
            tracing::debug!(%error, "the ends of machines may take long");
        }
        Self { _foundlings: Foundlings::collect(), _starting: starting }
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        let mut adopting = ADOPTING.lock().unwrap_or_else(PoisonError::into_inner);
        *adopting -= 1;
        if *adopting == 0 {
            let _ = set_child_subreaper(None);
        }
    }
}

/// How often dead QEMUs that nobody waits for are looked for while a machine starts. Nothing tells
/// of them that would not take away what others of this process wait for.
const LOOKS: Duration = Duration::from_millis(25);

/// Takes QEMUs off the process table that libvirt has let go and killed: it starts some to learn
/// about QEMU, sometimes anew for each machine, and waits half a minute for each that stays there.
#[derive(Debug)]
struct Foundlings {
    stop: Sender<()>,
    collector: Option<JoinHandle<()>>,
}

impl Foundlings {
    fn collect() -> Option<Self> {
        let (stop, stopped) = channel();
        let collector = std::thread::Builder::new().name("qemu foundlings".to_owned()).spawn(move || {
            while stopped.recv_timeout(LOOKS) == Err(RecvTimeoutError::Timeout) {
                bury_foundlings();
            }
        });
        Some(Self { stop, collector: Some(collector.ok()?) })
    }
}

impl Drop for Foundlings {
    fn drop(&mut self) {
        let _ = self.stop.send(());
        if let Some(collector) = self.collector.take() {
            let _ = collector.join();
        }
    }
}

/// Waits for each dead child that is a QEMU in a session of its own: those that this process
/// starts itself are in its session, and somebody else waits for them.
fn bury_foundlings() {
    let Some((us, session)) = std::fs::read_to_string("/proc/self/stat").ok().and_then(|stat| ids(&stat))
    else {
        return;
    };
    let entries = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    for pid in pids {
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        if is_foundling(&stat, us, session)
            && let Some(pid) = Pid::from_raw(pid)
        {
            let _ = waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
        }
    }
}

/// The process and its session, as a line of `/proc/PID/stat` has them. The session is 0 where the
/// process that began it lies outside of a container, which the kernel's own call says as well,
/// but which no type of a process's id can hold.
fn ids(stat: &str) -> Option<(i32, i32)> {
    let (pid, _) = stat.split_once(' ')?;
    let session = fields(stat)?.1.nth(SESSION)?;
    Some((pid.parse().ok()?, session.parse().ok()?))
}

/// The name in a line of `/proc/PID/stat`, and the fields after it.
fn fields(stat: &str) -> Option<(&str, impl Iterator<Item = &str>)> {
    let (name, rest) = stat.split_once(" (")?.1.rsplit_once(") ")?;
    Some((name, rest.split(' ')))
}

/// Where the session stands among the [`fields`], after state, parent and group.
const SESSION: usize = 3;

/// Whether a line of `/proc/PID/stat` tells of a dead QEMU that is our child but not of our session.
fn is_foundling(stat: &str, us: i32, session: i32) -> bool {
    let Some((name, mut fields)) = fields(stat) else { return false };
    let (state, parent) = (fields.next(), fields.next());
    let theirs = fields.nth(SESSION - 2);
    let number = |field: Option<&str>| field.and_then(|field| field.parse::<i32>().ok());
    name.starts_with("qemu-system")
        && state == Some("Z")
        && number(parent) == Some(us)
        && number(theirs).is_some_and(|theirs| theirs != session)
}

/// Lets no machine start for as long as it is held. libvirt starts and lets go QEMU processes to
/// learn about QEMU when it first looks at a definition, and these must not become ours.
pub(super) fn hold_starts() -> RwLockWriteGuard<'static, ()> {
    STARTS.write().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for the end of one QEMU process beside everything else, and takes it off the process
/// table where it is ours.
#[derive(Debug)]
pub(super) struct Reaper {
    waiting: JoinHandle<()>,
    stop: Arc<OwnedFd>,
}

impl Reaper {
    /// Waits for the process that writes its id to `file`, from when it does so: a QEMU that
    /// fails as it starts has to be waited for too.
    pub(super) fn of_pid_file(file: PathBuf) -> Option<Self> {
        let inotify = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK).ok()?;
        inotify::add_watch(&inotify, file.parent()?, WatchFlags::MODIFY).ok()?;
        Self::spawn(move |stop| {
            if let Some(process) = appears(&inotify, &file, stop) {
                reap(&process, stop);
            }
        })
    }

    /// Waits for this process.
    pub(super) fn of_process(process: Arc<OwnedFd>) -> Option<Self> {
        Self::spawn(move |stop| reap(&process, stop))
    }

    fn spawn(wait: impl FnOnce(&OwnedFd) + Send + 'static) -> Option<Self> {
        let stop = Arc::new(eventfd(0, EventfdFlags::CLOEXEC).ok()?);
        let stopped = Arc::clone(&stop);
        let thread = std::thread::Builder::new().name("qemu reaper".to_owned());
        Some(Self { waiting: thread.spawn(move || wait(&stopped)).ok()?, stop })
    }

    /// Kills the process, as cutting its power does, and waits until it is gone. A process that
    /// belongs to another user is left to libvirt.
    pub(super) fn kill(self, process: Option<&OwnedFd>) {
        // Closed last, when the process is off the process table.
        let _sockets = process.map(sockets);
        if let Some(process) = process
            && pidfd_send_signal(process, Signal::KILL) != Err(Errno::PERM)
        {
            let _ = poll(&mut [PollFd::new(process, PollFlags::IN)], Some(&DIES));
        }
        let _ = rustix::io::write(&self.stop, &1_u64.to_ne_bytes());
        let _ = self.waiting.join();
    }
}

/// The sockets of a process as descriptors of ours, by which they stay open beyond its end.
///
/// libvirt takes the end of a monitor's connection for that of the process, which is a moment too
/// soon: it still finds it on the process table, and asks again after 0.2 s. Nothing of this where the
/// kernel does not let us (before Linux 5.6, or another user's process).
fn sockets(process: &OwnedFd) -> Vec<OwnedFd> {
    let known = std::fs::read_to_string(format!("/proc/self/fdinfo/{}", process.as_raw_fd()));
    let known = known.unwrap_or_default();
    let Some(pid) = known.lines().find_map(|line| line.strip_prefix("Pid:")) else { return Vec::new() };
    let entries = std::fs::read_dir(format!("/proc/{}/fd", pid.trim())).into_iter().flatten().flatten();
    let is_socket = |entry: &std::fs::DirEntry| {
        std::fs::read_link(entry.path())
            .is_ok_and(|target| target.as_os_str().as_bytes().starts_with(b"socket:"))
    };
    let numbers = entries.filter(is_socket).filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    numbers.filter_map(|number| pidfd_getfd(process, number, PidfdGetfdFlags::empty()).ok()).collect()
}

/// Waits until the file names a process; nothing where it is to stop before that.
fn appears(inotify: &OwnedFd, file: &Path, stop: &OwnedFd) -> Option<OwnedFd> {
    let mut buffer = [MaybeUninit::uninit(); 1024];
    loop {
        let stopped = !either(inotify, stop)?;
        let mut events = inotify::Reader::new(inotify, &mut buffer);
        while events.next().is_ok() {}
        let process = std::fs::read_to_string(file)
            .ok()
            .and_then(|pid| Pid::from_raw(pid.trim().parse().ok()?))
            .and_then(|pid| pidfd_open(pid, PidfdFlags::empty()).ok());
        if process.is_some() || stopped {
            return process;
        }
    }
}

/// Waits for the end of the process, or until it is to stop.
fn reap(process: &OwnedFd, stop: &OwnedFd) {
    // A process that is not ours is not to be waited for in the narrower sense, but is gone too.
    if either(process, stop) == Some(true) {
        let _ = waitid(WaitId::PidFd(process.as_fd()), WaitIdOptions::EXITED | WaitIdOptions::NOHANG);
    }
}

/// Waits for one of them and says whether it was the first.
fn either(first: &OwnedFd, stop: &OwnedFd) -> Option<bool> {
    loop {
        let mut fds = [PollFd::new(first, PollFlags::IN), PollFd::new(stop, PollFlags::IN)];
        match poll(&mut fds, None) {
            Ok(_) => return Some(!fds[0].revents().is_empty()),
            Err(Errno::INTR) => {}
            Err(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{ids, is_foundling};

    #[test]
    fn only_dead_qemus_of_other_sessions_are_foundlings() {
        let stat = "12 (qemu-system-x86) Z 7 12 12 0 -1";
        assert!(is_foundling(stat, 7, 5));
        assert!(!is_foundling(stat, 7, 12), "of our session: somebody waits for it");
        assert!(!is_foundling(stat, 8, 5), "another's child");
        assert!(!is_foundling("12 (qemu-system-x86) S 7 12 12 0 -1", 7, 5), "alive");
        assert!(!is_foundling("12 (vde_switch) Z 7 12 12 0 -1", 7, 5), "no QEMU");
        assert!(!is_foundling("", 7, 5));
    }

    #[test]
    fn a_session_that_began_outside_of_a_container_is_one_too() {
        assert_eq!(ids("7 (some (odd) name) S 1 7 0 0 -1"), Some((7, 0)));
        let stat = "12 (qemu-system-x86) Z 7 12 12 0 -1";
        assert!(is_foundling(stat, 7, 0), "libvirt gives each a session of its own");
        assert!(!is_foundling("12 (qemu-system-x86) Z 7 0 0 0 -1", 7, 0), "of our session");
        assert_eq!(ids("no line of the kernel's"), None);
    }
}
