//! What files of our own say of themselves, in every version of their layout: of which kind they are, and
//! of which version.

use serde::Deserialize;

/// The part that every version of every layout has.
#[derive(Debug, Deserialize)]
pub(crate) struct Header {
    /// The kind of file.
    #[serde(default)]
    pub(crate) format: String,
    #[serde(default)]
    version: u32,
}

/// Why a file is not one that this build reads.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Unreadable {
    /// It is of another kind.
    Foreign,
    /// It has this version, which is newer than what is known here.
    Future(u32),
}

impl Header {
    /// Reads it from the text of a file.
    ///
    /// # Errors
    /// Where the text is not JSON.
    pub(crate) fn of(text: &[u8]) -> Result<Self, serde_json::Error> {
        serde_json::from_slice(text)
    }

    /// Whether the file is of this kind, and no newer than this version.
    ///
    /// # Errors
    /// Where it is not.
    pub(crate) fn check(&self, format: &str, newest: u32) -> Result<(), Unreadable> {
        if self.format != format {
            return Err(Unreadable::Foreign);
        }
        if self.version > newest { Err(Unreadable::Future(self.version)) } else { Ok(()) }
    }
}
