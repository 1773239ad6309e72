//! What the integration tests share.

use std::path::PathBuf;

/// Says loudly that a test cannot run; in CI that is a failure.
pub(crate) fn missing(component: &str, remedy: &str) {
    let said = format!("SKIPPED, since this is missing: {component}; to get it: {remedy}");
    assert!(std::env::var("CI").as_deref() != Ok("true"), "{said}");
    eprintln!("{said}");
}

/// The QEMU that machines run under.
pub(crate) fn qemu() -> PathBuf {
    which::which("qemu-system-x86_64").unwrap_or_else(|_| PathBuf::from("/usr/bin/qemu-system-x86_64"))
}
