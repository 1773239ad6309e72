//! Giving a machine that runs other software.

use model::machines::Response;
use model::{MachineId, Outcome, Setting};
use remote::Command;
use uuid::Uuid;

use crate::machines::live::{Boot, LiveNetwork};
use crate::system::SystemError;

/// Where a mark is left on the scratch disk, to be found again.
const MARK: &str = "/scratch/.netprop-change";

/// Changes a machine's software as `to` says, by a shutdown in order and a boot, and looks
/// whether a mark on its scratch disk came through.
pub(super) fn change(
    live: &mut LiveNetwork<'_>,
    id: &MachineId,
    to: &Setting,
) -> Result<Outcome<Response>, SystemError> {
    let mark = Uuid::new_v4();
    let written = live.run(id, &Command::new(format!("echo {mark} >{MARK}")))?;
    if !written.ending.is_success() {
        let said = String::from_utf8_lossy(&written.stderr);
        let why = format!("its scratch disk cannot be written ({}): {}", written.ending, said.trim());
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    if let Boot::Failed(why) = live.change_software(id, to)? {
        return Ok(Outcome::Answered(Response::Failed(why)));
    }
    let found = live.run(id, &Command::new(format!("cat {MARK} && rm {MARK}")))?;
    let scratch_kept = String::from_utf8_lossy(&found.stdout).trim() == mark.to_string();
    Ok(Outcome::Answered(Response::Changed { scratch_kept }))
}
