//! What tests of switches share: clients, and frames of theirs.

use std::path::Path;
use std::time::Duration;

use hypervisor::fabric::{Fabric, FabricConfig, Plug};
use hypervisor::{Access, RunDirectory};

/// How long a frame may take that must come. None takes that long unless the host is starved.
pub(crate) const COMES: Duration = Duration::from_secs(20);
/// An `EtherType` that is free for experiments (IEEE 802).
const EXPERIMENT: [u8; 2] = [0x88, 0xb5];
/// To all.
pub(crate) const BROADCAST: [u8; 6] = [0xff; 6];

/// The address of a client.
pub(crate) fn address(client: u8) -> [u8; 6] {
    [2, 0, 0, 0, 1, client]
}

/// A frame whose payload begins with this number.
pub(crate) fn frame(to: [u8; 6], from: u8, number: u32) -> Vec<u8> {
    let mut frame = [&to[..], &address(from), &EXPERIMENT, &number.to_be_bytes()].concat();
    frame.resize(60, 0);
    frame
}

/// The number in a frame.
pub(crate) fn number(frame: &[u8]) -> u32 {
    u32::from_be_bytes(frame[14..18].try_into().unwrap())
}

/// The next frame, where one comes within that time.
pub(crate) fn next_within(plug: &Plug, limit: Duration) -> Option<Vec<u8>> {
    let mut buffer = vec![0; 70_000];
    let length = plug.receive(&mut buffer, limit).unwrap()?;
    buffer.truncate(length);
    Some(buffer)
}

/// The next frame, which has to come.
pub(crate) fn next(plug: &Plug) -> Vec<u8> {
    next_within(plug, COMES).expect("a frame comes")
}

/// Says which frame is the last one that a receiver is to wait for.
pub(crate) const LAST: u32 = u32::MAX;

/// All frames until the last one.
pub(crate) fn until_last(plug: &Plug) -> Vec<Vec<u8>> {
    std::iter::from_fn(|| Some(next(plug)).filter(|frame| number(frame) != LAST)).collect()
}

/// A switch with `count` clients whose addresses it has learned.
pub(crate) fn clients(switch: &Path, count: u8) -> Vec<Plug> {
    let plugs: Vec<Plug> =
        (1..=count).map(|number| Plug::new(switch, Some(u16::from(number))).unwrap()).collect();
    introduce(&plugs);
    plugs
}

/// Has the switch learn who is where. A client's frame has been forwarded once all others have it.
pub(crate) fn introduce(plugs: &[Plug]) {
    for (from, plug) in (1..).zip(plugs) {
        plug.send(&frame(BROADCAST, from, LAST)).unwrap();
        for (other, plug) in (1..).zip(plugs) {
            if other != from {
                until_last(plug);
            }
        }
    }
}

/// A fabric whose first ports are called `a`, `b`, ….
pub(crate) struct Network {
    pub(crate) fabric: Fabric,
    pub(crate) plugs: Vec<Plug>,
    pub(crate) run: RunDirectory,
}

/// What ports are called.
pub(crate) const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Network {
    /// One with so many clients, whom it knows: each has sent one frame to all.
    pub(crate) fn new(seed: u64, count: u8) -> Self {
        let run = RunDirectory::create(None, Access::Owner).unwrap();
        let fabric = Fabric::start(&run, "f", Access::Owner, &FabricConfig::new(seed, NAMES)).unwrap();
        let plugs = clients(fabric.path(), count);
        Self { fabric, plugs, run }
    }

    /// Has one client send to another.
    pub(crate) fn send(&self, from: u8, to: u8, number: u32) {
        self.plugs[usize::from(from) - 1].send(&frame(address(to), from, number)).unwrap();
    }

    /// The client with this number, the first of which is 1.
    pub(crate) fn plug(&self, client: u8) -> &Plug {
        &self.plugs[usize::from(client) - 1]
    }
}
