//! The schemas that are published are those of the types.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::{env, fs};

use harness::difference::Difference;
use harness::results::RunResult;
use schemars::Schema;

/// That a schema in docs/schema is the one of its type.
fn check(name: &str, schema: &Schema) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema").join(name);
    let schema = serde_json::to_string_pretty(schema).unwrap() + "\n";
    if env::var_os("NETPROP_TEST_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &schema).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap();
    assert!(
        published == schema,
        "docs/schema/{name} is not what the type says: NETPROP_TEST_WRITE=1 writes it"
    );
}

#[test]
fn the_schema_of_results_is_that_of_the_type() {
    check("result.json", &schemars::schema_for!(RunResult));
}

#[test]
fn the_schema_of_differences_is_that_of_the_type() {
    check("diff.json", &schemars::schema_for!(Difference));
}
