//! What is expected to gain most for its price is tried first.

use std::time::Duration;

use harness::{Runner, Silent, Stop, System, SystemError};
use model::Outcome;

use super::switchboard::{Answers, Command, Switchboard, config};

/// Waits take long here; two presses of the same button make a Look wrong.
struct Slow(Answers);

fn pressed_3_and_7(pressed: &[u8], command: &Command, _: u64) -> bool {
    !(*command == Command::Look && pressed.contains(&3) && pressed.contains(&7))
}

impl System<Switchboard> for Slow {
    type Sut = (Vec<u8>, u64);

    fn new_sut(&self, state: &Vec<u8>) -> Result<Self::Sut, SystemError> {
        self.0.new_sut(state)
    }

    fn run(&self, sut: &mut Self::Sut, command: &Command) -> Result<Outcome<bool>, SystemError> {
        if *command == Command::Wait {
            std::thread::sleep(Duration::from_millis(60));
        }
        self.0.run(sut, command)
    }
}

/// In how many runs after the first wrong answer there was a Wait.
fn with_waits(given: &[Vec<Command>]) -> usize {
    given.iter().filter(|commands| commands.contains(&Command::Wait)).count()
}

#[test]
fn commands_that_take_long_go_early() {
    let (mut slow_waits, mut quick_waits) = (0, 0);
    for seed in 0..5 {
        let (slow, quick) = (Slow(Answers::new(pressed_3_and_7)), Answers::new(pressed_3_and_7));
        let (config, stop) = (config(seed, None), Stop::default());
        let one = Runner::new(&Switchboard, &slow, &config, &Silent, &stop).run().unwrap();
        let other = Runner::new(&Switchboard, &quick, &config, &Silent, &stop).run().unwrap();
        let (one_failure, other_failure) = (one.failure.unwrap(), other.failure.unwrap());
        assert_eq!((one_failure.case.len(), other_failure.case.len()), (3, 3), "seed {seed}");
        let held = one.held as usize;
        slow_waits += with_waits(&slow.0.given.borrow()[held..]);
        quick_waits += with_waits(&quick.given.borrow()[held..]);
    }
    assert!(slow_waits < quick_waits, "{slow_waits} runs with waits that take long, {quick_waits} otherwise");
}
