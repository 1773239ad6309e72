//! States and commands that JSON has no form for, or that do not come back from it.

use std::collections::BTreeMap;

use harness::prelude::*;
use harness::replay::Replay;
use harness::{Config, report};

use crate::{config, failure};

/// A board on which each place has a count. Its keys are no texts.
struct Board;

impl Model for Board {
    type State = BTreeMap<(u8, u8), u8>;
    type Command = (u8, u8);
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<Self::State> {
        Just(BTreeMap::from([((0, 0), 1)])).boxed()
    }

    fn gen_command(&self, _: &Self::State) -> BoxedStrategy<(u8, u8)> {
        (0..3_u8, 0..3_u8).boxed()
    }

    fn next_state(&self, board: &Self::State, place: &(u8, u8)) -> Self::State {
        let mut board = board.clone();
        *board.entry(*place).or_default() += 1;
        board
    }

    fn post_condition(&self, board: &Self::State, place: &(u8, u8), count: &u8) -> bool {
        board.get(place).copied().unwrap_or_default() + 1 == *count
    }
}

/// A board that forgets what was there at the beginning.
struct Forgetful;

impl System<Board> for Forgetful {
    type Sut = BTreeMap<(u8, u8), u8>;

    fn new_sut(&self, _: &Self::Sut) -> Result<Self::Sut, SystemError> {
        Ok(BTreeMap::new())
    }

    fn run(&self, board: &mut Self::Sut, place: &(u8, u8)) -> Result<Outcome<u8>, SystemError> {
        let count = board.entry(*place).or_default();
        *count += 1;
        Ok(Outcome::Answered(*count))
    }
}

#[test]
fn a_state_that_json_has_no_form_for_fails_and_shrinks_and_comes_back_by_its_seed() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let first = failure(&Board, &Forgetful, &config);
    assert_eq!((first.case.commands.as_slice(), first.smallest, &first.file), (&[(0, 0)][..], true, &None));
    let text = report::failure(&Board, &first);
    assert!(text.contains("expected: ") && text.contains(&format!("seed {}", first.seed)), "{text}");
    let why = first.unkept.as_ref().unwrap();
    assert!(why.contains("JSON has no form for the state") && why.contains("key must be a string"), "{why}");
    assert!(text.contains(&format!("warning: {why}")), "{text}");
    assert!(first.warnings.is_empty(), "{:?}", first.warnings);
    // The next run begins with the seed.
    let again = failure(&Board, &Forgetful, &Config { seed: None, cases: 0, ..config.clone() });
    assert_eq!((again.seed, again.case), (first.seed, first.case));
    let no_seeds = failure(&Board, &Forgetful, &Config { regressions: None, ..config });
    assert!(no_seeds.unkept.unwrap().contains("Config::seed"));
}

/// What is added has to come back as the sum. A number that is none adds nothing.
struct Sum;

impl Model for Sum {
    type State = f64;
    type Command = f64;
    type Response = f64;

    fn gen_initial_state(&self) -> BoxedStrategy<f64> {
        Just(0.1 + 0.2).boxed()
    }

    fn gen_command(&self, _: &f64) -> BoxedStrategy<f64> {
        prop_oneof![Just(f64::NAN), any::<u8>().prop_map(|number| 1.0 / (f64::from(number) + 3.0))].boxed()
    }

    fn next_state(&self, sum: &f64, number: &f64) -> f64 {
        if number.is_nan() { *sum } else { sum + number }
    }

    fn post_condition(&self, sum: &f64, number: &f64, answer: &f64) -> bool {
        self.next_state(sum, number) == *answer
    }
}

/// Adds up well, but for numbers of one kind.
struct Adds {
    wrong: fn(f64) -> bool,
}

impl System<Sum> for Adds {
    type Sut = f64;

    fn new_sut(&self, sum: &f64) -> Result<f64, SystemError> {
        Ok(*sum)
    }

    fn run(&self, sum: &mut f64, number: &f64) -> Result<Outcome<f64>, SystemError> {
        *sum = Sum.next_state(sum, number);
        Ok(Outcome::Answered(if (self.wrong)(*number) { -1.0 } else { *sum }))
    }
}

#[test]
fn a_number_that_is_none_is_said_not_to_be_kept_and_no_damaged_file_is_left() {
    let directory = tempfile::tempdir().unwrap();
    let failed = failure(&Sum, &Adds { wrong: f64::is_nan }, &config(directory.path()));
    assert_eq!(failed.case.commands.len(), 1);
    let why = failed.unkept.unwrap();
    assert!(why.contains("command 1 (NaN), NaN, cannot be read back from JSON"), "{why}");
    assert!(why.contains(&failed.seed.to_string()), "{why}");
    assert!(!directory.path().join("failures").exists(), "nothing is left that a next run would pass over");
}

#[test]
fn numbers_come_back_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let failed = failure(&Sum, &Adds { wrong: |number| number < 0.2 }, &config(directory.path()));
    assert_eq!((failed.unkept, failed.warnings), (None, Vec::new()));
    let kept = Replay::read(&Sum, &failed.file.unwrap()).unwrap();
    assert_eq!(kept.case.initial.to_bits(), (0.1_f64 + 0.2).to_bits());
    assert_eq!(kept.case, failed.case);
    // Decimal digits stand for each of them, not for a neighbour.
    let numbers: Vec<f64> = (3..3000).map(|number| 1.0 / f64::from(number)).collect();
    let case = Case::<Sum>::sequential(0.0, numbers);
    let replay = Replay::new(&Sum, &"1".repeat(64), Default::default(), case, Default::default());
    let file = replay.write(directory.path()).unwrap();
    let kept = Replay::read(&Sum, &file).unwrap().case.commands;
    let different = kept.iter().zip(&replay.case.commands).find(|(kept, written)| kept != written);
    assert_eq!((kept.len(), different), (replay.case.commands.len(), None));
}
