//! Builds, real and spoiled. The real ones share the user's cache, so that packages are downloaded
//! once; the spoiled ones have caches of their own, and scripts in the place of the real programs.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use model::{FileSystem, Machine, Network};
use nixgen::{BuildOptions, Builder, Cancel, Progress};
use serde_json::json;
use sha2::{Digest, Sha256};
use support::{Host, REAL, Result, example, have, network};

/// The example with all that is not software changed.
fn other_identities() -> Network {
    let mut value = example();
    value["subnet"] = json!("10.1.0.0/16");
    for (index, machine) in value["machines"].as_array_mut().unwrap().iter_mut().enumerate() {
        machine["id"] = json!(format!("other{index}"));
        machine["uuid"] = json!(format!("00000000-0000-4000-8000-00000000000{}", index + 1));
        machine["address"] = json!(format!("10.1.2.{}", index + 7));
        machine["memory"] = json!(256);
        machine["file_system"] = json!(["xfs", "ext4"][index]);
    }
    serde_json::from_value(value).unwrap()
}

#[test]
fn equal_software_is_built_once() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let run = tempfile::tempdir()?;
    let build = |network: &Network| Builder::new(BuildOptions::new(run.path())?)?.build(network);
    let first = build(&network())?;
    let images: Vec<_> = first.machines().map(|(_, image)| image.clone()).collect();
    assert_ne!(images[0].root, images[1].root, "two kernels are two images");
    let formats: BTreeSet<_> = network().machines().iter().map(Machine::format).collect();
    assert!(images[0].scratch.keys().eq(&formats), "each format is made once");

    let second = build(&other_identities())?;
    assert_eq!(second.built_anew(), &[] as &[String], "nothing was left to build");
    assert!(second.machines().map(|(_, image)| image).eq(&images));
    let log = fs::read_to_string(run.path().join("nix-build.log"))?;
    let built = log.lines().filter(|line| line.starts_with("building '")).count();
    assert_eq!(built, first.built_anew().len(), "nix-build's own log agrees");
    Ok(())
}

/// A host whose Nix writes its arguments to the file `calls`, does what is said, and names images and
/// disks for the example, which are none.
fn host_with_nix(then: &str) -> Result<Host> {
    let host = Host::new()?;
    host.generous_apt()?;
    let (calls, image) = (host.path("calls"), host.path("image"));
    let (calls, image) = (calls.display(), image.display());
    host.script(
        "nix-build",
        &format!("echo \"$@\" >>{calls}; {then}; for part in 1 2 3 4; do echo {image}; done"),
    )?;
    Ok(host)
}

#[test]
fn several_networks_are_prepared_in_one_go() -> Result {
    let host = host_with_nix("true")?;
    let builder = Builder::new(host.options()?)?;
    let networks = [network(), other_identities()];
    assert_eq!(networks.each_ref().map(|network| builder.missing(network)), [4, 4]);
    builder.prepare(&networks)?;
    assert_eq!(networks.each_ref().map(|network| builder.missing(network)), [0, 0]);
    builder.prepare(&networks)?;
    let calls = fs::read_to_string(host.path("calls"))?;
    assert_eq!(calls.lines().count(), 1, "{calls}");
    assert!(calls.contains("--keep-going"), "{calls}");
    Ok(())
}

#[test]
fn what_is_being_prepared_is_waited_for_and_not_built_again() -> Result {
    let host = host_with_nix("read -r _ <\"$NETPROP_RUN/go\"")?;
    fs::create_dir_all(host.path("run"))?;
    let go = host.path("run/go");
    assert!(std::process::Command::new("mkfifo").arg(&go).status()?.success());
    let mut options = host.options()?;
    options.observer = Arc::new(move |step| {
        if step == Progress::Waiting {
            fs::write(&go, "\n").unwrap();
        }
    });
    let builder = Builder::new(options)?;
    thread::scope(|scope| {
        let prepared = scope.spawn(|| builder.prepare([&network()]));
        while !host.path("calls").exists() {
            thread::sleep(Duration::from_millis(10));
        }
        // What it then finds is no image.
        let error = builder.build(&network()).unwrap_err().to_string();
        assert!(error.contains("is corrupt"), "{error}");
        prepared.join().unwrap().unwrap();
    });
    assert_eq!(fs::read_to_string(host.path("calls"))?.lines().count(), 1);
    Ok(())
}

#[test]
fn the_base_offers_what_it_pinned() -> Result {
    if !have(&REAL) {
        return Ok(());
    }
    let run = tempfile::tempdir()?;
    let offer = Builder::new(BuildOptions::new(run.path())?)?.offer()?;
    assert!(!offer.kernels.is_empty() && offer.file_systems == FileSystem::ALL, "{offer:?}");
    Ok(())
}

#[test]
fn missing_programs_name_their_packages() -> Result {
    let host = Host::new()?;
    assert!(host.error()?.contains("apt-get install nix-bin"));
    host.script("nix-build", "exit 1")?;
    assert!(host.error()?.contains("install Debian's package apt "));
    host.generous_apt()?;
    fs::remove_file(host.path("bin/dpkg-deb"))?;
    assert!(host.error()?.contains("apt-get install dpkg"));
    Ok(())
}

#[test]
fn empty_lists_of_apt_are_told_from_a_broken_apt() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "exit 1")?;
    host.script("apt-get", "echo 'E: Unable to locate package busybox-static' >&2; exit 100")?;
    let error = host.error()?;
    assert!(error.contains("busybox-static") && error.contains("apt-get update"), "{error}");
    host.script("apt-get", "echo 'E: dpkg was interrupted' >&2; exit 100")?;
    let error = host.error()?;
    assert!(error.contains("dpkg was interrupted") && error.contains("apt.log"), "{error}");
    host.script("apt-get", "echo \"'x' x_1_all.deb 3 MD5Sum:00\"")?;
    assert!(host.error()?.contains("not understood"));
    Ok(())
}

#[test]
fn a_package_that_is_not_the_pinned_one_is_refused() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "exit 1")?;
    fs::write(host.path("linux-image-x_1_all.deb"), "another")?;
    let error = host.error()?;
    assert!(error.contains("linux-image-x_1_all.deb") && error.contains("SHA-256"), "{error}");
    let left: Vec<_> = fs::read_dir(host.path("cache/packages"))?.collect();
    assert!(left.is_empty(), "{left:?}");
    Ok(())
}

#[test]
fn a_spoiled_package_is_downloaded_again() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "echo \"error: builder for '/s/x-netprop-image-6.12.drv' failed\" >&2; exit 1")?;
    assert!(host.error()?.contains("nix-build failed"));
    let good = fs::read(host.path("linux-image-x_1_all.deb"))?;
    let key = &HEXLOWER.encode(&Sha256::digest(&good))[..16];
    let package = host.path("cache/packages").join(format!("{key}-linux-image-x_1_all.deb"));
    assert_eq!(fs::read(&package)?, good);
    fs::write(&package, vec![b'x'; good.len()])?;
    assert!(host.error()?.contains("nix-build failed"));
    assert_eq!(fs::read(&package)?, good);
    Ok(())
}

#[test]
fn a_failed_build_names_the_machine_the_log_and_its_end() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "echo \"error: builder for '/s/x-netprop-image-6.12.drv' failed\" >&2; exit 1")?;
    let error = host.error()?;
    assert!(error.contains("machine betabbbb") && !error.contains("alphaaaa"), "{error}");
    assert!(error.contains("nix-build.log") && error.ends_with("failed"), "{error}");
    // What fails may be the kernel that an image needs.
    host.script(
        "nix-build",
        "echo \"error: builder for '/s/x-netprop-kernel-6.12.drv' failed\" >&2
         echo \"error: 1 dependencies of derivation '/s/x-netprop-image-6.12.drv' failed to build\" >&2; exit 1",
    )?;
    let error = host.error()?;
    assert!(error.contains("machine betabbbb") && !error.contains("alphaaaa"), "{error}");
    host.script("nix-build", "echo 'mkdir: No space left on device' >&2; exit 1")?;
    let error = host.error()?;
    assert!(error.contains("no space is left") && error.contains("cache/nix"), "{error}");
    Ok(())
}

#[test]
fn a_corrupt_image_is_named_with_the_remedy() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    fs::create_dir(host.path("image"))?;
    fs::write(host.path("image/kernel"), "garbage")?;
    let image = host.path("image");
    host.script("nix-build", &format!("for part in 1 2 3 4; do echo {}; done", image.display()))?;
    let error = host.error()?;
    assert!(error.contains("image/kernel is corrupt") && error.contains("nix-store --delete"), "{error}");
    Ok(())
}

#[test]
fn directories_that_cannot_be_made_are_named() -> Result {
    let host = Host::new()?;
    host.script("nix-build", "exit 1")?;
    fs::write(host.path("cache"), "a file")?;
    let error = host.error()?;
    assert!(error.contains("cannot make") && error.contains("cache"), "{error}");
    Ok(())
}

/// A nix-build with a builder in a process group of its own, as the real one has.
const HANGS: &str = "trap 'kill $builder; exit 1' TERM
setsid sleep 600 & builder=$!
echo \"building '/s/x-netprop-tools.drv'...\" >&2
wait";

/// Waits until no process has the run's directory in its environment; whether it came to that.
fn all_gone(run: &Path) -> bool {
    let needle = run.display().to_string();
    let has_it = |text: Vec<u8>| String::from_utf8_lossy(&text).contains(&needle);
    let any = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok()).any(has_it)
    };
    // Whoever got a signal needs a while to die of it.
    let until = Instant::now() + Duration::from_secs(30);
    while any() {
        if Instant::now() > until {
            return false;
        }
        thread::sleep(Duration::from_millis(20));
    }
    true
}

#[test]
fn a_deadline_ends_the_build_and_all_its_processes() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    // All that comes before nix-build is done before: it has no part in the deadline.
    host.script("nix-build", "exit 1")?;
    Builder::new(host.options()?)?.build(&network()).unwrap_err();
    host.script("nix-build", HANGS)?;
    symlink(which::which("setsid")?, host.path("bin/setsid"))?;
    let mut options = host.options()?;
    options.deadline = Duration::from_secs(2);
    let start = Instant::now();
    let error = Builder::new(options)?.build(&network()).unwrap_err().to_string();
    assert!(error.contains("nix-build was ended after 2 s") && error.contains("more time"), "{error}");
    assert!(start.elapsed() < Duration::from_secs(6));
    assert!(all_gone(&host.path("run")));
    Ok(())
}

#[test]
fn a_cancelled_build_ends_at_once() -> Result {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", HANGS)?;
    let cancel = Cancel::new();
    let steps = Arc::new(Mutex::new(Vec::new()));
    let mut options = host.options()?;
    options.cancel = cancel.clone();
    let (seen, when_building) = (Arc::clone(&steps), cancel.clone());
    let cancelled = Arc::new(Mutex::new(None));
    let when = Arc::clone(&cancelled);
    options.observer = Arc::new(move |step| {
        let building = matches!(step, Progress::Building { .. });
        seen.lock().unwrap().push(step);
        if building {
            *when.lock().unwrap() = Some(Instant::now());
            // From another thread, as a signal handler would.
            let cancel = when_building.clone();
            thread::spawn(move || cancel.cancel());
        }
    });
    let builder = Builder::new(options)?;
    let error = builder.build(&network()).unwrap_err().to_string();
    let took = cancelled.lock().unwrap().map(|when| when.elapsed());
    assert!(error.contains("cancelled") && took < Some(Duration::from_secs(5)), "{error}: {took:?}");
    assert!(all_gone(&host.path("run")));
    assert!(builder.build(&network()).unwrap_err().to_string().contains("cancelled"), "and stays so");
    let steps = steps.lock().unwrap();
    assert!(steps.contains(&Progress::Building { name: "tools".to_owned() }), "{steps:?}");
    let done = |step: &Progress| matches!(step, Progress::Downloading { done, total } if done == total);
    assert!(steps.iter().any(done), "{steps:?}");
    Ok(())
}
