//! The real `nix-build`: which store it writes to, and a run of it.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::fs::{Access, access};

use crate::error::Error;
use crate::host::Programs;
use crate::options::StoreChoice;
use crate::process::{Job, Limits};
use crate::progress::{Observer, Progress};

/// Where Nix keeps what it builds, when it is asked for nothing else.
const DEFAULT_STORE: [&str; 2] = ["/nix/store", "/nix/var/nix"];
/// Settings that make a build the host's own affair: no daemon, no build users, no sandbox (the
/// builder runs the host's `dpkg-deb`), nobody else's binaries (looking for them without a
/// network costs four seconds).
const SETTINGS: [(&str, &str); 5] = [
    ("sandbox", "false"),
    ("build-users-group", ""),
    ("substituters", ""),
    ("builders", ""),
    ("max-jobs", "auto"),
];

/// The store that builds go to.
#[derive(Clone, Debug, Eq, PartialEq)]
enum Store {
    /// Nix's own, or the one that the environment names.
    Default,
    /// One that belongs to the user, below this directory.
    Private(PathBuf),
}

/// An installed Nix.
#[derive(Clone)]
pub(crate) struct Nix {
    program: PathBuf,
    store: Store,
    settings: Settings,
}

/// Whose settings a build has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Settings {
    /// Those above.
    Own,
    /// The user's, daemon, binary caches and all.
    User,
}

/// One run of `nix-build`.
pub(crate) struct Run<'a> {
    /// The file with the expression.
    pub(crate) expression: &'a Path,
    /// The link that keeps the results from being collected as garbage; more get a number.
    pub(crate) link: &'a Path,
    /// Where all that it says goes.
    pub(crate) log: &'a Path,
    /// Where builders work; it is also in their environment.
    pub(crate) run_directory: &'a Path,
    /// Whether other derivations are built to the end where one fails.
    pub(crate) keep_going: bool,
}

/// What a run left.
pub(crate) struct Outcome {
    /// The results, in the order of the expression's list.
    pub(crate) paths: Vec<PathBuf>,
    /// The names of the derivations that were built anew.
    pub(crate) built: Vec<String>,
}

/// Why a run left nothing.
pub(crate) enum Failure {
    /// It said so: the end of what it said for people, and all of it for [`crate::evaluation`].
    Failed { end: String, said: String },
    /// It was ended, or did not start.
    Other(Error),
}

impl Nix {
    /// Finds `nix-build` and decides on the store.
    pub(crate) fn find(programs: &Programs, choice: StoreChoice, cache: &Path) -> Result<Self, Error> {
        let program = programs.find("nix-build", "nix-bin")?;
        let chosen = || std::env::var_os("NIX_STORE_DIR").is_some();
        let store = if choice == StoreChoice::Auto && (chosen() || default_store_works()) {
            Store::Default
        } else {
            let directory = cache.join("nix");
            std::fs::create_dir_all(&directory).map_err(Error::file("make", &directory))?;
            // Nix takes no store below a symbolic link.
            Store::Private(directory.canonicalize().map_err(Error::file("read", &directory))?)
        };
        Ok(Self { program, store, settings: Settings::Own })
    }

    /// Finds a Nix to be used as the user does, with the user's settings and store.
    pub(crate) fn of_user(programs: &Programs, choice: StoreChoice, cache: &Path) -> Result<Self, Error> {
        match choice {
            // Packages of nixpkgs are the same in one store only, and binary caches fill no other.
            StoreChoice::Auto => {
                let program = programs.find("nix-build", "nix-bin")?;
                Ok(Self { program, store: Store::Default, settings: Settings::User })
            }
            StoreChoice::Private => {
                Self::find(programs, choice, cache).map(|nix| Self { settings: Settings::User, ..nix })
            }
        }
    }

    /// The directory that Nix's search path has for a name, if any.
    pub(crate) fn search_path(
        &self,
        name: &str,
        log: &Path,
        limits: &Limits,
    ) -> Result<Option<PathBuf>, Error> {
        let mut command = self.instantiate();
        command.args(["--find-file", name]);
        let job = Job { what: "nix-instantiate", command, log: log.to_owned(), on_line: &mut |_| {} };
        let finished = job.run(limits)?;
        let found = finished.output.first().filter(|_| finished.status.success());
        Ok(found.map(PathBuf::from))
    }

    /// Evaluates the expression in a file: the JSON of its value.
    pub(crate) fn evaluate(
        &self,
        file: &Path,
        log: &Path,
        run_directory: &Path,
        limits: &Limits,
    ) -> Result<String, Failure> {
        let mut command = self.instantiate();
        command.args(["--eval", "--strict", "--json"]).arg(file);
        let output = Self::instantiated(command, log, run_directory, limits)?;
        Ok(output.join("\n"))
    }

    /// Evaluates the derivations in a file, and builds none: the path of each, in the order of the
    /// expression's list.
    pub(crate) fn derivations(
        &self,
        file: &Path,
        log: &Path,
        run_directory: &Path,
        limits: &Limits,
    ) -> Result<Vec<PathBuf>, Failure> {
        let mut command = self.instantiate();
        command.arg(file);
        let output = Self::instantiated(command, log, run_directory, limits)?;
        Ok(output.into_iter().map(PathBuf::from).collect())
    }

    fn instantiated(
        mut command: Command,
        log: &Path,
        run_directory: &Path,
        limits: &Limits,
    ) -> Result<Vec<String>, Failure> {
        command.arg("--show-trace").env("TMPDIR", run_directory).env("NETPROP_RUN", run_directory);
        let mut said = String::new();
        let mut on_line = |line: &str| said.extend([line, "\n"]);
        let job = Job { what: "nix-instantiate", command, log: log.to_owned(), on_line: &mut on_line };
        let finished = job.run(limits).map_err(Failure::Other)?;
        if finished.status.success() {
            Ok(finished.output)
        } else {
            Err(Failure::Failed { end: finished.end, said })
        }
    }

    /// `nix-instantiate`, which every Nix has beside `nix-build`.
    fn instantiate(&self) -> Command {
        let mut command = Command::new(self.program.with_file_name("nix-instantiate"));
        if let Store::Private(_) = self.store {
            command.env_remove("NIX_REMOTE").envs(self.variables());
        }
        command
    }

    /// The directories that a build fills.
    pub(crate) fn places(&self) -> String {
        match &self.store {
            Store::Default => std::env::var("NIX_STORE_DIR").unwrap_or_else(|_| DEFAULT_STORE[0].to_owned()),
            Store::Private(directory) => directory.display().to_string(),
        }
    }

    /// The shell command that deletes a path from the store, whatever holds it.
    pub(crate) fn deletion(&self, path: &Path) -> String {
        let variables: String =
            self.variables().iter().map(|(name, value)| format!("{name}='{}' ", value.display())).collect();
        format!("{variables}nix-store --delete --ignore-liveness {}", path.display())
    }

    /// Builds all derivations of an expression.
    pub(crate) fn build(
        &self,
        run: &Run<'_>,
        limits: &Limits,
        observer: &Observer,
    ) -> Result<Outcome, Failure> {
        let mut command = Command::new(&self.program);
        command.arg("--out-link").arg(run.link).arg(run.expression);
        command.args(run.keep_going.then_some("--keep-going"));
        command.env("TMPDIR", run.run_directory).env("NETPROP_RUN", run.run_directory);
        // A private store has no daemon and no build users, whoever asks for it.
        if self.settings == Settings::Own || self.store != Store::Default {
            command.args(SETTINGS.iter().flat_map(|(name, value)| ["--option", name, value]));
        }
        match self.settings {
            Settings::Own => drop(command.env_remove("NIX_PATH")),
            // The trace tells whose software it is that cannot be evaluated.
            Settings::User => drop(command.arg("--show-trace")),
        }
        if let Store::Private(_) = self.store {
            command.env_remove("NIX_REMOTE").envs(self.variables());
        }
        observer(Progress::Evaluating);
        let mut built = Vec::new();
        let mut said = String::new();
        let mut on_line = |line: &str| {
            said.extend([line, "\n"]);
            if let Some(name) = built_name(line) {
                observer(Progress::Building { name: name.clone() });
                built.push(name);
            }
        };
        let job = Job { what: "nix-build", command, log: run.log.to_owned(), on_line: &mut on_line };
        let finished = job.run(limits).map_err(Failure::Other)?;
        if !finished.status.success() {
            return Err(Failure::Failed { end: finished.end, said });
        }
        Ok(Outcome { paths: finished.output.iter().map(PathBuf::from).collect(), built })
    }

    fn variables(&self) -> Vec<(&'static str, PathBuf)> {
        match &self.store {
            Store::Default => Vec::new(),
            Store::Private(directory) => vec![
                ("NIX_STORE_DIR", directory.join("store")),
                ("NIX_STATE_DIR", directory.join("state")),
                ("NIX_LOG_DIR", directory.join("log")),
                ("NIX_CONF_DIR", directory.join("configuration")),
            ],
        }
    }
}

/// Whether this user can write the default store without a daemon. A daemon is of no use here: it
/// builds in a sandbox, which lacks the host's programs, and lets only trusted users switch it off.
fn default_store_works() -> bool {
    let writable = |path: &str| {
        // As root on a host where Nix is new, nothing is there yet.
        let _ = std::fs::create_dir_all(path);
        access(path, Access::WRITE_OK).is_ok()
    };
    DEFAULT_STORE.into_iter().all(writable)
}

/// The derivation in a line such as `building '/nix/store/HASH-netprop-image-6.1.drv'...`.
fn built_name(line: &str) -> Option<String> {
    let path = line.strip_prefix("building '")?.split('\'').next()?;
    let name = path.strip_suffix(".drv")?.rsplit('/').next()?;
    let name = name.split_once('-')?.1;
    Some(name.strip_prefix("netprop-").unwrap_or(name).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn builds_are_recognized() {
        let line = "building '/nix/store/abc-netprop-image-6.1.drv'...";
        assert_eq!(built_name(line), Some("image-6.1".to_owned()));
        assert_eq!(built_name("these 3 derivations will be built:"), None);
    }

    #[test]
    fn a_private_store_is_named_whole() {
        let nix = Nix {
            program: PathBuf::new(),
            store: Store::Private(PathBuf::from("/c/nix")),
            settings: Settings::Own,
        };
        let command = nix.deletion(Path::new("/c/nix/store/x"));
        assert!(
            command.starts_with("NIX_STORE_DIR='/c/nix/store' NIX_STATE_DIR='/c/nix/state'"),
            "{command}"
        );
    }
}
