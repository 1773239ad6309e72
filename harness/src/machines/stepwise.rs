//! What takes several steps on a machine, of which other lanes are to see none by itself.

use std::sync::{Mutex, PoisonError};

use model::{MachineId, Outcome};

use crate::machines::live::LiveNetwork;
use crate::machines::status::Power;
use crate::system::SystemError;

/// Held by who does something on a machine that takes several steps, or asks what comes of such steps. It has
/// the epoch in which nothing was heard of the end of one: its steps may still be under way in that life.
#[derive(Debug, Default)]
pub(super) struct Stepwise(Mutex<Option<u64>>);

impl LiveNetwork<'_> {
    /// Does something on a machine while no other lane does something in steps there: of a program that is
    /// killed and started again in one go nobody is to be told that it is down, memory that is being taken up
    /// cannot be given back, and a disk that is being filled has room again and again.
    ///
    /// Refused where the machine is not on, rather than waiting for who waits for it.
    pub(super) fn alone<T>(
        &self,
        id: &MachineId,
        act: impl FnOnce() -> Result<Outcome<T>, SystemError>,
    ) -> Result<Outcome<T>, SystemError> {
        self.in_turn(id, true, act)
    }

    /// As [`LiveNetwork::alone`], for what only asks.
    pub(super) fn between_steps<T>(
        &self,
        id: &MachineId,
        ask: impl FnOnce() -> Result<Outcome<T>, SystemError>,
    ) -> Result<Outcome<T>, SystemError> {
        self.in_turn(id, false, ask)
    }

    fn in_turn<T>(
        &self,
        id: &MachineId,
        has_steps: bool,
        act: impl FnOnce() -> Result<Outcome<T>, SystemError>,
    ) -> Result<Outcome<T>, SystemError> {
        let live = self.live(id)?;
        let power = live.status.now().power;
        if power != Power::On {
            return Ok(Outcome::Refused(format!("{id} is {power}")));
        }
        let mut unheard = live.stepwise.0.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = live.status.now().epoch;
        if *unheard == Some(epoch) {
            let why = format!("{id} may still be doing what nothing was heard of");
            return Ok(Outcome::Unknown(why));
        }
        let outcome = act()?;
        if has_steps && matches!(outcome, Outcome::Unknown(_)) {
            *unheard = Some(epoch);
        }
        Ok(outcome)
    }
}
