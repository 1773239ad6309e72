//! What takes several steps on a machine, of which other lanes are to see none by itself.

use std::sync::{Mutex, PoisonError};

use model::{MachineId, Outcome};

use crate::machines::live::LiveNetwork;
use crate::machines::status::{Power, Status};
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
        let live = self.live(id)?;
        live.stepwise.in_turn(id, &live.status, true, act)
    }

    /// As [`LiveNetwork::alone`], for what only asks.
    pub(super) fn between_steps<T>(
        &self,
        id: &MachineId,
        ask: impl FnOnce() -> Result<Outcome<T>, SystemError>,
    ) -> Result<Outcome<T>, SystemError> {
        let live = self.live(id)?;
        live.stepwise.in_turn(id, &live.status, false, ask)
    }
}

impl Stepwise {
    fn in_turn<T>(
        &self,
        id: &MachineId,
        status: &Status,
        has_steps: bool,
        act: impl FnOnce() -> Result<Outcome<T>, SystemError>,
    ) -> Result<Outcome<T>, SystemError> {
        let power = status.now().power;
        if power != Power::On {
            return Ok(Outcome::Refused(format!("{id} is {power}")));
        }
        let mut unheard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let epoch = status.now().epoch;
        if *unheard == Some(epoch) {
            return Ok(Outcome::Unknown(format!("{id} may still be doing what nothing was heard of")));
        }
        let outcome = act()?;
        if has_steps && matches!(outcome, Outcome::Unknown(_)) {
            *unheard = Some(epoch);
        }
        Ok(outcome)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::thread;

    use super::*;

    fn machine(power: Power) -> (MachineId, Status, Stepwise) {
        let status = Status::new(([127, 0, 0, 1], 22).into());
        status.begin(power);
        ("a".parse().unwrap(), status, Stepwise::default())
    }

    #[test]
    fn who_stands_still_is_not_waited_for() {
        for power in [Power::Off, Power::Paused, Power::Resuming, Power::Restarting] {
            let (id, status, stepwise) = machine(power);
            let held = stepwise.0.lock().unwrap();
            let outcome = stepwise.in_turn(&id, &status, true, || Ok(Outcome::Answered(()))).unwrap();
            assert_eq!(outcome, Outcome::Refused(format!("a is {power}")));
            drop(held);
        }
    }

    #[test]
    fn after_steps_of_whose_end_nothing_was_heard_nothing_is_known_in_that_life() {
        let (id, status, stepwise) = machine(Power::On);
        let given =
            |has_steps, outcome: Outcome<u8>| stepwise.in_turn(&id, &status, has_steps, || Ok(outcome));
        let unknown = || Outcome::Unknown("nothing was heard of it".to_owned());
        given(false, unknown()).unwrap();
        assert_eq!(
            given(true, Outcome::Answered(1)).unwrap(),
            Outcome::Answered(1),
            "who asks takes no steps"
        );
        given(true, unknown()).unwrap();
        for has_steps in [true, false] {
            assert!(matches!(given(has_steps, Outcome::Answered(2)).unwrap(), Outcome::Unknown(_)));
        }
        status.begin(Power::Booting);
        status.settle(Power::On);
        assert_eq!(given(true, Outcome::Answered(3)).unwrap(), Outcome::Answered(3));
    }

    #[test]
    fn nobody_is_between_the_steps_of_another() {
        let (id, status, stepwise) = machine(Power::On);
        let inside = AtomicU32::new(0);
        let step = || {
            assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
            thread::yield_now();
            inside.fetch_sub(1, Ordering::SeqCst);
            Ok(Outcome::Answered(()))
        };
        thread::scope(|scope| {
            for has_steps in [true, false, true, false] {
                let (id, status, stepwise, step) = (&id, &status, &stepwise, &step);
                scope.spawn(move || {
                    for _ in 0..1000 {
                        stepwise.in_turn(id, status, has_steps, step).unwrap();
                    }
                });
            }
        });
    }
}
