//! Writing to a machine's scratch disk, and reading from it.

use std::time::Duration;

use hypervisor::{DiskFault, Failing, Slowness};
use model::faults::{Ailment, Found, Response};
use model::{MachineId, Outcome};
use remote::{Command, Ending, Output};

use super::lines;
use crate::machines::live::LiveNetwork;
use crate::system::SystemError;

/// How long one of these may take: a disk that has much to write takes its time.
const LIMIT: Duration = Duration::from_secs(30);

/// What is wrong with a disk, as the hypervisor knows it.
pub(super) fn fault(ailment: Ailment) -> Result<DiskFault, SystemError> {
    let wrong = |error| SystemError::WrongUse(Box::new(error));
    Ok(match ailment {
        Ailment::Slow(rate) => DiskFault::Slow(Slowness::bytes(u64::from(rate.get()) << 10).map_err(wrong)?),
        Ailment::Reads => DiskFault::Errors(Failing::Reads),
        Ailment::Writes => DiskFault::Errors(Failing::Writes),
        Ailment::Flushes => DiskFault::Errors(Failing::Flushes),
        Ailment::All => DiskFault::Errors(Failing::All),
    })
}

/// Writes a value to a file, such that a reader finds it or what was there before.
pub(super) fn write(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    file: u8,
    value: u16,
) -> Result<Outcome<Response>, SystemError> {
    run(live, id, &lines::write(file, value))
}

/// Reads a file. That it is not there is what its reader is told, and nothing else: one that cannot be looked
/// for may be there.
pub(super) fn read(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    file: u8,
) -> Result<Outcome<Response>, SystemError> {
    Ok(match answer(live, id, &lines::read(file))? {
        Outcome::Answered(output) => Outcome::Answered(match output.ending {
            Ending::Exited(0) => Response::Found(found(&output.stdout)),
            _ if says(&output, "No such file") => Response::Found(Found::Absent),
            _ => failed(&output),
        }),
        Outcome::Refused(why) => Outcome::Refused(why),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    })
}

/// What a file holds, by its content.
fn found(content: &[u8]) -> Found {
    if content.iter().all(|byte| *byte == 0) {
        return Found::Blank;
    }
    let text = String::from_utf8_lossy(content);
    text.parse().map_or_else(|_| Found::Damaged(text.chars().take(100).collect()), Found::Value)
}

fn says(output: &Output, what: &str) -> bool {
    String::from_utf8_lossy(&output.stderr).contains(what)
}

/// Runs a line that says nothing where it succeeds.
pub(super) fn run(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    line: &str,
) -> Result<Outcome<Response>, SystemError> {
    Ok(match answer(live, id, line)? {
        Outcome::Answered(output) => Outcome::Answered(match output.ending {
            Ending::Exited(0) => Response::Done,
            _ if says(&output, "No space left on device") => Response::NoRoom,
            _ => failed(&output),
        }),
        Outcome::Refused(why) => Outcome::Refused(why),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    })
}

fn failed(output: &Output) -> Response {
    let said = String::from_utf8_lossy(&output.stderr);
    Response::Failed(format!("{}: {}", output.ending, said.trim()))
}

/// Runs a line to its end; where nothing was heard of that, it may have done what it does.
pub(super) fn answer(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    line: &str,
) -> Result<Outcome<Output>, SystemError> {
    let status = &live.live(id)?.status;
    let begun = status.now().epoch;
    Ok(match live.attempt(id, &Command::new(line).limit(LIMIT))? {
        Outcome::Answered(Output {
            ending: ending @ (Ending::TimedOut | Ending::ConnectionLost), ..
        }) => Outcome::Unknown(format!("nothing was heard of it: {ending}")),
        // A machine that shuts down ends its programs first.
        Outcome::Answered(output) if !output.ending.is_success() && status.now().epoch != begun => {
            Outcome::Unknown(format!("{id} was shut down under it: {}", output.ending))
        }
        outcome => outcome,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_holds_is_told_apart() {
        assert_eq!(found(b""), Found::Blank);
        assert_eq!(found(b"\0\0\0"), Found::Blank);
        assert_eq!(found(b"4711"), Found::Value(4711));
        assert_eq!(found(b"47\0"), Found::Damaged("47\0".to_owned()));
    }
}
