//! A failing case in one file for somebody else, with all that it was found with: the case as its replay
//! file has it (with schedule and seeds), what a report shows of it (its record), what the machines were
//! made of (Nix expressions), and in which versions of everything.
//!
//! It is one JSON object, whose parts stand in it as they stand in files of their own.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};

use crate::header::{Header, Unreadable};
use crate::whole;

/// What is written into `format`, so that other JSON files are not taken for bundles.
pub(crate) const FORMAT: &str = "netprop-bundle";
/// The version of the layout that this build writes and reads.
const VERSION: u32 = 1;

/// Why a bundle could not be written or read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BundleError {
    /// The file system said no.
    #[error("cannot read bundle {path}: {source}: check that it is there, and that you may read it", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The file system said no.
    #[error("cannot write bundle {path}: {source}: choose another place with --output", path = path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It is not JSON, or not of the right shape.
    #[error("bundle {path} cannot be understood ({source}): it was damaged or cut off; get it again from who made it", path = path.display())]
    Shape {
        /// The file.
        path: PathBuf,
        /// Where and what.
        source: serde_json::Error,
    },
    /// Its parts are not those that it was made of.
    #[error("bundle {path} is not as it was made, by its checksum: it was damaged or edited; get it again from who made it", path = path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
    },
    /// It is some other JSON file.
    #[error("{path} is not a bundle: give one that `netprop bundle` has made", path = path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// It comes from a newer netprop.
    #[error("bundle {path} has version {version}, and this netprop reads up to {VERSION}: use a newer one", path = path.display())]
    Future {
        /// The file.
        path: PathBuf,
        /// Its version.
        version: u32,
    },
}

/// A failing case with all that it was found with.
#[derive(Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Bundle {
    format: String,
    version: u32,
    /// The version of netprop that made it.
    pub netprop: String,
    /// What the case was found with, by name: versions of programs and of the host's kernel, and the
    /// names of images, which say what is in them.
    pub environment: BTreeMap<String, String>,
    /// The Nix expressions that images are built by, by name.
    pub expressions: BTreeMap<String, String>,
    /// The replay file.
    replay: Box<RawValue>,
    /// The record of the failure, where there is one.
    record: Option<Box<RawValue>>,
    /// Of all parts, SHA-256 in hexadecimal digits.
    checksum: String,
}

impl Bundle {
    /// Puts the texts of a replay file and of its record together with what the case was found with.
    ///
    /// # Errors
    /// Where a text is not JSON.
    pub fn new(
        replay: String,
        record: Option<String>,
        environment: BTreeMap<String, String>,
        expressions: BTreeMap<String, String>,
    ) -> Result<Self, serde_json::Error> {
        let raw = |text: String| RawValue::from_string(text.trim().to_owned());
        let mut bundle = Self {
            format: FORMAT.to_owned(),
            version: VERSION,
            netprop: env!("CARGO_PKG_VERSION").to_owned(),
            environment,
            expressions,
            replay: raw(replay)?,
            record: record.map(raw).transpose()?,
            checksum: String::new(),
        };
        bundle.checksum = bundle.sum();
        Ok(bundle)
    }

    /// The text of the replay file.
    #[must_use]
    pub fn replay(&self) -> &str {
        self.replay.get()
    }

    /// The text of the record.
    #[must_use]
    pub fn record(&self) -> Option<&str> {
        self.record.as_deref().map(RawValue::get)
    }

    /// Writes it to a file, whole or not at all.
    ///
    /// # Errors
    /// [`BundleError::Write`].
    pub fn write(&self, path: &Path) -> Result<(), BundleError> {
        let failed = |source| BundleError::Write { path: path.to_owned(), source };
        let mut text = serde_json::to_vec_pretty(self).map_err(|error| failed(error.into()))?;
        text.push(b'\n');
        whole::write(path, &text).map_err(failed)
    }

    /// Reads a bundle.
    ///
    /// # Errors
    /// A [`BundleError`] that says what is wrong with the file.
    pub fn read(path: &Path) -> Result<Self, BundleError> {
        let read = std::fs::read(path);
        let text = read.map_err(|source| BundleError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    /// Understands the text of a file.
    pub(crate) fn parse(path: &Path, text: &[u8]) -> Result<Self, BundleError> {
        let shape = |source| BundleError::Shape { path: path.to_owned(), source };
        Header::of(text).map_err(shape)?.check(FORMAT, VERSION).map_err(|why| {
            let path = path.to_owned();
            match why {
                Unreadable::Foreign => BundleError::Foreign { path },
                Unreadable::Future(version) => BundleError::Future { path, version },
            }
        })?;
        let bundle: Self = serde_json::from_slice(text).map_err(shape)?;
        if bundle.sum() != bundle.checksum {
            return Err(BundleError::Damaged { path: path.to_owned() });
        }
        Ok(bundle)
    }

    /// Whether a file is a bundle, as far as it says so.
    #[must_use]
    pub fn is_one(path: &Path) -> bool {
        let header = std::fs::read(path).ok().and_then(|text| serde_json::from_slice::<Header>(&text).ok());
        header.is_some_and(|header| header.format == FORMAT)
    }

    /// The checksum of all parts, each after its length, so that none can end where another begins.
    fn sum(&self) -> String {
        let mut sum = Sha256::new();
        let mut take = |part: &str| {
            sum.update((part.len() as u64).to_le_bytes());
            sum.update(part);
        };
        take(&self.netprop);
        for (name, text) in self.environment.iter().chain(&self.expressions) {
            take(name);
            take(text);
        }
        take(self.replay());
        take(self.record().unwrap_or_default());
        data_encoding::HEXLOWER.encode(&sum.finalize())
    }

    /// What is another here than where it was made, a sentence each.
    #[must_use]
    pub fn differences(&self, here: &BTreeMap<String, String>) -> Vec<String> {
        let said = |name: &str| here.get(name).map_or("not there", String::as_str).to_owned();
        let differs = |(name, then): (&String, &String)| {
            let now = said(name);
            (now != *then).then(|| {
                format!(
                    "{name} was {then} where the bundle was made, and is {now} here: it may not fail alike"
                )
            })
        };
        self.environment.iter().filter_map(differs).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPLAY: &str = "{\n  \"format\": \"netprop-replay\",\n  \"seed\": 18446744073709551615\n}";

    fn bundle() -> Bundle {
        let environment = [("kernel of this host".to_owned(), "6.1".to_owned())].into();
        let expressions = [("images".to_owned(), "{ }: \"</script>\"".to_owned())].into();
        Bundle::new(REPLAY.to_owned(), Some("{}".to_owned()), environment, expressions).unwrap()
    }

    fn text() -> String {
        serde_json::to_string_pretty(&bundle()).unwrap()
    }

    fn parse(text: &str) -> Result<Bundle, BundleError> {
        Bundle::parse(Path::new("b.json"), text.as_bytes())
    }

    #[test]
    fn its_parts_come_back_as_they_were() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("b.json");
        bundle().write(&path).unwrap();
        let read = Bundle::read(&path).unwrap();
        assert_eq!((read.replay(), read.record()), (REPLAY, Some("{}")));
        assert!(Bundle::is_one(&path));
    }

    #[test]
    fn what_is_cut_off_or_changed_is_refused() {
        let text = text();
        for end in 0..text.trim_end().len() {
            if text.is_char_boundary(end) {
                assert!(parse(&text[..end]).is_err(), "the first {end} bytes were taken");
            }
        }
        for (from, to) in
            [("6.1", "6.2"), ("18446744073709551615", "1"), ("</script>", ""), ("0.1.0", "0.1.1")]
        {
            let error = parse(&text.replacen(from, to, 1)).unwrap_err();
            assert!(matches!(error, BundleError::Damaged { .. }), "{from}: {error}");
        }
    }

    #[test]
    fn what_is_foreign_or_of_the_future_is_refused() {
        let future = text().replacen("\"version\": 1", "\"version\": 2", 1);
        let said = "bundle b.json has version 2, and this netprop reads up to 1: use a newer one";
        assert_eq!(parse(&future).unwrap_err().to_string(), said);
        assert!(matches!(parse("{}").unwrap_err(), BundleError::Foreign { .. }));
        assert!(matches!(parse("[]").unwrap_err(), BundleError::Foreign { .. }));
        assert!(matches!(parse("a bundle").unwrap_err(), BundleError::Shape { .. }));
        let unknown = text().replacen("\"version\": 1,", "\"version\": 1, \"more\": 1,", 1);
        assert!(matches!(parse(&unknown).unwrap_err(), BundleError::Shape { .. }));
    }

    #[test]
    fn what_is_another_here_is_said() {
        let here = |version: &str| [("kernel of this host".to_owned(), version.to_owned())].into();
        assert!(bundle().differences(&here("6.1")).is_empty());
        let said = bundle().differences(&here("6.12"));
        assert_eq!(
            said,
            [
                "kernel of this host was 6.1 where the bundle was made, and is 6.12 here: it may not fail alike"
            ]
        );
    }
}
