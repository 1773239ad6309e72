//! The replay file of a case in which a command never returned.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::{FORMAT, NEVER_RETURNED, ReplayError, VERSION, write_whole};
use crate::execute::Evidence;
use crate::regressions;

/// A case that was written down before it ran, with what is known of it by now.
pub(crate) struct Unreturned<'a> {
    pub(crate) specification: &'a str,
    pub(crate) seed: &'a str,
    pub(crate) settings: &'a BTreeMap<String, String>,
    pub(crate) failure: Evidence,
    /// The case, as JSON.
    pub(crate) case: &'a [u8],
}

/// All of a [`Replay`](super::Replay) but its case.
#[derive(Serialize)]
struct Head<'a> {
    format: &'a str,
    version: u32,
    specification: &'a str,
    netprop: &'a str,
    seed: &'a str,
    smallest: bool,
    settings: &'a BTreeMap<String, String>,
    failure: &'a Evidence,
}

impl Unreturned<'_> {
    /// Writes it into a directory, where it stands beside that of a failure of the same seed, and
    /// says to which file.
    pub(crate) fn write(&self, directory: &Path) -> Result<PathBuf, ReplayError> {
        let Self { specification, seed, settings, failure, case } = self;
        let head = Head {
            format: FORMAT,
            version: VERSION,
            specification,
            netprop: env!("CARGO_PKG_VERSION"),
            seed,
            smallest: false,
            settings,
            failure,
        };
        let digits = regressions::short(seed);
        let path = directory.join(format!("{specification}-{NEVER_RETURNED}{digits}.json"));
        let failed = |error: serde_json::Error| ReplayError::File {
            action: "write",
            path: path.clone(),
            source: error.into(),
        };
        // The case is text already, so it takes the place of the brace that ends the rest.
        let mut text = serde_json::to_vec_pretty(&head).map_err(failed)?;
        text.pop();
        text.truncate(text.trim_ascii_end().len());
        text.extend_from_slice(b",\n  \"case\": ");
        text.extend_from_slice(case);
        text.extend_from_slice(b"\n}\n");
        write_whole(&path, &text)?;
        Ok(path)
    }
}
