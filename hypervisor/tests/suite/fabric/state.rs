//! Putting a fabric back: to its start, and to the middle of a case.

use std::time::Duration;

use hypervisor::fabric::{Effect, Fabric, FabricConfig, Pairs, Plug, Probability, Rule};
use hypervisor::{Access, Error, RunDirectory};

use super::clients::{
    BROADCAST, COMES, LAST, NAMES, Network, address, frame, introduce, next, next_within, number, until_last,
};
use crate::support::within;

fn half_lost() -> Rule {
    Rule::new(Pairs::one_way(&["a"], &["b"]), Effect::loss(Probability::new(0.5).unwrap()))
}

/// Which of these frames come from `a` to `b`.
fn arriving(network: &Network, frames: std::ops::Range<u32>) -> Vec<u32> {
    let offered = || network.fabric.counts("a", "b").unwrap().offered.frames;
    let before = offered();
    frames.clone().for_each(|number| network.send(1, 2, number));
    within(COMES, "frames are taken in", || offered() == before + u64::from(frames.end - frames.start));
    network.send(3, 2, LAST);
    until_last(network.plug(2)).iter().map(|frame| number(frame)).collect()
}

#[test]
fn after_a_reset_all_is_as_at_the_start() {
    let network = Network::new(9, 3);
    let fabric = &network.fabric;
    let mut runs = Vec::new();
    for _ in 0..3 {
        let guard = fabric.apply(&[half_lost()]).unwrap();
        runs.push(arriving(&network, 0..200));
        let slow = Effect::delay(Duration::from_secs(60)).unwrap();
        let slow = fabric.apply(&[Rule::new(Pairs::one_way(&["a"], &["b"]), slow)]).unwrap();
        network.send(1, 2, 1000);
        fabric.reset();
        assert!(fabric.all_counts().is_empty());
        assert_eq!(fabric.effect("a", "b").unwrap(), Effect::default());
        assert_eq!(fabric.plugged(), ["a", "b", "c"]);
        // The guards are of a life that is over.
        drop((guard, slow));
        // Nobody is known, so what is for one goes to all; what was in flight is gone.
        network.send(1, 2, 2000);
        assert_eq!(number(&next(network.plug(3))), 2000);
        assert_eq!(number(&next(network.plug(2))), 2000);
        fabric.reset();
        introduce(&network.plugs);
    }
    assert!((50..150).contains(&runs[0].len()), "{runs:?}");
    assert!(runs.iter().all(|run| *run == runs[0]), "{runs:?}");
}

#[test]
fn the_middle_of_a_case_comes_again() {
    let network = Network::new(5, 3);
    let fabric = &network.fabric;
    let guard = fabric.apply(&[half_lost()]).unwrap();
    arriving(&network, 0..77);
    let (state, counts) = (fabric.state(), fabric.counts("a", "b").unwrap());
    assert_eq!(state.rules().len(), 1);
    let first = arriving(&network, 77..300);
    let id = guard.id();
    drop(guard);
    let cut = fabric.apply(&[Rule::cut(Pairs::between(&["a"], &["b", "c"]))]).unwrap();
    assert!(arriving(&network, 300..310).is_empty());
    fabric.restore(&state).unwrap();
    assert_eq!(fabric.counts("a", "b").unwrap(), counts);
    assert_eq!(arriving(&network, 77..300), first);
    drop(cut);
    // Its guard is gone, and whoever put it back can have another.
    assert_eq!(fabric.effect("a", "b").unwrap(), half_lost().effect);
    drop(fabric.guard(id).unwrap());
    assert_eq!(fabric.effect("a", "b").unwrap(), Effect::default());
    assert_eq!(arriving(&network, 0..10), (0..10).collect::<Vec<_>>());
}

#[test]
fn frames_that_were_in_flight_have_an_end() {
    let network = Network::new(5, 3);
    let slow = Effect::delay(Duration::from_secs(60)).unwrap();
    let _slow = network.fabric.apply(&[Rule::new(Pairs::one_way(&["a"], &["b"]), slow)]).unwrap();
    (0..5).for_each(|number| network.send(1, 2, number));
    let counts = || network.fabric.counts("a", "b").unwrap();
    within(COMES, "frames are taken in", || counts().in_flight().frames == 5);
    let state = network.fabric.state();
    network.fabric.restore(&state).unwrap();
    assert_eq!((counts().in_flight().frames, counts().unplugged.frames), (0, 5));
    network.fabric.heal();
    network.plug(1).send(&frame(BROADCAST, 1, LAST)).unwrap();
    assert!(until_last(network.plug(2)).is_empty());
    assert!(next_within(network.plug(1), Duration::ZERO).is_none());
}

#[test]
fn another_fabrics_state_is_refused() {
    let one = Network::new(1, 1);
    let config = FabricConfig::new(1, ["a"]);
    let other = Fabric::start(&one.run, "g", Access::Owner, &config).unwrap();
    let error = one.fabric.restore(&other.state()).unwrap_err();
    assert!(matches!(error, Error::ForeignFabricState { .. }), "{error}");
}

#[test]
fn a_state_brings_its_seed() {
    let network = Network::new(1, 3);
    let fabric = &network.fabric;
    let lost = |seed| {
        fabric.reset_to(seed);
        introduce(&network.plugs);
        let rule = fabric.apply(&[half_lost()]).unwrap();
        let state = fabric.state();
        let come = arriving(&network, 0..100);
        drop(rule);
        (state, come)
    };
    let (first, second) = (lost(1), lost(2));
    assert_ne!(first.1, second.1);
    for (state, come) in [first, second] {
        fabric.restore(&state).unwrap();
        assert_eq!(arriving(&network, 0..100), come);
    }
}

/// Machines that are known from the start are never looked for everywhere, so that which of their
/// frames are hit does not depend on who has spoken already.
#[test]
fn who_is_known_from_the_start_need_not_speak_first() {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let config = (1..).zip(NAMES).fold(FabricConfig::new(7, NAMES), |config, (client, name)| {
        config.with_address(name, address(client))
    });
    let fabric = Fabric::start(&run, "f", Access::Owner, &config).unwrap();
    let plugs = [1, 2, 3].map(|number| Plug::new(fabric.path(), Some(number)).unwrap());
    let mut runs = Vec::new();
    for introduced in [false, true] {
        fabric.reset();
        if introduced {
            introduce(&plugs);
        }
        let _rule = fabric.apply(&[half_lost()]).unwrap();
        // A frame to all has a number too.
        if !introduced {
            plugs[0].send(&frame(BROADCAST, 1, LAST)).unwrap();
            until_last(&plugs[2]);
        }
        for number in 0..100 {
            plugs[0].send(&frame(address(2), 1, number)).unwrap();
            plugs[0].send(&frame(address(4), 1, number)).unwrap();
        }
        plugs[0].send(&frame(address(3), 1, LAST)).unwrap();
        assert!(until_last(&plugs[2]).is_empty(), "what is for one goes to nobody else");
        let got = std::iter::from_fn(|| next_within(&plugs[1], Duration::ZERO));
        runs.push(got.map(|frame| number(&frame)).filter(|&number| number != LAST).collect::<Vec<_>>());
        assert_eq!(fabric.counts("a", "d").unwrap().unplugged.frames, 100, "it is off");
    }
    assert!((20..80).contains(&runs[0].len()), "{runs:?}");
    assert_eq!(runs[0], runs[1]);
    // One that moves is where it was seen, until it is not seen there any more.
    plugs[2].send(&frame(address(1), 2, 1)).unwrap();
    assert_eq!(number(&next(&plugs[0])), 1);
    plugs[0].send(&frame(address(2), 1, 2)).unwrap();
    assert_eq!(number(&next(&plugs[2])), 2);
    fabric.reset();
    plugs[0].send(&frame(address(2), 1, 3)).unwrap();
    assert_eq!(number(&next(&plugs[1])), 3);
}
