//! A failure that was found is told, whatever goes wrong with keeping it or making it smaller.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beyond_json;
mod broken;
mod names;

use std::path::Path;

use harness::{Config, Failure, Model, Runner, Silent, Stop, System};

fn config(directory: &Path) -> Config {
    Config {
        cases: 100,
        seed: Some(1.into()),
        failures: Some(directory.join("failures")),
        regressions: Some(directory.join("regressions")),
        ..Config::default()
    }
}

fn failure<M: Model, S: System<M>>(model: &M, system: &S, config: &Config) -> Failure<M> {
    let summary = Runner::new(model, system, config, &Silent, &Stop::default()).run().unwrap();
    assert_eq!(summary.verdict(), "falsified");
    summary.failure.unwrap()
}
