//! Histories of any model's commands.

use std::collections::{HashMap, HashSet};

use model::history::{History, Operation};
use model::linearizability::{Limits, Undecided, Verdict, Why, check_model};
use model::{Model, Outcome};
use proptest::strategy::{BoxedStrategy, Just, Strategy as _};
use serde::{Deserialize, Serialize};

/// A purse that must not be overdrawn; only what is in it can be taken.
struct Purse;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Deal {
    Give(u32),
    Take(u32),
    Count,
}

impl Model for Purse {
    type State = u32;
    type Command = Deal;
    type Response = u32;

    fn gen_initial_state(&self) -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u32) -> BoxedStrategy<Deal> {
        Just(Deal::Count).boxed()
    }

    fn pre_condition(&self, state: &u32, command: &Deal) -> bool {
        !matches!(command, Deal::Take(number) if number > state)
    }

    fn next_state(&self, state: &u32, command: &Deal) -> u32 {
        match command {
            Deal::Give(number) => state + number,
            Deal::Take(number) => state - number,
            Deal::Count => *state,
        }
    }

    fn post_condition(&self, state: &u32, command: &Deal, response: &u32) -> bool {
        *response == self.next_state(state, command)
    }

    fn expectation(&self, state: &u32, command: &Deal) -> String {
        format!("{} left", self.next_state(state, command))
    }
}

fn answered(lane: usize, command: Deal, (called, ended): (u64, u64), left: u32) -> Operation<Deal, u32> {
    Operation { lane, command, called, ended: Some(ended), outcome: Outcome::Answered(left) }
}

fn lost(lane: usize, command: Deal, called: u64) -> Operation<Deal, u32> {
    Operation { lane, command, called, ended: None, outcome: Outcome::Unknown("no answer".to_owned()) }
}

fn check(operations: Vec<Operation<Deal, u32>>) -> Verdict<u32> {
    check_model(&Purse, &5, &History::new(operations).unwrap(), Limits::default())
}

#[test]
fn commands_take_effect_where_the_model_allows_it() {
    // Only after the gift is there enough to take.
    let verdict = check(vec![answered(0, Deal::Take(7), (0, 3), 1), answered(1, Deal::Give(3), (1, 2), 8)]);
    assert_eq!(verdict, Verdict::Linearizable { order: vec![1, 0] });
    // A lost gift may take effect at last, after a count that does not see it.
    let operations = || {
        vec![
            lost(0, Deal::Give(1), 0),
            answered(1, Deal::Count, (1, 2), 5),
            answered(1, Deal::Count, (3, 4), 6),
        ]
    };
    assert_eq!(check(operations()), Verdict::Linearizable { order: vec![1, 0, 2] });
    let mut refused = operations();
    refused[0].outcome = Outcome::Refused("not today".to_owned());
    assert!(matches!(check(refused), Verdict::NotLinearizable(_)));
}

#[test]
fn evidence_says_what_the_model_says() {
    let operations = vec![
        answered(0, Deal::Give(1), (0, 1), 6),
        answered(1, Deal::Count, (2, 3), 6),
        answered(1, Deal::Count, (4, 5), 5),
        answered(0, Deal::Give(1), (6, 7), 7),
    ];
    let Verdict::NotLinearizable(evidence) = check(operations) else { panic!("it is linearizable") };
    // Whenever the gift was made: once it was seen, it stays.
    assert_eq!((evidence.operations, evidence.bystanders), (vec![1, 2], vec![0]));
    assert_eq!((evidence.prefix, evidence.state, evidence.until), (vec![0, 1], 6, 5));
    let whys: Vec<_> =
        evidence.obstacles.iter().map(|obstacle| (obstacle.operation, &obstacle.why)).collect();
    assert_eq!(whys, [(2, &Why::Impossible("expected 6 left".to_owned()))]);
}

#[test]
fn a_state_without_bound_ends_at_the_memory() {
    // Each subset of the lost gifts is another state, and none of them explains the count.
    let mut operations: Vec<_> =
        (0..40).map(|lane| lost(lane, Deal::Give(1 << (lane % 20)), lane as u64)).collect();
    operations.push(answered(40, Deal::Count, (50, 51), 4));
    let limits = Limits { memory: 4 << 20, ..Limits::default() };
    let verdict = check_model(&Purse, &5, &History::new(operations).unwrap(), limits);
    assert_eq!(verdict, Verdict::Undecided(Undecided::Memory(4 << 20)));
}

/// Cells that are set and read, kept in whatever order hashing puts them, and put there anew each
/// time.
struct Hashed;

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
struct Cells {
    values: HashMap<u8, u8>,
    touched: HashSet<u8>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Cell {
    Set(u8, u8),
    Get(u8),
}

impl Model for Hashed {
    type State = Cells;
    type Command = Cell;
    type Response = Option<u8>;

    fn gen_initial_state(&self) -> BoxedStrategy<Cells> {
        Just(Cells::default()).boxed()
    }

    fn gen_command(&self, _: &Cells) -> BoxedStrategy<Cell> {
        Just(Cell::Get(0)).boxed()
    }

    fn next_state(&self, state: &Cells, command: &Cell) -> Cells {
        let mut values: HashMap<u8, u8> = state.values.iter().map(|(key, value)| (*key, *value)).collect();
        let mut touched: HashSet<u8> = state.touched.iter().copied().collect();
        if let Cell::Set(key, value) = command {
            values.insert(*key, *value);
            touched.insert(*key);
        }
        Cells { values, touched }
    }

    fn post_condition(&self, state: &Cells, command: &Cell, response: &Option<u8>) -> bool {
        match command {
            Cell::Set(..) => response.is_none(),
            Cell::Get(key) => state.values.get(key) == response.as_ref(),
        }
    }
}

#[test]
fn states_are_equal_whatever_order_they_are_kept_in() {
    // All set at once, two values each, then read what was set in no order.
    let mut operations: Vec<Operation<Cell, Option<u8>>> = (0..12)
        .map(|lane: usize| {
            let command = Cell::Set(lane as u8 / 2, lane as u8 % 2);
            let (called, ended) = (lane as u64, Some(100 + lane as u64));
            Operation { lane, command, called, ended, outcome: Outcome::Answered(None) }
        })
        .collect();
    operations.push(Operation {
        lane: 12,
        command: Cell::Get(5),
        called: 200,
        ended: Some(201),
        outcome: Outcome::Answered(Some(2)),
    });
    let history = History::new(operations).unwrap();
    let limits = Limits { memory: 16 << 20, ..Limits::default() };
    let verdict = check_model(&Hashed, &Cells::default(), &history, limits);
    assert!(matches!(verdict, Verdict::NotLinearizable(_)), "{verdict:?}");
}
