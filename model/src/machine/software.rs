//! What a machine's image is made of. Machines with equal software share one image.

use std::cmp::Ordering;
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use debversion::Version;
use serde::{Deserialize, Serialize};

use super::MachineError;
use super::text::{KernelVersion, PackageName};
use crate::by_text::by_text;

/// Which version of a package a machine has.
///
/// As text: `newest`, the path of a package's file (it has a `/`), or else an exact version such
/// as `5:7.0.15-1~deb12u7`.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub enum PackageVersion {
    /// The one that the base installs by itself.
    Newest,
    /// Exactly this one, of those that the base offers.
    Exact(String),
    /// The one in this file, an absolute path on the host.
    File(String),
}

impl PackageVersion {
    /// Which of two versions is the later one, where that can be told without asking the base:
    /// nothing is later than the newest, a file tells by its name (`NAME_VERSION_ARCH.deb`).
    /// The order is Debian's (Policy, section 5.6.12).
    #[must_use]
    pub fn order(&self, other: &Self) -> Option<Ordering> {
        match (self, other) {
            (Self::Newest, Self::Newest) => Some(Ordering::Equal),
            (Self::Newest, Self::Exact(_)) => Some(Ordering::Greater),
            (Self::Exact(_), Self::Newest) => Some(Ordering::Less),
            _ => Some(self.version()?.cmp(&other.version()?)),
        }
    }

    fn version(&self) -> Option<Version> {
        match self {
            Self::Newest => None,
            Self::Exact(version) => version.parse().ok(),
            Self::File(path) => path.rsplit('/').next()?.split('_').nth(1)?.replace("%3a", ":").parse().ok(),
        }
    }
}

impl FromStr for PackageVersion {
    type Err = MachineError;

    fn from_str(text: &str) -> Result<Self, MachineError> {
        let fine = |signs: &str| text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c));
        if text == "newest" {
            Ok(Self::Newest)
        } else if text.starts_with('/') && text.len() <= 1024 && !text.contains(char::is_control) {
            Ok(Self::File(text.to_owned()))
        } else if (1..=128).contains(&text.len()) && fine(".+~:-_") && !text.contains("..") {
            Ok(Self::Exact(text.to_owned()))
        } else {
            Err(MachineError::Text {
                what: "package version",
                text: text.to_owned(),
                rule: "newest, the absolute path of a package's file, or a version of letters, digits and the signs . + ~ : - _",
            })
        }
    }
}

by_text!(PackageVersion, MachineError);

impl fmt::Display for PackageVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Newest => f.write_str("newest"),
            Self::Exact(text) | Self::File(text) => f.write_str(text),
        }
    }
}

/// The software of a machine, which decides which image it boots.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Software {
    /// The kernel that it boots.
    pub kernel: KernelVersion,
    /// The packages that it has beyond what every guest has.
    #[serde(default)]
    pub packages: BTreeMap<PackageName, PackageVersion>,
}

impl fmt::Display for Software {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "kernel {}", self.kernel)?;
        self.packages.iter().try_for_each(|(name, version)| write!(f, ", {name} {version}"))
    }
}
