//! Logic of the base, and the proof by the real Nix that no text breaks out of its place.

use std::process::Command;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::TestRunner;
use serde_json::{Value, json};

use super::expression::{Disk, Expression, File, Image};
use super::*;
use crate::progress::Cancel;
use crate::template;

#[test]
fn the_tools_are_named_in_order() {
    // The order is part of the request, so that it must not change by accident.
    assert!(USERLAND.is_sorted() && TOOLS.is_sorted() && LEFT_OUT.is_sorted());
}

#[test]
fn what_is_resolved_is_told_for_replays() {
    let cache = tempfile::tempdir().unwrap();
    let base = Debian::new(cache.path(), Programs(Some("".into()))).unwrap();
    let limits = Limits { until: None, deadline: Duration::ZERO, cancel: Cancel::new() };
    assert_eq!(base.pins(&limits).unwrap(), BTreeMap::new(), "nothing is resolved yet");

    let package = |name: &str, version: &str, size| Package {
        name: name.to_owned(),
        version: version.to_owned(),
        file: format!("{name}_{version}_amd64.deb"),
        size,
        sha256: HEXLOWER.encode(&Sha256::digest(version)),
    };
    let pin = |version: &str, packages| {
        base.locks.pin(&kernel::request(&KernelVersion::new(version).unwrap()), packages).unwrap();
    };
    let image = package("linux-image-6.12.9-cloud-amd64", "6.12.9-1", 70_000_000);
    pin("6.12", vec![package("linux-image-6.12-cloud-amd64", "6.12.9+1", 1000), image]);
    pin("6.1.0-50-cloud-amd64", vec![package("linux-image-6.1.0-50-cloud-amd64", "6.1.1-1", 60_000_000)]);
    let userland = |version| {
        base.locks.pin(&common("userland", &USERLAND), vec![package("fping", version, 1)]).unwrap();
        base.pins(&limits).unwrap()
    };
    let (old, new) = (userland("5.1"), userland("5.2"));
    let keys: Vec<_> = old.keys().map(String::as_str).collect();
    assert_eq!(keys, ["debian-kernel-6.12", "debian-userland"], "an exact release is its own pin");
    assert_eq!((old["debian-kernel-6.12"].as_str(), old["debian-userland"].len()), ("6.12.9-1", 16));
    assert_ne!(old["debian-userland"], new["debian-userland"]);
}

/// Texts that mean something to Nix, between ones that mean nothing.
fn text() -> impl Strategy<Value = String> {
    let special = prop::sample::select(vec![
        "${",
        "}",
        "$",
        "$$",
        "''",
        "''${",
        "\"",
        "\\",
        "\\\"",
        "\n",
        "\r",
        "\r\n",
        "\t",
        "#",
        "/*",
        "*/",
        "'",
        "''\\",
        "<nixpkgs>",
        "${builtins.abort \"x\"}",
        "//",
        ";",
        "in",
        "\u{1}",
        "\u{7f}",
        "ä",
        "\u{2028}",
        "\u{feff}",
        "𝄞",
        "\\${",
        "\\u0000",
    ]);
    let piece =
        prop_oneof![special.prop_map(str::to_owned), any::<char>().prop_map(String::from), "[a-z /]{0,4}"];
    let text = prop::collection::vec(piece, 0..8).prop_map(|pieces| pieces.concat());
    // Nix strings cannot hold NUL: such texts are refused before (`host::speakable`).
    text.prop_map(|text| text.replace('\0', ""))
}

fn file() -> impl Strategy<Value = File> {
    (text(), text()).prop_map(|(file, sha256)| File { file, sha256 })
}

fn expression() -> impl Strategy<Value = Expression> {
    let files = || prop::collection::vec(file(), 0..3);
    let image = (text(), text(), files(), files(), files()).prop_map(
        |(name, kernel, kernel_packages, userland, packages)| Image {
            name,
            kernel,
            kernel_packages,
            userland,
            packages,
        },
    );
    let disk = (text(), text(), text());
    let disk = disk.prop_map(|(name, file_system, options)| Disk { name, file_system, options });
    let (images, disks) = (prop::collection::vec(image, 0..3), prop::collection::vec(disk, 0..3));
    let rest = (text(), text(), text(), files(), images, disks);
    rest.prop_map(|(shell, path, authorized_key, tools, images, disks)| Expression {
        source: String::new(),
        system: "x86_64-linux",
        shell,
        path,
        authorized_key,
        boot_modules: BOOT_MODULES,
        tools,
        images,
        disks,
    })
}

/// What evaluating the expression has to give where `source` is a function that returns what it
/// is called with.
fn arguments(expression: &Expression) -> Value {
    let image = |image: &Image| {
        json!({
            "name": image.name,
            "kernel": image.kernel,
            "kernelPackages": image.kernel_packages,
            "userland": image.userland,
            "packages": image.packages,
        })
    };
    let disk =
        |disk: &Disk| json!({ "name": disk.name, "fileSystem": disk.file_system, "options": disk.options });
    json!({
        "system": expression.system,
        "shell": expression.shell,
        "path": expression.path,
        "authorizedKey": expression.authorized_key,
        "bootModules": expression.boot_modules,
        "tools": expression.tools,
        "images": expression.images.iter().map(image).collect::<Vec<_>>(),
        "disks": expression.disks.iter().map(disk).collect::<Vec<_>>(),
    })
}

#[test]
fn no_text_changes_the_shape_of_the_expression() {
    let Ok(nix) = which::which("nix-instantiate") else {
        return skip("nix-instantiate", "nix-bin");
    };
    let directory = tempfile::tempdir().unwrap();
    let identity = directory.path().join("it's ${a} \"source\".nix");
    std::fs::write(&identity, "arguments: arguments").unwrap();
    let batch = prop::collection::vec(expression(), 32);
    let config = ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() };
    let check = |mut expressions: Vec<Expression>| {
        let mut list = "[".to_owned();
        for expression in &mut expressions {
            expression.source = identity.to_str().unwrap().to_owned();
            list.push_str(&format!("(\n{})\n", template::expression(expression).unwrap()));
        }
        list.push(']');
        let file = directory.path().join("batch.nix");
        std::fs::write(&file, list).unwrap();
        let store = |name: &str| directory.path().join(name);
        let output = Command::new(&nix)
            .args(["--eval", "--strict", "--json"])
            .arg(&file)
            .envs([("NIX_STORE_DIR", store("store")), ("NIX_STATE_DIR", store("state"))])
            .output()
            .unwrap();
        prop_assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let found: Value = serde_json::from_slice(&output.stdout).unwrap();
        let expected: Value = expressions.iter().map(arguments).collect();
        prop_assert_eq!(found, expected);
        Ok(())
    };
    TestRunner::new(config).run(&batch, check).unwrap();
}

/// A missing component is a loud skip on a laptop and a failure where everything has to be there.
fn skip(component: &str, package: &str) {
    assert!(
        std::env::var_os("CI").is_none_or(|ci| ci != "true"),
        "{component} is missing: install {package}"
    );
    eprintln!("SKIPPED: {component} is missing: install Debian's package {package}");
}
