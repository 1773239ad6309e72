//! Understanding what apt prints, in the C locale.

use super::{Closure, Package};

/// What apt complained of, where it is the request that cannot be met.
pub(super) fn complaint(printed: &[String], end: &str) -> Option<Closure> {
    for line in end.lines() {
        if let Some(name) = unknown_package(line) {
            return Some(Closure::Unknown(name));
        }
        if let Some((version, name)) = unknown_version(line) {
            return Some(Closure::NoVersion { name, version });
        }
    }
    let unmet = printed.iter().skip_while(|line| !line.starts_with("The following packages have unmet"));
    let unmet: Vec<_> =
        unmet.skip(1).take_while(|line| line.starts_with(' ')).map(|line| line.trim()).collect();
    let removed =
        printed.iter().skip_while(|line| !line.starts_with("The following packages will be REMOVED"));
    let removed: Vec<_> =
        removed.skip(1).take_while(|line| line.starts_with(' ')).map(|line| line.trim()).collect();
    if !unmet.is_empty() {
        Some(Closure::Impossible(unmet.join("; ")))
    } else if !removed.is_empty() {
        Some(Closure::Impossible(format!("it would take the place of {}", removed.join(" "))))
    } else {
        end.contains("E: Unable to correct problems").then(|| Closure::Impossible(end.trim().to_owned()))
    }
}

/// The package in apt's words for one that it does not have.
fn unknown_package(line: &str) -> Option<String> {
    let name = line
        .strip_prefix("E: Unable to locate package ")
        .or_else(|| line.strip_prefix("E: Package '")?.strip_suffix("' has no installation candidate"))?;
    Some(name.trim().to_owned())
}

/// The version and the package in apt's words for a version that it does not have.
fn unknown_version(line: &str) -> Option<(String, String)> {
    let (version, rest) = line.strip_prefix("E: Version '")?.split_once("' for '")?;
    Some((version.to_owned(), rest.strip_suffix("' was not found")?.to_owned()))
}

/// The lines of `--print-uris` that are packages from elsewhere: a file that apt was given has no
/// hash, and is known already. None where a line is not understood.
pub(super) fn uris(printed: &[String]) -> Option<Vec<Package>> {
    let lines = printed.iter().filter(|line| line.starts_with('\''));
    lines
        .filter(|line| !line.starts_with("'file:") || line.contains(" SHA256:"))
        .map(|line| uri(line))
        .collect()
}

/// A line of `--print-uris`: `'URI' FILE SIZE SHA256:HASH`.
fn uri(line: &str) -> Option<Package> {
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
pub(super) fn policy(lines: &[String]) -> Vec<(String, String)> {
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

/// What `apt-cache madison` prints, `NAME | VERSION | URI RELEASE/COMPONENT ARCHITECTURE Packages`
/// from the newest on: each version with the releases that have it.
pub(super) fn madison(lines: &[String]) -> Vec<(String, Vec<String>)> {
    let mut versions: Vec<(String, Vec<String>)> = Vec::new();
    for line in lines {
        let mut columns = line.split('|').map(str::trim);
        let (Some(_), Some(version), Some(source)) = (columns.next(), columns.next(), columns.next()) else {
            continue;
        };
        let release = source.split_whitespace().nth(1).and_then(|place| place.rsplit_once('/'));
        let release = release.map(|(release, _)| release.to_owned());
        match versions.iter_mut().find(|(other, _)| other == version) {
            Some((_, releases)) => releases.extend(release),
            None => versions.push((version.to_owned(), release.into_iter().collect())),
        }
    }
    versions
}

/// What a package's record says that it needs in exactly one version: names with versions.
pub(super) fn exact_needs(record: &[String]) -> Vec<(String, String)> {
    let fields = record
        .iter()
        .filter_map(|line| line.strip_prefix("Depends: ").or_else(|| line.strip_prefix("Pre-Depends: ")));
    let needs = fields.flat_map(|field| field.split(',')).filter(|need| !need.contains('|'));
    let exact = |need: &str| {
        let (name, rest) = need.trim().split_once(" (= ")?;
        let name = name.split(':').next()?;
        Some((name.to_owned(), rest.strip_suffix(')')?.to_owned()))
    };
    needs.filter_map(exact).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> Vec<String> {
        text.lines().map(str::to_owned).collect()
    }

    #[test]
    fn lines_of_uris_are_understood() {
        let hash = "a".repeat(64);
        let line = format!("'http://mirror/pool/o/x_1%3a2.deb' x_1%3a2-3_amd64.deb 17 SHA256:{hash}");
        let package = uri(&line).unwrap();
        assert_eq!((package.name.as_str(), package.version.as_str(), package.size), ("x", "1:2-3", 17));
        assert_eq!(package.file, "x_1%3a2-3_amd64.deb");
        for bad in ["", "'u' x_1_a.deb 17", "'u' x_1_a.deb 17 MD5Sum:00", "'u' ../x_1_a.deb 1 SHA256:00"] {
            assert_eq!(uri(bad), None, "{bad:?} was taken");
        }
        let file = "'file:/home/h%20x.deb' h_1_all.deb 700 ".to_owned();
        assert_eq!(uris(&[file, line]), Some(vec![package]), "a file that was given is left out");
    }

    #[test]
    fn policies_and_versions_are_understood() {
        let policies = lines("a:\n  Installed: (none)\n  Candidate: 6.1.192-2\nb:\n  Candidate: (none)");
        assert_eq!(policy(&policies), [("a".to_owned(), "6.1.192-2".to_owned())]);
        let table = lines(
            "x | 2 | http://m/s stable-security/main amd64 Packages\n\
             x | 1 | http://m/s stable-security/main amd64 Packages\n\
             x |   1 | http://m/d stable/main amd64 Packages",
        );
        let (new, old) =
            (vec!["stable-security".to_owned()], vec!["stable-security".to_owned(), "stable".to_owned()]);
        assert_eq!(madison(&table), [("2".to_owned(), new), ("1".to_owned(), old)]);
    }

    #[test]
    fn exact_needs_are_found_between_others() {
        let record =
            lines("Package: x\nDepends: a (>= 3), x-tools (= 5:7-1), b (= 1) | c\nPre-Depends: d:any (= 2)");
        let needs = [("x-tools", "5:7-1"), ("d", "2")].map(|(a, b)| (a.to_owned(), b.to_owned()));
        assert_eq!(exact_needs(&record), needs);
    }

    #[test]
    fn complaints_are_told_apart() {
        let said = |end: &str| complaint(&[], end);
        assert_eq!(said("E: Unable to locate package x"), Some(Closure::Unknown("x".to_owned())));
        let candidate = "E: Package 'x' has no installation candidate";
        assert_eq!(said(candidate), Some(Closure::Unknown("x".to_owned())));
        let version = Closure::NoVersion { name: "x".to_owned(), version: "9".to_owned() };
        assert_eq!(said("E: Version '9' for 'x' was not found"), Some(version));
        assert_eq!(said("E: broken"), None);
        let printed = lines(
            "Reading\nThe following packages have unmet dependencies:\n x : Depends: y (= 1) but 2 is to be installed",
        );
        let unmet = "x : Depends: y (= 1) but 2 is to be installed".to_owned();
        assert_eq!(complaint(&printed, "E: Unable"), Some(Closure::Impossible(unmet)));
        let printed = lines("The following packages will be REMOVED:\n  busybox-static\nThe following NEW");
        let place = "it would take the place of busybox-static".to_owned();
        assert_eq!(complaint(&printed, "E: Packages need to be removed"), Some(Closure::Impossible(place)));
    }
}
