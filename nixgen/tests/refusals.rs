//! Machines that cannot be: each is refused in one sentence that names it, before anything is built.

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use nixgen::{BuildOptions, Builder};
use serde_json::{Value, json};
use support::{Host, REAL, Result, example, have};

/// A machine of the example with something changed, built on this host.
fn refused(change: impl FnOnce(&mut Value)) -> Result<nixgen::Error> {
    let run = tempfile::tempdir()?;
    let mut value = example();
    change(&mut value["machines"][1]);
    let network = serde_json::from_value(value)?;
    let error = Builder::new(BuildOptions::new(run.path())?)?.build(&network).err().ok_or("it was built")?;
    assert!(error.is_configuration(), "{error}");
    let machines: Vec<_> = error.machines().iter().map(ToString::to_string).collect();
    assert_eq!(machines, ["betabbbb"], "{error}");
    // A disk is refused by its own build, all else before any is asked for.
    let built = run.path().join("nix-build.log").exists();
    assert_eq!(built, matches!(error, nixgen::Error::Mkfs { .. }), "{error}");
    Ok(error)
}

#[test]
fn packages_that_apt_does_not_have_are_refused() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let error = refused(|machine| machine["packages"] = json!({ "redis-servr": "newest" }))?.to_string();
    assert!(error.contains("no package redis-servr for machine betabbbb"), "{error}");
    assert!(error.contains("did you mean redis-server"), "{error}");
    // apt itself would take these for a pattern, and for an order to remove.
    for name in ["redis-serve.", "redis-server-"] {
        let error = refused(|machine| machine["packages"] = json!({ name: "newest" }))?.to_string();
        assert!(error.contains(&format!("no package {name} for machine betabbbb")), "{error}");
    }
    let error = refused(|machine| machine["packages"] = json!({ "redis-server": "9" }))?.to_string();
    assert!(error.contains("no version 9 of redis-server for machine betabbbb: use one of"), "{error}");
    let versions = Builder::new(BuildOptions::new(tempfile::tempdir()?.path())?)?;
    let versions = versions.versions(&"redis-server".parse()?)?;
    assert!(!versions.is_empty() && error.contains(&versions.join(", ")), "{error}");
    Ok(())
}

#[test]
fn packages_that_cannot_be_together_are_refused() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    // Every guest has busybox-static.
    let error = refused(|machine| machine["packages"] = json!({ "busybox": "newest" }))?.to_string();
    assert!(error.contains("busybox newest") && error.contains("the place of busybox-static"), "{error}");
    Ok(())
}

/// Makes a package's file.
fn deb(directory: &Path, name: &str, fields: &str) -> Result<PathBuf> {
    let package = directory.join(name);
    fs::create_dir_all(package.join("DEBIAN"))?;
    let control = format!("Package: {name}\nVersion: 1:2\nMaintainer: x\nDescription: x\n{fields}");
    fs::write(package.join("DEBIAN/control"), control)?;
    fs::create_dir_all(package.join("usr/share"))?;
    fs::write(package.join("usr/share").join(name), name.repeat(1000))?;
    let file = directory.join(format!("{name}.deb"));
    let built = Command::new("dpkg-deb").arg("--build").arg(&package).arg(&file).output()?;
    assert!(built.status.success(), "{built:?}");
    Ok(file)
}

#[test]
fn files_that_are_not_the_package_are_refused() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let directory = tempfile::tempdir()?;
    let good = deb(directory.path(), "netprop-good", "Architecture: all\n")?;
    let foreign = deb(directory.path(), "netprop-foreign", "Architecture: arm64\n")?;
    let needy =
        deb(directory.path(), "netprop-needy", "Architecture: all\nDepends: netprop-no-such (>= 3)\n")?;
    let damaged = directory.path().join("damaged.deb");
    let content = fs::read(&good)?;
    fs::write(&damaged, &content[..content.len() - 30])?;
    for (name, path, why) in [
        ("netprop-good", directory.path().join("gone.deb"), "No such file"),
        ("netprop-good", damaged, "damaged"),
        ("netprop-other", good, "it is the package netprop-good"),
        ("netprop-foreign", foreign, "it is for arm64"),
        ("netprop-needy", needy, "netprop-no-such (>= 3)"),
    ] {
        let error = refused(|machine| machine["packages"] = json!({ name: path }))?.to_string();
        assert!(error.contains(why) && error.contains(name), "{error}");
    }
    Ok(())
}

#[test]
fn options_that_mkfs_refuses_are_named() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let error = refused(|machine| machine["mkfs_options"] = json!(["-n", "size=3"]))?.to_string();
    assert!(error.contains("\"-n size=3\" for the xfs of machine betabbbb"), "{error}");
    assert!(error.contains("value 3"), "{error}");
    Ok(())
}

#[test]
fn a_kernel_without_the_module_is_refused_before_anything_is_built() -> Result {
    let host = Host::new()?;
    host.script("nix-build", "exit 1")?;
    let all = ["virtio_pci", "virtio_console", "virtio_blk", "virtio-net", "overlay"];
    host.apt_with_modules(&all)?;
    let error = host.error()?;
    let expected = "the kernel 6.12 has no module xfs, which machine betabbbb needs for its scratch disk";
    assert!(error.starts_with(expected), "{error}");
    assert!(!host.path("run/nix-build.log").exists());
    let host = Host::new()?;
    host.script("nix-build", "exit 1")?;
    host.apt_with_modules(&all[1..])?;
    let error = host.error()?;
    assert!(error.contains("6.1 has no module virtio_pci, which machine alphaaaa needs"), "{error}");
    Ok(())
}

/// An apt that solves a package only together with what the script says of its own arguments. It
/// fails where it is asked for a version that it does not have, and for a flat repository as a release.
fn solved_if(condition: &str) -> Result<(Host, String)> {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "exit 1")?;
    let apt = fs::read_to_string(host.path("bin/apt-get"))?;
    let apt = apt.split_once('\n').ok_or("the script has one line")?.1.to_owned();
    let unmet = "echo 'The following packages have unmet dependencies:'; echo ' linux-image-x : Depends: y'; exit 100";
    host.script(
        "apt-get",
        &format!(
            "case \"$*\" in {condition}) ;; *'-t . '*) echo \"E: The value '.' is invalid\" >&2; exit 100;;\n\
             *--print-uris*=1*) {unmet};; esac\n{apt}"
        ),
    )?;
    let cache = fs::read_to_string(host.path("bin/apt-cache"))?;
    let cache = cache.split_once('\n').ok_or("the script has one line")?.1.to_owned();
    host.script(
        "apt-cache",
        &format!(
            "case \"$*\" in *madison*) echo 'linux-image-x | 1 | file:/f ./ Packages';\n\
             echo 'linux-image-x | 1 | http://m/d old/main amd64 Packages';;\n\
             *show*y=3) echo 'E: No packages found' >&2; exit 100;; *show*) echo 'Depends: y (= 3)';; esac\n{cache}"
        ),
    )?;
    let mut value = example();
    value["machines"][1]["packages"] = json!({ "linux-image-x": "1" });
    let builder = Builder::new(host.options()?)?;
    let error = builder.build(&serde_json::from_value(value)?).err().ok_or("it was built")?;
    Ok((host, error.to_string()))
}

#[test]
fn versions_that_do_not_fit_the_newest_are_solved_with_what_fits_them() -> Result {
    // What gets as far as nix-build was solved.
    for condition in ["*'linux-image-x=1 y=3'*", "*'-t old linux-image-x=1'*"] {
        let (_host, error) = solved_if(condition)?;
        assert!(error.contains("nix-build failed"), "{condition}: {error}");
    }
    let (host, error) = solved_if("never")?;
    assert!(error.contains("linux-image-x 1 of machine betabbbb cannot be in one guest"), "{error}");
    assert!(error.contains("linux-image-x : Depends: y;"), "{error}");
    assert!(!host.path("run/nix-build.log").exists());
    Ok(())
}

#[test]
fn an_unknown_kernel_is_named_with_its_machine_and_what_there_is() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let run = tempfile::tempdir()?;
    let mut value = example();
    value["machines"][1]["kernel"] = json!("9.9");
    let network = serde_json::from_value(value)?;
    let error = Builder::new(BuildOptions::new(run.path())?)?.build(&network).unwrap_err().to_string();
    assert!(error.contains("9.9") && error.contains("betabbbb") && error.contains("use one of"), "{error}");
    Ok(())
}
