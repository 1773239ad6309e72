//! Whose build it was that failed, by the derivations that Nix names.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use model::machine::OptionWord;
use model::{Machine, MachineId};

use super::Builder;
use crate::base::{Context, Part, Wanted};
use crate::error::Error;

/// What Nix says of a derivation that failed, and of one that needed it; the last is what younger
/// ones say of both. It also names what it begins to build, and in the end all that it was asked for.
const FAILING: [&str; 3] = ["builder for '", "dependencies of derivation '", "Cannot build '"];

/// What a failed build has left.
pub(super) struct Failed {
    /// The end of what Nix said, for people.
    pub(super) end: String,
    /// All of it.
    pub(super) said: String,
    pub(super) log: PathBuf,
    /// The expression.
    pub(super) file: PathBuf,
}

impl Builder {
    /// The error for a failed build, with the machines whose image or disk it was.
    pub(super) fn failure(
        &self,
        failed: Failed,
        parts: &[(String, Part)],
        wanted: &Wanted,
        of: &[&Machine],
        context: &Context<'_>,
    ) -> Error {
        let Failed { end, said, log, file } = failed;
        if end.contains("No space left on device") {
            let places = format!("{} and {}", self.nix.places(), self.options.run_directory.display());
            return Error::DiskFull { what: "nix-build runs".to_owned(), places };
        }
        let failing: Vec<_> =
            said.lines().filter(|line| FAILING.iter().any(|words| line.contains(words))).collect();
        let names = |derivation: &str| failing.iter().any(|line| line.contains(derivation));
        let mut machines = BTreeSet::new();
        for (name, part) in parts.iter().filter(|(name, _)| names(&format!("-netprop-{name}.drv'"))) {
            match part {
                Part::Image(concerned) => machines.extend(concerned.iter().cloned()),
                Part::Disk(format) => {
                    let concerned = of.iter().filter(|machine| machine.format() == *format);
                    let concerned: Vec<_> = concerned.map(|machine| machine.id.clone()).collect();
                    if let Some(reason) = refused_by_mkfs(&said, name) {
                        return Error::Mkfs {
                            file_system: format.file_system,
                            options: words(&format.mkfs_options),
                            machines: concerned,
                            reason,
                        };
                    }
                    machines.extend(concerned);
                }
            }
        }
        if self.base.is_evaluated() {
            for (derivation, concerned) in self.derivations(&file, wanted, context) {
                if names(&format!("{}'", derivation.display())) {
                    machines.extend(concerned.iter().cloned());
                }
            }
        }
        let machines = machines.into_iter().collect();
        // The run's directory goes with the run; whoever reads the message looks later.
        let kept = self.options.cache_directory.join("nix-build.log");
        let log = if fs::copy(&log, &kept).is_ok() { kept } else { log };
        Error::Build { machines, log, end }
    }

    /// The derivation of each image, where only an evaluation tells what it is called; none where
    /// that fails, as the build's failure is what is to be told.
    fn derivations<'a>(
        &self,
        file: &Path,
        wanted: &'a Wanted,
        context: &Context<'_>,
    ) -> Vec<(PathBuf, &'a [MachineId])> {
        let log = self.options.run_directory.join("nix-instantiate.log");
        let found = self.nix.derivations(file, &log, &self.options.run_directory, context.limits);
        let machines = wanted.images.values().map(Vec::as_slice);
        found.map(|found| found.into_iter().zip(machines).collect()).unwrap_or_default()
    }
}

/// What mkfs said when it ended the build of a disk: the Nix files of both bases mark it.
fn refused_by_mkfs(said: &str, name: &str) -> Option<String> {
    let mark = format!("netprop-{name}: mkfs refused: ");
    let said = said.lines().find_map(|line| Some(line.split_once(&mark)?.1))?;
    Some(said.trim().trim_end_matches('.').to_owned())
}

fn words(options: &[OptionWord]) -> String {
    options.iter().map(OptionWord::as_str).collect::<Vec<_>>().join(" ")
}
