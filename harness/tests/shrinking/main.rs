//! What the shrinker does besides making cases smaller: it measures failures that come and go,
//! keeps those of another kind apart, goes on from a file, and takes what costs least first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod comes_and_goes;
mod continued;
mod other_failures;
mod prices;
mod switchboard;
