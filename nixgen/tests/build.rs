//! Builds, real and spoiled. The real ones share the user's cache, so that packages are downloaded
//! once; the spoiled ones have caches of their own, and scripts in the place of the real programs.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use model::{FileSystem, Machine, Network};
use nixgen::{BuildOptions, Builder, Cancel, Progress, StoreChoice};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
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
        machine["file_system"] = json!(["xfs", "ext4"][index]);
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

/// An apt that solves a package only together with what the script says of its own arguments.
fn solved_if(condition: &str) -> Result<(Host, String)> {
    let host = Host::new()?;
    host.generous_apt()?;
    host.script("nix-build", "exit 1")?;
    let apt = fs::read_to_string(host.path("bin/apt-get"))?;
    let apt = apt.split_once('\n').ok_or("the script has one line")?.1.to_owned();
    let unmet = "echo 'The following packages have unmet dependencies:'; echo ' linux-image-x : Depends: y'; exit 100";
    host.script("apt-get", &format!("case \"$*\" in {condition}) ;; *--print-uris*=1*) {unmet};; esac\n{apt}"))?;
    let cache = fs::read_to_string(host.path("bin/apt-cache"))?;
    let cache = cache.split_once('\n').ok_or("the script has one line")?.1.to_owned();
    host.script(
        "apt-cache",
        &format!(
            "case \"$*\" in *madison*) echo 'linux-image-x | 1 | http://m/d old/main amd64 Packages';;\n\
             *show*) echo 'Depends: y (= 3)';; esac\n{cache}"
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

    /// An apt that has every package there is, each the same file: a kernel with all its modules.
    fn generous_apt(&self) -> Result {
        self.apt_with_modules(&["virtio_pci", "virtio_console", "virtio_blk", "virtio-net", "overlay", "xfs"])
    }

    /// An apt whose only package is a kernel with these modules in files, and two that are built in.
    fn apt_with_modules(&self, modules: &[&str]) -> Result {
        let package = self.path("package");
        let directory = package.join("lib/modules/1");
        fs::create_dir_all(package.join("DEBIAN"))?;
        fs::create_dir_all(&directory)?;
        let control =
            "Package: linux-image-x\nVersion: 1\nArchitecture: all\nMaintainer: x\nDescription: x\n";
        fs::write(package.join("DEBIAN/control"), control)?;
        fs::write(directory.join("modules.builtin"), "kernel/fs/ext4/ext4.ko\nkernel/fs/erofs/erofs.ko\n")?;
        for module in modules {
            fs::write(directory.join(format!("{module}.ko.xz")), "")?;
        }
        let deb = self.path("linux-image-x_1_all.deb");
        let built = Command::new("dpkg-deb").arg("--build").arg(&package).arg(&deb).output()?;
        assert!(built.status.success(), "{built:?}");
        let content = fs::read(&deb)?;
        let (hash, size) = (HEXLOWER.encode(&Sha256::digest(&content)), content.len());
        let uris = format!("echo \"'x' linux-image-x_1_all.deb {size} SHA256:{hash}\"");
        self.script(
            "apt-get",
            &format!(
                "case \"$*\" in *--print-uris*) {uris};; *download*) {} {} linux-image-x_1_all.deb;; esac",
                which::which("cp")?.display(),
                deb.display(),
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
    let done = |step: &Progress| matches!(step, Progress::Downloading { done, total } if done == total);
    assert!(steps.iter().any(done), "{steps:?}");
    Ok(())
}
