//! One call for a `#[test]`.

use model::Model;

use crate::config::Config;
use crate::observe::{Event, Observer};
use crate::report;
use crate::runner::Runner;
use crate::stop::Stop;
use crate::system::System;

/// Tests a model against a system as [`Config::default`] says, for use in a `#[test]`.
///
/// # Panics
/// With the report where the property is falsified, and with the reason where nothing could be
/// shown; both fail the test.
pub fn check<M: Model, S: System<M>>(model: &M, system: &S) {
    check_with(&Config::default(), model, system);
}

/// [`check`] with a configuration of one's own.
///
/// # Panics
/// As [`check`] does.
pub fn check_with<M: Model, S: System<M>>(config: &Config, model: &M, system: &S) {
    let stop = Stop::default();
    match Runner::new(model, system, config, &Warnings, &stop).run() {
        Err(error) => panic!("{} could not be tested: {error}", model.name()),
        Ok(summary) => {
            if let Some(failure) = &summary.failure {
                panic!("{}\n{}", model.name(), report::failure(model, failure));
            }
            let inconclusive = summary.inconclusive;
            assert!(inconclusive == 0, "{}: {inconclusive} cases were inconclusive", model.name());
        }
    }
}

/// Prints what `cargo test` shows of a test that fails.
struct Warnings;

impl Observer for Warnings {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => eprintln!("warning: {text}"),
            Event::Inconclusive { reason, .. } => eprintln!("inconclusive: {reason}"),
            Event::Excluded { what, reason } => eprintln!("excluded: {what} ({reason})"),
            Event::Saved { file } => eprintln!("saved as {file}"),
            _ => {}
        }
    }
}
