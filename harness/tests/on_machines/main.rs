//! Tests on real machines: in one program, so that all cores have something to do until its end.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod begun;
mod causes;
mod deaf_machines;
#[path = "../readme/directories.rs"]
mod directories;
mod faults;
mod generated;
mod inside;
mod lanes;
#[path = "../planted/looked_at.rs"]
mod looked_at;
mod moments;
mod networks;
mod no_snapshots;
mod parameters;
#[path = "../planted/mod.rs"]
mod planted;
mod power_cuts;
mod redis;
mod replicated;
mod replicated_register;
mod side_by_side;
mod snapshots;
