//! Room for networks: how many of them this host takes at once.
//!
//! Who wants to make a network waits in a queue until those that are there leave room for it in
//! memory and cores. The queue is never overtaken, so that many small networks cannot keep a large
//! one out. A network that rests (suspended, to be used again) takes memory and no cores, and is
//! given up as soon as whoever is first in the queue lacks that memory: nobody waits for what does
//! nothing. All others end some time, and nobody who waits holds anything, so each has its turn.

use std::collections::VecDeque;
use std::ops::{AddAssign, SubAssign};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::stop::Stop;

#[cfg(test)]
mod tests;

/// What something takes of a host, or what a host has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Load {
    /// In MiB.
    pub(crate) memory: u64,
    pub(crate) cores: u64,
}

impl Load {
    /// As much of each as both allow.
    fn least(self, other: Self) -> Self {
        Self { memory: self.memory.min(other.memory), cores: self.cores.min(other.cores) }
    }
}

impl AddAssign for Load {
    fn add_assign(&mut self, other: Self) {
        self.memory += other.memory;
        self.cores += other.cores;
    }
}

impl SubAssign for Load {
    fn sub_assign(&mut self, other: Self) {
        self.memory -= other.memory;
        self.cores -= other.cores;
    }
}

/// So much room, of which those that are there take some, and those that rest.
pub(crate) struct Room<T> {
    shared: Arc<Shared>,
    /// The one that has rested longest first. Locked only by who has locked what is shared.
    resting: Mutex<VecDeque<Resting<T>>>,
    most_resting: usize,
}

/// What the room and its permits share.
struct Shared {
    bound: Load,
    now: Mutex<Now>,
    changed: Condvar,
}

#[derive(Default)]
struct Now {
    taken: Load,
    /// The tickets of those who wait, in the order in which they came.
    queue: VecDeque<u64>,
    next: u64,
}

/// Something that is there and does nothing; dropped before the room that it takes is free.
struct Resting<T> {
    what: T,
    permit: Permit,
}

/// Room that somebody has. Dropping it gives it back.
#[must_use]
pub(crate) struct Permit {
    load: Load,
    shared: Arc<Shared>,
}

/// What somebody who wanted room has been given.
pub(crate) enum Entered<T> {
    /// Room for something new.
    New(Permit),
    /// What rested and will do, and the room that it has.
    Again(T, Permit),
}

/// What is to be done for the first in the queue.
enum Turn<T> {
    Enter(Entered<T>),
    GiveUp(Resting<T>),
    Wait,
}

impl<T> Room<T> {
    /// Room for so much, and for as many to rest at most. `stop` ends all waiting.
    pub(crate) fn new(bound: Load, most_resting: usize, stop: &Stop) -> Self {
        let (now, changed) = (Mutex::default(), Condvar::new());
        let shared = Arc::new(Shared { bound, now, changed });
        let waits = Arc::downgrade(&shared);
        stop.on_request(move || {
            if let Some(shared) = waits.upgrade() {
                // Who has not seen the request yet is either not waiting, or does by then.
                drop(shared.now());
                shared.changed.notify_all();
            }
        });
        Self { shared, resting: Mutex::default(), most_resting }
    }

    /// Waits for room in the order in which it was asked for, or for something that rests and that
    /// `will_do`. What wants more than there is has it for itself alone. None where the run is to
    /// stop.
    #[cfg(test)]
    pub(crate) fn enter(&self, load: Load, stop: &Stop, will_do: impl Fn(&T) -> bool) -> Option<Entered<T>> {
        self.enter_best(load, stop, |resting| will_do(resting).then_some(0))
    }

    /// As [`Room::enter`], for what `rank` gives the least number for of all that rests; nothing that
    /// it gives none for.
    pub(crate) fn enter_best(
        &self,
        load: Load,
        stop: &Stop,
        rank: impl Fn(&T) -> Option<usize>,
    ) -> Option<Entered<T>> {
        let load = load.least(self.shared.bound);
        let ticket = Ticket::draw(&self.shared);
        let mut now = self.shared.now();
        while !stop.requested() {
            let is_first = now.queue.front() == Some(&ticket.number);
            match if is_first { self.turn(&mut now, load, &rank) } else { Turn::Wait } {
                Turn::Enter(entered) => {
                    drop(now);
                    return Some(entered);
                }
                Turn::GiveUp(resting) => {
                    // It may take a while, in which nobody else is first.
                    tracing::debug!("what rests is given up, since there is no room for it");
                    drop(now);
                    drop(resting);
                    now = self.shared.now();
                }
                Turn::Wait => {
                    now = self.shared.changed.wait(now).unwrap_or_else(PoisonError::into_inner);
                }
            }
        }
        drop(now);
        None
    }

    /// What can be done for somebody who is first in the queue.
    fn turn(&self, now: &mut Now, load: Load, rank: impl Fn(&T) -> Option<usize>) -> Turn<T> {
        let bound = self.shared.bound;
        if now.taken.cores + load.cores > bound.cores {
            return Turn::Wait;
        }
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        // Of equals the one that was used last.
        let ranked = resting.iter().enumerate().rev();
        let found = ranked.filter_map(|(index, resting)| Some((rank(&resting.what)?, index)));
        let found = found.min_by_key(|(rank, _)| *rank).map(|(_, index)| index);
        if let Some(Resting { what, mut permit }) = found.and_then(|index| resting.remove(index)) {
            let cores = Load { memory: 0, cores: load.cores };
            now.taken += cores;
            permit.load += cores;
            return Turn::Enter(Entered::Again(what, permit));
        }
        if now.taken.memory + load.memory > bound.memory {
            return resting.pop_front().map_or(Turn::Wait, Turn::GiveUp);
        }
        now.taken += load;
        Turn::Enter(Entered::New(Permit { load, shared: Arc::clone(&self.shared) }))
    }

    /// Lets something rest until it is wanted again, or its room is.
    pub(crate) fn rest(&self, what: T, mut permit: Permit) {
        let mut now = self.shared.now();
        let cores = Load { memory: 0, cores: permit.load.cores };
        now.taken -= cores;
        permit.load -= cores;
        let mut resting = self.resting.lock().unwrap_or_else(PoisonError::into_inner);
        resting.push_back(Resting { what, permit });
        let too_many = if resting.len() > self.most_resting { resting.pop_front() } else { None };
        drop(resting);
        drop(now);
        self.shared.changed.notify_all();
        drop(too_many);
    }
}

impl Shared {
    fn now(&self) -> MutexGuard<'_, Now> {
        self.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.shared.now().taken -= self.load;
        self.shared.changed.notify_all();
    }
}

/// A place in the queue, left however the waiting ends.
struct Ticket<'a> {
    number: u64,
    shared: &'a Shared,
}

impl<'a> Ticket<'a> {
    fn draw(shared: &'a Shared) -> Self {
        let mut now = shared.now();
        let number = now.next;
        now.next += 1;
        now.queue.push_back(number);
        Self { number, shared }
    }
}

impl Drop for Ticket<'_> {
    fn drop(&mut self) {
        self.shared.now().queue.retain(|number| *number != self.number);
        self.shared.changed.notify_all();
    }
}
