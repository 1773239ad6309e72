//! What is asked of the host's apt: the closure of some packages, and their files.
//!
//! apt answers for a system of our own (`Dir::State::status` is a file that is written here), so the
//! host's own packages do not matter and nothing is ever installed. No mirror is named here: the host's
//! configuration of apt says where packages come from, and its signed lists what they hash to.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::host::Programs;
use crate::process::{Finished, Job, Limits};

mod parse;

/// A package as apt pins it.
#[derive(Clone, Debug, Eq, PartialEq, serde::Deserialize, serde::Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Package {
    /// Its name.
    pub(crate) name: String,
    /// Its version.
    pub(crate) version: String,
    /// The name of its file.
    pub(crate) file: String,
    /// Its size in bytes.
    pub(crate) size: u64,
    /// The SHA-256 of its file, in hexadecimal.
    pub(crate) sha256: String,
}

/// The host's apt with a state of its own.
pub(crate) struct Apt {
    get: PathBuf,
    cache: PathBuf,
    /// Holds the empty status and the log.
    directory: PathBuf,
}

/// What apt said of a request for packages.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Closure {
    /// All that the named packages need, and themselves.
    Packages(Vec<Package>),
    /// It has no package of this name.
    Unknown(String),
    /// It has no such version of a package.
    NoVersion {
        /// The package.
        name: String,
        /// The version that it does not have.
        version: String,
    },
    /// The packages cannot be together, for this reason.
    Impossible(String),
}

/// What apt is to solve: packages, beside what is there already.
#[derive(Clone, Debug, Default)]
pub(crate) struct Problem {
    /// `NAME`, `NAME=VERSION` or the path of a file.
    pub(crate) wanted: Vec<String>,
    /// Names with versions of what is there already. None of it may go, its version may change.
    pub(crate) installed: Vec<(String, String)>,
    /// The release that packages are taken from before others.
    pub(crate) release: Option<String>,
}

impl Apt {
    /// Finds apt and gives it a directory to keep its state in.
    pub(crate) fn new(programs: &Programs, directory: PathBuf) -> Result<Self, Error> {
        let get = programs.find("apt-get", "apt")?;
        let cache = programs.find("apt-cache", "apt")?;
        std::fs::create_dir_all(&directory).map_err(Error::file("make", &directory))?;
        let status = directory.join("status");
        std::fs::write(&status, "").map_err(Error::file("write", &status))?;
        Ok(Self { get, cache, directory })
    }

    /// The packages that solve a problem.
    pub(crate) fn closure(&self, problem: &Problem, limits: &Limits) -> Result<Closure, Error> {
        // Of this call alone: builds in other processes have other ones.
        let status = tempfile::Builder::new().prefix("status-").tempfile_in(&self.directory);
        let status = status.map_err(Error::file("write to", &self.directory))?;
        std::fs::write(status.path(), records(&problem.installed))
            .map_err(Error::file("write", status.path()))?;
        let mut command = self.command(&self.get, status.path());
        command.args(["install", "--print-uris", "-q", "-y", "--no-install-recommends"]);
        command.args(["--no-remove", "--allow-downgrades"]);
        command.args(problem.release.iter().flat_map(|release| ["-t", release]));
        command.args(&problem.wanted);
        let what = "solve the packages of a guest";
        let finished = self.run(what, command, limits, &mut |_| {})?;
        if !finished.status.success() {
            let complaint = parse::complaint(&finished.output, &finished.end);
            return complaint.ok_or_else(|| self.failed(what, finished.end));
        }
        parse::uris(&finished.output)
            .map(Closure::Packages)
            .ok_or_else(|| self.failed(what, "its list of files is not understood".to_owned()))
    }

    /// Downloads packages into a directory, telling the share that is done, in percent.
    pub(crate) fn download(
        &self,
        packages: &[&Package],
        into: &Path,
        limits: &Limits,
        done: &mut dyn FnMut(f64),
    ) -> Result<(), Error> {
        let mut command = self.command(&self.get, &self.empty_status());
        command.current_dir(into).args(["download", "-qq", "-o", "APT::Status-Fd=2"]);
        command.args(packages.iter().map(|package| format!("{}={}", package.name, package.version)));
        let what = "download packages";
        let finished = self.run(what, command, limits, &mut |line| {
            if let Some(percent) = line.strip_prefix("dlstatus:").and_then(|rest| rest.split(':').nth(1)) {
                done(percent.parse().unwrap_or(0.0));
            }
        })?;
        if finished.status.success() { Ok(()) } else { Err(self.failed(what, without_status(&finished.end))) }
    }

    /// The version that apt would install of each of these packages, where it has it.
    pub(crate) fn candidates(
        &self,
        names: &[String],
        limits: &Limits,
    ) -> Result<Vec<(String, String)>, Error> {
        let lines = self.ask("tell the versions of packages", "policy", names, limits)?;
        Ok(parse::policy(&lines))
    }

    /// The versions of a package, newest first, each with the releases that have it.
    pub(crate) fn versions(&self, name: &str, limits: &Limits) -> Result<Vec<(String, Vec<String>)>, Error> {
        let lines = self.ask("list the versions of a package", "madison", &[name.to_owned()], limits)?;
        Ok(parse::madison(&lines))
    }

    /// What a version of a package needs in exactly one version.
    pub(crate) fn exact_needs(
        &self,
        name: &str,
        version: &str,
        limits: &Limits,
    ) -> Result<Vec<(String, String)>, Error> {
        let lines = self.ask("show a package", "show", &[format!("{name}={version}")], limits)?;
        Ok(parse::exact_needs(&lines))
    }

    /// The names of all packages with a prefix.
    pub(crate) fn names(&self, prefix: &str, limits: &Limits) -> Result<Vec<String>, Error> {
        self.ask("list the names of packages", "pkgnames", &[prefix.to_owned()], limits)
    }

    fn ask(
        &self,
        what: &'static str,
        question: &str,
        names: &[String],
        limits: &Limits,
    ) -> Result<Vec<String>, Error> {
        let mut command = self.command(&self.cache, &self.empty_status());
        command.arg(question).args(names);
        let finished = self.run(what, command, limits, &mut |_| {})?;
        if finished.status.success() { Ok(finished.output) } else { Err(self.failed(what, finished.end)) }
    }

    fn empty_status(&self) -> PathBuf {
        self.directory.join("status")
    }

    fn command(&self, program: &Path, status: &Path) -> Command {
        let mut command = Command::new(program);
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        command
            .env("LC_ALL", "C")
            .args(["-o", "Debug::NoLocking=true", "-o", "Acquire::ForceHash=SHA256"])
            .args(["-o", &option("Dir::State::status", status)])
            .args(["-o", &option("Dir::Cache", &self.directory)]);
        command
    }

    fn log(&self) -> PathBuf {
        self.directory.join("apt.log")
    }

    fn run(
        &self,
        what: &'static str,
        command: Command,
        limits: &Limits,
        on_line: &mut dyn FnMut(&str),
    ) -> Result<Finished, Error> {
        Job { what, command, log: self.log(), on_line }.run(limits)
    }

    /// The error for a failure of apt's, with what it said.
    pub(crate) fn failed(&self, what: &'static str, reason: String) -> Error {
        let reason = if reason.is_empty() { "it did not say why".to_owned() } else { reason };
        if reason.contains("No space left on device") {
            return Error::DiskFull {
                what: format!("apt-get tried to {what}"),
                places: self.directory.display().to_string(),
            };
        }
        Error::Apt { what, reason, log: self.log() }
    }
}

/// What a failed download said, without the machine-readable lines.
fn without_status(end: &str) -> String {
    let lines: Vec<_> = end.lines().filter(|line| !line.starts_with("dlstatus:")).collect();
    lines.join("\n")
}

/// The records of a status file that has these packages installed.
fn records(installed: &[(String, String)]) -> String {
    let mut text = String::new();
    for (name, version) in installed {
        writeln!(
            text,
            "Package: {name}\nStatus: install ok installed\nArchitecture: amd64\nMulti-Arch: foreign\n\
             Maintainer: nobody\nVersion: {version}\nDescription: there already\n"
        )
        .ok();
    }
    text
}
