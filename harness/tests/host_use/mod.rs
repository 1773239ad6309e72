//! What a run takes of its host: in its own process, and in those of its machines.

use std::fmt::{self, Display, Formatter};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

/// What a run takes at one moment. Everything is of the run alone, whatever else runs on the host.
#[derive(Clone, Copy, Debug)]
pub(crate) struct HostUse {
    /// Memory of our own process, in KiB (RSS).
    pub(crate) memory: u64,
    /// Memory of the processes of the run, in KiB; what several share is counted once (PSS).
    pub(crate) memory_of_machines: u64,
    /// Files that our own process has open, sockets and pipes among them.
    pub(crate) files: u64,
    /// The same of the processes of the run.
    pub(crate) files_of_machines: u64,
    /// Sockets among all these files.
    pub(crate) sockets: u64,
    /// Threads of our own process.
    pub(crate) threads: u64,
    /// Processes that are our children, ended or not, or that the run's directory is named to.
    pub(crate) processes: u64,
    /// What the files of the run's directory take, in KiB.
    pub(crate) disk: u64,
    /// What the cache of snapshots takes, in KiB.
    pub(crate) cache: u64,
}

impl HostUse {
    /// That of the run in this directory, which keeps snapshots in this cache.
    pub(crate) fn of(run: &Path, cache: &Path) -> Self {
        let own = PathBuf::from("/proc/self");
        let all = processes(run);
        // A child that has ended has neither memory nor files.
        let descriptors: Vec<_> = all.iter().map(|process| descriptors_of(process)).collect();
        let own_descriptors = descriptors_of(&own);
        let sockets = descriptors.iter().flatten().chain(&own_descriptors);
        Self {
            memory: size_in(&own.join("status"), "VmRSS:").unwrap(),
            memory_of_machines: all
                .iter()
                .filter_map(|process| size_in(&process.join("smaps_rollup"), "Pss:"))
                .sum(),
            files: own_descriptors.len() as u64,
            files_of_machines: descriptors.iter().map(Vec::len).sum::<usize>() as u64,
            sockets: sockets.filter(|file| file.to_string_lossy().starts_with("socket:")).count() as u64,
            threads: fs::read_dir(own.join("task")).unwrap().count() as u64,
            processes: all.len() as u64,
            disk: size(run) / 1024,
            cache: size(cache) / 1024,
        }
    }

    /// The most of each that either takes.
    pub(crate) fn most(self, other: Self) -> Self {
        Self {
            memory: self.memory.max(other.memory),
            memory_of_machines: self.memory_of_machines.max(other.memory_of_machines),
            files: self.files.max(other.files),
            files_of_machines: self.files_of_machines.max(other.files_of_machines),
            sockets: self.sockets.max(other.sockets),
            threads: self.threads.max(other.threads),
            processes: self.processes.max(other.processes),
            disk: self.disk.max(other.disk),
            cache: self.cache.max(other.cache),
        }
    }
}

impl Display for HostUse {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let Self { files, files_of_machines, sockets, threads, processes, .. } = self;
        write!(
            f,
            "memory {} MiB, of machines {} MiB, files {files}, of machines {files_of_machines}, \
             sockets {sockets}, threads {threads}, processes {processes}, disk {} MiB, cache {} MiB",
            self.memory / 1024,
            self.memory_of_machines / 1024,
            self.disk / 1024,
            self.cache / 1024,
        )
    }
}

/// The processes of a run, and whatever else our own process has begun, as directories of `/proc`.
/// One may end while it is looked at.
fn processes(run: &Path) -> Vec<PathBuf> {
    let run = run.display().to_string();
    let is_ours = |process: &PathBuf| {
        let command_line = fs::read(process.join("cmdline")).unwrap_or_default();
        let is_child = fs::read_to_string(process.join("status")).is_ok_and(|status| {
            let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
            parent.is_some_and(|parent| parent.trim() == std::process::id().to_string())
        });
        is_child || String::from_utf8_lossy(&command_line).contains(&run)
    };
    let all = fs::read_dir("/proc").unwrap().flatten().map(|entry| entry.path());
    let all =
        all.filter(|path| path.file_name().is_some_and(|name| name.as_encoded_bytes()[0].is_ascii_digit()));
    all.filter(is_ours).collect()
}

/// What each descriptor of a process leads to.
fn descriptors_of(process: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    files.filter_map(|file| fs::read_link(file.path()).ok()).collect()
}

/// A size in KiB that the kernel tells in a line of a file.
fn size_in(file: &Path, what: &str) -> Option<u64> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(what))?;
    line.trim().strip_suffix("kB")?.trim().parse().ok()
}

/// What the files below a directory take, in bytes.
fn size(directory: &Path) -> u64 {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sizes = entries.map(|entry| match entry.metadata() {
        Ok(metadata) if metadata.is_dir() => size(&entry.path()),
        Ok(metadata) => metadata.blocks() * 512,
        Err(_) => 0,
    });
    sizes.sum()
}
