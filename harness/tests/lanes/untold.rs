//! A case of which the model cannot tell is inconclusive at once: no fresh system would mend that.

use std::cell::Cell;

use harness::{Config, Model, Outcome, Shape, System, SystemError};
use proptest::prelude::*;

use crate::support::{config, run};

/// A list that numbers are put into; in each order it is another one.
struct Listed;

impl Model for Listed {
    type State = Vec<u8>;
    type Command = u8;
    type Response = ();

    fn gen_initial_state(&self) -> BoxedStrategy<Vec<u8>> {
        Just(Vec::new()).boxed()
    }

    fn gen_command(&self, _: &Vec<u8>) -> BoxedStrategy<u8> {
        any::<u8>().boxed()
    }

    fn next_state(&self, state: &Vec<u8>, command: &u8) -> Vec<u8> {
        [state.as_slice(), &[*command]].concat()
    }

    fn post_condition(&self, _: &Vec<u8>, _: &u8, (): &()) -> bool {
        true
    }
}

/// Never answers, and counts how often it is made.
#[derive(Default)]
struct Mute {
    made: Cell<u32>,
}

impl System<Listed> for Mute {
    type Sut = ();

    fn new_sut(&self, _: &Vec<u8>) -> Result<(), SystemError> {
        self.made.set(self.made.get() + 1);
        Ok(())
    }

    fn run(&self, (): &mut (), _: &u8) -> Result<Outcome<()>, SystemError> {
        Ok(Outcome::Unknown("no answer in time".to_owned()))
    }
}

#[test]
fn what_the_model_cannot_tell_is_not_tried_again() {
    let system = Mute::default();
    let config = Config { attempts: 3, shape: Shape::sequential(20..=20), ..config(1) };
    let summary = run(&Listed, &system, &config);
    assert_eq!((summary.inconclusive, system.made.get()), (1, 1));
}
