//! Cases with lanes: generated ones are valid in each interleaving, and what the model predicts
//! of lanes is what plain enumeration gives.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use model::case::InvalidCase;
use model::lanes::{end_states, interleavings};
use model::step::predict;
use model::{Case, LaneShape, Model, Place, Shape, Symbol, generate};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde::{Deserialize, Serialize};

/// Leases that are granted, kept and given back, at most `most` at a time.
struct Leases {
    most: usize,
    /// Whether the system refuses what makes no sense.
    refusing: bool,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct State {
    held: BTreeSet<Symbol>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Grant(Symbol),
    Keep(Symbol),
    GiveBack(Symbol),
}

impl Model for Leases {
    type State = State;
    type Command = Command;
    type Response = bool;

    fn gen_initial_state(&self) -> BoxedStrategy<State> {
        Just(State::default()).boxed()
    }

    fn gen_command(&self, state: &State) -> BoxedStrategy<Command> {
        let grant = Just(Command::Grant(Symbol::fresh())).boxed();
        if state.held.is_empty() {
            return grant;
        }
        let held = || select(state.held.iter().copied().collect::<Vec<_>>());
        let (keep, back) = (held().prop_map(Command::Keep), held().prop_map(Command::GiveBack));
        if state.held.len() == self.most {
            return prop_oneof![keep, back].boxed();
        }
        prop_oneof![2 => grant, 1 => keep, 1 => back].boxed()
    }

    fn pre_condition(&self, state: &State, command: &Command) -> bool {
        match command {
            Command::Grant(symbol) => state.held.len() < self.most && !state.held.contains(symbol),
            Command::Keep(symbol) | Command::GiveBack(symbol) => state.held.contains(symbol),
        }
    }

    fn next_state(&self, state: &State, command: &Command) -> State {
        let mut next = state.clone();
        match command {
            Command::Grant(symbol) => {
                next.held.insert(*symbol);
            }
            Command::Keep(_) => {}
            Command::GiveBack(symbol) => {
                next.held.remove(symbol);
            }
        }
        next
    }

    fn post_condition(&self, _: &State, _: &Command, response: &bool) -> bool {
        *response
    }

    fn can_be_refused(&self, _: &Command) -> bool {
        self.refusing
    }

    fn final_commands(&self, state: &State) -> Vec<Command> {
        state.held.iter().map(|symbol| Command::Keep(*symbol)).collect()
    }

    fn defines(&self, command: &Command) -> Option<Symbol> {
        match command {
            Command::Grant(symbol) => Some(*symbol),
            Command::Keep(_) | Command::GiveBack(_) => None,
        }
    }

    fn uses(&self, command: &Command) -> Vec<Symbol> {
        match command {
            Command::Grant(_) => Vec::new(),
            Command::Keep(symbol) | Command::GiveBack(symbol) => vec![*symbol],
        }
    }
}

fn case(model: &Leases, lanes: LaneShape, seed: [u8; 32]) -> Case<Leases> {
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &seed);
    let shape = Shape { commands: 0..=6, lanes: Some(lanes) };
    generate(model, &shape, &mut TestRunner::new_with_rng(Config::default(), rng)).unwrap().case
}

/// The states at the end of all interleavings, one interleaving after another.
fn enumerated(model: &Leases, state: &State, lanes: &[&[Command]], ends: &mut Vec<State>) {
    if lanes.iter().all(|lane| lane.is_empty()) && !ends.contains(state) {
        ends.push(state.clone());
    }
    for (index, lane) in lanes.iter().enumerate() {
        let Some((command, rest)) = lane.split_first() else { continue };
        let mut lanes = lanes.to_vec();
        lanes[index] = rest;
        let sensible = model.pre_condition(state, command);
        assert!(sensible || model.refusing, "{command:?} makes no sense in {state:?}");
        let next = if sensible { predict(model, state, command) } else { state.clone() };
        enumerated(model, &next, &lanes, ends);
    }
}

fn check(model: &Leases, seed: [u8; 32]) -> Result<bool, TestCaseError> {
    let most_interleavings = 100;
    let lanes = LaneShape { lanes: 2..=3, commands: 1..=3, most_interleavings, percent: 100 };
    let case = case(model, lanes, seed);
    prop_assert_eq!(case.validate(model), Ok(()));
    let lengths: Vec<usize> = case.lanes.iter().map(Vec::len).collect();
    prop_assert!(lengths.len() != 1 && !lengths.contains(&0), "lanes of {:?}", lengths);
    prop_assert!(interleavings(&lengths) <= most_interleavings);
    prop_assert_eq!(case.places().count(), case.len());

    let start = case.states(model).pop().unwrap();
    let mut ends = end_states(model, start.clone(), &case.lanes).unwrap();
    let mut plain = Vec::new();
    enumerated(model, &start, &case.lanes.iter().map(Vec::as_slice).collect::<Vec<_>>(), &mut plain);
    let key = |state: &State| format!("{state:?}");
    ends.sort_by_key(key);
    plain.sort_by_key(key);
    prop_assert_eq!(ends, plain);
    Ok(lengths.len() > 1)
}

proptest! {
    #[test]
    fn lanes_are_valid_in_every_interleaving(seed: [u8; 32], most in 1..4_usize) {
        check(&Leases { most, refusing: false }, seed)?;
    }

    #[test]
    fn what_can_be_refused_may_make_no_sense_in_some(seed: [u8; 32], most in 1..4_usize) {
        check(&Leases { most, refusing: true }, seed)?;
    }
}

#[test]
fn most_cases_get_the_lanes_that_were_asked_for() {
    let model = Leases { most: 20, refusing: false };
    let with_lanes = (0..100_u8).filter(|seed| check(&model, [*seed; 32]).unwrap()).count();
    assert!(with_lanes >= 90, "{with_lanes} of 100");
}

#[test]
fn what_makes_a_case_impossible_is_named() {
    let model = Leases { most: 2, refusing: false };
    let (grant, keep) = (|number| Command::Grant(Symbol(number)), |number| Command::Keep(Symbol(number)));
    let with = |commands: Vec<Command>, lanes: Vec<Vec<Command>>| {
        let case = Case::<Leases> { lanes, ..Case::sequential(State::default(), commands) };
        case.validate(&model).unwrap_err()
    };
    let place = Place::Lane { lane: 1, index: 0 };
    let (command, symbol) = ("Keep(Symbol(0))".to_owned(), Symbol(0));
    // Another lane's result is nothing to build upon, even where it would be there in time.
    let dangling = with(vec![], vec![vec![grant(0)], vec![keep(0)]]);
    assert_eq!(dangling, InvalidCase::Dangling { place, command, symbol });
    assert_eq!(
        dangling.to_string(),
        "lane 2, command 1 (Keep(Symbol(0))) uses $0, which no command before it defines"
    );
    let command = "Grant(Symbol(0))".to_owned();
    let twice = with(vec![grant(0)], vec![vec![keep(0)], vec![grant(0)]]);
    assert_eq!(twice, InvalidCase::Redefined { place, command, symbol });
    let too_many = with(vec![grant(0), grant(1)], vec![vec![keep(0)], vec![grant(2)]]);
    assert_eq!(too_many, InvalidCase::Command { place, command: "Grant(Symbol(2))".to_owned() });
    let lane = |from: u32| (from..from + 200).map(grant).collect::<Vec<_>>();
    let wide = Leases { most: 1000, refusing: false };
    let case =
        Case::<Leases> { lanes: vec![lane(0), lane(200)], ..Case::sequential(State::default(), vec![]) };
    assert!(matches!(case.validate(&wide).unwrap_err(), InvalidCase::TooManyInterleavings(_)));
}
