//! Builds, real and spoiled. The real ones share the user's cache, so that packages are downloaded
//! once; the spoiled ones have caches of their own, and scripts in the place of the real programs.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use model::{FileSystem, Machine, Network};
use nixgen::{BuildOptions, Builder, Cancel, Progress, StoreChoice};
use serde_json::{Value, json};
use tempfile::TempDir;

type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Whether the real tools are there; where not, a loud skip, or a failure under `CI=true`.
fn have(tools: &[(&str, &str)]) -> bool {
    let mut all = true;
    for (tool, package) in tools {
        if which::which(tool).is_err() {
            assert!(
                std::env::var_os("CI").is_none_or(|ci| ci != "true"),
                "{tool} is missing: install {package}"
            );
            eprintln!("SKIPPED: {tool} is missing: install Debian's package {package}");
            all = false;
        }
    }
    all
}

const REAL: [(&str, &str); 3] = [("nix-build", "nix-bin"), ("apt-get", "apt"), ("dpkg-deb", "dpkg")];

fn example() -> Value {
    serde_json::from_str(include_str!("../examples/network.json")).unwrap()
}

/// The example with all that is not software changed.
fn other_identities() -> Network {
    let mut value = example();
    value["subnet"] = json!("10.1.0.0/16");
    for (index, machine) in value["machines"].as_array_mut().unwrap().iter_mut().enumerate() {
        machine["id"] = json!(format!("other{index}"));
        machine["uuid"] = json!(format!("00000000-0000-4000-8000-00000000000{}", index + 1));
        machine["address"] = json!(format!("10.1.2.{}", index + 7));
        machine["memory"] = json!(256);
        machine["file_system"] = json!("btrfs");
    }
    serde_json::from_value(value).unwrap()
}

fn network() -> Network {
    serde_json::from_value(example()).unwrap()
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

/// A host of our own making: real programs, but for those that a test puts before them.
struct Host {
    directory: TempDir,
}

impl Host {
    fn new() -> Result<Self> {
        let directory = tempfile::tempdir()?;
        fs::create_dir(directory.path().join("bin"))?;
        let host = Self { directory };
        // With its only package pinned, a part needs no apt.
        for tool in ["sh", "dpkg-deb", "tar", "awk", "find", "grep", "gzip", "od", "sed", "sort", "xz"] {
            symlink(which::which(tool)?, host.path("bin").join(tool))?;
        }
        Ok(host)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Puts a shell script in the place of a program.
    fn script(&self, name: &str, text: &str) -> Result {
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{text}\n"))?;
        Ok(fs::set_permissions(path, fs::Permissions::from_mode(0o755))?)
    }

    fn options(&self) -> Result<BuildOptions> {
        let mut options = BuildOptions::new(self.path("run"))?;
        options.cache_directory = self.path("cache");
        options.search_path = Some(self.path("bin").into_os_string());
        options.store = StoreChoice::Private;
        Ok(options)
    }

    /// An apt that has every package there is, each the same file.
    fn generous_apt(&self) -> Result {
        let hash = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        let uris = format!("echo \"'x' linux-image-x_1_all.deb 3 SHA256:{hash}\"");
        self.script(
            "apt-get",
            &format!(
                "case \"$*\" in *--print-uris*) {uris};; *download*) printf ${{CONTENT:-abc}} >linux-image-x_1_all.deb;; esac"
            ),
        )?;
        self.script(
            "apt-cache",
            "case \"$*\" in *policy*) echo linux-image-cloud-amd64:; echo '  Candidate: 6.1.2';\n\
             echo linux-image-6.12-cloud-amd64:; echo '  Candidate: 6.12.2';; esac",
        )
    }

    fn error(&self) -> Result<String> {
        let builder = Builder::new(self.options()?);
        Ok(builder.and_then(|builder| builder.build(&network())).err().ok_or("it was built")?.to_string())
    }
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
    let apt = fs::read_to_string(host.path("bin/apt-get"))?;
    fs::write(host.path("bin/apt-get"), apt.replace("${CONTENT:-abc}", "abd"))?;
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
    let package = host.path("cache/packages/ba7816bf8f01cfea-linux-image-x_1_all.deb");
    assert_eq!(fs::read_to_string(&package)?, "abc");
    fs::write(&package, "xyz")?;
    assert!(host.error()?.contains("nix-build failed"));
    assert_eq!(fs::read_to_string(&package)?, "abc");
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
    host.script("nix-build", &format!("for part in 1 2 3 4 5; do echo {}; done", image.display()))?;
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
const HANGS: &str = "echo \"building '/s/x-netprop-tools.drv'...\" >&2
setsid sleep 600 & builder=$!
trap 'kill $builder; exit 1' TERM
wait";

/// Waits a moment until no process has the run's directory in its environment; whether it came to that.
fn all_gone(run: &Path) -> bool {
    let needle = run.display().to_string();
    let has_it = |text: Vec<u8>| String::from_utf8_lossy(&text).contains(&needle);
    let any = || {
        let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
        entries.filter_map(|entry| fs::read(entry.path().join("environ")).ok()).any(has_it)
    };
    // Whoever got a signal needs a moment to die of it.
    let until = Instant::now() + Duration::from_secs(2);
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
    options.observer = Arc::new(move |step| {
        let building = matches!(step, Progress::Building { .. });
        seen.lock().unwrap().push(step);
        if building {
            // From another thread, as a signal handler would.
            let cancel = when_building.clone();
            thread::spawn(move || cancel.cancel());
        }
    });
    let builder = Builder::new(options)?;
    let start = Instant::now();
    let error = builder.build(&network()).unwrap_err().to_string();
    assert!(error.contains("cancelled") && start.elapsed() < Duration::from_secs(5), "{error}");
    assert!(all_gone(&host.path("run")));
    assert!(builder.build(&network()).unwrap_err().to_string().contains("cancelled"), "and stays so");
    let steps = steps.lock().unwrap();
    assert!(steps.contains(&Progress::Building { name: "tools".to_owned() }), "{steps:?}");
    assert!(steps.contains(&Progress::Downloading { done: 3, total: 3 }), "{steps:?}");
    Ok(())
}
