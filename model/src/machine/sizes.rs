//! The sizes in a machine, each within bounds.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::MachineError;

/// Lets a bounded number be read by its constructor and written as the number.
macro_rules! bounded {
    ($type:ident, $number:ty, $error:ident) => {
        impl $type {
            /// Takes a number from `MIN` to `MAX`.
            ///
            /// # Errors
            #[doc = concat!("[`MachineError::", stringify!($error), "`] outside these bounds.")]
            pub fn new(number: $number) -> Result<Self, MachineError> {
                if (Self::MIN.0..=Self::MAX.0).contains(&number) {
                    Ok(Self(number))
                } else {
                    Err(MachineError::$error(number.into()))
                }
            }

            /// The number itself.
            #[must_use]
            pub fn get(self) -> $number {
                self.0
            }
        }

        impl TryFrom<$number> for $type {
            type Error = MachineError;

            fn try_from(number: $number) -> Result<Self, MachineError> {
                Self::new(number)
            }
        }

        impl From<$type> for $number {
            fn from(value: $type) -> Self {
                value.0
            }
        }
    };
}

/// A size of memory in units of 2²⁰ bytes.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Mebibytes(u64);

impl Mebibytes {
    /// The least memory that a guest's kernel, root and SSH server start in.
    pub const MIN: Self = Self(96);
    /// More than any host that networks of machines are tested on has (1 TiB).
    pub const MAX: Self = Self(1 << 20);
}

bounded!(Mebibytes, u64, Memory);

impl fmt::Display for Mebibytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} MiB", self.0)
    }
}

/// A number of processors.
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Processors(u32);

impl Processors {
    /// One.
    pub const MIN: Self = Self(1);
    /// As many as a machine of QEMU's type q35 takes.
    pub const MAX: Self = Self(255);
}

bounded!(Processors, u32, Processors);

impl Default for Processors {
    fn default() -> Self {
        Self::MIN
    }
}

impl fmt::Display for Processors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The most bytes in a packet on the data network (its maximum transmission unit).
#[derive(Clone, Copy, Debug, Deserialize, Eq, Hash, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(try_from = "u32", into = "u32")]
pub struct Mtu(u32);

impl Mtu {
    /// What every host must be able to take in (RFC 791).
    pub const MIN: Self = Self(576);
    /// Ethernet's own, which is also what VDE's switch carries; guests have it by default.
    pub const MAX: Self = Self(1500);
}

bounded!(Mtu, u32, Mtu);

impl Default for Mtu {
    fn default() -> Self {
        Self::MAX
    }
}

impl fmt::Display for Mtu {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
