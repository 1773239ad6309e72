//! Three specifications, each written for both libraries: the same strategies, the same next
//! state, the same check of each answer.

use std::collections::{BTreeMap, HashMap};

use harness::{System, SystemError};
use model::{Model, Outcome};
use proptest::prelude::*;
use proptest_state_machine::{ReferenceStateMachine, StateMachineTest};
use serde::{Deserialize, Serialize};

/// Writes a specification for both: `$next` changes a state, `$answer` is what the state says the
/// answer is, `$act` what the system does and answers.
macro_rules! specification {
    ($name:ident, $state:ty, $command:ty, $response:ty, $sut:ty, $commands:expr, $fits:expr, $next:expr, $answer:expr, $act:expr) => {
        pub(crate) struct $name;

        impl Model for $name {
            type State = $state;
            type Command = $command;
            type Response = $response;

            fn gen_initial_state(&self) -> BoxedStrategy<$state> {
                Just(<$state>::default()).boxed()
            }

            fn gen_command(&self, state: &$state) -> BoxedStrategy<$command> {
                let commands: fn(&$state) -> BoxedStrategy<$command> = $commands;
                commands(state)
            }

            fn pre_condition(&self, state: &$state, command: &$command) -> bool {
                let fits: fn(&$state, &$command) -> bool = $fits;
                fits(state, command)
            }

            fn next_state(&self, state: &$state, command: &$command) -> $state {
                let mut state = state.clone();
                self.advance(&mut state, command, None);
                state
            }

            fn advance(&self, state: &mut $state, command: &$command, _: Option<&$response>) {
                let next: fn(&mut $state, &$command) = $next;
                next(state, command);
            }

            fn post_condition(&self, state: &$state, command: &$command, response: &$response) -> bool {
                let answer: fn(&$state, &$command) -> $response = $answer;
                *response == answer(state, command)
            }
        }

        impl System<$name> for $name {
            type Sut = $sut;

            fn new_sut(&self, _: &$state) -> Result<$sut, SystemError> {
                Ok(<$sut>::default())
            }

            fn run(&self, sut: &mut $sut, command: &$command) -> Result<Outcome<$response>, SystemError> {
                let act: fn(&mut $sut, &$command) -> $response = $act;
                Ok(Outcome::Answered(act(sut, command)))
            }
        }

        impl ReferenceStateMachine for $name {
            type State = ($state, Option<$response>);
            type Transition = $command;

            fn init_state() -> BoxedStrategy<Self::State> {
                Just((<$state>::default(), None)).boxed()
            }

            fn transitions((state, _): &Self::State) -> BoxedStrategy<$command> {
                let commands: fn(&$state) -> BoxedStrategy<$command> = $commands;
                commands(state)
            }

            fn preconditions((state, _): &Self::State, command: &$command) -> bool {
                let fits: fn(&$state, &$command) -> bool = $fits;
                fits(state, command)
            }

            // The check of an answer is given the state after the command only, so the right
            // answer is kept from before it.
            fn apply((mut state, _): Self::State, command: &$command) -> Self::State {
                let answer: fn(&$state, &$command) -> $response = $answer;
                let next: fn(&mut $state, &$command) = $next;
                let answer = answer(&state, command);
                next(&mut state, command);
                (state, Some(answer))
            }
        }

        impl StateMachineTest for $name {
            type SystemUnderTest = $sut;
            type Reference = Self;

            fn init_test(_: &<Self as ReferenceStateMachine>::State) -> $sut {
                <$sut>::default()
            }

            fn apply(
                mut sut: $sut,
                (_, answer): &<Self as ReferenceStateMachine>::State,
                command: $command,
            ) -> $sut {
                let act: fn(&mut $sut, &$command) -> $response = $act;
                assert_eq!(Some(act(&mut sut, &command)), *answer);
                sut
            }
        }
    };
}

/// What a register is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum RegisterCommand {
    Write(u64),
    Add(u32),
    Read,
}

specification!(
    Register,
    u64,
    RegisterCommand,
    Option<u64>,
    u64,
    |_| {
        prop_oneof![
            any::<u64>().prop_map(RegisterCommand::Write),
            any::<u32>().prop_map(RegisterCommand::Add),
            Just(RegisterCommand::Read),
        ]
        .boxed()
    },
    |_, _| true,
    |state, command| match command {
        RegisterCommand::Write(value) => *state = *value,
        RegisterCommand::Add(value) => *state = state.wrapping_add(u64::from(*value)),
        RegisterCommand::Read => {}
    },
    |state, command| matches!(command, RegisterCommand::Read).then_some(*state),
    |register, command| match command {
        RegisterCommand::Write(value) => {
            *register = *value;
            None
        }
        RegisterCommand::Add(value) => {
            *register = register.wrapping_add(u64::from(*value));
            None
        }
        RegisterCommand::Read => Some(*register),
    }
);

/// What a stack is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum StackCommand {
    Push(u32),
    Pop,
}

specification!(
    Stack,
    Vec<u32>,
    StackCommand,
    Option<u32>,
    Vec<u32>,
    |stack| {
        let push = any::<u32>().prop_map(StackCommand::Push);
        if stack.is_empty() {
            push.boxed()
        } else {
            prop_oneof![3 => push, 1 => Just(StackCommand::Pop)].boxed()
        }
    },
    |stack, command| *command != StackCommand::Pop || !stack.is_empty(),
    |stack, command| match command {
        StackCommand::Push(value) => stack.push(*value),
        StackCommand::Pop => drop(stack.pop()),
    },
    |stack, command| match command {
        StackCommand::Push(_) => None,
        StackCommand::Pop => stack.last().copied(),
    },
    |stack, command| match command {
        StackCommand::Push(value) => {
            stack.push(*value);
            None
        }
        StackCommand::Pop => stack.pop(),
    }
);

/// What a map is told.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum MapCommand {
    Put(u16, u32),
    Get(u16),
    Remove(u16),
}

specification!(
    Map,
    BTreeMap<u16, u32>,
    MapCommand,
    Option<u32>,
    HashMap<u16, u32>,
    |_| {
        prop_oneof![
            3 => any::<(u16, u32)>().prop_map(|(key, value)| MapCommand::Put(key, value)),
            2 => any::<u16>().prop_map(MapCommand::Get),
            1 => any::<u16>().prop_map(MapCommand::Remove),
        ]
        .boxed()
    },
    |_, _| true,
    |map, command| match command {
        MapCommand::Put(key, value) => drop(map.insert(*key, *value)),
        MapCommand::Get(_) => {}
        MapCommand::Remove(key) => drop(map.remove(key)),
    },
    |map, command| match command {
        MapCommand::Put(key, _) | MapCommand::Get(key) | MapCommand::Remove(key) => map.get(key).copied(),
    },
    |map, command| match command {
        MapCommand::Put(key, value) => map.insert(*key, *value),
        MapCommand::Get(key) => map.get(key).copied(),
        MapCommand::Remove(key) => map.remove(key),
    }
);
