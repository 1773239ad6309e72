//! What the crates log of what they do, by `tracing`.

use tracing_subscriber::EnvFilter;

use super::screen::Screen;

/// Sends what the crates log to standard error: errors, with `-v` warnings, with `-vv` what they do,
/// with `-vvv` everything; `NETPROP_LOG` chooses in the syntax of `tracing-subscriber`.
pub(crate) fn start(verbose: u8, screen: &Screen) {
    let level = ["error", "warn", "debug"].get(usize::from(verbose)).unwrap_or(&"trace");
    let filter = EnvFilter::builder()
        .with_env_var("NETPROP_LOG")
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new(level));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_ansi(screen.is_colored());
    // A program that embeds this may have set up its own.
    log.with_writer(screen.clone()).try_init().ok();
}
