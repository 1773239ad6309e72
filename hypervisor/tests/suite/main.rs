//! The crate against real machines, and against everything that may be missing or in the way.
#![expect(clippy::unwrap_used, reason = "what fails here is a test")]

mod accelerator;
mod bad_input;
mod disk_faults;
mod fabric;
mod guest;
mod kill;
mod libvirt_contract;
mod own_backend_contract;
mod run_directory;
mod snapshots;
mod support;
mod switch;
mod template_cache;
