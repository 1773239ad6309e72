//! What went through the network of a failing case, for Wireshark.

use std::path::{Path, PathBuf};

use model::Model;

use crate::execute::Execution;
use crate::machines::{Lab, SwitchChoice};
use crate::record::{self, Packets, Record};
use crate::replay::Replay;
use crate::runner::{Failure, Runner};
use crate::system::{System, SystemError};

/// The file for the packets of the case in this replay file.
fn beside(file: &Path) -> PathBuf {
    file.with_extension("pcapng")
}

/// Runs a failure that is kept once more, and keeps what went through its network beside it; says in a
/// line where that is. Nothing is said where the switch takes down nothing, or nothing is kept. Where it
/// fails as it did, this run is what its record shows, with the packets.
pub(crate) fn of_failure<M: Model, S: System<M>>(
    lab: &Lab,
    specification: &M,
    runner: &Runner<'_, M, S>,
    failure: &mut Failure<M>,
) -> Option<String> {
    let file = failure.file.clone().filter(|_| lab.switch_choice() == SwitchChoice::Fabric)?;
    let packets = beside(&file);
    let again = || -> Result<Execution<M>, Box<dyn std::error::Error + Send + Sync>> {
        let replay = Replay::read(specification, &file)?;
        lab.capture_into(Some(&packets));
        let execution = runner.replay(&replay, &file.display().to_string());
        lab.capture_into(None);
        Ok(execution?)
    };
    let shown = packets.display();
    match again() {
        Ok(execution) if execution.evidence().is_some() => {
            let recorded = record(specification, failure, execution, &file);
            let why = recorded.err().map(|why| format!("its report is without that: {why}\n"));
            Some(format!("what went through its network: {shown}\n{}", why.unwrap_or_default()))
        }
        Ok(_) => Some(format!("what went through its network, in a run in which it did not fail: {shown}\n")),
        Err(error) if matches!(error.downcast_ref(), Some(SystemError::Stopped)) => None,
        Err(error) => Some(format!("what went through its network could not be kept: {error}\n")),
    }
}

/// Has the record of the failure in this replay file show this run of it, with what went through its
/// network.
fn record<M: Model>(
    specification: &M,
    failure: &mut Failure<M>,
    execution: Execution<M>,
    file: &Path,
) -> Result<(), String> {
    let Some(evidence) = execution.evidence().filter(|evidence| evidence.number == failure.evidence.number)
    else {
        return Err("it failed in another way then".to_owned());
    };
    failure.evidence = evidence.clone();
    (failure.history, failure.consoles) = (execution.history, execution.consoles);
    let mut run = Record::of(specification, failure, None);
    run.capture = Some(Packets::read(&beside(file), run.began.unwrap_or_default())?);
    let path = record::beside(file);
    let shown = Record::read(&path).map(|record| record.showing(run));
    shown.and_then(|record| record.write(&path)).map_err(|error| error.to_string())
}
