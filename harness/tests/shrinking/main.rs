//! What the shrinker does besides making cases smaller: it measures failures that come and go,
//! looks for others where one never comes again, keeps those of another kind apart, goes on from a file, and takes what costs least first.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod comes_and_goes;
mod continued;
mod initial_states;
mod once;
mod other_failures;
mod prefixes;
mod prices;
mod reused;
mod switchboard;
