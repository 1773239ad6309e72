//! Outcomes that nobody knows: both futures stay possible, and nothing else does.

use model::{Judgement, Model, Outcome, Possible};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

/// A register that holds a number: the smallest model with a write and a read.
struct Register;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Write(u8),
    Read,
}

impl Model for Register {
    type State = u8;
    type Command = Command;
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<u8> {
        Just(0).boxed()
    }

    fn gen_command(&self, _state: &u8) -> BoxedStrategy<Command> {
        prop_oneof![(1..4u8).prop_map(Command::Write), Just(Command::Read)].boxed()
    }

    fn next_state(&self, state: &u8, command: &Command) -> u8 {
        match command {
            Command::Write(value) => *value,
            Command::Read => *state,
        }
    }

    fn post_condition(&self, state: &u8, command: &Command, response: &u8) -> bool {
        *response == self.next_state(state, command)
    }
}

fn observe(possible: &mut Possible<Register>, command: Command, answer: u8) -> Judgement {
    possible.observe(&Register, &command, &Outcome::Answered(answer))
}

fn unknown(possible: &mut Possible<Register>, command: Command) {
    let outcome = Outcome::Unknown("no answer in 1 s".to_owned());
    assert_eq!(possible.observe(&Register, &command, &outcome), Judgement::Allowed);
}

#[test]
fn answers_leave_one_state() {
    let mut possible = Possible::<Register>::new(0);
    assert_eq!(observe(&mut possible, Command::Write(2), 2), Judgement::Allowed);
    assert_eq!(possible.states().collect::<Vec<_>>(), [&2]);
    assert!(matches!(observe(&mut possible, Command::Read, 1), Judgement::Forbidden(_)));
}

#[test]
fn a_refused_write_never_takes_effect() {
    let mut possible = Possible::<Register>::new(0);
    let refused = Outcome::Refused("connection refused".to_owned());
    assert_eq!(possible.observe(&Register, &Command::Write(1), &refused), Judgement::Allowed);
    assert!(matches!(observe(&mut possible, Command::Read, 1), Judgement::Forbidden(_)));
}

#[test]
fn an_unknown_write_takes_effect_at_once_later_or_never() {
    let mut possible = Possible::<Register>::new(0);
    unknown(&mut possible, Command::Write(1));
    assert_eq!(observe(&mut possible, Command::Read, 0), Judgement::Allowed);
    assert_eq!(observe(&mut possible, Command::Write(2), 2), Judgement::Allowed);
    assert_eq!(observe(&mut possible, Command::Read, 2), Judgement::Allowed);
    assert_eq!(observe(&mut possible, Command::Read, 1), Judgement::Allowed);
    let twice = observe(&mut possible, Command::Read, 2);
    assert!(matches!(twice, Judgement::Forbidden(_)), "it takes effect once only");
}

#[test]
fn too_many_unknown_outcomes_are_undecided() {
    let mut possible = Possible::<Register>::new(0);
    let outcome = Outcome::Unknown(String::new());
    let last = (0..20).map(|value| possible.observe(&Register, &Command::Write(value), &outcome)).last();
    assert!(matches!(last, Some(Judgement::Undecided(_))));
}

proptest! {
    /// Against the plain way: try every way in which the unknown writes may have taken effect.
    #[test]
    fn agrees_with_trying_every_order(
        steps in prop::collection::vec((prop_oneof![(1..4u8).prop_map(Command::Write), Just(Command::Read)], any::<bool>(), 0..4u8), 0..8),
    ) {
        let mut possible = Possible::<Register>::new(0);
        let mut expected = vec![(0u8, Vec::<u8>::new())];
        for (command, answered, read) in steps {
            let answer = match command { Command::Write(value) => value, Command::Read => read };
            let outcome = if answered { Outcome::Answered(answer) } else { Outcome::Unknown(String::new()) };
            let judgement = possible.observe(&Register, &command, &outcome);
            expected = every_way(expected);
            match (command, answered) {
                (Command::Read, true) => expected.retain(|(state, _)| *state == answer),
                (Command::Read, false) => {}
                (Command::Write(value), true) => expected.iter_mut().for_each(|(state, _)| *state = value),
                (Command::Write(value), false) => expected.iter_mut().for_each(|(_, pending)| pending.push(value)),
            }
            let allowed = !expected.is_empty();
            prop_assert_eq!(judgement == Judgement::Allowed, allowed);
            if !allowed { break; }
        }
    }
}

/// All that pending writes can make of these states, each taken in any order.
fn every_way(worlds: Vec<(u8, Vec<u8>)>) -> Vec<(u8, Vec<u8>)> {
    let mut all = worlds.clone();
    for (_, pending) in worlds {
        for index in 0..pending.len() {
            let mut rest = pending.clone();
            let state = rest.remove(index);
            all.extend(every_way(vec![(state, rest)]));
        }
    }
    all
}
