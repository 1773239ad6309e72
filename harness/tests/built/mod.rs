//! Examples as programs, for tests that run them.

use std::path::PathBuf;
use std::process::Command;

/// Where cargo has put the programs of this build.
pub(crate) fn directory() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    tests.ancestors().nth(2).unwrap().to_owned()
}

/// An example of a crate, built as the tests are: `cargo test --test` alone builds none.
pub(crate) fn example(package: &str, name: &str) -> PathBuf {
    let profile = directory();
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--locked", "--quiet", "--package", package, "--example", name, "--target-dir"]);
    build.arg(profile.parent().unwrap()).args((!cfg!(debug_assertions)).then_some("--release"));
    assert!(build.current_dir(env!("CARGO_MANIFEST_DIR")).status().unwrap().success(), "{build:?}");
    profile.join("examples").join(name)
}
