//! What Nix said about the modules in `tests/spoiled-modules`, understood.
//!
//! The samples for a release of nixpkgs are what Nix 2.8 said with it, less of its trace; the ones of
//! younger releases of Nix are put together from their public reports. `@MODULES@` stands for the
//! directory of the modules.

use std::path::Path;

use super::*;

const SAMPLES: [(&str, &str); 4] = [
    ("18.03", include_str!("samples/nixpkgs-18.03.txt")),
    ("20.09", include_str!("samples/nixpkgs-20.09.txt")),
    ("26.11", include_str!("samples/nixpkgs-26.11.txt")),
    ("young Nix", include_str!("samples/young-nix.txt")),
];

/// For each module: whether Nix tells the machines, the option, the position after the directory,
/// and a part of what is said.
const EXPECTED: [(&str, bool, Option<&str>, &str, &str); 12] = [
    ("calls-in-a-circle", false, None, "calls-in-a-circle.nix:1:10", "calls-back.nix, which imports"),
    ("conflict", true, Some("services.openssh.enable"), "conflict.nix:1:3", "different values"),
    ("defined-by-itself", true, None, "defined-by-itself.nix", "infinite recursion"),
    (
        "failed-assertion",
        true,
        None,
        "failed-assertion.nix:1:",
        "an assertion failed: redis needs more memory;",
    ),
    ("imports-by-config", true, None, "imports-by-config.nix", "imports cannot depend on config"),
    ("imports-in-a-circle", false, None, "imports-in-a-circle.nix:1:17", "circle-back.nix, which imports"),
    ("missing-file", true, None, "missing-file.nix:1:17", "does-not-exist.nix cannot be read"),
    ("no-such-option", true, Some("services.reddis"), "no-such-option.nix:1:3", "does not exist; "),
    ("syntax", true, None, "syntax.nix:4:1", "unexpected '}', expecting ';'"),
    ("undefined-variable", true, None, "undefined-variable.nix:1:49", "the variable pkgz is not defined"),
    ("unknown-package", true, None, "unknown-package.nix:1:49", "did you mean one of redis"),
    ("wrong-type", true, Some("services.openssh.enable"), "wrong-type.nix:1:3", "is no boolean"),
];

fn modules() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/spoiled-modules")
}

fn names(error: &EvaluationError) -> Vec<&str> {
    error.machines.iter().map(MachineId::as_str).collect()
}

#[test]
fn what_nix_says_is_understood() {
    let directory = modules();
    let mut seen = 0;
    for (release, samples) in SAMPLES {
        for sample in samples.split("==== ").skip(1) {
            let (name, said) = sample.split_once('\n').unwrap();
            let said = said.replace("@MODULES@", directory.to_str().unwrap());
            let module = directory.join(format!("{name}.nix"));
            let error = EvaluationError::understand(&said, &[module]).unwrap();
            let (_, has_machines, option, place, text) =
                EXPECTED.into_iter().find(|(expected, ..)| *expected == name).unwrap();
            let message = error.to_string();
            let machines: &[&str] = if has_machines { &["alpha", "beta"] } else { &[] };
            assert_eq!(names(&error), machines, "{release} {name}: {message}");
            if let Some(option) = option {
                assert_eq!(error.option.as_deref(), Some(option), "{release} {name}: {message}");
            }
            let position = error.position.map(|position| position.to_string()).unwrap_or_default();
            let expected =
                if place.is_empty() { String::new() } else { directory.join(place).display().to_string() };
            assert!(position.starts_with(&expected), "{release} {name}: {position}: {message}");
            assert!(position.is_empty() == place.is_empty(), "{release} {name}: {position}: {message}");
            assert!(message.contains(text) && !message.contains('\n'), "{release} {name}: {message}");
            seen += 1;
        }
    }
    assert!(seen >= 3 * 11, "{seen}");
}

#[test]
fn refusals_of_the_base_name_their_machines() {
    let said =
        "error: netprop: machine(s) alpha, beta: nixpkgs 26.11 has no kernel 9.9: use one of 6.6, 6.12\n";
    let error = EvaluationError::understand(said, &[]).unwrap();
    assert_eq!(names(&error), ["alpha", "beta"]);
    assert_eq!(
        error.to_string(),
        "the software of machines alpha, beta cannot be evaluated: nixpkgs 26.11 has no kernel 9.9: use one of 6.6, 6.12"
    );
}

#[test]
fn what_is_no_evaluation_is_left_alone() {
    assert_eq!(EvaluationError::understand("building '/nix/store/x.drv'...\n", &[]), None);
    assert_eq!(EvaluationError::understand("error:\n", &[]), None);
    let failed = "error: builder for '/nix/store/x.drv' failed with exit code 1;\n       last 1 log lines:\n       > no\n";
    assert_eq!(EvaluationError::understand(failed, &[]), None);
}

#[test]
fn an_option_is_found_as_it_may_be_written() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("module.nix");
    let place = |text: &str, option: &str| {
        std::fs::write(&path, text).unwrap();
        Files::of(std::slice::from_ref(&path)).find_option(option, path.clone()).place
    };
    let option = "services.openssh.enable";
    assert_eq!(place("{\n  services.openssh.enable = 1;\n}", option), Some((2, 3)));
    assert_eq!(place("{ services = {\n openssh.enable = 1; }; }", option), Some((2, 2)));
    assert_eq!(
        place("{ services.redis.enable = true; services.openssh = { enable = 1; }; }", option),
        Some((1, 33))
    );
    assert_eq!(place("{ # services.openssh.enable\n x = 1; }", option), None);
    assert_eq!(place("{ a.enable = 1; b.enable = 2; }", option), None);
}
