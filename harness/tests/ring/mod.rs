//! A ring buffer of four places, whose count forgets that it can be full where that is planted.

use std::collections::VecDeque;
use std::env;
use std::time::Duration;

use harness::prelude::*;
use serde::{Deserialize, Serialize};

/// How many values there is room for.
pub(crate) const ROOM: usize = 4;

/// What is put in and taken out.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Put(u8),
    Take,
    Count,
}

/// What the buffer says to it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Response {
    Done,
    Taken(u8),
    Counted(usize),
}

/// A queue with room for four.
pub(crate) struct Ring;

impl Model for Ring {
    type State = VecDeque<u8>;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<VecDeque<u8>> {
        Just(VecDeque::new()).boxed()
    }

    fn gen_command(&self, queue: &VecDeque<u8>) -> BoxedStrategy<Command> {
        weighted()
            .or(if queue.len() < ROOM { 3 } else { 0 }, || any::<u8>().prop_map(Command::Put))
            .or(!queue.is_empty(), || Just(Command::Take))
            .or(1, || Just(Command::Count))
            .boxed()
    }

    fn pre_condition(&self, queue: &VecDeque<u8>, command: &Command) -> bool {
        match command {
            Command::Put(_) => queue.len() < ROOM,
            Command::Take => !queue.is_empty(),
            Command::Count => true,
        }
    }

    fn next_state(&self, queue: &VecDeque<u8>, command: &Command) -> VecDeque<u8> {
        let mut queue = queue.clone();
        match command {
            Command::Put(value) => queue.push_back(*value),
            Command::Take => drop(queue.pop_front()),
            Command::Count => {}
        }
        queue
    }

    fn post_condition(&self, queue: &VecDeque<u8>, command: &Command, response: &Response) -> bool {
        *response == right(queue, command)
    }

    fn expectation(&self, queue: &VecDeque<u8>, command: &Command) -> String {
        format!("{:?}", right(queue, command))
    }

    fn abstraction(&self, queue: &VecDeque<u8>) -> Option<String> {
        Some(format!("{} of {ROOM}", queue.len()))
    }

    fn describe(&self, case: &Case<Self>, labels: &mut Labels) {
        let full = case.states(self).iter().any(|queue| queue.len() == ROOM);
        labels.classify(full, "is full once");
        labels.cover(1.0, case.commands.contains(&Command::Take), "takes");
    }
}

fn right(queue: &VecDeque<u8>, command: &Command) -> Response {
    match command {
        Command::Put(_) => Response::Done,
        Command::Take => queue.front().map_or(Response::Done, |value| Response::Taken(*value)),
        Command::Count => Response::Counted(queue.len()),
    }
}

/// A ring buffer in memory, with the bug and the slowness that the environment asks for.
pub(crate) struct Buffers {
    planted: bool,
    slow: Option<Duration>,
}

impl Buffers {
    pub(crate) fn planted() -> Self {
        Self { planted: true, slow: None }
    }

    pub(crate) fn of_environment() -> Self {
        let slow = env::var("NETPROP_TEST_SLOW").ok().and_then(|text| text.parse().ok());
        Self { planted: env::var_os("NETPROP_TEST_PLANT").is_some(), slow: slow.map(Duration::from_millis) }
    }
}

/// Positions only grow; their places in the ring are what is left of dividing by its size.
#[derive(Default)]
pub(crate) struct Buffer {
    places: [u8; ROOM],
    written: usize,
    read: usize,
}

impl System<Ring> for Buffers {
    type Sut = Buffer;

    fn new_sut(&self, queue: &VecDeque<u8>) -> Result<Buffer, SystemError> {
        // Stands for a system that takes long to make.
        self.slow.into_iter().for_each(std::thread::sleep);
        let mut buffer = Buffer::default();
        for value in queue {
            self.run(&mut buffer, &Command::Put(*value))?;
        }
        Ok(buffer)
    }

    fn run(&self, buffer: &mut Buffer, command: &Command) -> Result<Outcome<Response>, SystemError> {
        Ok(Outcome::Answered(match command {
            Command::Put(value) => {
                buffer.places[buffer.written % ROOM] = *value;
                buffer.written += 1;
                Response::Done
            }
            Command::Take => {
                buffer.read += 1;
                Response::Taken(buffer.places[(buffer.read - 1) % ROOM])
            }
            Command::Count if self.planted => Response::Counted((buffer.written - buffer.read) % ROOM),
            Command::Count => Response::Counted(buffer.written - buffer.read),
        }))
    }
}
