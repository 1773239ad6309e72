//! The schemas that are published are those of the types.

use std::path::Path;
use std::{env, fs};

use harness::results::RunResult;

#[test]
fn the_schema_of_results_is_that_of_the_type() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema/result.json");
    let schema = serde_json::to_string_pretty(&schemars::schema_for!(RunResult)).unwrap() + "\n";
    if env::var_os("NETPROP_TEST_WRITE").is_some() {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, &schema).unwrap();
    }
    let published = fs::read_to_string(&path).unwrap();
    assert!(
        published == schema,
        "docs/schema/result.json is not what the type says: NETPROP_TEST_WRITE=1 writes it"
    );
}
