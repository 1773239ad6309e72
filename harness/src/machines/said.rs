//! What machines said in a case, over all lives that they had in it: on their consoles, and what their
//! services said.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hypervisor::{ConsoleLine, Machine};
use model::MachineId;

use crate::machines::hold::Held;
use crate::machines::live::LiveNetwork;
use crate::system::{Console, SystemError, Voice};

/// What a machine speaks by.
const VOICES: [Voice; 2] = [Voice::Console, Voice::Journal];

/// What a machine said in lives of a case that are over, by each of its voices.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<[Vec<ConsoleLine>; 2]>);

impl Said {
    fn lines(&self) -> MutexGuard<'_, [Vec<ConsoleLine>; 2]> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Keeps what the machine said in the life that it had, since it forgets that as another one begins.
    pub(super) fn keep_what_was_said(&self) {
        let said = said_by(&*self.hardware.machine);
        for (lines, new) in self.live.said.lines().iter_mut().zip(said) {
            lines.extend(new);
            // A machine that boots again and again says it each time. More is kept than a report shows, so
            // that it is seen there that something is missing.
            let bytes: usize = lines.iter().map(|line| line.text.len() + 1).sum();
            if bytes > 8 * Console::MOST {
                lines.drain(..lines.len() / 2);
            }
        }
    }

    /// The case is over: what was said is nothing to the next one.
    pub(super) fn forget_what_was_said(&self) {
        *self.live.said.lines() = [Vec::new(), Vec::new()];
    }
}

/// What a machine has said in the life that it has, or had last, by each of its voices.
fn said_by(machine: &dyn Machine) -> [Vec<ConsoleLine>; 2] {
    VOICES.map(|voice| match voice {
        Voice::Console => machine.console_lines(),
        Voice::Journal => machine.journal_lines(),
    })
}

impl LiveNetwork<'_> {
    /// The end of what a machine has said in all lives that it had since the case began: on its console,
    /// and what its services said.
    ///
    /// # Errors
    /// [`SystemError`] where there is no such machine.
    pub fn said(&self, id: &MachineId) -> Result<[Console; 2], SystemError> {
        let held = self.hold(id)?;
        let since = self.shared.since();
        let mut said = held.live.said.lines().clone();
        for (lines, new) in said.iter_mut().zip(said_by(&*held.hardware.machine)) {
            lines.extend(new);
            lines.retain(|line| line.at.is_none_or(|at| at >= since));
        }
        let mut voices = VOICES.into_iter();
        Ok(said.map(|lines| Console::end_of(id.as_str(), voices.next().unwrap_or_default(), lines)))
    }
}
