//! Trees of nixpkgs, builders for them, and the real Nix.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nixgen::{BaseChoice, BuildOptions, Builder, NixosOptions, NixpkgsSource, StoreChoice};
use serde_json::Value;
use tempfile::TempDir;

pub(crate) type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// The variable that names real trees.
const VARIABLE: &str = "NETPROP_TEST_NIXPKGS";

/// A tree of nixpkgs.
#[derive(Clone, Debug)]
pub(crate) struct Tree {
    /// Its release, or `stand-in`.
    pub(crate) release: String,
    pub(crate) directory: PathBuf,
    /// Files of overlays that it needs to be evaluated without a network.
    pub(crate) overlays: Vec<PathBuf>,
}

impl Tree {
    /// A path below this directory of tests.
    pub(crate) fn manifest(name: &str) -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
    }
}

/// The real trees; where none is named, a loud notice and none. Nix itself has to be there.
pub(crate) fn trees() -> Vec<Tree> {
    let Some(named) = std::env::var_os(VARIABLE).and_then(|value| value.into_string().ok()) else {
        eprintln!("SKIPPED: no real nixpkgs was evaluated: set {VARIABLE}=RELEASE=DIRECTORY:…");
        return Vec::new();
    };
    let tree = |text: &str| {
        let (release, directory) = text.split_once('=').expect("RELEASE=DIRECTORY");
        // Trees of late releases may lack Haskell's packages, one of which each system is checked with.
        let overlays =
            if release >= "21.05" { vec![Tree::manifest("nixos/without-haskell.nix")] } else { Vec::new() };
        Tree { release: release.to_owned(), directory: PathBuf::from(directory), overlays }
    };
    named.split(':').filter(|text| !text.is_empty()).map(tree).collect()
}

/// Whether Nix is there; where not, a loud skip, or a failure under `CI=true`.
pub(crate) fn have_nix() -> bool {
    let found = which::which("nix-instantiate").is_ok();
    if !found {
        assert!(
            std::env::var_os("CI").is_none_or(|ci| ci != "true"),
            "nix-instantiate is missing: install nix-bin"
        );
        eprintln!("SKIPPED: nix-instantiate is missing: install Debian's package nix-bin");
    }
    found
}

/// Directories of one test, with a store of its own.
pub(crate) struct Place(TempDir);

impl Place {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self(tempfile::tempdir()?))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, text: &str) -> Result<PathBuf> {
        fs::write(self.path(name), text)?;
        Ok(self.path(name))
    }

    pub(crate) fn options(&self, tree: &Tree, nixos: NixosOptions) -> Result<BuildOptions> {
        let mut options = BuildOptions::new(self.path("run"))?;
        options.cache_directory = self.path("cache");
        options.store = StoreChoice::Private;
        options.base = BaseChoice::Nixos;
        let nixpkgs = NixpkgsSource::Path(tree.directory.clone());
        options.nixos = NixosOptions { nixpkgs, overlays: tree.overlays.clone(), ..nixos };
        Ok(options)
    }

    pub(crate) fn builder(&self, tree: &Tree, nixos: NixosOptions) -> Result<Builder> {
        Ok(Builder::new(self.options(tree, nixos)?)?)
    }

    /// The value of an expression.
    pub(crate) fn evaluate(&self, expression: &str) -> Result<Value> {
        let file = self.file("expression.nix", expression)?;
        let nix = self.path("cache/nix");
        let output = Command::new("nix-instantiate")
            .args(["--eval", "--strict", "--json"])
            .arg(file)
            .envs([("NIX_STORE_DIR", nix.join("store")), ("NIX_STATE_DIR", nix.join("state"))])
            .output()?;
        let said = String::from_utf8_lossy(&output.stderr);
        if !output.status.success() {
            return Err(said.into_owned().into());
        }
        // Nix itself misses a group that a private store has no use for.
        let warnings: Vec<_> = said.lines().filter(|line| !line.contains("build-users-group")).collect();
        if !warnings.is_empty() {
            return Err(format!("Nix warns: {warnings:?}").into());
        }
        Ok(serde_json::from_slice(&output.stdout)?)
    }
}
