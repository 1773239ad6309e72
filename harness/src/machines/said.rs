//! What machines said in a case, over all lives that they had in it: on their consoles, and what their
//! services said.

use std::sync::{Mutex, MutexGuard, PoisonError};

use hypervisor::{ConsoleLine, Machine};
use model::MachineId;

use crate::machines::hold::Held;
use crate::machines::live::LiveNetwork;
use crate::system::{Console, SystemError, Voice};

/// What a machine said in lives of a case that are over.
#[derive(Debug, Default)]
pub(super) struct Said(Mutex<Vec<(Voice, ConsoleLine)>>);

impl Said {
    fn lines(&self) -> MutexGuard<'_, Vec<(Voice, ConsoleLine)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held<'_> {
    /// Keeps what the machine said in the life that it had, since it forgets that as another one begins.
    pub(super) fn keep_what_was_said(&self) {
        let mut lines = self.live.said.lines();
        lines.extend(said_by(&*self.hardware.machine));
        let bytes: usize = lines.iter().map(|(_, line)| line.text.len() + 1).sum();
        // What a report shows of it is as little; a machine that boots again and again says it each time.
        if bytes > 8 * Console::MOST {
            let half = lines.len() / 2;
            lines.drain(..half);
        }
    }

    /// The case is over: what was said is nothing to the next one.
    pub(super) fn forget_what_was_said(&self) {
        self.live.said.lines().clear();
    }
}

/// What a machine has said in the life that it has, or had last.
fn said_by(machine: &dyn Machine) -> impl Iterator<Item = (Voice, ConsoleLine)> {
    let of = |voice: Voice, lines: Vec<ConsoleLine>| lines.into_iter().map(move |line| (voice, line));
    of(Voice::Console, machine.console_lines()).chain(of(Voice::Journal, machine.journal_lines()))
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
        let is_of_the_case = |line: &ConsoleLine| line.at.is_none_or(|at| at >= since);
        let mut lines = held.live.said.lines().clone();
        lines.extend(said_by(&*held.hardware.machine));
        let of = |wanted: Voice| {
            let lines = lines.iter().filter(|(voice, line)| *voice == wanted && is_of_the_case(line));
            Console::end_of(id.as_str(), wanted, lines.map(|(_, line)| line.clone()).collect())
        };
        Ok([Voice::Console, Voice::Journal].map(of))
    }
}
