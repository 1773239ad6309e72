//! Lanes that follow an order of events which was recorded before.
//!
//! What lanes did came of how they happened to interleave. A rerun that gives each command only
//! once all that came before it has come again, as far as that can be seen from outside, is more
//! likely to show the same than one that leaves it to chance, where commands take long. Where they
//! do not, waiting for one another keeps lanes apart: so a failure is run again in both ways.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use model::{Case, Model};

use crate::execute::Course;

/// Something that happens in a lane, to the command of this number.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Event {
    Call(usize),
    End(usize),
}

impl Event {
    fn number(self) -> usize {
        match self {
            Self::Call(number) | Self::End(number) => number,
        }
    }
}

/// An order of what happens in lanes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct Order {
    events: Vec<Event>,
    patience: Duration,
}

impl Order {
    /// The order that was recorded of one case, for another with some of its commands in lanes;
    /// none where there is nothing to follow. Lanes that wait in vain for so long go on freely.
    pub(crate) fn of<M: Model>(
        course: &Course,
        recorded: &Case<M>,
        case: &Case<M>,
        patience: Duration,
    ) -> Option<Self> {
        let kept = kept(recorded, case);
        let mut events: Vec<(u64, Event)> = Vec::new();
        for given in &course.given {
            let Some((_, number)) = kept.iter().find(|(before, _)| *before == given.number) else { continue };
            events.push((given.called, Event::Call(*number)));
            events.extend(given.ended.map(|ended| (ended, Event::End(*number))));
        }
        events.sort_by_key(|(position, _)| *position);
        let events: Vec<_> = events.into_iter().map(|(_, event)| event).collect();
        (!events.is_empty()).then_some(Self { events, patience })
    }
}

/// The commands in lanes that both cases have: their numbers in each. A lane of the one is held
/// against the first of the other that has all its commands.
fn kept<M: Model>(recorded: &Case<M>, case: &Case<M>) -> Vec<(usize, usize)> {
    let mut lanes: Vec<_> = numbered(recorded).into_iter().map(Some).collect();
    let mut kept = Vec::new();
    for lane in numbered(case) {
        let found = lanes.iter_mut().find_map(|other| {
            let pairs = pairs(other.as_deref()?, &lane)?;
            *other = None;
            Some(pairs)
        });
        kept.extend(found.unwrap_or_default());
    }
    kept
}

/// The commands of each lane with their numbers.
fn numbered<M: Model>(case: &Case<M>) -> Vec<Vec<(usize, &M::Command)>> {
    let mut first = case.commands.len() + 1;
    let lanes = case.lanes.iter().map(|lane| {
        let numbers = first..;
        first += lane.len();
        numbers.zip(lane).collect()
    });
    lanes.collect()
}

/// The numbers of the same commands in a lane and in one that has at most these, in order; none
/// where it has others.
fn pairs<C: PartialEq>(whole: &[(usize, &C)], part: &[(usize, &C)]) -> Option<Vec<(usize, usize)>> {
    let mut rest = whole.iter();
    part.iter()
        .map(|(number, command)| {
            rest.find(|(_, other)| other == command).map(|(before, _)| (*before, *number))
        })
        .collect()
}

/// An order on its way.
pub(super) struct Follower<'a> {
    order: &'a Order,
    came: Mutex<Came>,
    changed: Condvar,
}

struct Came {
    /// Whether each event of the order has happened.
    events: Vec<bool>,
    /// Whether something was waited for in vain.
    is_lost: bool,
}

impl<'a> Follower<'a> {
    pub(super) fn new(order: &'a Order) -> Self {
        let events = vec![false; order.events.len()];
        Self { order, came: Mutex::new(Came { events, is_lost: false }), changed: Condvar::new() }
    }

    /// Waits until it is this command's turn.
    pub(super) fn wait(&self, number: usize) {
        let Some(turn) = self.order.events.iter().position(|event| *event == Event::Call(number)) else {
            return;
        };
        let is_early = |came: &mut Came| !came.is_lost && came.events[..turn].contains(&false);
        let waited = self.changed.wait_timeout_while(self.came(), self.order.patience, is_early);
        let (mut came, waited) = waited.unwrap_or_else(PoisonError::into_inner);
        came.is_lost |= waited.timed_out();
        drop(came);
        self.happened(|event| event == Event::Call(number));
    }

    /// Takes note that a command has ended.
    pub(super) fn ended(&self, number: usize) {
        self.happened(|event| event == Event::End(number));
    }

    /// Takes note that nothing more happens to commands of these numbers.
    pub(super) fn left(&self, numbers: std::ops::Range<usize>) {
        self.happened(|event| numbers.contains(&event.number()));
    }

    fn happened(&self, is_it: impl Fn(Event) -> bool) {
        let mut came = self.came();
        for (event, came) in self.order.events.iter().zip(&mut came.events) {
            *came |= is_it(*event);
        }
        self.changed.notify_all();
    }

    fn came(&self) -> MutexGuard<'_, Came> {
        self.came.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::thread;
    use std::time::{Duration, Instant};

    use super::{Event, Follower, Order, pairs};

    const LONG: Duration = Duration::from_secs(60);

    fn order(events: &[Event], patience: Duration) -> Order {
        Order { events: events.to_vec(), patience }
    }

    #[test]
    fn commands_are_given_in_the_order_that_was_recorded() {
        use Event::{Call, End};
        let order = order(&[Call(3), Call(1), End(3), Call(4), End(1), Call(2)], LONG);
        for _ in 0..50 {
            let (follower, given) = (Follower::new(&order), Mutex::new(Vec::new()));
            let lane = |numbers: std::ops::Range<usize>| {
                for number in numbers.clone() {
                    follower.wait(number);
                    given.lock().unwrap().push(number);
                    follower.ended(number);
                }
                follower.left(numbers);
            };
            thread::scope(|scope| {
                scope.spawn(|| lane(1..3));
                scope.spawn(|| lane(3..5));
            });
            let given = given.into_inner().unwrap();
            let place = |number| given.iter().position(|other| *other == number).unwrap();
            assert!(place(3) < place(4) && place(1) < place(2) && place(3) < place(2), "{given:?}");
        }
    }

    #[test]
    fn a_lane_that_ended_is_not_waited_for() {
        let order = order(&[Event::Call(1), Event::Call(2)], LONG);
        let follower = Follower::new(&order);
        follower.left(1..2);
        follower.wait(2);
    }

    #[test]
    fn who_waits_in_vain_goes_on_and_so_do_all() {
        let order =
            order(&[Event::End(1), Event::Call(2), Event::End(1), Event::Call(3)], Duration::from_millis(20));
        let (follower, start) = (Follower::new(&order), Instant::now());
        follower.wait(2);
        assert!(start.elapsed() >= Duration::from_millis(20));
        assert!(follower.came().is_lost);
        follower.wait(3);
    }

    #[test]
    fn a_lane_is_found_in_one_with_more_commands() {
        let (whole, part) = ([(4, &'a'), (5, &'b'), (6, &'a')], [(2, &'b'), (3, &'a')]);
        assert_eq!(pairs(&whole, &part), Some(vec![(5, 2), (6, 3)]));
        assert_eq!(pairs(&part, &whole), None);
    }
}
