//! Records of failing cases and the pages that are made of them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

#[path = "../planted/deaf.rs"]
mod deaf;
#[expect(dead_code, reason = "how its smallest case looks is told elsewhere")]
#[path = "../planted_bugs/lanes.rs"]
mod lanes;
#[path = "../planted/looked_at.rs"]
mod looked_at;

mod browser;
mod captured;
mod driven;
mod escaped;
mod failing;
mod large;
mod records;
mod refused;
mod shown;
