//! The tutorial's program beside a store in memory that forgets as redis-server does: what is to be found
//! on machines is found, and what is mended holds.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[expect(dead_code, reason = "what runs is the test")]
#[path = "../examples/first_bug.rs"]
mod first_bug;

use first_bug::{Command, Redis, WAYS};
use harness::prelude::*;
use harness::{Runner, Silent, Stop, Summary};

/// Stores that keep what they sync through a power cut.
struct InMemory;

struct Memory {
    is_synced: bool,
    stored: Option<u8>,
}

impl System<Redis> for InMemory {
    type Sut = Memory;

    fn new_sut(&self, (network, _): &(Network, Option<u8>)) -> Result<Memory, SystemError> {
        let mut services = network.machines()[0].services.values();
        let is_synced = services.any(|service| service.command.contains("appendfsync always"));
        Ok(Memory { is_synced, stored: None })
    }

    fn run(&self, memory: &mut Memory, command: &Command) -> Result<Outcome<String>, SystemError> {
        Ok(Outcome::Answered(match command {
            Command::Set(value) => {
                memory.stored = Some(*value);
                "OK".to_owned()
            }
            Command::Get => memory.stored.map(|value| value.to_string()).unwrap_or_default(),
            Command::PowerCut => {
                memory.stored.take_if(|_| !memory.is_synced);
                "ready again".to_owned()
            }
        }))
    }
}

fn run(ways: &[(&str, &str)], config: &Config) -> Summary<Redis> {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap()).to_vec();
    let model = Redis::new(NetworkParameters::new(kernels).unwrap(), ways).unwrap();
    Runner::new(&model, &InMemory, config, &Silent, &Stop::default()).run().unwrap()
}

fn config(seed: u64) -> Config {
    Config { seed: Some(seed.into()), failures: None, regressions: None, ..Config::default() }
}

#[test]
fn what_is_not_synced_is_found_to_be_lost_and_why() {
    for seed in 0..20 {
        let failure = run(&WAYS, &Config { cases: 200, ..config(seed) }).failure.unwrap();
        assert_eq!(failure.case.commands, [Command::Set(0), Command::PowerCut, Command::Get], "seed {seed}");
        let why = failure.causes.unwrap().to_string();
        assert!(
            why.contains("service redis  fails with as Debian has it; holds with synced always"),
            "{why}"
        );
    }
}

#[test]
fn what_is_synced_holds() {
    assert_eq!(run(&WAYS[..1], &Config { cases: 500, ..config(1) }).verdict(), "holds");
}
