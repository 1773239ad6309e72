//! Initial states become simpler as proptest's strategies know, without a word of the model.

use harness::{Config, Outcome, Runner, Silent, Stop, System, SystemError};
use model::Model;
use proptest::collection::vec;
use proptest::prelude::*;

/// A list to begin with, of which commands ask how long it is. The system fails once three of its
/// numbers are greater than 100.
struct Lists;

impl Model for Lists {
    type State = Vec<u8>;
    type Command = bool;
    type Response = usize;

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        vec(any::<u8>(), 0..20).boxed()
    }

    fn gen_command(&self, _: &Vec<u8>) -> BoxedStrategy<bool> {
        any::<bool>().boxed()
    }

    fn next_state(&self, list: &Vec<u8>, _: &bool) -> Vec<u8> {
        list.clone()
    }

    fn post_condition(&self, list: &Vec<u8>, _: &bool, length: &usize) -> bool {
        *length == list.len()
    }
}

impl System<Lists> for Lists {
    type Sut = Vec<u8>;

    fn new_sut(&self, list: &Vec<u8>) -> Result<Vec<u8>, SystemError> {
        Ok(list.clone())
    }

    fn run(&self, list: &mut Vec<u8>, _: &bool) -> Result<Outcome<usize>, SystemError> {
        let great = list.iter().filter(|number| **number > 100).count();
        Ok(Outcome::Answered(if great < 3 { list.len() } else { usize::MAX }))
    }
}

#[test]
fn initial_states_shrink_by_their_strategy() {
    for seed in 0..20 {
        let config =
            Config { seed: Some(seed.into()), failures: None, regressions: None, ..Config::default() };
        let summary = Runner::new(&Lists, &Lists, &config, &Silent, &Stop::default()).run().unwrap();
        let case = summary.failure.expect("it fails").case;
        assert_eq!((case.initial, case.commands), (vec![101, 101, 101], vec![false]), "seed {seed}");
    }
}
