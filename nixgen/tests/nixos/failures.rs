//! What cannot be had or cannot be built, told of the machines that it is for, with the real Nix and
//! the stand-in for nixpkgs.

use crate::support::{Place, Result, have_nix};
use crate::wiring::{builder, network, stand_in};
use model::MachineId;
use nixgen::NixosOptions;
use serde_json::json;

#[test]
fn options_that_mkfs_refuses_are_told() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let mut value = serde_json::to_value(network("a", 256))?;
    value["machines"][1]["mkfs_options"] = json!(["--refused"]);
    let error = builder(&place, NixosOptions::default())?.build(&serde_json::from_value(value)?).unwrap_err();
    assert!(error.is_configuration() && matches!(error, nixgen::Error::Mkfs { .. }), "{error}");
    assert_eq!(error.machines(), [MachineId::new("a2")?], "{error}");
    assert!(error.to_string().contains("no such option"), "{error}");
    Ok(())
}

#[test]
fn what_nixpkgs_does_not_have_is_told_without_a_build() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let builder = builder(&place, NixosOptions::default())?;
    builder.check([&network("a", 256), &network("b", 512)])?;
    for (key, value, expected) in [
        ("kernel", json!("9.9"), "no kernel 9.9: use one of 6.6, 6.12"),
        (
            "packages",
            json!({"redis": "5"}),
            "no version 5 of the package redis: it has redis 7.2.4, redis_6 6.2.7",
        ),
        ("packages", json!({"rediss": "newest"}), "no package rediss"),
    ] {
        let mut other = serde_json::to_value(network("b", 256))?;
        other["machines"][1][key] = value;
        let error = builder.check([&network("a", 256), &serde_json::from_value(other)?]).unwrap_err();
        assert!(error.is_configuration() && error.to_string().contains(expected), "{error}");
        assert_eq!(error.machines(), [MachineId::new("b2")?], "{error}");
    }
    assert!(!place.path("run/nix-build.log").exists(), "nothing was built");
    Ok(())
}

#[test]
fn images_that_fail_are_told_apart() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let mut tree = stand_in();
    let broken =
        r#"final: prev: { redis_6 = prev.runCommand "redis-6.2.7" { } "exit 1" // { version = "6.2.7"; }; }"#;
    tree.overlays.push(place.file("broken.nix", broken)?);
    // With the same kernel, all images have the same name in the store.
    let mut value = serde_json::to_value(network("a", 256))?;
    value["machines"][2]["kernel"] = json!("6.6");
    let builder = place.builder(&tree, NixosOptions::default())?;
    let error = builder.build(&serde_json::from_value(value)?).unwrap_err();
    assert!(matches!(error, nixgen::Error::Build { .. }), "{error}");
    assert_eq!(error.machines(), [MachineId::new("a1")?, MachineId::new("a2")?], "{error}");
    Ok(())
}
