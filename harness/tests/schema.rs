//! The schemas that are published are those of the types.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::{env, fs};

use harness::Event;
use harness::difference::Difference;
use harness::results::RunResult;
use schemars::Schema;

/// The published schema in this file is this one; `NETPROP_TEST_WRITE` has it written.
fn is_published(file: &str, schema: &Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema").join(file);
    let schema = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if env::var_os("NETPROP_TEST_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &schema).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap();
    assert!(
        published == schema,
        "docs/schema/{file} is not what the type says: NETPROP_TEST_WRITE=1 writes it"
    );
}

#[test]
fn the_schema_of_results_is_that_of_the_type() {
    is_published("result.json", &schemars::schema_for!(RunResult));
}

#[test]
fn the_schema_of_events_is_that_of_the_type() {
    is_published("event.json", &schemars::schema_for!(Event<'_>));
}

#[test]
fn the_schema_of_differences_is_that_of_the_type() {
    is_published("diff.json", &schemars::schema_for!(Difference));
}
