//! What failures of the crates below mean for a run.

use model::BoundsError;

use crate::system::SystemError;

impl From<BoundsError> for SystemError {
    fn from(error: BoundsError) -> Self {
        Self::WrongUse(Box::new(error))
    }
}

impl From<nixgen::Error> for SystemError {
    fn from(error: nixgen::Error) -> Self {
        use nixgen::Error;
        match error {
            Error::ToolMissing { .. } | Error::NoPackageLists { .. } | Error::NoNixpkgs => {
                Self::MissingComponent(Box::new(error))
            }
            Error::Cancelled { .. } => Self::Stopped,
            Error::UnknownKernel { .. }
            | Error::AuthorizedKey { .. }
            | Error::Unspeakable { .. }
            | Error::Evaluation(_)
            | Error::NotNixpkgs { .. }
            | Error::FlakeLock { .. }
            | Error::PackageFile { .. } => Self::WrongUse(Box::new(error)),
            // What was built or downloaded differs from one attempt to the next; the rest does not.
            Error::Build { .. } | Error::Deadline { .. } => Self::Infrastructure(Box::new(error)),
            _ => Self::Hopeless(Box::new(error)),
        }
    }
}

impl From<hypervisor::Error> for SystemError {
    fn from(error: hypervisor::Error) -> Self {
        use hypervisor::Error;
        match error {
            Error::MissingProgram { .. } => Self::MissingComponent(Box::new(error)),
            Error::PathTooLong { .. } | Error::ForeignDirectory { .. } | Error::NotASwitch { .. } => {
                Self::WrongUse(Box::new(error))
            }
            Error::Connect { .. } | Error::DiskFull { .. } | Error::Definition { .. } => {
                Self::Hopeless(Box::new(error))
            }
            _ => Self::Infrastructure(Box::new(error)),
        }
    }
}

impl From<hypervisor::BootError> for SystemError {
    fn from(error: hypervisor::BootError) -> Self {
        match error {
            hypervisor::BootError::Machine(error) => error.into(),
            hypervisor::BootError::Stopped { .. } => Self::Stopped,
            error => Self::Infrastructure(Box::new(error)),
        }
    }
}
