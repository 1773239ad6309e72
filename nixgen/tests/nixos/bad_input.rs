//! What is wrong with kernels, packages and modules, told by the real Nix with real trees of nixpkgs:
//! one line each, before anything is built.

use crate::support::{Place, Result, Tree, have_nix, trees};
use model::{MachineId, Network};
use nixgen::{NixosOptions, UserModule};
use serde_json::{Value, json};

/// A network of two machines, of which only the first is given anything.
fn network(kernel: &str, packages: Value) -> Result<Network> {
    let machine = |index: u32, kernel: &str, packages: Value| {
        json!({
            "id": format!("machine{index}"), "uuid": format!("00000000-0000-4000-8000-00000000000{index}"),
            "address": format!("172.16.2.{}", index + 1), "kernel": kernel, "memory": 256, "file_system": "ext4",
            "packages": packages,
        })
    };
    Ok(serde_json::from_value(
        json!({ "machines": [machine(1, kernel, packages), machine(2, kernel, json!({}))] }),
    )?)
}

/// What building says, which has to be one line, before anything was built.
fn error(place: &Place, tree: &Tree, modules: Vec<UserModule>, network: &Network) -> Result<String> {
    let builder = place.builder(tree, NixosOptions { modules, ..NixosOptions::default() })?;
    let checked = builder.check([network]).err().ok_or("it was found to be fine")?.to_string();
    let message = builder.build(network).err().ok_or("it was built")?.to_string();
    assert_eq!(checked, message, "a check says the same");
    let log = std::fs::read_to_string(place.path("run/nix-build.log")).unwrap_or_default();
    assert!(!log.contains("building '"), "{message}: {log}");
    assert_eq!(message.lines().count(), 1, "{message}");
    Ok(message)
}

/// For each module in `spoiled-modules`, what the message says. The machine and the module's file are
/// in each, and its place where `NAME.nix:LINE` is expected.
const SPOILED: [(&str, &[&str]); 11] = [
    ("calls-in-a-circle", &["calls-back.nix", "leave out one"]),
    ("conflict", &["services.openssh.enable", "lib.mkForce"]),
    ("defined-by-itself", &["infinite recursion"]),
    ("failed-assertion", &["redis needs more memory"]),
    ("imports-by-config", &["infinite recursion", "imports cannot depend on config"]),
    ("missing-file", &["missing-file.nix:1:17", "does-not-exist.nix"]),
    ("no-such-option", &["no-such-option.nix:1:3", "services.reddis does not exist"]),
    ("syntax", &["syntax.nix:4:1", "unexpected '}'"]),
    ("undefined-variable", &["undefined-variable.nix:1:49", "pkgz"]),
    ("unknown-package", &["unknown-package.nix:1:49", "rediss", "did you mean"]),
    ("wrong-type", &["wrong-type.nix:1:3", "services.openssh.enable", "boolean"]),
];

#[test]
fn spoiled_modules_are_told_before_anything_is_built() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let directory = Tree::manifest("spoiled-modules");
    for tree in trees() {
        let place = Place::new()?;
        let kernels = place.builder(&tree, NixosOptions::default())?.offer()?.kernels;
        let network = network(kernels.last().unwrap().as_str(), json!({}))?;
        let circle = ("imports-in-a-circle", &["circle-back.nix", "leave out one"][..]);
        // 18.03 reads each file once, so that a circle of imports is fine with it.
        let circle = (tree.release != "18.03").then_some(circle);
        for (name, expected) in SPOILED.into_iter().chain(circle) {
            let path = directory.join(format!("{name}.nix"));
            let module = UserModule { machine: Some(MachineId::new("machine1")?), path };
            let message = error(&place, &tree, vec![module], &network)?;
            let told = expected.iter().all(|text| message.contains(text));
            assert!(told && message.contains("machine machine1 "), "{} {name}: {message}", tree.release);
            eprintln!("nixpkgs {}: {message}", tree.release);
        }
    }
    Ok(())
}

#[test]
fn unknown_software_is_told_with_what_there_is() -> Result {
    if !have_nix() {
        return Ok(());
    }
    for tree in trees() {
        let place = Place::new()?;
        let kernel =
            place.builder(&tree, NixosOptions::default())?.offer()?.kernels.last().unwrap().to_string();
        for (kernel, packages, expected) in [
            ("9.9", json!({}), "no kernel 9.9: use one of"),
            (&kernel, json!({"no-such-package": "newest"}), "no package no-such-package"),
            (&kernel, json!({"redis": "0.1"}), "no version 0.1 of the package redis: it has redis "),
            (&kernel, json!({"linuxPackages": "newest"}), "linuxPackages of nixpkgs"),
            (&kernel, json!({"redis": "/tmp/redis_1_amd64.deb"}), "NixOS installs no files of packages"),
        ] {
            let message = error(&place, &tree, Vec::new(), &network(kernel, packages)?)?;
            assert!(
                message.contains(expected) && message.contains("machine1"),
                "{}: {message}",
                tree.release
            );
            eprintln!("nixpkgs {}: {message}", tree.release);
        }
    }
    Ok(())
}

#[test]
fn names_that_lead_elsewhere_are_refused_before_nix_is_asked() {
    for (kernel, packages) in
        [("../6.1", json!({})), ("6.1", json!({"../redis": "newest"})), ("6.1", json!({"redis": "../1"}))]
    {
        let message = network(kernel, packages).unwrap_err().to_string();
        assert!(message.contains("../") && message.contains("use "), "{message}");
    }
}
