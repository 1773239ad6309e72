//! libvirt's event loop, which embedded drivers and keep-alive messages live on.

use std::sync::OnceLock;

use virt::event::{event_register_default_impl, event_run_default_impl};

/// Starts the loop once in a process, before the first connection opens; it runs as long as the
/// process does.
///
/// libvirt also prints errors and warnings to standard error, in the midst of our progress. Every
/// error is returned and told once, so both are turned off.
pub(super) fn start() -> Result<(), String> {
    static STARTED: OnceLock<Result<(), String>> = OnceLock::new();
    STARTED
        .get_or_init(|| {
            virt::error::clear_error_callback();
            silence_log();
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

/// Keeps libvirt's own log off standard error, unless the user said where it goes.
///
/// libvirt reads that from the environment, once, and offers clients no call for it. Programs that
/// are started later inherit the variable, so what it names must exist for as long as they do.
fn silence_log() {
    if let Err(error) = dotenvy::from_read(&b"LIBVIRT_LOG_OUTPUTS=\"3:file:/dev/null\""[..]) {
        tracing::debug!(%error, "libvirt's log stays on standard error");
    }
}
