//! The checker beside a plain one, on random histories.

use model::history::History;
use model::linearizability::{Counterexample, Limits, Map, Register, Verdict, check};

use crate::objects::{Container, Counter, Playable};
use crate::plain;
use crate::random::{self, Random};

/// How many histories are tried; more with `NETPROP_TEST_HISTORIES`.
fn histories() -> u64 {
    std::env::var("NETPROP_TEST_HISTORIES").map_or(3000, |text| text.parse().unwrap())
}

/// Compares the two on random histories, and says which share of them is linearizable.
fn compare<O: Playable>(object: &O, name: &str, histories: u64) -> f64 {
    let mut linearizable = 0;
    for seed in 0..histories {
        let history = random::history(object, &mut Random(seed));
        let place = format!("{name}, seed {seed}: {:#?}", history.operations);
        let expected = plain::is_linearizable(object, &history);
        match check(object, &history, Limits::default()) {
            Verdict::Linearizable { order } => {
                assert!(expected, "called linearizable, {place}");
                let must = |index: usize| history.operations[index].outcome.answer().is_some();
                assert!(plain::explains(object, &history, &order, &must), "wrong order {order:?}, {place}");
                linearizable += 1;
            }
            Verdict::NotLinearizable(evidence) => {
                assert!(!expected, "called not linearizable, {place}");
                check_evidence(object, &history, &evidence, &place);
            }
            Verdict::Undecided(why) => panic!("{why}, {place}"),
        }
    }
    #[expect(clippy::cast_precision_loss, reason = "the numbers are small")]
    let share = f64::from(linearizable) / histories as f64;
    share
}

/// Checks that the evidence contradicts itself, that none of it can be left out, and that its
/// prefix is legal.
fn check_evidence<O: Playable>(
    object: &O,
    history: &History<O::Command, O::Response>,
    evidence: &Counterexample<O::State>,
    place: &str,
) {
    let Counterexample { operations, bystanders, prefix, minimal, .. } = evidence;
    let open = [operations.clone(), bystanders.clone()].concat();
    let must = |index: usize| operations.contains(&index);
    assert!(minimal, "not minimal, {place}");
    assert!(!plain::has_order(object, history, &open, &must), "no evidence: {evidence:?}, {place}");
    for left_out in operations {
        let must = |index: usize| index != *left_out && must(index);
        let has_order = plain::has_order(object, history, &open, &must);
        assert!(has_order, "{left_out} is not needed: {evidence:?}, {place}");
    }
    let explained = |index: usize| prefix.contains(&index) && must(index);
    assert!(plain::explains(object, history, prefix, &explained), "no prefix: {evidence:?}, {place}");
    assert!(prefix.iter().all(|index| open.contains(index)), "strange prefix: {evidence:?}, {place}");
    assert!(!evidence.obstacles.is_empty(), "no obstacle: {evidence:?}, {place}");
}

#[test]
fn random_histories_have_the_verdicts_of_a_plain_checker() {
    let each = histories() / 6;
    let shares = [
        ("register", compare(&Register, "register", each)),
        ("map by key", compare(&Map { whole: false }, "map by key", each)),
        ("whole map", compare(&Map { whole: true }, "whole map", each)),
        ("queue", compare(&Container::Queue, "queue", each)),
        ("stack", compare(&Container::Stack, "stack", each)),
        ("counter", compare(&Counter, "counter", each)),
    ];
    println!("linearizable: {shares:?}");
    let lopsided: Vec<_> = shares.into_iter().filter(|(_, share)| !(0.35..0.65).contains(share)).collect();
    assert_eq!(lopsided, [], "about half of the histories should be linearizable");
}
