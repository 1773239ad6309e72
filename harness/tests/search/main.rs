//! What the runner searches by: coverage of configurations, exclusion of those that cannot be
//! built, and the causes of a failure. All on systems in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod causes;
mod continued;
mod coverage;
mod exclusion;
mod mixture;

use std::sync::Mutex;

use harness::{Config, Event, Observer};

/// A configuration that keeps nothing on disk.
fn config(seed: u64, cases: u32) -> Config {
    Config { cases, seed: Some(seed.into()), failures: None, regressions: None, ..Config::default() }
}

/// Keeps every event as JSON.
#[derive(Default)]
struct Events(Mutex<Vec<serde_json::Value>>);

impl Observer for Events {
    fn event(&self, event: &Event<'_>) {
        self.0.lock().unwrap().push(serde_json::to_value(event).unwrap());
    }
}

impl Events {
    fn named(&self, name: &str) -> Vec<serde_json::Value> {
        let events = self.0.lock().unwrap();
        events.iter().filter(|event| event["event"] == name).cloned().collect()
    }
}
