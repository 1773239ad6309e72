//! Bugs in buffers, queues and caches.

use std::collections::VecDeque;

use model::Case;
use proptest::prelude::*;
use proptest::strategy::Union;
use serde::{Deserialize, Serialize};

use crate::bug::{Bug, Planted};

/// A queue's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Queue {
    Push(u8),
    Pop,
    Len,
}

/// A queue of at most `capacity` elements.
fn queue_command(state: &VecDeque<u8>, capacity: usize) -> BoxedStrategy<Queue> {
    let mut commands = vec![(2, Just(Queue::Len).boxed())];
    if state.len() < capacity {
        commands.push((4, any::<u8>().prop_map(Queue::Push).boxed()));
    }
    if !state.is_empty() {
        commands.push((3, Just(Queue::Pop).boxed()));
    }
    Union::new_weighted(commands).boxed()
}

fn queue_allows(state: &VecDeque<u8>, command: &Queue, capacity: usize) -> bool {
    match command {
        Queue::Push(_) => state.len() < capacity,
        Queue::Pop => !state.is_empty(),
        Queue::Len => true,
    }
}

fn queue(state: &mut VecDeque<u8>, command: &Queue) -> Option<usize> {
    match command {
        Queue::Push(value) => {
            state.push_back(*value);
            None
        }
        Queue::Pop => state.pop_front().map(usize::from),
        Queue::Len => Some(state.len()),
    }
}

fn only_zeros(commands: &[Queue]) -> bool {
    commands.iter().all(|command| matches!(command, Queue::Push(0) | Queue::Pop | Queue::Len))
}

/// A ring of three slots for three elements: full, it takes itself to be empty.
#[derive(Debug)]
pub(crate) struct Ring;

impl Bug for Ring {
    type State = VecDeque<u8>;
    type Command = Queue;
    type Response = Option<usize>;
    type Sut = VecDeque<u8>;
    const COMMANDS: usize = 4;

    fn initial() -> BoxedStrategy<Self::State> {
        Just(VecDeque::new()).boxed()
    }

    fn command(state: &Self::State) -> BoxedStrategy<Queue> {
        queue_command(state, 3)
    }

    fn allowed(state: &Self::State, command: &Queue) -> bool {
        queue_allows(state, command, 3)
    }

    fn right(state: &mut Self::State, command: &Queue) -> Option<usize> {
        queue(state, command)
    }

    fn sut(state: &Self::State) -> Self::State {
        state.clone()
    }

    fn wrong(sut: &mut Self::State, command: &Queue) -> Option<usize> {
        queue(sut, command).map(|answer| if *command == Queue::Len { answer % 3 } else { answer })
    }

    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        only_zeros(&case.commands)
    }
}

/// A ring of four slots that loses what is pushed when it wraps round, unless it is empty then.
#[derive(Debug)]
pub(crate) struct Wrap;

impl Bug for Wrap {
    type State = VecDeque<u8>;
    type Command = Queue;
    type Response = Option<usize>;
    type Sut = (VecDeque<u8>, u32);
    const COMMANDS: usize = 6;

    fn initial() -> BoxedStrategy<Self::State> {
        Just(VecDeque::new()).boxed()
    }

    fn command(state: &Self::State) -> BoxedStrategy<Queue> {
        queue_command(state, 4)
    }

    fn allowed(state: &Self::State, command: &Queue) -> bool {
        queue_allows(state, command, 4)
    }

    /// A push says how many elements there are then.
    fn right(state: &mut Self::State, command: &Queue) -> Option<usize> {
        queue(state, command).or(matches!(command, Queue::Push(_)).then_some(state.len()))
    }

    fn sut(state: &Self::State) -> Self::Sut {
        (state.clone(), 0)
    }

    fn wrong((elements, pushed): &mut Self::Sut, command: &Queue) -> Option<usize> {
        if matches!(command, Queue::Push(_)) {
            *pushed += 1;
            if *pushed == 5 && !elements.is_empty() {
                return Some(elements.len());
            }
        }
        Self::right(elements, command)
    }

    /// Five pushes, and a pop before the last.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        only_zeros(&case.commands)
    }
}

/// A counter's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Count {
    Up,
    Down,
    Get,
}

/// A counter that has three bits.
#[derive(Debug)]
pub(crate) struct Overflow;

impl Bug for Overflow {
    type State = u32;
    type Command = Count;
    type Response = Option<u32>;
    type Sut = u32;
    const COMMANDS: usize = 9;

    fn initial() -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn command(_: &u32) -> BoxedStrategy<Count> {
        prop_oneof![5 => Just(Count::Up), 1 => Just(Count::Down), 2 => Just(Count::Get)].boxed()
    }

    fn allowed(state: &u32, command: &Count) -> bool {
        *state > 0 || *command != Count::Down
    }

    fn right(state: &mut u32, command: &Count) -> Option<u32> {
        match command {
            Count::Up => *state += 1,
            Count::Down => *state -= 1,
            Count::Get => return Some(*state),
        }
        None
    }

    fn sut(state: &u32) -> u32 {
        *state
    }

    fn wrong(sut: &mut u32, command: &Count) -> Option<u32> {
        Self::right(sut, command).map(|answer| answer % 8)
    }

    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        case.commands[..8].iter().all(|command| *command == Count::Up)
    }
}

/// A cache's commands.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Keep {
    Put(u8, u8),
    Get(u8),
}

/// A cache of two entries that keeps nothing at its third eviction.
#[derive(Debug)]
pub(crate) struct Evictions;

fn cache(entries: &mut VecDeque<(u8, u8)>, command: &Keep) -> (Option<u8>, bool) {
    match *command {
        Keep::Put(key, value) => {
            let known = entries.iter().any(|entry| entry.0 == key);
            entries.retain(|entry| entry.0 != key);
            entries.push_back((key, value));
            let evicts = entries.len() > 2;
            if evicts {
                entries.pop_front();
            }
            (None, evicts && !known)
        }
        Keep::Get(key) => (entries.iter().find(|entry| entry.0 == key).map(|entry| entry.1), false),
    }
}

impl Bug for Evictions {
    type State = VecDeque<(u8, u8)>;
    type Command = Keep;
    type Response = Option<u8>;
    type Sut = (VecDeque<(u8, u8)>, u32);
    const COMMANDS: usize = 5;

    fn initial() -> BoxedStrategy<Self::State> {
        Just(VecDeque::new()).boxed()
    }

    fn command(_: &Self::State) -> BoxedStrategy<Keep> {
        prop_oneof![
            (0_u8..5, any::<u8>()).prop_map(|(key, value)| Keep::Put(key, value)),
            (0_u8..5).prop_map(Keep::Get)
        ]
        .boxed()
    }

    /// A put says how many entries there are then.
    fn right(state: &mut Self::State, command: &Keep) -> Option<u8> {
        let (answer, _) = cache(state, command);
        if matches!(command, Keep::Put(..)) { u8::try_from(state.len()).ok() } else { answer }
    }

    fn sut(state: &Self::State) -> Self::Sut {
        (state.clone(), 0)
    }

    fn wrong((entries, evictions): &mut Self::Sut, command: &Keep) -> Option<u8> {
        let (answer, evicts) = cache(entries, command);
        *evictions += u32::from(evicts);
        if evicts && *evictions == 3 {
            entries.pop_back();
        }
        if matches!(command, Keep::Put(..)) { u8::try_from(entries.len()).ok() } else { answer }
    }

    /// Five entries, each of which was not there.
    fn is_smallest(case: &Case<Planted<Self>>) -> bool {
        let puts = case.commands.iter().filter(|command| matches!(command, Keep::Put(_, 0)));
        puts.count() == 5
    }
}
