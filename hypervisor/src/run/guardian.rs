//! The process that cleans up when this one cannot.

use std::ffi::OsString;
use std::io::{self, BufRead, BufReader, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::Error;

/// What the process runs. It is a shell script, since a library that a user's test embeds has no
/// program of its own to start.
const SCRIPT: &str = include_str!("guardian.sh");

/// A process outside of ours that, when ours dies in whatever way, ends everything of a run
/// within seconds and removes the run's directory.
///
/// It blocks on a pipe whose other end only we hold. The pipe is closed on `exec`, so nothing
/// that we start keeps it open.
#[derive(Debug)]
pub(super) struct Guardian {
    process: Child,
    pipe: ChildStdin,
}

impl Guardian {
    /// Starts the guardian of `directory`, which need not exist yet: it is better guarded before
    /// it is made.
    pub(super) fn start(directory: &Path) -> Result<Self, Error> {
        let (program, mut command) = command();
        let failed = |source| Error::Guardian { path: directory.to_owned(), program, source };
        command
            .env_clear()
            .env("PATH", search_path())
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null());
        let mut process = match command.spawn() {
            Ok(process) => process,
            Err(error) => return Err(failed(error)),
        };
        let (Some(mut pipe), Some(answer)) = (process.stdin.take(), process.stdout.take()) else {
            return Err(failed(io::ErrorKind::BrokenPipe.into()));
        };
        let told = (|| {
            pipe.write_all(&[directory.as_os_str().as_bytes(), b"\n"].concat())?;
            let mut line = String::new();
            BufReader::new(answer).read_line(&mut line)?;
            if line == "ready\n" { Ok(()) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
        })();
        match told {
            Ok(()) => Ok(Self { process, pipe }),
            Err(error) => Err(failed(error)),
        }
    }

    /// The guardian's process.
    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// Lets the guardian go, since we have cleaned up ourselves.
    pub(super) fn dismiss(mut self) {
        let _ = self.pipe.write_all(b"done\n");
        drop(self.pipe);
        let _ = self.process.wait();
    }
}

/// Where the script finds its programs, also where our own PATH is a poor one.
fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/bin:/bin");
    path
}

/// The shell, in a session of its own where the system has `setsid`, and in a process group of
/// its own in any case: neither Ctrl-C nor a kill of our process group reaches it then.
fn command() -> (String, Command) {
    let mut command = if let Ok(setsid) = which::which("setsid") {
        let mut command = Command::new(setsid);
        command.arg("/bin/sh");
        command
    } else {
        let mut command = Command::new("/bin/sh");
        command.process_group(0);
        command
    };
    command.args(["-c", SCRIPT, "netprop-guardian"]);
    ("/bin/sh".to_owned(), command)
}
