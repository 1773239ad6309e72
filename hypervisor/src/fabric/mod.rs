//! A virtual Ethernet switch of our own, which decides what becomes of frames between its ports.
//!
//! It speaks the control protocol of VDE, so that QEMU's `-netdev vde` and VDE's own tools join it
//! unmodified, and runs on a thread of this process. It forwards as a learning switch does. Beyond
//! that, [rules](Rule) cut, delay, lose, duplicate, reorder, corrupt or slow down frames from one
//! port to another, for as long as their [guard](RuleGuard) lives:
//!
//! ```
//! use hypervisor::fabric::{Effect, Fabric, FabricConfig, Pairs, Probability, Rule};
//! use hypervisor::{Access, RunDirectory};
//!
//! # fn main() -> Result<(), hypervisor::Error> {
//! let run = RunDirectory::create(None, Access::Owner)?;
//! // The machine `a` joins with `-netdev vde,sock=…,port=1`, and so on.
//! let config = FabricConfig::new(7, ["a", "b", "c"]);
//! let fabric = Fabric::start(&run, "fabric", Access::Owner, &config)?;
//! let partition = fabric.apply(&[
//!     Rule::cut(Pairs::isolate("c", &["a", "b", "c"])),
//!     Rule::new(Pairs::one_way(&["a"], &["b"]), Effect::loss(Probability::new(0.1)?)),
//! ])?;
//! drop(partition); // healed
//! println!("{}", fabric.counts("a", "b")?);
//! # Ok(())
//! # }
//! ```
//!
//! **One moment.** A change of rules holds for the whole network at once, and for frames in flight:
//! those that are delayed or wait for their receiver are gone where their pair is cut, and where a
//! delay ends they take no longer than a frame that is sent now. Order is kept within a pair
//! whatever changes, unless a rule reorders. What is in a client's socket has arrived.
//!
//! **Determinism.** Whether the n-th frame from one port to another is hit follows from the seed,
//! the names of both, the frame's [class](Class) and n alone. Frames are numbered whether or not
//! there are rules, and cut ones too.
//!
//! **Bounds.** There are [`PORTS`] ports. For each, [`QUEUE_MAX`] frames wait for a client that does
//! not read, with [`QUEUE_BYTES_MAX`] bytes; [`FLIGHTS_MAX`] frames that it sent are delayed, with
//! [`FLIGHTS_BYTES_MAX`] bytes, and [`FLIGHTS_BYTES_MAX_OF_ALL`] of all ports together; a limited
//! rate lets [`BACKLOG_MAX`] bytes wait; [`ADDRESSES_MAX`] addresses are learned. What does not fit
//! is dropped and counted. Frames have up to [`FRAME_MAX`] bytes, and what has more, or is shorter
//! than an Ethernet header, is [counted](Fabric::malformed). [`PENDING_MAX`] clients may be connected
//! that have not asked for a port yet, and each has five seconds for that.
//!
//! The map: `request.rs` is the protocol; `engine.rs` the thread, which lets clients in; `world.rs`
//! all that changes, under the one lock of `handle.rs`; `forward.rs` the way of a frame; [`Effect`],
//! [`Pairs`], [`Rule`] what callers say; `class.rs` and `fate.rs` who is hit; `link.rs`, `flights.rs`, `port.rs`,
//! `addresses.rs` what is kept; `capture.rs` and `pcapng.rs` what can be looked at afterwards.

mod addresses;
mod capture;
mod class;
mod counts;
mod effect;
mod engine;
mod fate;
mod flights;
mod forward;
mod handle;
mod link;
mod names;
mod pairs;
mod pcapng;
mod plug;
mod port;
mod request;
mod rules;
mod state;
mod world;

use std::time::Duration;

pub use addresses::ADDRESSES_MAX;
pub use capture::Capture;
pub use class::Class;
pub use counts::{Counts, Tally};
pub use effect::{DELAY_MAX, Effect, Probability, RATES};
pub use engine::PENDING_MAX;
pub use flights::{FLIGHTS_BYTES_MAX, FLIGHTS_BYTES_MAX_OF_ALL, FLIGHTS_MAX};
pub use handle::Fabric;
pub use link::BACKLOG_MAX;
pub use pairs::Pairs;
pub use plug::Plug;
pub use port::{QUEUE_BYTES_MAX, QUEUE_MAX};
pub use rules::{Rule, RuleGuard, RuleId};
pub use state::FabricState;

/// How many ports a fabric has. They are numbered from 1.
pub const PORTS: usize = 127;
/// The longest frame, in bytes: jumbo frames of 9000 bytes fit with their headers.
pub const FRAME_MAX: usize = 9216;
/// How long a frame waits for the next of its pair to overtake it.
pub const REORDERING_WAITS: Duration = Duration::from_millis(20);

/// What a fabric is begun with.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct FabricConfig {
    /// What decides which frames are hit by rules that leave it to chance.
    pub seed: u64,
    /// The names of the first ports, in the order of their numbers, which begin with 1: who connects
    /// with that number is called so. Others are called `port-N`; who asks for no number gets the
    /// first free one of these.
    pub names: Vec<String>,
    /// Ethernet addresses that are known to be at a port, by its name, as long as they are not seen
    /// elsewhere. What is for them is never sent everywhere, also where nothing came from them yet,
    /// and meets the faults of its own class ([`Class::Unlearned`]): who wants reruns to be alike
    /// gives those of all machines.
    pub addresses: Vec<(String, [u8; 6])>,
}

impl FabricConfig {
    /// A fabric with this seed, whose first ports have these names.
    #[must_use]
    pub fn new(seed: u64, names: impl IntoIterator<Item: Into<String>>) -> Self {
        Self { seed, names: names.into_iter().map(Into::into).collect(), addresses: Vec::new() }
    }

    /// The machine at this port has this address.
    #[must_use]
    pub fn with_address(mut self, name: &str, address: [u8; 6]) -> Self {
        self.addresses.push((name.to_owned(), address));
        self
    }
}
