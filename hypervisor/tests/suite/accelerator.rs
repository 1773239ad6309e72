//! The accelerator's choice, by a real canary.

use std::fs;
use std::path::Path;
use std::time::Instant;

use hypervisor::{Access, Error, RunDirectory, accelerator};
use tempfile::TempDir;

use crate::guest::Guest;
use crate::support::{mentioning, qemu};

/// Whether the host would let a canary fly.
fn kvm_opens() -> bool {
    fs::OpenOptions::new().read(true).write(true).open("/dev/kvm").is_ok()
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
