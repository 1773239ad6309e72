//! The NixOS base.
//!
//! `networks` and `bad_input` evaluate with whole and real trees of nixpkgs, which
//! `NETPROP_TEST_NIXPKGS` names as `RELEASE=DIRECTORY` with colons between, and say so loudly where it
//! is not set. `wiring` and `failures` need only Nix.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

mod bad_input;
mod failures;
mod networks;
mod support;
mod wiring;
