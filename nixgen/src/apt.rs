//! What is asked of the host's apt: the closure of some packages, and their files.
//!
//! apt answers for an empty system (`Dir::State::status` is an empty file), so the host's own
//! packages do not matter and nothing is ever installed. No mirror is named here: the host's
//! configuration of apt says where packages come from, and its signed lists what they hash to.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::Error;
use crate::host::Programs;
use crate::process::{Finished, Job, Limits};

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
pub(crate) enum Closure {
    /// All that the named packages need, and themselves.
    Packages(Vec<Package>),
    /// It has no package of this name.
    Unknown(String),
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

    /// The closure of packages, solved for a system that has none.
    pub(crate) fn closure(&self, names: &[String], limits: &Limits) -> Result<Closure, Error> {
        let mut command = self.command(&self.get);
        command.args(["install", "--print-uris", "-qq", "-y", "--no-install-recommends"]).args(names);
        let what = "solve the packages of a guest";
        let finished = self.run(what, command, limits, &mut |_| {})?;
        if !finished.status.success() {
            let unknown = finished.end.lines().find_map(unknown_package);
            return match unknown {
                Some(name) => Ok(Closure::Unknown(name)),
                None => Err(self.failed(what, finished.end)),
            };
        }
        let packages: Option<Vec<_>> = finished
            .output
            .iter()
            .filter(|line| line.starts_with('\''))
            .map(|line| parse_uri(line))
            .collect();
        packages
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
        let mut command = self.command(&self.get);
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
        let mut command = self.command(&self.cache);
        command.arg("policy").args(names);
        let what = "tell the versions of packages";
        let finished = self.run(what, command, limits, &mut |_| {})?;
        if finished.status.success() {
            Ok(parse_policy(&finished.output))
        } else {
            Err(self.failed(what, finished.end))
        }
    }

    /// The names of all packages with a prefix.
    pub(crate) fn names(&self, prefix: &str, limits: &Limits) -> Result<Vec<String>, Error> {
        let mut command = self.command(&self.cache);
        command.args(["pkgnames", prefix]);
        let what = "list the names of packages";
        let finished = self.run(what, command, limits, &mut |_| {})?;
        if finished.status.success() { Ok(finished.output) } else { Err(self.failed(what, finished.end)) }
    }

    fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        let option = |name: &str, value: &Path| format!("{name}={}", value.display());
        command
            .env("LC_ALL", "C")
            .args(["-o", "Debug::NoLocking=true", "-o", "Acquire::ForceHash=SHA256"])
            .args(["-o", &option("Dir::State::status", &self.directory.join("status"))])
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

    fn failed(&self, what: &'static str, reason: String) -> Error {
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

/// The package in apt's words for one that it does not have.
fn unknown_package(line: &str) -> Option<String> {
    let name = line
        .strip_prefix("E: Unable to locate package ")
        .or_else(|| line.strip_prefix("E: Package '")?.strip_suffix("' has no installation candidate"))?;
    Some(name.trim().to_owned())
}

/// What a failed download said, without the machine-readable lines.
fn without_status(end: &str) -> String {
    let lines: Vec<_> = end.lines().filter(|line| !line.starts_with("dlstatus:")).collect();
    lines.join("\n")
}

/// A line of `--print-uris`: `'URI' FILE SIZE SHA256:HASH`.
fn parse_uri(line: &str) -> Option<Package> {
    let (_, rest) = line.rsplit_once('\'')?;
    let mut words = rest.split_whitespace();
    let (file, size, hash) = (words.next()?, words.next()?, words.next()?);
    let sha256 = hash.strip_prefix("SHA256:").filter(|hash| hash.len() == 64)?;
    if file.contains('/') {
        return None;
    }
    let mut parts = file.split('_');
    let (name, version) = (parts.next()?, parts.next()?);
    Some(Package {
        name: name.to_owned(),
        // A colon, after an epoch, is the one sign that apt writes otherwise in names of files.
        version: version.replace("%3a", ":"),
        file: file.to_owned(),
        size: size.parse().ok()?,
        sha256: sha256.to_ascii_lowercase(),
    })
}

/// What `apt-cache policy` prints: a name with a colon, then indented fields.
fn parse_policy(lines: &[String]) -> Vec<(String, String)> {
    let mut candidates = Vec::new();
    let mut name = "";
    for line in lines {
        if !line.starts_with(' ') {
            name = line.trim_end_matches(':');
        } else if let Some(version) = line.trim().strip_prefix("Candidate: ")
            && version != "(none)"
        {
            candidates.push((name.to_owned(), version.to_owned()));
        }
    }
    candidates
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_uris_are_understood() {
        let hash = "a".repeat(64);
        let line = format!("'http://mirror/pool/o/x_1%3a2.deb' x_1%3a2-3_amd64.deb 17 SHA256:{hash}");
        let package = parse_uri(&line).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str(), package.size), ("x", "1:2-3", 17));
        assert_eq!(package.file, "x_1%3a2-3_amd64.deb");
        for bad in ["", "'u' x_1_a.deb 17", "'u' x_1_a.deb 17 MD5Sum:00", "'u' ../x_1_a.deb 1 SHA256:00"] {
            assert_eq!(parse_uri(bad), None, "{bad:?} was taken");
        }
    }

    #[test]
    fn policies_and_complaints_are_understood() {
        let lines = ["a:", "  Installed: (none)", "  Candidate: 6.1.192-2", "b:", "  Candidate: (none)"];
        let lines: Vec<_> = lines.into_iter().map(str::to_owned).collect();
        assert_eq!(parse_policy(&lines), [("a".to_owned(), "6.1.192-2".to_owned())]);
        assert_eq!(unknown_package("E: Unable to locate package x"), Some("x".to_owned()));
        assert_eq!(unknown_package("E: Package 'x' has no installation candidate"), Some("x".to_owned()));
        assert_eq!(unknown_package("E: broken"), None);
    }
}
