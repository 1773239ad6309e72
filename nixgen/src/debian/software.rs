//! The packages that machines have beyond the userland, each in the version that was asked for.

use std::collections::BTreeMap;
use std::path::Path;

use model::MachineId;
use model::machine::{PackageName, PackageVersion};

use super::{Debian, digest};
use crate::apt::{Apt, Closure, Package, Problem};
use crate::base::Context;
use crate::error::Error;
use crate::lock::{Keep, Request};
use crate::progress::Progress;

/// What packages need only for being installed, which nobody does in a guest: apt is told that
/// these are there, so that nothing comes for their sake.
const INSTALLERS: [&str; 8] = [
    "adduser",
    "debconf",
    "dpkg",
    "init-system-helpers",
    "runit-helper",
    "sensible-utils",
    "ucf",
    "usrmerge",
];
/// A version that is new enough for all who need one of these.
const NEW_ENOUGH: &str = "99:0";
/// How much a name has to be like another to be what was meant (0 to 1, Jaro and Winkler).
const ALIKE: f64 = 0.85;

/// What an image is made of besides its kernel.
pub(super) struct Software {
    /// Of what every guest has, all that is as every guest has it.
    pub(super) userland: Vec<Package>,
    /// The rest.
    pub(super) packages: Vec<Package>,
}

/// A package that machines asked for.
struct Asked<'a> {
    name: &'a PackageName,
    version: &'a PackageVersion,
    /// What its file says it is, where it is one.
    file: Option<Package>,
}

impl Asked<'_> {
    /// What apt calls it.
    fn word(&self) -> String {
        match self.version {
            PackageVersion::Newest => self.name.to_string(),
            PackageVersion::Exact(version) => format!("{}={version}", self.name),
            PackageVersion::File(path) => path.clone(),
        }
    }

    /// What pins it: a file by its content.
    fn pin(&self) -> String {
        match &self.file {
            Some(package) => format!("{}={} sha256:{}", package.name, package.version, package.sha256),
            None => self.word(),
        }
    }

    /// Whether this package is the one.
    fn is(&self, package: &Package) -> bool {
        let version = match (self.version, &self.file) {
            (PackageVersion::Newest, _) => true,
            (PackageVersion::Exact(version), _) => package.version == *version,
            (PackageVersion::File(_), file) => file.as_ref() == Some(package),
        };
        package.name == self.name.as_str() && version
    }
}

impl Debian {
    /// The pinned software of machines that ask for these packages.
    pub(super) fn software(
        &self,
        asked: &BTreeMap<PackageName, PackageVersion>,
        machines: &[MachineId],
        userland: &[Package],
        context: &Context<'_>,
    ) -> Result<Software, Error> {
        if asked.is_empty() {
            return Ok(Software { userland: userland.to_vec(), packages: Vec::new() });
        }
        let asked = self.read_files(asked, machines, context)?;
        let mut wanted = vec![format!("on {}", digest(userland))];
        wanted.extend(asked.iter().map(Asked::pin));
        let request = Request { part: "packages".to_owned(), wanted, keep: Keep::All };
        let packages = match self.locks.find(&request) {
            Some(packages) => packages,
            None => {
                (context.observer)(Progress::Resolving { part: "packages".to_owned() });
                let packages = self.solve(&asked, machines, userland, context)?;
                self.locks.pin(&request, packages)?
            }
        };
        for asked in &asked {
            if let (PackageVersion::File(path), Some(package)) = (asked.version, &asked.file) {
                self.locks.import(package, Path::new(path))?;
            }
        }
        let kept = |package: &&Package| packages.iter().all(|other| other.name != package.name);
        Ok(Software { userland: userland.iter().filter(kept).cloned().collect(), packages })
    }

    /// What has to be added to the userland, or replaced in it.
    fn solve(
        &self,
        asked: &[Asked<'_>],
        machines: &[MachineId],
        userland: &[Package],
        context: &Context<'_>,
    ) -> Result<Vec<Package>, Error> {
        let apt = self.apt()?;
        let mut problem = Problem {
            wanted: asked.iter().map(Asked::word).collect(),
            installed: userland
                .iter()
                .map(|package| (package.name.clone(), package.version.clone()))
                .collect(),
            release: None,
        };
        let there = |name: &str| {
            userland.iter().any(|package| package.name == name)
                || asked.iter().any(|asked| asked.name.as_str() == name)
        };
        let installers = INSTALLERS.into_iter().filter(|name| !there(name));
        problem.installed.extend(installers.map(|name| (name.to_owned(), NEW_ENOUGH.to_owned())));
        let mut packages = match apt.closure(&problem, context.limits)? {
            Closure::Packages(packages) => packages,
            Closure::Impossible(reason) => match closest(&apt, asked, problem, context)? {
                Some(packages) => packages,
                None => {
                    let packages = asked.iter().map(|asked| format!("{} {}", asked.name, asked.version));
                    let packages = packages.collect::<Vec<_>>().join(", ");
                    return Err(Error::Unsatisfiable { packages, machines: machines.to_vec(), reason });
                }
            },
            Closure::Unknown(name) => return Err(unknown(&apt, &name, machines, context)),
            Closure::NoVersion { name, version } => {
                return Err(no_version(&apt, &name, &version, machines, context));
            }
        };
        for file in asked.iter().filter_map(|asked| asked.file.as_ref()) {
            packages.retain(|package| package.name != file.name);
            packages.push(file.clone());
        }
        packages.retain(|package| !userland.contains(package));
        // apt takes a name that it does not have for a pattern, and one that ends in a sign for an order.
        let had = |asked: &&Asked<'_>| !packages.iter().chain(userland).any(|package| asked.is(package));
        match asked.iter().find(had) {
            Some(asked) => Err(unknown(&apt, asked.name.as_str(), machines, context)),
            None => Ok(packages),
        }
    }

    /// Looks into the files that were given as packages.
    fn read_files<'a>(
        &self,
        asked: &'a BTreeMap<PackageName, PackageVersion>,
        machines: &[MachineId],
        context: &Context<'_>,
    ) -> Result<Vec<Asked<'a>>, Error> {
        let read = |(name, version): (&'a PackageName, &'a PackageVersion)| {
            let file = match version {
                PackageVersion::File(path) => {
                    Some(self.read_file(name, Path::new(path), machines, context)?)
                }
                _ => None,
            };
            Ok(Asked { name, version, file })
        };
        asked.iter().map(read).collect()
    }
}

/// Solves what apt does not by itself, as it takes the newest of all that was not asked for: with
/// what the asked versions need in exactly one version (so that all else stays as it is), or with
/// everything from the release that has them.
fn closest(
    apt: &Apt,
    asked: &[Asked<'_>],
    problem: Problem,
    context: &Context<'_>,
) -> Result<Option<Vec<Package>>, Error> {
    let exact = asked.iter().filter_map(|asked| match asked.version {
        PackageVersion::Exact(version) => Some((asked.name.to_string(), version.clone())),
        _ => None,
    });
    let mut pinned: Vec<_> = exact.collect();
    let mut attempts = Vec::new();
    let mut next = 0;
    while let Some((name, version)) = pinned.get(next).cloned() {
        // A version that apt does not have needs nothing that could help.
        for need in answered(apt.exact_needs(&name, &version, context.limits))?.unwrap_or_default() {
            let known = pinned.iter().any(|(other, _)| *other == need.0)
                || asked.iter().any(|asked| asked.name.as_str() == need.0);
            if !known {
                pinned.push(need);
            }
        }
        next += 1;
    }
    let mut with_needs = problem.clone();
    with_needs.wanted.extend(pinned.iter().map(|(name, version)| format!("{name}={version}")));
    with_needs.wanted.sort();
    with_needs.wanted.dedup();
    attempts.push(with_needs);
    for asked in asked {
        let PackageVersion::Exact(version) = asked.version else { continue };
        let versions = answered(apt.versions(asked.name.as_str(), context.limits))?.unwrap_or_default();
        let releases =
            versions.into_iter().filter(|(other, _)| other == version).flat_map(|(_, releases)| releases);
        attempts.extend(releases.map(|release| Problem { release: Some(release), ..problem.clone() }));
    }
    for attempt in attempts {
        // apt refuses some releases as names of one, such as those of flat repositories.
        if let Some(Closure::Packages(packages)) = answered(apt.closure(&attempt, context.limits))? {
            return Ok(Some(packages));
        }
    }
    Ok(None)
}

/// What apt said, or nothing where it failed: the attempt leads nowhere then, and others may.
fn answered<T>(said: Result<T, Error>) -> Result<Option<T>, Error> {
    match said {
        Ok(said) => Ok(Some(said)),
        Err(Error::Apt { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The error for a package that apt does not have, with the names that are most like it.
fn unknown(apt: &Apt, name: &str, machines: &[MachineId], context: &Context<'_>) -> Error {
    let package = match PackageName::new(name) {
        Ok(package) => package,
        Err(_) => return Error::NoPackageLists { package: name.to_owned() },
    };
    let names = match apt.names("", context.limits) {
        Ok(names) => names,
        Err(error) => return error,
    };
    let likeness = |other: &String| strsim::jaro_winkler(name, other);
    let mut alike: Vec<_> = names.into_iter().map(|other| (likeness(&other), other)).collect();
    alike.retain(|(likeness, _)| *likeness > ALIKE);
    alike.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let nearest = alike.into_iter().take(3).map(|(_, name)| name).collect();
    Error::UnknownPackage { package, machines: machines.to_vec(), nearest }
}

/// The error for a version that apt does not have, with those that it has.
fn no_version(apt: &Apt, name: &str, version: &str, machines: &[MachineId], context: &Context<'_>) -> Error {
    let package = match PackageName::new(name) {
        Ok(package) => package,
        Err(_) => return Error::NoPackageLists { package: name.to_owned() },
    };
    match apt.versions(name, context.limits) {
        Ok(versions) if versions.is_empty() => unknown(apt, name, machines, context),
        Ok(versions) => Error::UnknownVersion {
            package,
            version: version.to_owned(),
            machines: machines.to_vec(),
            offered: versions.into_iter().map(|(version, _)| version).collect(),
        },
        Err(error) => error,
    }
}
