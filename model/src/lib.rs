//! Machines, networks and the models that predict them.
//!
//! Nothing here does input or output or knows virtual machines, Nix or SSH: what is in this
//! crate is a pure function of its arguments. The map, from the things to what is said of them:
//!
//! - [`machine`]: one machine and the types of its parts;
//! - [`network`]: machines on a subnet;
//! - [`parameter`]: what machines are varied in, from plain to suspect;
//! - [`mod@generate`]: strategies for networks;
//! - [`factor`]: what of any state is varied, as coverage and the search for causes know it;
//! - [`specification`]: the [`Model`] trait that every specification implements: start here;
//! - [`symbol`]: names for results that commands give and later commands use;
//! - [`mod@step`]: what the parts of a model mean together, for one command and its answer;
//! - [`panics`]: what becomes of a panic in a model or in a system;
//! - [`case`]: a state, commands in sequence, and lanes of commands that run side by side;
//! - [`lanes`]: the ways in which lanes can interleave, and what the model says of them;
//! - [`generation`]: cases from a model's strategies;
//! - [`mod@weighted`]: the choice among commands, by weights that depend on the state;
//! - [`scenario`]: cases with a plot: phases in order, until something is so, and what comes last;
//! - [`scene`]: what reports show of states and commands on a map;
//! - [`example`]: cases that a person has written down;
//! - [`labels`]: what a specification says of a case, to be counted;
//! - [`history`]: what was given and what came of it, in the order of events;
//! - [`linearizability`]: whether a history can have come of one command at a time;
//! - [`outcome`]: answered, refused or unknown;
//! - [`possible`]: which states the outcomes so far allow, and so which answers are wrong;
//! - [`machines`]: Boot, Shutdown, Ping and more, the specification that netprop runs by itself;
//! - [`faults`]: the same with partitions, pauses, power cuts, disks and clocks.

mod by_text;
pub mod case;
mod choices;
pub mod example;
pub mod factor;
pub mod faults;
mod fingerprint;
pub mod generate;
pub mod generation;
pub mod history;
pub mod labels;
pub mod lanes;
pub mod linearizability;
pub mod machine;
pub mod machines;
pub mod network;
pub mod outcome;
pub mod panics;
pub mod parameter;
pub mod possible;
pub mod scenario;
pub mod scene;
pub mod specification;
pub mod step;
pub mod symbol;
mod text;
pub mod weighted;

pub use case::{Case, InvalidCase, Place};
pub use example::Example;
pub use factor::{Choice, Factor};
pub use faults::FaultSpec;
pub use fingerprint::fingerprint;
pub use generate::{BoundsError, NetworkParameters};
pub use generation::{
    GenerateError, GeneratedCase, Shape, Swarm, Tree, generate, generate_case, generate_state,
    generate_swarm, initial_states,
};
pub use labels::Labels;
pub use lanes::LaneShape;
pub use machine::{
    FileSystem, Format, KernelVersion, Machine, MachineError, MachineId, Mebibytes, PackageName,
    PackageVersion, Scratch, Service, Software,
};
pub use machines::MachineSpec;
pub use network::{Network, NetworkError, Subnet};
pub use outcome::Outcome;
pub use parameter::{Parameter, ParameterError, Scope, Setting, Value};
pub use possible::{Judgement, Possible};
pub use scenario::{Phase, Scenario};
pub use specification::Model;
pub use symbol::{Named, Symbol};
pub use weighted::weighted;
