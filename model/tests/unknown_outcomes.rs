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
fn of_many_unknown_writes_each_may_have_been_the_last() {
    let mut possible = Possible::<Register>::new(0);
    for value in 1..=60 {
        unknown(&mut possible, Command::Write(value));
    }
    assert_eq!(possible.states().count(), 61);
    assert_eq!(observe(&mut possible, Command::Read, 17), Judgement::Allowed);
    assert_eq!(observe(&mut possible, Command::Write(99), 99), Judgement::Allowed);
    assert!(!possible.states().any(|state| *state == 17), "it takes effect once only");
    assert_eq!(possible.states().count(), 60);
}

/// A list that grows at its end: in each order it is another one.
struct List;

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
enum Ask {
    Push(u8),
    Pop,
    Last,
}

impl Model for List {
    type State = Vec<u8>;
    type Command = Ask;
    type Response = Option<u8>;

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        Just(Vec::new()).boxed()
    }

    fn gen_command(&self, _: &Vec<u8>) -> BoxedStrategy<Ask> {
        prop_oneof![4 => (0..3u8).prop_map(Ask::Push), 2 => Just(Ask::Pop), 1 => Just(Ask::Last)].boxed()
    }

    fn pre_condition(&self, state: &Vec<u8>, command: &Ask) -> bool {
        *command != Ask::Pop || !state.is_empty()
    }

    fn next_state(&self, state: &Vec<u8>, command: &Ask) -> Vec<u8> {
        let mut state = state.clone();
        match command {
            Ask::Push(value) => state.push(*value),
            Ask::Pop => drop(state.pop()),
            Ask::Last => {}
        }
        state
    }

    fn post_condition(&self, state: &Vec<u8>, command: &Ask, response: &Option<u8>) -> bool {
        match command {
            Ask::Push(_) => response.is_none(),
            Ask::Pop | Ask::Last => state.last() == response.as_ref(),
        }
    }
}

#[test]
fn too_many_unknown_outcomes_are_undecided_from_then_on() {
    let mut possible = Possible::<List>::new(Vec::new());
    let outcome = Outcome::Unknown(String::new());
    let judgements: Vec<_> =
        (0..20).map(|value| possible.observe(&List, &Ask::Push(value), &outcome)).collect();
    let allowed = judgements.iter().take_while(|judgement| **judgement == Judgement::Allowed).count();
    assert!((5..8).contains(&allowed), "each order of each subset is a state: {allowed}");
    assert!(judgements[allowed..].iter().all(|judgement| matches!(judgement, Judgement::Undecided(_))));
    let answer = possible.observe(&List, &Ask::Last, &Outcome::Answered(Some(77)));
    assert!(matches!(answer, Judgement::Undecided(_)));
}

/// What [`Possible`] does, with nothing left out: all worlds with the order of what is pending.
struct Plain(Vec<(Vec<u8>, Vec<Ask>)>);

impl Plain {
    fn add(&mut self, world: (Vec<u8>, Vec<Ask>)) {
        if !self.0.contains(&world) {
            self.0.push(world);
        }
    }

    /// Whether the model allows the outcome.
    fn observe(&mut self, command: Ask, outcome: &Outcome<Option<u8>>) -> bool {
        let worlds = std::mem::take(&mut self.0);
        for (state, mut pending) in worlds {
            match outcome {
                Outcome::Refused(_) => self.add((state, pending)),
                Outcome::Unknown(_) => {
                    pending.push(command);
                    self.add((state, pending));
                }
                Outcome::Answered(response) => {
                    if let Ok(state) = model::step::step(&List, &state, &command, Some(response)) {
                        self.add((state, pending));
                    }
                }
            }
        }
        let mut next = 0;
        while next < self.0.len() {
            for index in 0..self.0[next].1.len() {
                let (state, mut pending) = self.0[next].clone();
                let command = pending.remove(index);
                if let Ok(state) = model::step::step(&List, &state, &command, None) {
                    self.add((state, pending));
                }
            }
            next += 1;
        }
        !self.0.is_empty()
    }
}

proptest! {
    #[test]
    fn leaves_no_state_out_and_has_none_too_many(
        steps in prop::collection::vec(
            (List.gen_command(&Vec::new()), 0..6u8, prop::option::of(0..3u8), any::<prop::sample::Index>()),
            0..14,
        ),
    ) {
        let (mut possible, mut plain) = (Possible::<List>::new(Vec::new()), Plain(vec![(Vec::new(), Vec::new())]));
        let mut unknowns = 0;
        for (command, kind, answer, world) in steps {
            let outcome = match kind {
                0 => Outcome::Refused(String::new()),
                1 | 2 if unknowns < 5 => Outcome::Unknown(String::new()),
                // Mostly an answer that is right in some world.
                3.. => Outcome::Answered(match command {
                    Ask::Push(_) => None,
                    Ask::Pop | Ask::Last => plain.0[world.index(plain.0.len())].0.last().copied(),
                }),
                _ => Outcome::Answered(answer),
            };
            unknowns += u32::from(matches!(outcome, Outcome::Unknown(_)));
            let judgement = possible.observe(&List, &command, &outcome);
            let allowed = plain.observe(command, &outcome);
            prop_assert_eq!(judgement == Judgement::Allowed, allowed);
            prop_assert!(!matches!(judgement, Judgement::Undecided(_)));
            let mut states: Vec<_> = possible.states().cloned().collect();
            states.sort();
            let mut expected: Vec<_> = plain.0.iter().map(|(state, _)| state.clone()).collect();
            expected.sort();
            expected.dedup();
            prop_assert_eq!(states, expected);
            if !allowed { break; }
        }
    }

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
