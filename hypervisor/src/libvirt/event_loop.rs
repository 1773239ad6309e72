//! libvirt's event loop, which embedded drivers and keep-alive messages live on.

use std::path::Path;
use std::sync::OnceLock;

use virt::event::{event_register_default_impl, event_run_default_impl};

/// Starts the loop once in a process, before the first connection opens; it runs as long as the
/// process does.
///
/// libvirt also prints errors and warnings to standard error, in the midst of our progress. Every
/// error is returned and told once, so the printing of errors is turned off, and its log goes to
/// a file in the directory of the process's first run.
pub(super) fn start(run: &Path) -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            virt::error::clear_error_callback();
            log_to(&run.join("libvirt.log"));
            event_register_default_impl().map_err(|error| error.to_string())?;
            std::thread::Builder::new()
                .name("libvirt events".to_owned())
                .spawn(|| {
                    while let Ok(()) = event_run_default_impl() {}
                    tracing::error!("libvirt's event loop has ended");
                })
                .map_err(|error| error.to_string())?;
            Ok(())
        })
        .clone()
}

/// Makes libvirt write its warnings to `file`, unless the user said where they go.
///
/// libvirt reads that from the environment, once, and offers clients no call for it.
fn log_to(file: &Path) {
    let variable = format!("LIBVIRT_LOG_OUTPUTS=\"3:file:{}\"", file.display());
    if let Err(error) = dotenvy::from_read(variable.as_bytes()) {
        tracing::debug!(%error, "libvirt's log stays on standard error");
    }
}
