//! Cases whose commands run side by side, on systems in memory.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bank;
mod bounds;
mod in_order;
mod leases;
mod panics;
mod register;
mod support;
mod unheard;
mod unreturned;
mod untold;
