//! Tests whole networks of machines by property.
//!
//! Where each command has one right answer, a function that gives it is a whole specification:
//!
//! ```
//! use harness::prelude::*;
//!
//! // What was put in last comes out first.
//! let commands = proptest::option::of(any::<u8>());
//! let stack = |stack: &mut Vec<u8>, put: &Option<u8>| match put {
//!     Some(number) => {
//!         stack.push(*number);
//!         None
//!     }
//!     None => stack.pop(),
//! };
//! reference("stack", Vec::new(), commands, stack).check(
//!     std::collections::VecDeque::new,
//!     |system, put| match put {
//!         Some(number) => {
//!             system.push_front(*number);
//!             None
//!         }
//!         None => system.pop_front(),
//!     },
//! );
//! ```
//!
//! In general a [`Model`] predicts a system, a [`System`] acts on it, and a [`Runner`] generates cases for
//! the two, judges each answer, and shrinks the first failure. The map, bottom up:
//!
//! - [`system`]: the trait of systems, real or simulated: start here, after [`model::Model`];
//! - [`mod@reference`]: a whole test in a few lines, where each command has one right answer;
//! - [`lanes`]: commands that run side by side;
//! - [`execute`]: one case on one system;
//! - [`coverage`]: which values and pairs of values cases have met, and which case to run next;
//! - [`statistics`]: which commands, pairs of commands, states and classes cases have met;
//! - [`shrink`]: making a failing case smaller;
//! - [`causes`]: what of the smallest case's initial state matters;
//! - [`as_test`]: failing cases as tests that stand alone;
//! - [`replay`] and [`regressions`]: failing cases and seeds on disk; [`bundle`]: for somebody else;
//! - [`record`]: what a report shows of a failing case, on disk and without its model;
//! - [`difference`]: two records side by side;
//! - [`runner`]: many cases, the first failure of which ends the run;
//! - [`inside`]: a case that a person goes through, and machines to play with;
//! - [`observe`] and [`report`]: what a run tells on its way and at its end;
//! - [`results`]: the same for other programs, as files.

pub mod as_test;
pub mod bundle;
pub mod causes;
pub mod check;
pub mod cli;
pub mod components;
pub mod config;
pub mod coverage;
pub mod difference;
pub mod execute;
pub mod exit;
mod falsified;
mod header;
pub mod inside;
pub mod lanes;
pub mod machines;
mod memory;
pub mod moments;
pub mod observe;
mod origin;
mod plain;
pub mod prelude;
mod probe;
pub mod record;
pub mod reference;
pub mod regressions;
pub mod replay;
pub mod report;
pub mod results;
pub mod runner;
pub mod shrink;
mod spans;
pub mod statistics;
pub mod stop;
mod summary;
pub mod system;
mod whole;

pub use as_test::{Expressions, TestText, from_json};
pub use causes::Causes;
pub use check::{check, check_case, check_side_by_side, check_with};
pub use config::Config;
pub use coverage::Coverage;
pub use execute::{Evidence, Execution, Recorded, Verdict};
pub use lanes::Lanes;
pub use model::{
    Case, Example, Labels, LaneShape, Model, Named, Outcome, Phase, Scenario, Shape, Swarm, Symbol, weighted,
};
pub use moments::{Moment, Moments};
pub use observe::{Event, Observer, Silent};
pub use reference::{Reference, reference};
pub use runner::{Continued, Failure, Other, RunError, Runner, Summary};
pub use shrink::Rate;
pub use statistics::{Confidence, Statistics};
pub use stop::Stop;
pub use system::{Console, Purpose, System, SystemError, Voice};

// A user's crate needs no other than this one.
pub use {hypervisor, model, nixgen, proptest, remote};
