//! What can be known of a machine without waiting for who is changing it: its power, where it is
//! reached, and the sessions that nobody uses at the moment.

use std::fmt;
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use remote::Session;

/// What commands have made of a machine's power. Whether it is so, the hypervisor knows.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Power {
    Off,
    Booting,
    On,
    /// It is about to stand still.
    Pausing,
    /// It stands still.
    Paused,
    /// It goes on by and by.
    Resuming,
    /// Its power is being cut.
    Ending,
    /// It is being shut down and booted again, as one step: with other software, or as it is.
    Restarting,
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Off => "off",
            Self::Booting => "not booted yet",
            Self::On => "on",
            Self::Pausing => "being paused",
            Self::Paused => "paused",
            Self::Resuming => "being resumed",
            Self::Ending => "being cut off",
            Self::Restarting => "being restarted",
        })
    }
}

/// A machine's power at one moment, to be compared with that at a later one.
#[derive(Clone, Copy, Debug)]
pub(super) struct Moment {
    pub(super) power: Power,
    /// How often its power began to change so far.
    pub(super) epoch: u64,
    /// How often that was to be restarted.
    restarts: u64,
    /// How often it began to stand still.
    pauses: u64,
    /// How often its clock began to jump to and fro, and ended to: it does so while this is odd.
    jumps: u64,
}

impl Moment {
    /// Whether the machine was being restarted at any time from this moment to a later one.
    pub(super) fn sees_restart_until(self, later: Self) -> bool {
        self.power == Power::Restarting || self.restarts != later.restarts
    }

    /// Whether the machine's clock jumped to and fro at any time from this moment to a later one.
    pub(super) fn sees_jumps_until(self, later: Self) -> bool {
        self.jumps % 2 == 1 || self.jumps != later.jumps
    }

    /// Whether the machine stood still at any time from this moment to a later one.
    pub(super) fn sees_pause_until(self, later: Self) -> bool {
        matches!(self.power, Power::Pausing | Power::Paused | Power::Resuming) || self.pauses != later.pauses
    }
}

/// A machine's power and how to reach it. Each method returns at once.
#[derive(Debug)]
pub(super) struct Status(Mutex<Known>);

#[derive(Debug)]
struct Known {
    moment: Moment,
    address: SocketAddr,
    /// Sessions of this epoch.
    idle: Vec<Session>,
}

impl Status {
    /// A machine that is off and will be reached at this address.
    pub(super) fn new(address: SocketAddr) -> Self {
        let moment = Moment { power: Power::Off, epoch: 0, restarts: 0, pauses: 0, jumps: 0 };
        Self(Mutex::new(Known { moment, address, idle: Vec::new() }))
    }

    pub(super) fn now(&self) -> Moment {
        self.known().moment
    }

    /// Takes note that the power changes from now on: whatever was connected will not stay so.
    pub(super) fn begin(&self, power: Power) {
        let mut known = self.known();
        known.moment.power = power;
        known.moment.epoch += 1;
        known.moment.restarts += u64::from(power == Power::Restarting);
        known.idle.drain(..).for_each(Session::abort);
    }

    /// Takes note of what has come of that.
    pub(super) fn settle(&self, power: Power) {
        let mut known = self.known();
        known.moment.pauses += u64::from(matches!(power, Power::Pausing | Power::Paused));
        known.moment.power = power;
    }

    /// Does what has the machine's clock jump to and fro, such that everybody knows of it meanwhile. Nobody else
    /// does so to the machine at the same time.
    pub(super) fn while_its_clock_jumps<T>(&self, act: impl FnOnce() -> T) -> T {
        /// Ends them, also where what has it jump panics.
        struct Jumps<'a>(&'a Status);
        impl Drop for Jumps<'_> {
            fn drop(&mut self) {
                self.0.known().moment.jumps += 1;
            }
        }
        self.known().moment.jumps += 1;
        let _jumps = Jumps(self);
        act()
    }

    pub(super) fn move_to(&self, address: SocketAddr) {
        self.known().address = address;
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.known().address
    }

    /// A session of that epoch, if one is free.
    pub(super) fn take_session(&self, epoch: u64) -> Option<Session> {
        let mut known = self.known();
        if known.moment.epoch == epoch { known.idle.pop() } else { None }
    }

    /// Keeps a session of that epoch for whoever needs one next.
    pub(super) fn keep_session(&self, epoch: u64, session: Session) {
        let mut known = self.known();
        if known.moment.epoch == epoch {
            known.idle.push(session);
        } else {
            session.abort();
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_between_two_moments_is_seen_from_both() {
        let status = Status::new(([127, 0, 0, 1], 22).into());
        status.settle(Power::On);
        let on = status.now();
        assert!(!on.sees_pause_until(status.now()));
        status.settle(Power::Paused);
        let paused = status.now();
        status.settle(Power::On);
        let again = status.now();
        assert!(on.sees_pause_until(paused) && on.sees_pause_until(again) && paused.sees_pause_until(again));
        assert!(!again.sees_pause_until(status.now()));
        assert!(!on.sees_restart_until(again));
    }

    #[test]
    fn jumps_of_a_clock_are_seen_from_before_and_from_their_midst() {
        let status = Status::new(([127, 0, 0, 1], 22).into());
        let before = status.now();
        let midst = status.while_its_clock_jumps(|| status.now());
        let after = status.now();
        assert!(before.sees_jumps_until(midst) && before.sees_jumps_until(after));
        assert!(midst.sees_jumps_until(midst) && midst.sees_jumps_until(after));
        assert!(!before.sees_jumps_until(before) && !after.sees_jumps_until(status.now()));
    }
}
