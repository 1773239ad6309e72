//! Failing cases on disk, to be run again as they are.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

use model::{Case, InvalidCase, Model};
use serde::{Deserialize, Serialize};

use crate::bundle::{self, Bundle, BundleError};
use crate::causes::Causes;
use crate::execute::Evidence;
use crate::header::{Header, Unreadable};
use crate::regressions;
use crate::shrink::Rate;
use crate::whole;

mod kept;
mod unreturned;

pub(crate) use kept::json;
pub(crate) use unreturned::Unreturned;

/// What is written into `format`, so that other JSON files are not taken for replay files.
const FORMAT: &str = "netprop-replay";
/// The version of the layout that this build writes and reads.
const VERSION: u32 = 1;

/// Why a replay file could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// The file system said no.
    #[error("cannot {action} replay file {path}: {source}: check that {check}", path = path.display(), check = to_check(action))]
    File {
        /// `read` or `write`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// JSON has no form for the case, or none that gives it back as it was.
    #[error("the case cannot be kept in a file: {what}")]
    Unkept {
        /// What of it, and why.
        what: String,
    },
    /// It is not JSON, or not of the right shape.
    #[error("replay file {path} cannot be understood ({source}): it was damaged, or is for another specification", path = path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// It is some other JSON file.
    #[error("{path} is not a replay file: give one that a failing run has written", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It is in a bundle that cannot be read.
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// It comes from a newer netprop.
    #[error("replay file {path} has version {version}, and this netprop reads up to {VERSION}: use a newer one", path = path.display())]
    Future {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
    /// It was made by another specification.
    #[error("replay file {path} is of specification {found:?}, not {expected:?}: run it with the program that wrote it", path = path.display())]
    Specification {
        /// The file.
        path: PathBuf,
        /// The name in the file.
        found: String,
        /// The name of the specification at hand.
        expected: String,
    },
    /// The model has changed since, or the file was edited.
    #[error("replay file {path} holds an impossible case: {source}", path = path.display())]
    Impossible {
        /// The file.
        path: PathBuf,
        /// What is impossible.
        source: InvalidCase,
    },
}

/// What to look at where the file system said no.
fn to_check(action: &str) -> &'static str {
    match action {
        "read" => "it is there, and that you may read it",
        _ => "the directory is there, yours and not full",
    }
}

/// A failing case with all that is needed to run it again.
#[derive(Debug, Deserialize, Serialize)]
#[serde(bound = "", deny_unknown_fields)]
pub struct Replay<M: Model> {
    format: String,
    version: u32,
    /// The specification that it belongs to.
    pub specification: String,
    /// The version of netprop that wrote it.
    pub netprop: String,
    /// The seed that the first failing case was generated from, as 64 hexadecimal digits.
    pub seed: String,
    /// Whether shrinking came to its end.
    pub smallest: bool,
    /// How the systems were made: names and values that mean something to the command line.
    #[serde(default)]
    pub settings: BTreeMap<String, String>,
    /// What failed.
    pub failure: Evidence,
    /// The case.
    pub case: Case<M>,
    /// How often the first failing case failed when it was run again, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_rate: Option<Rate>,
    /// How often this case failed, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<Rate>,
    /// Whether lanes are to follow the order of events in `failure`, since the case fails more
    /// often so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub in_order: bool,
    /// Where it failed on a system that was not made from nothing, in how many runs it failed on ones
    /// that were.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Rate>,
    /// Marks of smaller cases that hold, for a search that goes on with this one; none once it is
    /// the smallest.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held: Vec<String>,
    /// What of its initial state matters, as far as it was found out. A search goes on from there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub causes: Option<Causes>,
}

/// What is read of a file before the model of its case is known.
#[derive(Deserialize)]
struct About {
    #[serde(default)]
    specification: String,
    #[serde(default)]
    settings: BTreeMap<String, String>,
}

/// Reads a file, or the one in a bundle, as far as it needs no model, and gives the whole text.
fn open(path: &Path) -> Result<(About, Vec<u8>), ReplayError> {
    let failed = |source| ReplayError::File { action: "read", path: path.to_owned(), source };
    let shape = |source| ReplayError::Shape { path: path.to_owned(), source };
    let mut text = fs::read(path).map_err(failed)?;
    let mut header = Header::of(&text).map_err(shape)?;
    if header.format == bundle::FORMAT {
        text = Bundle::parse(path, &text)?.replay().as_bytes().to_vec();
        header = Header::of(&text).map_err(shape)?;
    }
    header.check(FORMAT, VERSION).map_err(|why| {
        let path = path.to_owned();
        match why {
            Unreadable::Foreign => ReplayError::Foreign { path },
            Unreadable::Future(version) => ReplayError::Future { path, version },
        }
    })?;
    Ok((serde_json::from_slice(&text).map_err(shape)?, text))
}

/// How the systems were made that a file's case failed on: for a model that is made from it.
///
/// # Errors
/// A [`ReplayError`] that says what is wrong with the file.
pub fn settings(path: &Path) -> Result<BTreeMap<String, String>, ReplayError> {
    open(path).map(|(about, _)| about.settings)
}

/// The name of the specification that a file's case is of: for who knows several.
///
/// # Errors
/// A [`ReplayError`] that says what is wrong with the file.
pub fn specification(path: &Path) -> Result<String, ReplayError> {
    open(path).map(|(about, _)| about.specification)
}

impl<M: Model> Replay<M> {
    /// Puts a failing case together with where it came from.
    pub fn new(
        model: &M,
        seed: &str,
        settings: BTreeMap<String, String>,
        case: Case<M>,
        failure: Evidence,
    ) -> Self {
        Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            specification: model.name(),
            netprop: env!("CARGO_PKG_VERSION").to_owned(),
            seed: seed.to_owned(),
            smallest: false,
            settings,
            failure,
            case,
            first_rate: None,
            rate: None,
            in_order: false,
            confirmed: None,
            held: Vec::new(),
            causes: None,
        }
    }

    /// The name of its file: the specification's, and twelve digits of the seed.
    #[must_use]
    pub fn file_name(&self) -> String {
        format!("{}-{}.json", self.specification, regressions::short(&self.seed))
    }

    /// Writes it into a directory, whole or not at all, and says to which file.
    ///
    /// # Errors
    /// [`ReplayError::File`], or [`ReplayError::Unkept`] where JSON has no form for the case.
    pub fn write(&self, directory: &Path) -> Result<PathBuf, ReplayError> {
        let path = directory.join(self.file_name());
        self.write_to(&path)?;
        Ok(path)
    }

    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    /// [`ReplayError::File`], or [`ReplayError::Unkept`] where JSON has no form for the case.
    pub fn write_to(&self, path: &Path) -> Result<(), ReplayError> {
        write_whole(path, self.text()?.as_bytes())
    }

    fn text(&self) -> Result<String, ReplayError> {
        let unkept = |why| ReplayError::Unkept { what: kept::has_no_form("it", &why) };
        let mut text = serde_json::to_string_pretty(self).map_err(unkept)?;
        text.push('\n');
        Ok(text)
    }

    /// Writes it to a file where that gives the case back as it is now, and leaves what was there
    /// before where it does not.
    ///
    /// # Errors
    /// [`ReplayError::File`], or [`ReplayError::Unkept`] with what of the case would be lost.
    pub fn write_safely(&self, model: &M, path: &Path) -> Result<(), ReplayError> {
        if let Some(what) = kept::lost(model, &self.case) {
            return Err(ReplayError::Unkept { what });
        }
        let text = self.text()?;
        // All parts come back, and so should the whole, read as a replay reads it.
        let read = Self::parse(model, path, text.as_bytes());
        let read = read.map_err(|error| ReplayError::Unkept { what: error.to_string() })?;
        if !kept::is_same(&read.case, &self.case) {
            let what = "it comes back as another one".to_owned();
            return Err(ReplayError::Unkept { what });
        }
        write_whole(path, text.as_bytes())
    }

    /// Reads a file and checks that the model takes its case.
    ///
    /// # Errors
    /// A [`ReplayError`] that says what is wrong with the file.
    pub fn read(model: &M, path: &Path) -> Result<Self, ReplayError> {
        let (about, text) = open(path)?;
        if about.specification != model.name() {
            return Err(ReplayError::Specification {
                path: path.to_owned(),
                found: about.specification,
                expected: model.name(),
            });
        }
        Self::parse(model, path, &text)
    }

    /// Understands the text of a file, and checks that the model takes its case.
    fn parse(model: &M, path: &Path, text: &[u8]) -> Result<Self, ReplayError> {
        let path_owned = path.to_owned();
        let shape = |source| ReplayError::Shape { path: path.to_owned(), source };
        let replay: Self = serde_json::from_slice(text).map_err(shape)?;
        let checked = replay.case.validate(model);
        checked.map_err(|source| ReplayError::Impossible { path: path_owned, source })?;
        Ok(replay)
    }

    /// The files of a specification in a directory, in the order of their names.
    ///
    /// # Errors
    /// [`ReplayError::File`]; a directory that is not there has no files.
    pub fn list(model: &M, directory: &Path) -> Result<Vec<PathBuf>, ReplayError> {
        let specification = model.name();
        let failed = |source| ReplayError::File { action: "read", path: directory.to_owned(), source };
        let entries = match fs::read_dir(directory) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(failed(error)),
        };
        let mut files = Vec::new();
        for entry in entries {
            let path = entry.map_err(failed)?.path();
            let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
            if is_name_of(&specification, name) {
                files.push(path);
            }
        }
        files.sort();
        Ok(files)
    }
}

/// Whether a file of this specification is named so: with digits of its seed, and a number where it
/// is not the first of its seed. The name of one specification may be what that of another begins
/// with.
fn is_name_of(specification: &str, file: &str) -> bool {
    let rest = file.strip_prefix(specification).and_then(|rest| rest.strip_prefix('-'));
    let Some(rest) = rest.and_then(|rest| rest.strip_suffix(".json")) else { return false };
    let rest = rest.strip_prefix(NEVER_RETURNED).unwrap_or(rest);
    let (seed, number) = rest.split_once('_').map_or((rest, "0"), |(seed, number)| (seed, number));
    seed.len() == regressions::SHORT
        && seed.bytes().all(|digit| digit.is_ascii_hexdigit())
        && number.parse::<u32>().is_ok()
}

/// What stands before the seed in the name of a file whose case never came to its end.
const NEVER_RETURNED: &str = "never-returned-";

/// Writes a file whole or not at all.
fn write_whole(path: &Path, text: &[u8]) -> Result<(), ReplayError> {
    let failed = |source| ReplayError::File { action: "write", path: path.to_owned(), source };
    whole::write(path, text).map_err(failed)
}

/// Checks that failing cases could be written there, before any is looked for.
///
/// # Errors
/// [`ReplayError::File`].
pub fn check_directory(directory: &Path) -> Result<(), ReplayError> {
    can_write_in(directory).map_err(|source| ReplayError::File {
        action: "write",
        path: directory.to_owned(),
        source,
    })
}

/// Looks whether files could be written into a directory, or into one that is made there.
pub(crate) fn can_write_in(directory: &Path) -> io::Result<()> {
    let existing = directory.ancestors().find(|ancestor| ancestor.exists()).unwrap_or(Path::new("."));
    let existing = if existing.as_os_str().is_empty() { Path::new(".") } else { existing };
    let probe = tempfile::NamedTempFile::new_in(existing)?;
    let _: &File = probe.as_file();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::is_name_of;

    #[test]
    fn files_are_those_of_the_specification_with_just_this_name() {
        let ours = ["queue-0123456789ab.json", "queue-0123456789ab_2.json"];
        assert!(ours.iter().all(|file| is_name_of("queue", file)));
        assert!(is_name_of("queue", "queue-never-returned-0123456789ab.json"));
        let others = [
            "queue-bad-0123456789ab.json",
            "queue-0123456789ab.txt",
            "queue-0123456789ab_.json",
            "queue-0123456789.json",
            "queue0123456789ab.json",
            "queue-.json",
        ];
        others.iter().for_each(|file| assert!(!is_name_of("queue", file), "{file}"));
        assert!(is_name_of("queue-bad", "queue-bad-0123456789ab.json"));
    }
}
