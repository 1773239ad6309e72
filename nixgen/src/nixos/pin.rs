//! Which tree of nixpkgs: found by Nix, named by a path, or locked by a flake.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::NixpkgsSource;
use crate::error::Error;
use crate::host;
use crate::nix::Nix;
use crate::process::Limits;

/// A tree as `templates/nixos.nix.hbs` takes it: a path, or a URL with the hash of what it unpacks to.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
pub(super) struct Nixpkgs {
    path: Option<String>,
    url: Option<String>,
    hash: Option<String>,
}

/// The files that make a directory a tree of nixpkgs with NixOS in it.
const MARKS: [&str; 3] = [".version", "default.nix", "nixos/lib/eval-config.nix"];

impl Nixpkgs {
    pub(super) fn find(
        source: &NixpkgsSource,
        nix: &Nix,
        run_directory: &Path,
        limits: &Limits,
    ) -> Result<Self, Error> {
        match source {
            NixpkgsSource::SearchPath => {
                let found = nix.search_path("nixpkgs", &run_directory.join("nix-instantiate.log"), limits)?;
                Self::directory(&found.ok_or(Error::NoNixpkgs)?)
            }
            NixpkgsSource::Path(path) => Self::directory(path),
            NixpkgsSource::FlakeLock { file, input } => Self::locked(file, input),
        }
    }

    fn directory(path: &Path) -> Result<Self, Error> {
        let whole = path.canonicalize().map_err(Error::file("read", path))?;
        if let Some(missing) = MARKS.into_iter().find(|mark| !whole.join(mark).exists()) {
            return Err(Error::NotNixpkgs { path: whole, missing });
        }
        let path = host::text("the path of nixpkgs", &whole)?;
        Ok(Self { path: Some(path), ..Self::default() })
    }

    fn locked(file: &Path, input: &str) -> Result<Self, Error> {
        let text = fs::read_to_string(file).map_err(Error::file("read", file))?;
        let refuse =
            |reason: String| Error::FlakeLock { file: file.to_owned(), input: input.to_owned(), reason };
        let lock: Lock = serde_json::from_str(&text).map_err(|error| refuse(error.to_string()))?;
        let node = lock.node(input).ok_or_else(|| refuse("it has no such input".to_owned()))?;
        let locked = node.locked.as_ref().ok_or_else(|| refuse("the input is not locked".to_owned()))?;
        if let ("path", Some(path)) = (locked.r#type.as_str(), &locked.path) {
            return Self::directory(path);
        }
        let hash =
            locked.nar_hash.clone().ok_or_else(|| refuse("the lock has no hash of the input".to_owned()))?;
        let url = locked.url().ok_or_else(|| {
            refuse("inputs of its type are not known here: lock one of the types github, gitlab, tarball or path".to_owned())
        })?;
        Ok(Self { path: None, url: Some(host::speakable("a URL", &url)?.to_owned()), hash: Some(hash) })
    }
}

impl fmt::Display for Nixpkgs {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [&self.path, &self.url, &self.hash];
        let parts: Vec<_> = parts.into_iter().flatten().map(String::as_str).collect();
        f.write_str(&parts.join(" "))
    }
}

/// A `flake.lock`, as far as it matters here.
#[derive(Debug, Deserialize)]
struct Lock {
    nodes: BTreeMap<String, Node>,
    root: String,
}

#[derive(Debug, Deserialize)]
struct Node {
    #[serde(default)]
    inputs: BTreeMap<String, Reference>,
    locked: Option<Locked>,
}

/// What an input is locked to; which fields there are depends on the type.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Locked {
    r#type: String,
    nar_hash: Option<String>,
    owner: Option<String>,
    repo: Option<String>,
    rev: Option<String>,
    host: Option<String>,
    url: Option<String>,
    path: Option<PathBuf>,
}

/// A node by its name, or by the way to it from the root.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Reference {
    Name(String),
    Follows(Vec<String>),
}

impl Lock {
    /// The node of an input of the flake itself.
    fn node(&self, input: &str) -> Option<&Node> {
        self.follow(&[input.to_owned()], self.nodes.len())
    }

    /// Follows inputs from the root on, each way at most so often that a circle ends.
    fn follow(&self, way: &[String], most: usize) -> Option<&Node> {
        let root = self.nodes.get(&self.root)?;
        way.iter().try_fold(root, |node, name| match node.inputs.get(name)? {
            Reference::Name(name) => self.nodes.get(name),
            Reference::Follows(way) => self.follow(way, most.checked_sub(1)?),
        })
    }
}

impl Locked {
    /// Where the archive is, by the rules of each type (Nix manual, "nix flake", "Types").
    fn url(&self) -> Option<String> {
        let at = |host| {
            Some((
                self.host.as_deref().unwrap_or(host),
                self.owner.as_ref()?,
                self.repo.as_ref()?,
                self.rev.as_ref()?,
            ))
        };
        match self.r#type.as_str() {
            "github" => {
                let (host, owner, repo, rev) = at("github.com")?;
                Some(format!("https://{host}/{owner}/{repo}/archive/{rev}.tar.gz"))
            }
            "gitlab" => {
                let (host, owner, repo, rev) = at("gitlab.com")?;
                Some(format!("https://{host}/{owner}/{repo}/-/archive/{rev}/{repo}-{rev}.tar.gz"))
            }
            "tarball" => self.url.clone(),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{
        "nodes": {
            "root": { "inputs": { "nixpkgs": ["other", "nixpkgs"], "other": "other", "plain": "nixpkgs_2",
                "unlocked": "unlocked", "git": "git", "circle": ["circle"], "here": "here" } },
            "other": { "inputs": { "nixpkgs": "nixpkgs" }, "locked": { "type": "git", "narHash": "sha256-b" } },
            "nixpkgs": { "locked": { "type": "github", "owner": "NixOS", "repo": "nixpkgs", "rev": "abc",
                "narHash": "sha256-a", "lastModified": 1 } },
            "nixpkgs_2": { "locked": { "type": "tarball", "url": "https://a/b.tar.xz", "narHash": "sha256-c" } },
            "git": { "locked": { "type": "git", "url": "https://a/b", "rev": "abc", "narHash": "sha256-d" } },
            "here": { "locked": { "type": "path", "path": "/", "narHash": "sha256-e" } },
            "unlocked": {}
        },
        "root": "root", "version": 7
    }"#;

    fn locked(input: &str) -> Result<Nixpkgs, String> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("flake.lock");
        fs::write(&file, LOCK).unwrap();
        Nixpkgs::locked(&file, input).map_err(|error| error.to_string())
    }

    #[test]
    fn locks_are_followed() {
        let nixpkgs = locked("nixpkgs").unwrap();
        assert_eq!(nixpkgs.to_string(), "https://github.com/NixOS/nixpkgs/archive/abc.tar.gz sha256-a");
        assert_eq!(locked("plain").unwrap().to_string(), "https://a/b.tar.xz sha256-c");
    }

    #[test]
    fn what_cannot_be_fetched_is_told() {
        for (input, why) in [
            ("none", "no such input"),
            ("circle", "no such input"),
            ("unlocked", "is not locked"),
            ("git", "of its type"),
            ("here", "has no .version"),
        ] {
            let error = locked(input).unwrap_err();
            assert!(error.contains(why), "{input}: {error}");
        }
        let error = Nixpkgs::locked(Path::new("/no/flake.lock"), "nixpkgs").unwrap_err().to_string();
        assert!(error.contains("/no/flake.lock"), "{error}");
    }
}
