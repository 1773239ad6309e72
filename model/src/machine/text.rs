//! The short texts in a machine: each is checked once, where it is made, and is safe in file
//! names, XML, Nix expressions and shell words from then on.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::MachineError;

/// Lets a checked text type be written, parsed and read with serde by its constructor.
macro_rules! text_type {
    ($type:ident) => {
        impl $type {
            /// The text itself.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl FromStr for $type {
            type Err = MachineError;

            fn from_str(text: &str) -> Result<Self, MachineError> {
                Self::new(text)
            }
        }

        impl TryFrom<String> for $type {
            type Error = MachineError;

            fn try_from(text: String) -> Result<Self, MachineError> {
                Self::new(text)
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

/// Declares a text type that one rule describes.
macro_rules! checked_text {
    ($(#[$meta:meta])* $type:ident, $what:literal, $rule:literal, $check:expr) => {
        $(#[$meta])*
        #[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            #[doc = concat!("Takes ", $rule, ".")]
            ///
            /// # Errors
            /// [`MachineError::Text`] for anything else.
            pub fn new(text: impl Into<String>) -> Result<Self, MachineError> {
                let text = text.into();
                let check: fn(&str) -> bool = $check;
                if check(&text) {
                    Ok(Self(text))
                } else {
                    Err(MachineError::Text { what: $what, text, rule: $rule })
                }
            }
        }

        text_type!($type);
    };
}

/// A machine's name on its network: a host name, by default eight lower-case letters.
///
/// It is safe to use in file names, XML and shell words as it is.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct MachineId(String);

impl MachineId {
    /// Takes a host name of at most 63 characters.
    ///
    /// # Errors
    /// [`MachineError::Id`] where it is not a lower-case host name.
    pub fn new(id: impl Into<String>) -> Result<Self, MachineError> {
        let id = id.into();
        let letters = id.as_bytes();
        let well_formed = (1..=63).contains(&letters.len())
            && letters[0].is_ascii_lowercase()
            && letters[letters.len() - 1] != b'-'
            && letters.iter().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == b'-');
        if well_formed { Ok(Self(id)) } else { Err(MachineError::Id(id)) }
    }
}

/// The line or release of a guest's kernel, such as `6.12`; a base says which it offers.
#[derive(Clone, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "String", into = "String")]
pub struct KernelVersion(String);

impl KernelVersion {
    /// Takes a version of at most 64 characters.
    ///
    /// # Errors
    /// [`MachineError::Kernel`] where it holds anything that no release name has.
    pub fn new(version: impl Into<String>) -> Result<Self, MachineError> {
        let version = version.into();
        let well_formed = version.len() <= 64
            && version.starts_with(|c: char| c.is_ascii_digit())
            && !version.contains("..")
            && version.chars().all(|c| c.is_ascii_alphanumeric() || ".+~-".contains(c));
        if well_formed { Ok(Self(version)) } else { Err(MachineError::Kernel(version)) }
    }

    /// The numbers in it, whose order is that of versions: 6.12 comes after 6.1 and 6.9.
    #[must_use]
    pub fn numbers(&self) -> Vec<u64> {
        let parts = self.as_str().split(|letter: char| !letter.is_ascii_digit());
        parts.filter_map(|part| part.parse().ok()).collect()
    }

    /// Whether a kernel that calls itself so (as `uname -r` prints) is this release or of this
    /// line: 6.1.55 is of 6.1, and 6.12.1 is not.
    #[must_use]
    pub fn matches(&self, release: &str) -> bool {
        release
            .strip_prefix(self.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '-', '+']))
    }
}

text_type!(MachineId);
text_type!(KernelVersion);

fn all(text: &str, most: usize, signs: &str) -> bool {
    (1..=most).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

checked_text! {
    /// The name of a package of the base, such as `redis-server`.
    PackageName, "package name",
    "up to 128 letters, digits and the signs . + - _, beginning with a letter or digit, without two dots in a row",
    |text| all(text, 128, ".+-_") && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && !text.contains("..")
}

checked_text! {
    /// The name of a service, and of its log in the guest.
    ServiceName, "service name",
    "up to 64 letters, digits, hyphens and underscores, beginning with a letter",
    |text| all(text, 64, "-_") && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

checked_text! {
    /// The name of a parameter that is a specification's own.
    ParameterName, "parameter name",
    "up to 64 letters, digits, hyphens and underscores, beginning with a letter",
    |text| all(text, 64, "-_") && text.starts_with(|c: char| c.is_ascii_alphabetic())
}

checked_text! {
    /// The name of a parameter of the kernel, such as `mitigations` or `tcp.x`.
    KernelParameterName, "kernel parameter name",
    "up to 64 letters, digits and the signs . - _",
    |text| all(text, 64, ".-_")
}

checked_text! {
    /// The value of a kernel parameter; empty for one that has none, such as `nosmt`.
    KernelParameterValue, "value of a kernel parameter",
    "up to 256 letters, digits and the signs . , : ; + - _ / = @ %",
    |text| text.is_empty() || all(text, 256, ".,:;+-_/=@%")
}

checked_text! {
    /// A clock source of the kernel, such as `hpet`.
    ClockSource, "clock source",
    "up to 32 lower-case letters, digits, hyphens and underscores, such as tsc, hpet or acpi_pm",
    |text| all(text, 32, "-_") && !text.contains(|c: char| c.is_ascii_uppercase())
}

checked_text! {
    /// One word of the options of `mkfs` or `mount`, such as `-I`, `128` or `data=writeback`.
    OptionWord, "option of a file system",
    "up to 128 letters, digits and the signs = . , : ^ - _ +",
    |text| all(text, 128, "=.,:^-_+")
}

checked_text! {
    /// Where a file lies in a guest: an absolute path.
    GuestPath, "path in a guest",
    "an absolute path of up to 255 letters, digits and the signs . - _ + @, without . and .. as parts",
    |text| {
        text.len() <= 255
            && text.strip_prefix('/').is_some_and(|rest| {
                rest.split('/').all(|part| all(part, 255, ".-_+@") && part != "." && part != "..")
            })
    }
}
