//! Whether machines can run on the processor itself (KVM) or have to be emulated (TCG).
//!
//! That `/dev/kvm` opens says little: where the host is a virtual machine itself, a stock kernel
//! may hang there all the same. So a canary is sent ahead: a kernel with nothing to mount, whose
//! panic about that on the serial console proves that it runs.

use std::fs::{File, OpenOptions};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use serde::{Deserialize, Serialize};

use crate::Error;
use crate::run::RunDirectory;

/// How long the canary may take to panic; under working KVM it takes one or two seconds.
const CANARY: Duration = Duration::from_secs(10);
/// The file in the cache directory that the answer is kept in.
const FILE: &str = "accelerator.json";
/// How a kernel without a root ends.
const PROOF: &str = "Kernel panic";

/// What machines run on.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Accelerator {
    /// The processor itself.
    Kvm,
    /// QEMU's emulation of a processor, some ten times slower.
    Tcg,
}

impl Accelerator {
    /// What libvirt calls the type of such a domain.
    #[must_use]
    pub fn domain_type(self) -> &'static str {
        match self {
            Self::Kvm => "kvm",
            Self::Tcg => "qemu",
        }
    }
}

impl std::fmt::Display for Accelerator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Kvm => "kvm",
            Self::Tcg => "tcg",
        })
    }
}

/// What was chosen and why.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Choice {
    /// What machines run on.
    pub accelerator: Accelerator,
    /// The reason, for the user.
    pub why: String,
    /// Whether the answer is from an earlier run.
    pub cached: bool,
}

/// What the answer depends on.
#[derive(Debug, Deserialize, Eq, PartialEq, Serialize)]
struct Host {
    qemu: String,
    kernel: String,
    processor: String,
}

/// The answer as it is kept.
#[derive(Debug, Deserialize, Serialize)]
struct Kept {
    host: Host,
    accelerator: Accelerator,
    why: String,
}

/// Chooses what machines run on: KVM where the canary, booting the kernel image `kernel` under
/// the QEMU program `qemu`, proves it, and TCG elsewhere.
///
/// The answer is kept in `cache` (a directory, by default none) for this version of QEMU, of the
/// host's kernel and this processor; finding it takes up to ten seconds otherwise.
///
/// # Errors
/// [`Error::File`] where the kernel cannot be read, [`Error::Spawn`] where QEMU does not run.
pub fn choose(run: &RunDirectory, kernel: &Path, qemu: &Path, cache: Option<&Path>) -> Result<Choice, Error> {
    choose_on(Path::new("/dev/kvm"), run, kernel, qemu, cache)
}

/// As [`choose`], with another device in place of `/dev/kvm`.
fn choose_on(
    device: &Path,
    run: &RunDirectory,
    kernel: &Path,
    qemu: &Path,
    cache: Option<&Path>,
) -> Result<Choice, Error> {
    File::open(kernel).map_err(Error::file("read the kernel", kernel))?;
    let host = Host { qemu: version(qemu)?, kernel: host_kernel(), processor: processor() };
    // That takes no time to find out, and the user may change it at any time: it is not kept.
    if let Err(error) = OpenOptions::new().read(true).write(true).open(device) {
        let why = match error.kind() {
            io::ErrorKind::NotFound => "this host has no /dev/kvm".to_owned(),
            io::ErrorKind::PermissionDenied => {
                "/dev/kvm may not be opened: join the group kvm to use it".to_owned()
            }
            _ => format!("/dev/kvm does not open: {error}"),
        };
        return Ok(Choice { accelerator: Accelerator::Tcg, why, cached: false });
    }
    let file = cache.map(|cache| cache.join(FILE));
    if let Some(kept) = file.as_deref().and_then(read).filter(|kept| kept.host == host) {
        return Ok(Choice { accelerator: kept.accelerator, why: kept.why, cached: true });
    }
    let (accelerator, why) = send_canary(run, kernel, qemu)?;
    if let Some(file) = file
        && let Err(error) = write(&file, &Kept { host, accelerator, why: why.clone() })
    {
        tracing::debug!(%error, "the choice of the accelerator could not be kept");
    }
    Ok(Choice { accelerator, why, cached: false })
}

/// All of this host that what a machine was depends on: the QEMU program, the host's kernel, the
/// processor with what it can do.
///
/// # Errors
/// [`Error::MissingProgram`] or [`Error::Spawn`] where QEMU does not run, [`Error::File`] where it
/// cannot be looked at.
pub fn describe_host(qemu: &Path) -> Result<String, Error> {
    let build = qemu.metadata().and_then(|file| Ok((file.len(), file.modified()?)));
    let (size, modified) = build.map_err(Error::file("look at", qemu))?;
    let modified = modified.duration_since(std::time::UNIX_EPOCH).unwrap_or_default().as_secs();
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let flags = information.lines().find(|line| line.starts_with("flags")).unwrap_or_default();
    Ok(format!(
        "{} {} of {size} bytes and {modified}\n{}\n{}\n{flags}\n",
        qemu.display(),
        version(qemu)?,
        host_kernel(),
        processor()
    ))
}

/// Boots the kernel under KVM and waits for its proof.
fn send_canary(run: &RunDirectory, kernel: &Path, qemu: &Path) -> Result<(Accelerator, String), Error> {
    let begin = Instant::now();
    let mut command = run.command(qemu);
    command
        .args(["-accel", "kvm", "-machine", "q35", "-cpu", "max", "-m", "128", "-nodefaults"])
        .args(["-no-user-config", "-no-reboot", "-display", "none", "-serial", "stdio"])
        .args(["-append", "console=ttyS0 panic=-1", "-kernel"])
        .arg(kernel);
    let canary = Canary::start(command, qemu)?;
    let heard = canary.listen(begin + CANARY);
    Ok(match heard {
        Ok(Heard::Proof) => (Accelerator::Kvm, format!("a kernel ran under KVM ({:.1?})", begin.elapsed())),
        Ok(Heard::Silence) => (
            Accelerator::Tcg,
            format!("a kernel under KVM did not come up within {CANARY:?}, though /dev/kvm is there"),
        ),
        Ok(Heard::End(said)) => (Accelerator::Tcg, format!("QEMU does not run under KVM: {said}")),
        Err(error) => (Accelerator::Tcg, format!("a kernel under KVM could not be heard: {error}")),
    })
}

/// A QEMU that ends when it is dropped.
struct Canary(Child);

/// What came from the canary.
enum Heard {
    Proof,
    Silence,
    End(String),
}

impl Canary {
    fn start(mut command: Command, qemu: &Path) -> Result<Self, Error> {
        let command = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let spawned = command.spawn();
        spawned.map(Self).map_err(|source| Error::Spawn { program: qemu.display().to_string(), source })
    }

    fn listen(mut self, deadline: Instant) -> io::Result<Heard> {
        let mut console = self.0.stdout.take().ok_or(io::ErrorKind::BrokenPipe)?;
        let mut said = Vec::new();
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let limit = Timespec::try_from(left).map_err(|_| io::ErrorKind::InvalidInput)?;
            if left.is_zero() || poll(&mut [PollFd::new(&console, PollFlags::IN)], Some(&limit))? == 0 {
                return Ok(Heard::Silence);
            }
            let mut block = [0; 4096];
            match console.read(&mut block)? {
                0 => break,
                length => said.extend_from_slice(&block[..length]),
            }
            if String::from_utf8_lossy(&said).contains(PROOF) {
                return Ok(Heard::Proof);
            }
        }
        let mut errors = String::new();
        if let Some(stream) = &mut self.0.stderr {
            stream.read_to_string(&mut errors)?;
        }
        Ok(Heard::End(errors.lines().next().unwrap_or("it ended without a word").to_owned()))
    }
}

impl Drop for Canary {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The first line of what the program says of its version.
fn version(qemu: &Path) -> Result<String, Error> {
    let program = qemu.display().to_string();
    let output = Command::new(qemu).arg("--version").output().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => {
            Error::MissingProgram { program: program.clone(), package: "qemu-system-x86" }
        }
        _ => Error::Spawn { program: program.clone(), source },
    })?;
    Ok(String::from_utf8_lossy(&output.stdout).lines().next().unwrap_or_default().to_owned())
}

fn host_kernel() -> String {
    let name = rustix::system::uname();
    format!("{} {}", name.release().to_string_lossy(), name.version().to_string_lossy())
}

fn processor() -> String {
    let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = information.lines().find_map(|line| line.strip_prefix("model name")?.split_once(':'));
    model.map_or_else(|| std::env::consts::ARCH.to_owned(), |(_, name)| name.trim().to_owned())
}

/// What is kept; nothing where the file is absent or damaged.
fn read(file: &Path) -> Option<Kept> {
    serde_json::from_slice(&std::fs::read(file).ok()?).ok()
}

/// Writes the file in one step, so that nobody ever reads a half of it.
fn write(file: &Path, kept: &Kept) -> io::Result<PathBuf> {
    let directory = file.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(directory)?;
    let mut new = tempfile::NamedTempFile::new_in(directory)?;
    serde_json::to_writer_pretty(&mut new, kept)?;
    new.persist(file)?;
    Ok(file.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Access;
    use std::fs;
    use tempfile::TempDir;

    /// A device that opens, also where there is no KVM.
    const OPENS: &str = "/dev/null";

    /// A program that answers as QEMU does where it is asked for its version, and does `body` else.
    fn playing_qemu(directory: &Path, body: &str) -> PathBuf {
        let (plain, program) = (directory.join("qemu.text"), directory.join("qemu"));
        let script =
            format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'QEMU emulator version 0' && exit\n{body}\n");
        fs::write(&plain, script).unwrap();
        // What another thread's child may have inherited open for writing cannot be run.
        let installed = Command::new("install").arg("-m755").arg(&plain).arg(&program).status().unwrap();
        assert!(installed.success(), "install: {installed}");
        program
    }

    #[test]
    fn a_canary_that_sings_means_kvm_and_a_damaged_cache_means_nothing() {
        let directory = TempDir::new().unwrap();
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let qemu = playing_qemu(directory.path(), "echo 'Kernel panic - not syncing'; exec sleep 1000");
        let cache = directory.path().join("cache/below");
        let file = cache.join("accelerator.json");
        let choose = || choose_on(OPENS.as_ref(), &run, &qemu, &qemu, Some(&cache)).unwrap();
        for damage in [None, Some(""), Some("{\"host\": 3}"), Some("\0\0\0")] {
            if let Some(damage) = damage {
                fs::write(&file, damage).unwrap();
            }
            let choice = choose();
            assert_eq!((choice.accelerator, choice.cached), (Accelerator::Kvm, false), "{damage:?}");
            assert!(choose().cached);
        }
        let kept = fs::read_to_string(&file).unwrap();
        fs::write(&file, kept.replace("version 0", "version 1")).unwrap();
        assert!(!choose().cached, "another QEMU is asked anew");
        assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "no half-written file is left");
        assert_eq!(run.end_processes().unwrap(), 0, "the canaries have ended");
    }

    #[test]
    fn a_qemu_that_refuses_kvm_means_tcg() {
        let directory = TempDir::new().unwrap();
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let qemu = playing_qemu(directory.path(), "echo 'qemu: failed to initialize kvm' >&2; exit 1");
        let choice = choose_on(OPENS.as_ref(), &run, &qemu, &qemu, None).unwrap();
        assert_eq!(choice.accelerator, Accelerator::Tcg);
        assert_eq!(choice.why, "QEMU does not run under KVM: qemu: failed to initialize kvm");
    }

    #[test]
    fn a_host_without_kvm_means_tcg() {
        let directory = TempDir::new().unwrap();
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let qemu = playing_qemu(directory.path(), "exit 1");
        let choice = choose_on("/nonexistent".as_ref(), &run, &qemu, &qemu, Some(directory.path())).unwrap();
        assert_eq!(choice.accelerator, Accelerator::Tcg);
        assert_eq!(choice.why, "this host has no /dev/kvm");
        assert!(!directory.path().join(FILE).exists(), "what may change at any time is not kept");
    }
}
