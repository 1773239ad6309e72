//! What rules do to frames, told by what clients receive and what is counted.

use std::time::{Duration, Instant};

use hypervisor::Error;
use hypervisor::fabric::{Counts, Effect, Pairs, Probability, QUEUE_MAX, REORDERING_WAITS, Rule};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use super::clients::{
    COMES, LAST, NAMES, Network, address, frame, introduce, next, next_within, number, until_last,
};
use crate::support::within;

/// Nothing is due for so long in a test.
const LONG: Duration = Duration::from_secs(600);

fn probability(value: f64) -> Probability {
    Probability::new(value).unwrap()
}

fn a_to_b(effect: Effect) -> Rule {
    Rule::new(Pairs::one_way(&["a"], &["b"]), effect)
}

impl Network {
    /// Waits until the fabric has taken in so many frames from `a` to `b`, that of an introduction
    /// included.
    fn offered(&self, count: u64) -> Counts {
        within(COMES, "frames are taken in", || {
            self.fabric.counts("a", "b").unwrap().offered.frames == count
        });
        self.fabric.counts("a", "b").unwrap()
    }

    /// What `b` gets until all of the frames from `a` that were taken in have an end. It reads meanwhile: how
    /// many a host keeps for who does not is its own affair.
    fn in_the_end(&self) -> Vec<Vec<u8>> {
        let mut frames = Vec::new();
        within(COMES, "frames in flight", || {
            frames.extend(std::iter::from_fn(|| next_within(self.plug(2), Duration::ZERO)));
            self.fabric.counts("a", "b").unwrap().in_flight().frames == 0
        });
        frames
    }

    /// The numbers of all that `b` gets by the time that all of the frames before have an end.
    fn received(&self) -> Vec<u32> {
        let mut frames = self.in_the_end();
        self.send(3, 2, LAST);
        frames.extend(until_last(self.plug(2)));
        frames.iter().map(|frame| number(frame)).collect()
    }
}

#[test]
fn a_cut_is_one_way_and_ends_with_its_guard() {
    let network = Network::new(1, 3);
    let cut = network.fabric.apply(&[Rule::cut(Pairs::one_way(&["a"], &["b"]))]).unwrap();
    network.send(1, 2, 1);
    network.send(1, 3, 2);
    network.send(2, 1, 3);
    assert_eq!(number(&next(network.plug(3))), 2);
    assert_eq!(number(&next(network.plug(1))), 3);
    assert_eq!(network.offered(2).cut.frames, 1);
    assert!(network.received().is_empty());
    drop(cut);
    network.send(1, 2, 4);
    assert_eq!(number(&next(network.plug(2))), 4);
}

#[test]
fn any_shape_can_be_cut() {
    let shapes = [
        Pairs::halves(&NAMES),
        Pairs::isolate("c", &NAMES),
        Pairs::majority_ring(&NAMES),
        Pairs::bridge("c", &NAMES),
        Pairs::one_way(&["b"], &NAMES),
    ];
    let network = Network::new(1, 5);
    for shape in shapes {
        assert!(!shape.is_empty());
        let _cut = network.fabric.apply(&[Rule::cut(shape.clone())]).unwrap();
        for (from, name) in (1..).zip(NAMES) {
            let before = network.fabric.all_counts();
            (1..=5).filter(|&to| to != from).for_each(|to| network.send(from, to, u32::from(from)));
            let offered = |counts: &[(String, String, Counts)]| -> u64 {
                counts.iter().map(|(_, _, counts)| counts.offered.frames).sum()
            };
            within(COMES, "frames are taken in", || {
                offered(&network.fabric.all_counts()) == offered(&before) + 4
            });
            for (to, other) in (1..).zip(NAMES).filter(|&(to, _)| to != from) {
                let is_cut = shape.iter().any(|pair| pair == (name, other));
                let got = next_within(network.plug(to), Duration::ZERO).map(|frame| number(&frame));
                assert_eq!(got, (!is_cut).then_some(u32::from(from)), "{name} to {other} in {shape:?}");
            }
        }
    }
}

#[test]
fn frames_in_flight_meet_a_cut() {
    let network = Network::new(1, 3);
    let slow = network.fabric.apply(&[a_to_b(Effect::delay(LONG).unwrap())]).unwrap();
    (0..10).for_each(|number| network.send(1, 2, number));
    assert_eq!(network.offered(11).in_flight().frames, 10);
    let cut = network.fabric.apply(&[a_to_b(Effect::cut())]).unwrap();
    let counts = network.fabric.counts("a", "b").unwrap();
    assert_eq!((counts.in_flight().frames, counts.cut.frames), (0, 10));
    drop((cut, slow));
    assert!(network.received().is_empty());
}

#[test]
fn frames_that_wait_for_their_receiver_meet_a_cut() {
    let network = Network::new(1, 3);
    (0..8_000).for_each(|number| network.send(1, 2, number));
    let counts = network.offered(8_001);
    assert_eq!(counts.in_flight().frames, QUEUE_MAX as u64);
    let cut = network.fabric.apply(&[a_to_b(Effect::cut())]).unwrap();
    let counts = network.fabric.counts("a", "b").unwrap();
    assert_eq!(counts.cut.frames, QUEUE_MAX as u64);
    drop(cut);
    // What was delivered is in the socket, and all of it is read.
    let read: Vec<u32> = (1..counts.delivered.frames).map(|_| number(&next(network.plug(2)))).collect();
    assert_eq!(read, (0..read.len() as u32).collect::<Vec<_>>());
    assert!(network.received().is_empty());
}

#[test]
fn where_a_delay_ends_nothing_waits_longer_and_the_order_stays() {
    let network = Network::new(1, 3);
    let slow = network.fabric.apply(&[a_to_b(Effect::delay_with_jitter(LONG, LONG).unwrap())]).unwrap();
    (0..100).for_each(|number| network.send(1, 2, number));
    network.offered(101);
    let begin = Instant::now();
    let quicker = Duration::from_millis(100);
    slow.replace(&[a_to_b(Effect::delay(quicker).unwrap())]).unwrap();
    network.send(1, 2, 100);
    assert_eq!(number(&next(network.plug(2))), 0);
    assert!(begin.elapsed() >= quicker);
    drop(slow);
    network.send(1, 2, 101);
    let read: Vec<u32> = (1..=101).map(|_| number(&next(network.plug(2)))).collect();
    assert_eq!(read, (1..=101).collect::<Vec<_>>());
}

#[test]
fn a_delay_takes_its_time_and_jitter_keeps_the_order() {
    let network = Network::new(1, 2);
    let delay = Duration::from_millis(30);
    let _slow = network.fabric.apply(&[a_to_b(Effect::delay_with_jitter(delay, delay).unwrap())]).unwrap();
    for round in 0..20 {
        let begin = Instant::now();
        network.send(1, 2, round);
        assert_eq!(number(&next(network.plug(2))), round);
        assert!(begin.elapsed() >= delay, "{:?}", begin.elapsed());
    }
    (0..500).for_each(|number| network.send(1, 2, number));
    let read: Vec<u32> = (0..500).map(|_| number(&next(network.plug(2)))).collect();
    assert_eq!(read, (0..500).collect::<Vec<_>>());
    assert_eq!(network.fabric.counts("a", "b").unwrap().delayed.frames, 520);
}

#[test]
fn a_rate_takes_its_time_and_what_is_too_much_is_dropped() {
    let network = Network::new(1, 3);
    // 100 frames of 1000 bytes take 100 ms.
    let slow = network.fabric.apply(&[a_to_b(Effect::rate(8_000_000).unwrap())]).unwrap();
    let large = |number| {
        let mut frame = frame(address(2), 1, number);
        frame.resize(1000, 0);
        frame
    };
    let begin = Instant::now();
    (0..100).for_each(|number| network.plug(1).send(&large(number)).unwrap());
    (0..100).for_each(|expected| assert_eq!(number(&next(network.plug(2))), expected));
    assert!(begin.elapsed() >= Duration::from_millis(100), "{:?}", begin.elapsed());
    // Slow enough that next to none pass while all are sent.
    slow.replace(&[a_to_b(Effect::rate(80_000).unwrap())]).unwrap();
    (0..1000).for_each(|number| network.plug(1).send(&large(number)).unwrap());
    let counts = network.offered(1101);
    assert!(counts.overflowed.frames > 400, "{counts}");
}

#[test]
fn with_reordering_the_next_frame_overtakes() {
    let network = Network::new(1, 3);
    let _mixed = network.fabric.apply(&[a_to_b(Effect::reordering(probability(0.3)))]).unwrap();
    (0..1000).for_each(|number| network.send(1, 2, number));
    network.offered(1001);
    let read = network.received();
    let counts = network.fabric.counts("a", "b").unwrap();
    assert!((200..400).contains(&counts.reordered.frames), "{counts}");
    // A frame that is held comes right behind the first one after it that is not, so whoever is
    // overtaken is overtaken by one frame alone.
    let overtaken = |place: usize| read[..place].iter().filter(|&&earlier| earlier > read[place]).count();
    let out_of_order = (0..read.len()).filter(|&place| overtaken(place) > 0).count() as u64;
    assert!((0..read.len()).all(|place| overtaken(place) <= 1));
    // Some may have waited for too long for the next, where the host had other things to do.
    assert!(counts.reordered.frames - out_of_order <= 50, "{counts}, {out_of_order}");
    let mut sorted = read.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_frame_that_nothing_overtakes_comes_on_its_own() {
    let network = Network::new(1, 2);
    let _mixed = network.fabric.apply(&[a_to_b(Effect::reordering(Probability::ALWAYS))]).unwrap();
    let begin = Instant::now();
    network.send(1, 2, 1);
    assert_eq!(number(&next(network.plug(2))), 1);
    assert!(begin.elapsed() >= REORDERING_WAITS);
}

#[test]
fn corruption_changes_one_bit_behind_the_addresses() {
    let network = Network::new(1, 2);
    let _noise = network.fabric.apply(&[a_to_b(Effect::corruption(Probability::ALWAYS))]).unwrap();
    for round in 0..200 {
        let sent = frame(address(2), 1, round);
        network.plug(1).send(&sent).unwrap();
        let got = next(network.plug(2));
        assert_eq!(got[..12], sent[..12]);
        let bits: u32 = got.iter().zip(&sent).map(|(got, sent)| (got ^ sent).count_ones()).sum();
        assert_eq!((got.len(), bits), (sent.len(), 1));
    }
}

#[test]
fn nothing_changes_where_a_rule_names_no_port() {
    let network = Network::new(1, 2);
    let wrong = [Rule::cut(Pairs::one_way(&["a"], &["b"])), Rule::cut(Pairs::one_way(&["a"], &["zebra"]))];
    let error = network.fabric.apply(&wrong).unwrap_err();
    assert!(matches!(&error, Error::NoSuchPort { name, .. } if name == "zebra"), "{error}");
    assert_eq!(network.fabric.effect("a", "b").unwrap(), Effect::default());
    let loss = Effect::loss(probability(0.5));
    let guard = network.fabric.apply(&[a_to_b(loss)]).unwrap();
    guard.replace(&wrong).unwrap_err();
    assert_eq!(network.fabric.effect("a", "b").unwrap(), loss);
    network.fabric.counts("a", "zebra").unwrap_err();
}

#[test]
fn guards_compose_and_go_one_by_one() {
    let network = Network::new(1, 2);
    let effect = || network.fabric.effect("a", "b").unwrap();
    let half = Effect::loss(probability(0.5));
    let one = network.fabric.apply(&[a_to_b(half)]).unwrap();
    let two = network.fabric.apply(&[a_to_b(half), a_to_b(Effect::cut())]).unwrap();
    assert_eq!(effect(), half.and(half).and(Effect::cut()));
    drop(two);
    assert_eq!(effect(), half);
    let id = one.keep();
    assert_eq!(effect(), half, "it is kept");
    drop(network.fabric.guard(id).unwrap());
    assert_eq!(effect(), Effect::default());
    assert!(network.fabric.guard(id).is_none());
    let three = network.fabric.apply(&[a_to_b(half)]).unwrap();
    network.fabric.heal();
    assert_eq!(effect(), Effect::default());
    let four = network.fabric.apply(&[a_to_b(Effect::cut())]).unwrap();
    drop(three);
    assert_eq!(effect(), Effect::cut(), "a guard that holds nothing any more takes nothing back");
    drop(network);
    drop(four);
}

#[test]
fn a_change_holds_while_frames_keep_coming() {
    let network = Network::new(1, 3);
    let (fabric, plug) = (&network.fabric, network.plug(1));
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                plug.send(&frame(address(3), 1, 0)).unwrap();
            }
        });
        scope.spawn(|| {
            while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                next_within(network.plug(3), Duration::from_millis(10));
            }
        });
        for _ in 0..300 {
            let cut = fabric.apply(&[Rule::cut(Pairs::isolate("c", &NAMES))]).unwrap();
            let delivered = || fabric.counts("a", "c").unwrap().delivered;
            let before = delivered();
            // Frames keep coming, and none passes from the moment on at which the call returned.
            let cut_before = fabric.counts("a", "c").unwrap().cut;
            let begin = Instant::now();
            while fabric.counts("a", "c").unwrap().cut == cut_before {
                assert!(begin.elapsed() < COMES);
            }
            assert_eq!(delivered(), before);
            drop(cut);
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

/// One effect of each kind that leaves it to chance, of which any may be none.
fn effects() -> impl Strategy<Value = Effect> {
    let chance = || prop_oneof![Just(0.0), 0.0..=1.0, Just(1.0)].prop_map(probability);
    (chance(), chance(), chance(), proptest::bool::weighted(0.1)).prop_map(
        |(loss, duplication, corruption, cut)| {
            let effect =
                Effect::loss(loss).and(Effect::duplication(duplication)).and(Effect::corruption(corruption));
            if cut { effect.and(Effect::cut()) } else { effect }
        },
    )
}

/// Frames meet the same faults whatever else happens in the network, and are counted for what they
/// are.
#[test]
fn the_same_frames_are_hit_in_another_run() {
    let network = Network::new(42, 4);
    let mut runner = TestRunner::new(Config { cases: 30, failure_persistence: None, ..Config::default() });
    let strategy = (effects(), effects(), 1..200_u32);
    let result = runner.run(&strategy, |(to_b, to_c, count)| {
        let rules = [a_to_b(to_b), Rule::new(Pairs::one_way(&["a"], &["c"]), to_c)];
        let mut runs = Vec::new();
        for others in [false, true] {
            network.fabric.reset();
            introduce(&network.plugs);
            let guard = network.fabric.apply(&rules).unwrap();
            for number in 0..count {
                network.send(1, 2, number);
                // Others' frames change nothing, nor do those of another class.
                if others {
                    network.send(3, 2, number + 1_000_000);
                    network.send(1, 3, number);
                    let mut arp = frame(address(2), 1, number + 1_000_000);
                    arp[12..14].copy_from_slice(&[8, 6]);
                    network.plug(1).send(&arp).unwrap();
                }
            }
            let sent = if others { 2 * u64::from(count) } else { u64::from(count) };
            network.offered(sent + 1);
            let mut frames = network.in_the_end();
            let counts = network.fabric.counts("a", "b").unwrap();
            prop_assert_eq!(
                counts.offered.frames + counts.duplicated.frames,
                counts.delivered.frames + counts.cut.frames + counts.lost.frames
            );
            drop(guard);
            network.send(4, 2, LAST);
            frames.extend(until_last(network.plug(2)));
            let from_a: Vec<_> = frames.into_iter().filter(|frame| frame[11] == 1).collect();
            prop_assert_eq!(from_a.len() as u64 + 1, counts.delivered.frames);
            runs.push(from_a);
            while next_within(network.plug(3), Duration::ZERO).is_some() {}
        }
        // Corruption may change the number; the class is told by the type, which it may change too.
        runs[1].retain(|frame| {
            let kind = frame[12..14].iter().zip([8, 6]).map(|(is, arp)| (is ^ arp).count_ones()).sum::<u32>();
            kind > 1
        });
        prop_assert_eq!(&runs[0], &runs[1]);
        let is_quiet = to_b == Effect::default();
        if is_quiet {
            prop_assert_eq!(runs[0].len() as u32, count);
        }
        Ok(())
    });
    result.unwrap();
}
