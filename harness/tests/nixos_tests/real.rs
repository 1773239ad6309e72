//! Tests evaluate with real nixpkgs.

use std::path::{Path, PathBuf};

use crate::{Place, case_of_faults, case_of_machines, evidence, of_faults, of_machines, runner};

/// The trees that are named and have a driver for Python, with the release of each.
fn trees() -> Vec<(String, PathBuf)> {
    let Some(named) = std::env::var("NETPROP_TEST_NIXPKGS").ok() else {
        eprintln!("SKIPPED: no real nixpkgs was evaluated: set NETPROP_TEST_NIXPKGS=RELEASE=DIRECTORY:…");
        return Vec::new();
    };
    let tree =
        |text: &str| text.split_once('=').map(|(release, directory)| (release.to_owned(), directory.into()));
    named.split(':').filter_map(tree).filter(|(release, _)| release.as_str() >= "20.03").collect()
}

#[test]
fn tests_evaluate_with_real_nixpkgs() {
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nixgen/tests/nixos/without-haskell.nix");
    for (release, directory) in trees() {
        let place = Place::new();
        // Trees of late releases may lack Haskell's packages, one of which each system is checked with.
        let overlays = if release.as_str() >= "21.05" {
            format!("(import {})", overlay.display())
        } else {
            String::new()
        };
        let pkgs = format!("import {} {{ overlays = [ {overlays} ]; }}", directory.display());
        for seed in 0..3 {
            let mut runner = runner(seed);
            let evidence = evidence(&mut runner);
            let tests = [
                of_machines(&case_of_machines(&mut runner), &evidence),
                of_faults(&case_of_faults(&mut runner), &evidence),
            ];
            for test in tests {
                let file = place.file("test.nix", &test.text);
                let path = place.nix(&[file.to_str().unwrap(), "--arg", "pkgs", &pkgs]);
                assert!(path.trim().ends_with("-vm-test-run-case.drv"), "{release}: {path}");
            }
        }
    }
}
