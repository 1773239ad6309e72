//! What a hostile client may do: it harms nobody but itself.
//!
//! `NETPROP_TEST_HOSTILE=1000000 cargo test --release -p hypervisor hostile` sends as many frames, and
//! a tenth of that in requests.

use std::fs;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::time::Duration;

use hypervisor::fabric::{Effect, Pairs, Plug, Probability, Rule};
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};
use rustix::net::{RecvFlags, SendFlags, recv, send};

use super::clients::{COMES, NAMES, Network, next, number};
use super::requests::request;
use crate::support::{Again, is_child, within};

/// How many frames are sent where the environment does not say.
const FRAMES: usize = 20_000;

fn count() -> usize {
    std::env::var("NETPROP_TEST_HOSTILE").map_or(FRAMES, |count| count.parse().unwrap())
}

struct Random(TestRng);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0.next_u64() as usize % end
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.fill_bytes(&mut bytes);
        bytes
    }
}

/// How many files this process has open.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// How much memory it has, in KiB.
fn memory() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn a_hostile_client_harms_nobody() {
    const NAME: &str = "fabric::hostile::a_hostile_client_harms_nobody";
    // What is left over is looked for in a process that no other test runs in.
    if !is_child(NAME) {
        let mut again = Again::same_user(NAME);
        if let Some(count) = std::env::var_os("NETPROP_TEST_HOSTILE") {
            again.command.env("NETPROP_TEST_HOSTILE", count);
        }
        return again.passes();
    }
    let mut random = Random(TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]));
    let network = Network::new(1, 3);
    let half = Probability::new(0.5).unwrap();
    let faults = Effect::duplication(half)
        .and(Effect::reordering(half))
        .and(Effect::corruption(half))
        .and(Effect::delay_with_jitter(Duration::from_millis(1), Duration::from_millis(5)).unwrap());
    let _faults = network.fabric.apply(&[Rule::new(Pairs::one_way(&["c"], &NAMES), faults)]).unwrap();
    let files = open_files();
    let entries = || fs::read_dir(network.fabric.path()).unwrap().count();
    let before = entries();
    let serves = |round: usize| {
        network.send(1, 2, round as u32);
        // Whatever the hostile one has sent to all comes as well.
        while number(&pad(next(network.plug(2)))) != round as u32 {}
    };
    for round in 0..count().div_ceil(100) {
        for _ in 0..100 {
            send_anything(&mut random, network.plug(3));
        }
        for _ in 0..10 {
            ask_anything(&mut random, &network);
        }
        for plug in &network.plugs[..1] {
            while recv(plug.as_fd(), &mut [0; 16], RecvFlags::DONTWAIT).is_ok() {}
        }
        serves(0x5e1f_0000 + round);
    }
    network.fabric.check().unwrap();
    assert!(network.fabric.malformed("c").unwrap() > 0);
    within(COMES, "all that was opened is closed", || open_files() == files && entries() == before);
    assert_eq!(network.fabric.plugged(), ["a", "b", "c"]);
    // All bounds together are less; a leak of a part of each frame would be more.
    assert!(memory() < 300 << 10, "{} KiB", memory());
}

fn pad(mut frame: Vec<u8>) -> Vec<u8> {
    frame.resize(frame.len().max(18), 0);
    frame
}

/// Sends a datagram of any length with any bytes, with a header that makes sense half of the time.
fn send_anything(random: &mut Random, plug: &Plug) {
    let length = match random.below(20) {
        0 => random.below(15),
        1 => random.below(65_536),
        _ => 14 + random.below(100),
    };
    let mut frame = random.bytes(length);
    if random.below(2) == 0 && length >= 14 {
        // To somebody that is there, or all, from somebody else each time.
        let to = [[0xff; 6], super::clients::address(1), super::clients::address(2)][random.below(3)];
        frame[..6].copy_from_slice(&to);
        // Nobody's machine is taken over: that a switch cannot prevent.
        frame[6..8].copy_from_slice(&[2, 0xbb]);
        let kinds = [[8, 6], [8, 0], [0x86, 0xdd], [0x81, 0]];
        frame[12..14].copy_from_slice(&kinds[random.below(4)]);
    } else if length >= 14 {
        frame[6] = 0x0a;
    }
    // A full socket is the sender's own matter.
    let _ = send(plug.as_fd(), &frame, SendFlags::DONTWAIT);
}

/// Asks for a port with a request that has something wrong, or is cut off anywhere, or is right.
fn ask_anything(random: &mut Random, network: &Network) {
    let path = network.run.path().join(format!("hostile{}", random.below(4)));
    let _ = fs::remove_file(&path);
    let _socket = (random.below(2) == 0).then(|| UnixDatagram::bind(&path).unwrap());
    let version = [3, 3, 3, 3, 0, 1, 2, 4][random.below(8)];
    let kind = [0, 1, 4 << 8, 1 << 8, 0xffff_ff00, random.below(1 << 32) as u32][random.below(6)];
    let mut bytes = request(0xfeed_face, version, kind, path.as_os_str().as_bytes());
    let more = random.below(600);
    bytes.extend(random.bytes(more));
    for _ in 0..random.below(3) {
        let place = random.below(bytes.len());
        bytes[place] = random.0.next_u32() as u8;
    }
    if random.below(2) == 0 {
        bytes.truncate(random.below(bytes.len()));
    }
    if let Ok(mut control) = UnixStream::connect(network.fabric.path().join("ctl")) {
        let _ = control.write_all(&bytes);
    }
    let _ = fs::remove_file(&path);
}
