//! The processes of a run: how they are known, and how they are ended.
//!
//! A process belongs to a run if its environment holds the run's [`MARK`], which we give to
//! every program that we start, or if it has no terminal and names the run directory in its
//! command line, its environment or its working directory: so are machines known that a libvirt
//! daemon started for us, and the builders of a build. A process at a terminal is somebody who
//! looks at the run, and is spared. `guardian.sh` follows the same rules.

use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use crate::Error;

/// The environment variable that marks a process as one of a run; its value is the run's
/// directory.
pub const MARK: &str = "NETPROP_RUN";

/// How long builds get to end by themselves.
const ASKED: Duration = Duration::from_millis(1500);
/// How long killed processes may take to be gone.
const KILLED: Duration = Duration::from_secs(5);

/// A process of the run, held such that a signal can reach no other that gets its id later.
struct Process {
    pid: Pid,
    handle: OwnedFd,
    builds: bool,
}

/// Ends all processes of the run in `directory` and says how many there were.
///
/// # Errors
/// [`Error::Unkillable`] where some remain.
pub(crate) fn end_all(directory: &Path) -> Result<usize, Error> {
    let mut found = find(directory);
    let mut ended = found.len();
    let asked: Vec<&Process> = found
        .iter()
        .filter(|process| process.builds && pidfd_send_signal(&process.handle, Signal::TERM).is_ok())
        .collect();
    wait(&asked, Instant::now() + ASKED);
    // What is killed may have been starting something else, so look until nothing is found.
    let deadline = Instant::now() + KILLED;
    loop {
        for process in &found {
            let _ = pidfd_send_signal(&process.handle, Signal::KILL);
        }
        wait(&found.iter().collect::<Vec<_>>(), deadline);
        found = find(directory);
        if found.is_empty() {
            return Ok(ended);
        }
        if Instant::now() >= deadline {
            let pids: Vec<String> = found.iter().map(|process| process.pid.to_string()).collect();
            return Err(Error::Unkillable {
                directory: directory.to_owned(),
                count: pids.len(),
                pids: pids.join(" "),
            });
        }
        ended += found.len();
    }
}

/// The processes of the run in `directory`, without ourselves and those that we come from.
fn find(directory: &Path) -> Vec<Process> {
    let spared = ancestry();
    let Ok(entries) = std::fs::read_dir("/proc") else { return Vec::new() };
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(|pid| !spared.contains(pid))
        .filter_map(|pid| {
            // The handle comes first: what is read next is of this process or of none.
            let id = Pid::from_raw(pid)?;
            let handle = pidfd_open(id, PidfdFlags::empty()).ok()?;
            let builds = std::fs::read(format!("/proc/{pid}/comm")).ok()?.starts_with(b"nix");
            belongs(pid, directory).then_some(Process { pid: id, handle, builds })
        })
        .collect()
}

fn belongs(pid: i32, directory: &Path) -> bool {
    let read = |file: &str| std::fs::read(format!("/proc/{pid}/{file}")).unwrap_or_default();
    let directory = directory.as_os_str().as_bytes();
    let environment = read("environ");
    let mark = [MARK.as_bytes(), b"=", directory].concat();
    if environment.split(|byte| *byte == 0).any(|entry| entry == mark) {
        return true;
    }
    let working = std::fs::read_link(format!("/proc/{pid}/cwd")).unwrap_or_default();
    !at_terminal(&read("stat"))
        && [&environment, &read("cmdline"), working.as_os_str().as_bytes()]
            .iter()
            .any(|text| names(text, directory))
}

/// Whether the text names the directory or something in it, rather than a longer path.
fn names(text: &[u8], directory: &[u8]) -> bool {
    let in_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"._-".contains(byte);
    text.windows(directory.len()).enumerate().any(|(at, window)| {
        let before = at.checked_sub(1).and_then(|at| text.get(at));
        let after = text.get(at + directory.len());
        window == directory
            && !before.is_some_and(|byte| in_name(byte) || *byte == b'/')
            && !after.is_some_and(in_name)
    })
}

/// The fields of `/proc/PID/stat` that follow the name, which may hold anything.
fn stat_fields(stat: &[u8]) -> Vec<i32> {
    let end = stat.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 1);
    String::from_utf8_lossy(&stat[end..])
        .split_ascii_whitespace()
        .skip(1)
        .take(4)
        .filter_map(|field| field.parse().ok())
        .collect()
}

fn at_terminal(stat: &[u8]) -> bool {
    stat_fields(stat).get(3).is_some_and(|terminal| *terminal != 0)
}

/// This process and all that it comes from.
fn ancestry() -> Vec<i32> {
    let mut line = vec![rustix::process::getpid().as_raw_nonzero().get()];
    while let Some(parent) = line
        .last()
        .and_then(|pid| std::fs::read(format!("/proc/{pid}/stat")).ok())
        .and_then(|stat| stat_fields(&stat).first().copied())
        .filter(|parent| *parent > 0 && !line.contains(parent))
    {
        line.push(parent);
    }
    line
}

/// Waits until all of them are gone, or until `deadline`.
fn wait(processes: &[&Process], deadline: Instant) {
    let mut left: Vec<&OwnedFd> = processes.iter().map(|process| &process.handle).collect();
    while !left.is_empty() {
        let Ok(limit) = Timespec::try_from(deadline.saturating_duration_since(Instant::now())) else {
            return;
        };
        let mut fds: Vec<PollFd<'_>> = left.iter().map(|fd| PollFd::new(*fd, PollFlags::IN)).collect();
        match poll(&mut fds, Some(&limit)) {
            Ok(0) => return,
            Ok(_) => {
                let gone: Vec<bool> = fds.iter().map(|fd| !fd.revents().is_empty()).collect();
                let mut gone = gone.into_iter();
                left.retain(|_| !gone.next().unwrap_or(false));
            }
            Err(error) if io::Error::from(error).kind() == io::ErrorKind::Interrupted => {}
            Err(_) => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_directory_itself_and_what_is_in_it_is_named() {
        let directory = b"/tmp/netprop-0/r-abc";
        let named: [&[u8]; 6] = [
            b"/tmp/netprop-0/r-abc",
            b"A=1\0B=/tmp/netprop-0/r-abc\0",
            b"path=/tmp/netprop-0/r-abc/x.con,server=off",
            b"embed?root=/tmp/netprop-0/r-abc/v",
            b"'/tmp/netprop-0/r-abc'",
            b"{\"file\":\"/tmp/netprop-0/r-abc\"}",
        ];
        for text in named {
            assert!(names(text, directory), "{}", String::from_utf8_lossy(text));
        }
        let others: [&[u8]; 5] = [
            b"/tmp/netprop-0/r-abcd",
            b"/tmp/netprop-0/r-abc.old/x",
            b"/mnt/tmp/netprop-0/r-abc/x",
            b"/tmp/netprop-0/r-ab",
            b"",
        ];
        for text in others {
            assert!(!names(text, directory), "{}", String::from_utf8_lossy(text));
        }
    }

    #[test]
    fn a_name_with_brackets_does_not_confuse_the_fields() {
        assert_eq!(stat_fields(b"12 (a) b) S 7 8 9 34816 1"), [7, 8, 9, 34816]);
        assert!(at_terminal(b"12 (a) S 7 8 9 34816 1"));
        assert!(!at_terminal(b"12 (a) S 7 8 9 0 1"));
    }
}
