//! The way from a network to images of NixOS, with the real Nix and the stand-in for nixpkgs in
//! `stand-in-nixpkgs`, whose README says what it is and is not.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use crate::support::{Place, Result, Tree, have_nix};
use model::{MachineId, Network};
use nixgen::{BaseChoice, Builder, NixosOptions, NixosStore, Progress, UserModule, Wiring, domain_xml};
use serde_json::{Value, json};

/// Three machines, the first two of equal software.
pub(crate) fn network(prefix: &str, memory: u32) -> Network {
    let machine = |index: u32, kernel: &str, packages: Value| {
        json!({
            "id": format!("{prefix}{index}"), "uuid": format!("00000000-0000-4000-8000-00000000000{index}"),
            "address": format!("172.16.2.{}", index + 1), "kernel": kernel, "memory": memory + index,
            "file_system": "ext4", "mkfs_options": if index == 3 { vec!["-I", "128"] } else { vec![] },
            "packages": packages, "parameters": { "note": "a \"${quoted}\" note" },
        })
    };
    let machines = [
        machine(1, "6.6", json!({"redis": "6"})),
        machine(2, "6.6", json!({"redis": "6"})),
        machine(3, "6.12", json!({"redis": "newest"})),
    ];
    serde_json::from_value(json!({ "machines": machines })).unwrap()
}

pub(crate) fn stand_in() -> Tree {
    Tree {
        release: "stand-in".to_owned(),
        directory: Tree::manifest("stand-in-nixpkgs"),
        overlays: Vec::new(),
    }
}

pub(crate) fn builder(place: &Place, nixos: NixosOptions) -> Result<Builder> {
    place.builder(&stand_in(), nixos)
}

#[test]
fn equal_software_is_one_image() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let builder = builder(&place, NixosOptions::default())?;
    let kernels: Vec<_> = builder.offer()?.kernels.iter().map(ToString::to_string).collect();
    assert_eq!(kernels, ["6.6", "6.12"], "in their order, without the one that was removed");
    let built = builder.build(&network("a", 256))?;
    let images: Vec<_> = built.machines().map(|(_, image)| image.clone()).collect();
    assert_eq!(images[0], images[1]);
    assert_ne!(images[0].root, images[2].root);
    let init = images[0].command_line.split(" init=").nth(1).unwrap();
    assert!(Path::new(init).exists() && init.ends_with("/init"), "{init}");
    for word in ["console=ttyS0", "quiet", "panic=-1", "net.ifnames=0"] {
        assert!(images[0].command_line.split(' ').any(|part| part == word), "{}", images[0].command_line);
    }
    let system = fs::read_to_string(init)?;
    assert!(system.contains("redis-6.2.7") && system.contains("netprop-identity"), "{system}");
    assert_eq!(images[0].scratch.len(), 2, "one for each format");

    // Who they are and how much memory they have is not their software.
    assert_eq!(builder.build(&network("b", 512))?.built_anew(), &[] as &[String]);
    let again = self::builder(&place, NixosOptions::default())?.build(&network("c", 1024))?;
    assert_eq!(again.built_anew(), &[] as &[String]);
    assert_eq!(again.machines().next().map(|(_, image)| image), Some(&images[0]));
    Ok(())
}

#[test]
fn modules_see_the_values_that_they_name() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let all = place
        .file("all.nix", "{ machine, ... }: { environment.etc.note.text = machine.parameters.note; }")?;
    let one = place.file("one.nix", "{ machine, pkgs, ... }: { environment.systemPackages = [ (pkgs.runCommand \"has-${toString machine.memory}-${toString machine.processors}\" { } \"mkdir $out\") ]; }")?;
    let modules = vec![
        UserModule { machine: None, path: all },
        UserModule { machine: Some(MachineId::new("a2")?), path: one },
    ];
    let builder = builder(&place, NixosOptions { modules, ..NixosOptions::default() })?;
    let built = builder.build(&network("a", 256))?;
    let mut systems = Vec::new();
    for (_, image) in built.machines() {
        let system = PathBuf::from(image.command_line.split(" init=").nth(1).unwrap());
        assert_eq!(fs::read_to_string(system.with_file_name("note"))?, "a \"${quoted}\" note\n");
        systems.push(fs::read_to_string(system)?);
    }
    assert!(!systems[0].contains("has-") && systems[1].contains("has-258-1"), "{systems:?}");

    let named = builder.expression([&network("a", 256)])?;
    let other = builder.expression([&network("a", 512)])?;
    assert_eq!(named.images.iter().collect::<BTreeSet<_>>().len(), 3);
    assert!(
        named.text.contains("258") && !named.text.contains("257"),
        "only the second one's module names it"
    );
    assert!(other.text.contains("514"), "{}", other.text);
    Ok(())
}

#[test]
fn a_file_that_changes_during_the_build_moves_no_image() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let path = place.file("one.nix", "{ ... }: { }")?;
    let module = UserModule { machine: Some(MachineId::new("a1")?), path: path.clone() };
    let mut options =
        place.options(&stand_in(), NixosOptions { modules: vec![module], ..NixosOptions::default() })?;
    options.observer = Arc::new(move |step| {
        if let Progress::Building { .. } = step {
            fs::write(&path, "{ machine, ... }: { environment.etc.x.text = machine.kernel; }").unwrap();
        }
    });
    let built = Builder::new(options)?.build(&network("a", 256))?;
    let old_redis: Vec<_> = built
        .machines()
        .map(|(machine, image)| {
            let system = image.command_line.split(" init=").nth(1).unwrap();
            (machine.id.to_string(), fs::read_to_string(system).unwrap().contains("redis-6.2.7"))
        })
        .collect();
    let expected = [("a1", true), ("a2", true), ("a3", false)];
    assert_eq!(old_redis, expected.map(|(id, old)| (id.to_owned(), old)));
    Ok(())
}

#[test]
fn the_store_may_be_shared() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let builder = builder(&place, NixosOptions { store: NixosStore::NineP, ..NixosOptions::default() })?;
    let network = network("a", 256);
    let built = builder.build(&network)?;
    let (machine, image) = built.machines().next().unwrap();
    let store = place.path("cache/nix/store").canonicalize()?;
    assert_eq!(image.store.as_deref(), Some(store.as_path()));
    let xml = domain_xml(machine, &network, image, &Wiring::default())?;
    let document = roxmltree::Document::parse(&xml)?;
    let shared = document.descendants().find(|node| node.has_tag_name("filesystem")).unwrap();
    let child = |name: &str, attribute: &str| {
        shared.children().find(|node| node.has_tag_name(name)).and_then(|node| node.attribute(attribute))
    };
    assert_eq!((child("source", "dir"), child("target", "dir")), (store.to_str(), Some("store")));
    assert!(shared.children().any(|node| node.has_tag_name("readonly")));
    Ok(())
}

#[test]
fn the_tree_is_told_for_replays() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let pins = builder(&place, NixosOptions::default())?.pins()?;
    let directory = stand_in().directory.canonicalize()?.display().to_string();
    let expected = [("nixpkgs", directory.as_str()), ("nixpkgs-release", "stand-in")];
    assert_eq!(pins, BTreeMap::from(expected.map(|(key, value)| (key.to_owned(), value.to_owned()))));

    // Where there is a nixpkgs, it is the base that is taken by itself.
    let mut options = place.options(&stand_in(), NixosOptions::default())?;
    options.base = BaseChoice::Auto;
    assert_eq!(Builder::new(options)?.pins()?, pins);
    Ok(())
}

#[test]
fn no_tree_is_told_with_the_remedy() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let mut tree = stand_in();
    tree.directory = place.path("");
    let error = place.builder(&tree, NixosOptions::default()).err().unwrap().to_string();
    assert!(error.contains("has no .version; name the directory that has it"), "{error}");
    tree.directory = place.path("none");
    let error = place.builder(&tree, NixosOptions::default()).err().unwrap().to_string();
    assert!(error.contains("none: No such file"), "{error}");
    Ok(())
}

/// The guest's script, but for its last part that looks for the control port.
fn functions(place: &Place) -> Result<String> {
    let builder = builder(place, NixosOptions::default())?;
    let network = network("a", 256);
    builder.build(&network)?;
    let expression = builder.expression([&network])?.text;
    let path = "(builtins.head all).config.systemd.services.netprop-identity.serviceConfig.ExecStart";
    let script = place.evaluate(&format!("let all = {expression}; in {path}"))?;
    let text = fs::read_to_string(script.as_str().unwrap())?;
    Ok(text.split_once("\nsettled=\n").unwrap().0.to_owned())
}

/// Runs the functions with stubs for systemd's programs, whose calls are in the file `calls`.
fn run(place: &Place, functions: &str, failed: &str, body: &str) -> Result<(String, String)> {
    let bin = place.path("bin");
    fs::create_dir_all(&bin)?;
    let calls = place.path("calls");
    for name in ["systemctl", "systemd-notify"] {
        let text = format!(
            "#!/bin/sh\necho {name} \"$@\" >>{}\ncase $1 in list-units) printf '{failed}';; esac\n",
            calls.display()
        );
        let plain = place.path(&format!("{name}.text"));
        fs::write(&plain, text)?;
        // What another thread's child may have inherited open for writing cannot be run.
        let installed = Command::new("install").arg("-m755").arg(plain).arg(bin.join(name)).status()?;
        assert!(installed.success(), "install: {installed}");
    }
    let _ = fs::remove_file(&calls);
    let path = format!("{}:/usr/bin:/bin", bin.display());
    let output = Command::new("sh")
        .args(["-c", &format!("{functions}\nsettled=\n{body}")])
        .env("PATH", path)
        .output()?;
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    Ok((String::from_utf8(output.stdout)?, fs::read_to_string(&calls).unwrap_or_default()))
}

#[test]
fn a_guest_is_ready_when_its_units_have_settled() -> Result {
    if !have_nix() {
        return Ok(());
    }
    let place = Place::new()?;
    let functions = functions(&place)?;
    let settle = "base_settle && echo ready || echo failed $reason; base_settle && echo again";
    let (said, calls) = run(&place, &functions, "", settle)?;
    assert_eq!(said, "ready\nagain\n");
    assert_eq!(
        calls,
        "systemd-notify --ready\nsystemctl start netprop-settled.target\nsystemctl list-units --state=failed --plain --no-legend\n"
    );
    let failed = "redis.service loaded failed failed Redis\\nb.mount loaded failed failed B\\n";
    let (said, _) = run(&place, &functions, failed, settle)?;
    assert_eq!(said, "failed these units failed: redis.service b.mount\nagain\n");

    // The stand-in has no sshd: its configuration does not pass, and nothing listens.
    let (said, calls) = run(&place, &functions, "", "base_start_sshd || echo \"failed $reason\"")?;
    assert!(
        said.starts_with("failed sshd: ") && said.contains("/bin/sshd") && calls.is_empty(),
        "{said}{calls}"
    );
    Ok(())
}
