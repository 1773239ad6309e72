//! What every switch for machines does: `vde_switch` and the fabric under one suite.
//!
//! - A frame to an address that was seen at a port goes to that port alone, as it is.
//! - Any other frame, and one to a group, goes to all ports but the one that it came from.
//! - Frames keep their order from one port to another.
//! - An address that moves is learned anew: by the fabric at once, by `vde_switch` once it has not
//!   been seen at its old port for three seconds.
//! - A client that closes its control connection is unplugged, and its addresses are forgotten.
//! - A client that does not read slows nobody, and takes nothing from anybody.
//!
//! Where they differ, by intent: frames with a VLAN tag pass the fabric as they are, while
//! `vde_switch` drops them unless it is told of the VLAN; `vde_switch` pads what is shorter than 60
//! bytes, lets several clients share one port, and takes clients without a socket's path.

use std::path::Path;
use std::time::Duration;

use hypervisor::fabric::{FabricConfig, Plug};
use hypervisor::{Access, RunDirectory, Switch};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::clients::{
    BROADCAST, COMES, LAST, address, clients, frame, next, next_within, number, until_last,
};
use crate::support::{missing, within};

/// How many clients there are.
const CLIENTS: u8 = 4;

#[test]
fn the_fabric_keeps_the_contract() {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let config = FabricConfig::default();
    check(|name| Switch::fabric(&run, name, Access::Owner, &config).unwrap());
}

#[test]
fn vde_switch_keeps_the_contract() {
    if which::which("vde_switch").is_err() {
        return missing("vde_switch", "apt-get install vde2");
    }
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    check(|name| Switch::vde(&run, name, Access::Owner).unwrap());
}

fn check(switch: impl Fn(&str) -> Switch) {
    frames_arrive_where_they_belong(switch("random").path());
    an_address_that_moves_is_found(switch("moves").path());
    who_is_unplugged_is_forgotten(switch("unplugged").path());
    who_does_not_read_slows_nobody(switch("stalled").path());
    what_is_no_frame_goes_nowhere(switch("no-frame").path());
}

/// Where a frame is sent to.
#[derive(Clone, Copy, Debug)]
enum To {
    Client(u8),
    Unknown,
    Group([u8; 6]),
}

fn frames() -> impl Strategy<Value = Vec<(u8, To, Vec<u8>)>> {
    let to = prop_oneof![
        4 => (1..=CLIENTS).prop_map(To::Client),
        1 => Just(To::Unknown),
        1 => Just(To::Group(BROADCAST)),
        1 => any::<[u8; 5]>().prop_map(|[b, c, d, e, f]| To::Group([0x01, b, c, d, e, f])),
    ];
    // Ethernet without a tag: 60 to 1514 bytes.
    vec((1..=CLIENTS, to, vec(any::<u8>(), 46..=1500)), 1..40)
}

/// Frames generated at random arrive at exactly the clients that they are for, unchanged and in
/// order.
fn frames_arrive_where_they_belong(switch: &Path) {
    let plugs = clients(switch, CLIENTS);
    let mut runner = TestRunner::new(Config { cases: 100, failure_persistence: None, ..Config::default() });
    let result = runner.run(&frames(), |frames| {
        let mut expected = vec![vec![Vec::new(); usize::from(CLIENTS) + 1]; usize::from(CLIENTS) + 1];
        for (from, to, payload) in &frames {
            let destination = match *to {
                To::Client(client) => address(client),
                To::Unknown => address(200),
                To::Group(group) => group,
            };
            let frame = [&destination[..], &address(*from), &[0x88, 0xb5], payload].concat();
            for client in 1..=CLIENTS {
                let is_for = !matches!(to, To::Client(other) if *other != client);
                if client != *from && is_for {
                    expected[usize::from(*from)][usize::from(client)].push(frame.clone());
                }
            }
            plugs[usize::from(*from) - 1].send(&frame).unwrap();
        }
        // What each client is sent last by each of the others says that all has come.
        for client in 1..=CLIENTS {
            plugs[usize::from(client) - 1].send(&frame(BROADCAST, client, LAST)).unwrap();
        }
        for client in 1..=CLIENTS {
            let mut received = vec![Vec::new(); usize::from(CLIENTS) + 1];
            let mut ends = 1;
            while ends < CLIENTS {
                let frame = next(&plugs[usize::from(client) - 1]);
                let from = usize::from(frame[11]);
                if frame.len() == 60 && number(&frame) == LAST {
                    ends += 1
                } else {
                    received[from].push(frame)
                }
            }
            for from in 1..=CLIENTS {
                prop_assert_eq!(
                    &received[usize::from(from)],
                    &expected[usize::from(from)][usize::from(client)],
                    "from {} to {}",
                    from,
                    client
                );
            }
        }
        Ok(())
    });
    result.unwrap();
}

fn an_address_that_moves_is_found(switch: &Path) {
    let plugs = clients(switch, 3);
    // The second client's machine moves to the third.
    within(COMES, "the address is found where it moved to", || {
        plugs[2].send(&frame(address(1), 2, 0)).unwrap();
        assert_eq!(number(&next(&plugs[0])), 0);
        plugs[0].send(&frame(address(2), 1, 1)).unwrap();
        next_within(&plugs[2], Duration::from_millis(100)).is_some()
    });
    while next_within(&plugs[1], Duration::ZERO).is_some() {}
    plugs[0].send(&frame(address(2), 1, 2)).unwrap();
    plugs[0].send(&frame(BROADCAST, 1, LAST)).unwrap();
    assert!(until_last(&plugs[1]).is_empty(), "it is not where it was");
    assert!(until_last(&plugs[2]).iter().any(|frame| number(frame) == 2));
}

fn who_is_unplugged_is_forgotten(switch: &Path) {
    let mut plugs = clients(switch, 3);
    drop(plugs.pop());
    // A frame to it goes to all others once it is gone.
    within(COMES, "the end of a port", || {
        plugs[0].send(&frame(address(3), 1, 0)).unwrap();
        next_within(&plugs[1], Duration::from_millis(100)).is_some()
    });
    let again = Plug::new(switch, Some(3)).unwrap();
    again.send(&frame(address(1), 3, 7)).unwrap();
    assert_eq!(number(&next(&plugs[0])), 7, "somebody else may have the port");
}

/// One client reads nothing of what others send it, for longer than anything has room for it.
fn who_does_not_read_slows_nobody(switch: &Path) {
    let plugs = clients(switch, 3);
    for round in 0..5_000 {
        plugs[0].send(&frame(address(3), 1, round)).unwrap();
        plugs[0].send(&frame(address(2), 1, round)).unwrap();
        assert_eq!(number(&next(&plugs[1])), round);
    }
    plugs[1].send(&frame(address(1), 2, 8)).unwrap();
    assert_eq!(number(&next(&plugs[0])), 8);
    // What it then reads is the beginning, in order and without a gap, and once it has read it goes on: of
    // these frames the first that finds room again ends what was kept for it.
    let mut read = Vec::new();
    within(COMES, "a frame that was sent after it had read", || {
        plugs[0].send(&frame(address(3), 1, LAST)).unwrap();
        let frames = std::iter::from_fn(|| next_within(&plugs[2], Duration::from_millis(200)));
        read.extend(frames.map(|frame| number(&frame)));
        read.contains(&LAST)
    });
    let kept: Vec<u32> = read.into_iter().take_while(|number| *number != LAST).collect();
    assert!(kept.len() >= 64 && kept.len() < 5_000, "{} frames", kept.len());
    assert_eq!(kept, (0..kept.len() as u32).collect::<Vec<_>>());
}

fn what_is_no_frame_goes_nowhere(switch: &Path) {
    let plugs = clients(switch, 2);
    for length in [0, 1, 13] {
        plugs[0].send(&vec![0xff; length]).unwrap();
    }
    plugs[0].send(&frame(BROADCAST, 1, LAST)).unwrap();
    assert!(until_last(&plugs[1]).is_empty());
}
