//! What went through the network of a failing case, for Wireshark.

use std::path::{Path, PathBuf};

use model::Model;

use crate::execute::Verdict;
use crate::machines::{Lab, SwitchChoice};
use crate::replay::Replay;
use crate::runner::{Failure, Runner};
use crate::system::{System, SystemError};

/// The file for the packets of the case in this replay file.
fn beside(file: &Path) -> PathBuf {
    file.with_extension("pcapng")
}

/// Runs a failure that is kept once more, and keeps what went through its network beside it; says in a
/// line where that is. Nothing is said where the switch takes down nothing, or nothing is kept.
pub(crate) fn of_failure<M: Model, S: System<M>>(
    lab: &Lab,
    specification: &M,
    runner: &Runner<'_, M, S>,
    failure: &Failure<M>,
) -> Option<String> {
    let file = failure.file.as_ref().filter(|_| lab.switch_choice() == SwitchChoice::Fabric)?;
    let packets = beside(file);
    let again = || -> Result<Verdict, Box<dyn std::error::Error + Send + Sync>> {
        let replay = Replay::read(specification, file)?;
        lab.capture_into(Some(&packets));
        let execution = runner.replay(&replay, &file.display().to_string());
        lab.capture_into(None);
        Ok(execution?.verdict)
    };
    let packets = packets.display();
    match again() {
        Ok(Verdict::Falsified(_)) => Some(format!("what went through its network: {packets}\n")),
        Ok(_) => {
            Some(format!("what went through its network, in a run in which it did not fail: {packets}\n"))
        }
        Err(error) if matches!(error.downcast_ref(), Some(SystemError::Stopped)) => None,
        Err(error) => Some(format!("what went through its network could not be kept: {error}\n")),
    }
}
