//! Objects to make random histories of, and what they may be asked.

use std::collections::VecDeque;

use model::history::Value;
use model::linearizability::{
    Map, MapCommand, MapResponse, Register, RegisterCommand, RegisterResponse, Sequential,
};

use crate::random::Random;

/// An object of which random histories can be made.
pub(crate) trait Playable: Sequential {
    fn command(&self, random: &mut Random) -> Self::Command;
    /// Answers, of which in each state one is right for each command.
    fn responses(&self) -> Vec<Self::Response>;
}

impl Playable for Register {
    fn command(&self, random: &mut Random) -> RegisterCommand {
        let mut value = || Value::Number(random.below(3) as i64);
        let (one, other) = (value(), value());
        match random.below(5) {
            0 | 1 => RegisterCommand::Read,
            2 | 3 => RegisterCommand::Write(one),
            _ => RegisterCommand::CompareAndSet(one, other),
        }
    }

    fn responses(&self) -> Vec<RegisterResponse> {
        let values = [Value::Nil, Value::Number(0), Value::Number(1), Value::Number(2)];
        let mut responses: Vec<_> = values.map(RegisterResponse::Value).into();
        responses.extend([RegisterResponse::Done, RegisterResponse::Failed]);
        responses
    }
}

impl Playable for Map {
    fn command(&self, random: &mut Random) -> MapCommand {
        let (key, value) = (random.pick(&["k", "l"]).into(), random.pick(&["a", "b"]).into());
        match random.below(5) {
            0 | 1 => MapCommand::Get(key),
            2 => MapCommand::Put(key, value),
            _ => MapCommand::Append(key, value),
        }
    }

    fn responses(&self) -> Vec<MapResponse> {
        // Up to seven appends of a or b.
        let texts = (0..8_u32).flat_map(|length| {
            (0..1_u32 << length).map(move |bits| {
                (0..length).map(|at| if bits >> at & 1 == 0 { 'a' } else { 'b' }).collect::<String>()
            })
        });
        let values = texts.map(|text| MapResponse::Value(text.into()));
        values.chain([MapResponse::Done]).collect()
    }
}

/// What a queue, a stack or a counter is asked.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(crate) enum Ask {
    /// Put a number in; of a counter, add it.
    Put(u8),
    /// Take a number out; of a counter, make it even and tell what it was.
    Take,
    /// Look at the whole without changing it.
    Look,
}

/// What is answered: a number, if there is one.
pub(crate) type Told = Option<u8>;

fn ask(random: &mut Random) -> Ask {
    match random.below(5) {
        0 | 1 => Ask::Put(random.below(3) as u8),
        2 | 3 => Ask::Take,
        _ => Ask::Look,
    }
}

/// First in, first out, or last in, first out.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Container {
    Queue,
    Stack,
}

impl Sequential for Container {
    type State = VecDeque<u8>;
    type Command = Ask;
    type Response = Told;

    fn initial(&self) -> VecDeque<u8> {
        VecDeque::new()
    }

    fn step(&self, state: &VecDeque<u8>, command: &Ask, response: Option<&Told>) -> Option<VecDeque<u8>> {
        let mut next = state.clone();
        let told = match (command, self) {
            (Ask::Put(number), _) => {
                next.push_back(*number);
                None
            }
            (Ask::Take, Self::Queue) => next.pop_front(),
            (Ask::Take, Self::Stack) => next.pop_back(),
            (Ask::Look, Self::Queue) => next.front().copied(),
            (Ask::Look, Self::Stack) => next.back().copied(),
        };
        response.is_none_or(|response| *response == told).then_some(next)
    }

    fn only_reads(&self, command: &Ask, response: Option<&Told>) -> bool {
        // Nothing was taken where there was nothing.
        matches!((command, response), (Ask::Look, _) | (Ask::Take, Some(None)))
    }
}

impl Playable for Container {
    fn command(&self, random: &mut Random) -> Ask {
        ask(random)
    }

    fn responses(&self) -> Vec<Told> {
        vec![None, Some(0), Some(1), Some(2)]
    }
}

/// A number below six that is added to, around; many commands leave it as it is in some states.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Counter;

impl Sequential for Counter {
    type State = u8;
    type Command = Ask;
    type Response = Told;

    fn initial(&self) -> u8 {
        1
    }

    fn step(&self, state: &u8, command: &Ask, response: Option<&Told>) -> Option<u8> {
        let (next, told) = match command {
            Ask::Put(number) => ((state + number) % 6, None),
            Ask::Take => (state & !1, Some(*state)),
            Ask::Look => (*state, Some(*state)),
        };
        response.is_none_or(|response| *response == told).then_some(next)
    }

    fn only_reads(&self, command: &Ask, _: Option<&Told>) -> bool {
        *command == Ask::Look
    }

    fn independent(&self, one: &Ask, other: &Ask) -> bool {
        // Additions commute.
        matches!((one, other), (Ask::Put(_), Ask::Put(_)))
    }
}

impl Playable for Counter {
    fn command(&self, random: &mut Random) -> Ask {
        ask(random)
    }

    fn responses(&self) -> Vec<Told> {
        std::iter::once(None).chain((0..6).map(Some)).collect()
    }
}
