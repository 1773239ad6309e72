//! A counter that loses an update where two lanes count at once.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex};

use harness::{Lanes, Outcome, System, SystemError};
use model::{Case, Model};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Increment,
    Get,
}

/// What a counter is to do.
#[derive(Debug)]
pub(crate) struct Counter;

impl Model for Counter {
    type State = u32;
    type Command = Command;
    type Response = u32;

    fn gen_initial_state(&self) -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u32) -> BoxedStrategy<Command> {
        prop_oneof![Just(Command::Increment), Just(Command::Get)].boxed()
    }

    fn next_state(&self, state: &u32, command: &Command) -> u32 {
        state + u32::from(*command == Command::Increment)
    }

    /// Either says how much it is then.
    fn post_condition(&self, state: &u32, command: &Command, response: &u32) -> bool {
        *response == self.next_state(state, command)
    }

    fn expectation(&self, state: &u32, command: &Command) -> String {
        self.next_state(state, command).to_string()
    }

    fn final_commands(&self, _: &u32) -> Vec<Command> {
        vec![Command::Get]
    }
}

/// Two increments, each in a lane of its own.
pub(crate) fn is_smallest(case: &Case<Counter>) -> bool {
    case.len() == 2 && case.lanes == [[Command::Increment], [Command::Increment]]
}

/// Makes counters of which so many in a hundred lose updates.
pub(crate) struct LosesUpdates {
    pub(crate) percent: u32,
    pub(crate) made: AtomicU32,
}

/// A counter that reads and writes in two steps. Lanes meet between the two: each waits until
/// every lane that still runs is there, so that what happens does not depend on how fast they are.
pub(crate) struct Shared {
    loses: bool,
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    value: u32,
    running: u32,
    waiting: u32,
    /// How many were at the last meeting and have not written yet.
    leaving: u32,
    meetings: u32,
}

impl Inner {
    /// Ends the meeting once all are there.
    fn meet(&mut self, changed: &Condvar) {
        if self.waiting > 0 && self.waiting == self.running {
            self.leaving = self.waiting;
            (self.waiting, self.meetings) = (0, self.meetings + 1);
            changed.notify_all();
        }
    }
}

impl Shared {
    fn give(&self, command: &Command) -> u32 {
        let inner = self.inner.lock().unwrap();
        // Nobody reads while others of the last meeting have yet to write.
        let mut inner = self.changed.wait_while(inner, |inner| inner.leaving > 0).unwrap();
        let (read, meeting) = (inner.value, inner.meetings);
        let meets = self.loses && inner.running > 0;
        if meets {
            inner.waiting += 1;
            inner.meet(&self.changed);
            inner = self.changed.wait_while(inner, |inner| inner.meetings == meeting).unwrap();
        }
        if *command == Command::Increment {
            inner.value = read + 1;
        }
        if meets {
            inner.leaving -= 1;
            self.changed.notify_all();
        }
        inner.value
    }
}

/// A lane that runs.
struct Session<'a>(&'a Shared);

impl<'a> Session<'a> {
    fn new(shared: &'a Shared) -> Self {
        shared.inner.lock().unwrap().running += 1;
        Self(shared)
    }

    fn give(&self, command: &Command) -> Outcome<u32> {
        Outcome::Answered(self.0.give(command))
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        let mut inner = self.0.inner.lock().unwrap();
        inner.running -= 1;
        inner.meet(&self.0.changed);
    }
}

impl System<Counter> for LosesUpdates {
    type Sut = Shared;

    fn new_sut(&self, state: &u32) -> Result<Shared, SystemError> {
        let made = u64::from(self.made.fetch_add(1, Ordering::SeqCst));
        // SplitMix64: numbers in a row give results as if by chance.
        let mixed = (made + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let loses = (mixed >> 32) % 100 < u64::from(self.percent);
        let inner = Mutex::new(Inner { value: *state, ..Inner::default() });
        Ok(Shared { loses, inner, changed: Condvar::new() })
    }

    fn run(&self, sut: &mut Shared, command: &Command) -> Result<Outcome<u32>, SystemError> {
        Ok(Outcome::Answered(sut.give(command)))
    }

    fn run_lanes(&self, sut: &mut Shared, lanes: &Lanes<'_, Counter>) -> Result<(), SystemError> {
        let shared: &Shared = sut;
        lanes.run(|_| {
            let session = Session::new(shared);
            Ok(move |command: &Command| Ok(session.give(command)))
        })
    }
}
