//! The accelerator's choice, by a real canary and by programs that play one.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use hypervisor::{Accelerator, Access, Error, RunDirectory, accelerator};
use tempfile::TempDir;

use crate::guest::Guest;
use crate::support::{mentioning, missing, qemu};

/// Whether the host would let a canary fly.
fn kvm_opens() -> bool {
    fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
}

/// A program that answers as QEMU does where it is asked for its version, and does `body` else.
fn playing_qemu(directory: &Path, body: &str) -> PathBuf {
    let program = directory.join("qemu");
    let script =
        format!("#!/bin/sh\n[ \"$1\" = --version ] && echo 'QEMU emulator version 0' && exit\n{body}\n");
    fs::write(&program, script).unwrap();
    fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).unwrap();
    program
}

#[test]
fn the_real_answer_is_kept() {
    let Some(guest) = Guest::find() else { return };
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let cache = TempDir::new().unwrap();
    let begin = Instant::now();
    let choose = || accelerator::choose(&run, &guest.kernel, &qemu(), Some(cache.path())).unwrap();
    let first = choose();
    eprintln!("{first:?} after {:?}", begin.elapsed());
    assert!(!first.cached && !first.why.is_empty());
    assert!(mentioning(run.path()).is_empty(), "the canary has ended");
    let second = choose();
    assert_eq!(second.accelerator, first.accelerator);
    assert_eq!(second.cached, kvm_opens());
}

#[test]
fn a_canary_that_sings_means_kvm_and_a_damaged_cache_means_nothing() {
    if !kvm_opens() {
        return missing("/dev/kvm, for the accelerator's choice", "run on a host with KVM");
    }
    let directory = TempDir::new().unwrap();
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let qemu = playing_qemu(directory.path(), "echo 'Kernel panic - not syncing'; exec sleep 1000");
    let cache = directory.path().join("cache/below");
    let file = cache.join("accelerator.json");
    let choose = || accelerator::choose(&run, &qemu, &qemu, Some(&cache)).unwrap();
    for damage in [None, Some(""), Some("{\"host\": 3}"), Some("\0\0\0")] {
        if let Some(damage) = damage {
            fs::write(&file, damage).unwrap();
        }
        let choice = choose();
        assert_eq!((choice.accelerator, choice.cached), (Accelerator::Kvm, false), "{damage:?}");
        assert!(choose().cached);
    }
    let kept = fs::read_to_string(&file).unwrap();
    fs::write(&file, kept.replace("version 0", "version 1")).unwrap();
    assert!(!choose().cached, "another QEMU is asked anew");
    assert_eq!(fs::read_dir(&cache).unwrap().count(), 1, "no half-written file is left");
    assert!(mentioning(run.path()).is_empty(), "the canaries have ended");
}

#[test]
fn a_qemu_that_refuses_kvm_means_tcg() {
    if !kvm_opens() {
        return missing("/dev/kvm, for the accelerator's choice", "run on a host with KVM");
    }
    let directory = TempDir::new().unwrap();
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let qemu = playing_qemu(directory.path(), "echo 'qemu: failed to initialize kvm' >&2; exit 1");
    let choice = accelerator::choose(&run, &qemu, &qemu, None).unwrap();
    assert_eq!(choice.accelerator, Accelerator::Tcg);
    assert_eq!(choice.why, "QEMU does not run under KVM: qemu: failed to initialize kvm");
}

#[test]
fn a_missing_kernel_or_qemu_is_told() {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let nowhere = Path::new("/nonexistent");
    let error = accelerator::choose(&run, nowhere, &qemu(), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "could not read the kernel /nonexistent: No such file or directory (os error 2)"
    );
    let error = accelerator::choose(&run, Path::new("/etc/passwd"), nowhere, None).unwrap_err();
    assert!(matches!(error, Error::MissingProgram { package: "qemu-system-x86", .. }), "{error}");
}
