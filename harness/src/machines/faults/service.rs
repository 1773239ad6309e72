//! A program on a machine that counts, and what keeps a machine busy.

use model::faults::{Act, Response, Service, Strain};
use model::{MachineId, Outcome};
use remote::Ending;

use super::disk::{answer, run};
use super::lines;
use crate::machines::live::LiveNetwork;
use crate::system::SystemError;

/// So many mebibytes are spared where memory is taken up: a session and what it runs need some, and so does
/// who reads what is in files.
const SPARED: u32 = 28;

/// Does something to a machine's service.
pub(super) fn act(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    act: Act,
) -> Result<Outcome<Response>, SystemError> {
    live.alone(id, || run(live, id, &lines::service(act)))
}

/// Asks what a machine's service does: one that is there and is not stopped has to count.
pub(super) fn ask(live: &LiveNetwork<'_>, id: &MachineId) -> Result<Outcome<Response>, SystemError> {
    Ok(match live.between_steps(id, || answer(live, id, &lines::ask_service()))? {
        Outcome::Answered(output) => {
            let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            Outcome::Answered(match (&output.ending, said.as_str()) {
                (Ending::Exited(0), "down") => Response::Service(Service::Down),
                (Ending::Exited(0), "stopped") => Response::Service(Service::Stopped),
                (Ending::Exited(0), "going") => Response::Service(Service::Going),
                (ending, said) => Response::Failed(format!("{ending}: {said}")),
            })
        }
        Outcome::Refused(why) => Outcome::Refused(why),
        Outcome::Unknown(why) => Outcome::Unknown(why),
    })
}

/// Keeps a machine busy.
pub(super) fn strain(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    strain: Strain,
) -> Result<Outcome<Response>, SystemError> {
    live.alone(id, || run(live, id, &lines::strain(strain, SPARED)))
}

/// Takes from a machine what keeps it busy.
pub(super) fn relax(live: &LiveNetwork<'_>, id: &MachineId) -> Result<Outcome<Response>, SystemError> {
    live.alone(id, || run(live, id, lines::RELAX))
}
