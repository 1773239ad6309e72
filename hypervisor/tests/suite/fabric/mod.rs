//! The fabric: as a switch beside `vde_switch`, and with rules.

mod capture;
mod clients;
mod contract;
mod hostile;
mod machines;
mod requests;
mod rules;
mod state;
