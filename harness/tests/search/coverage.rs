//! Steering covers all pairs in about as few cases as a covering array has.

use std::collections::BTreeSet;

use harness::coverage::{CoverageReport, Tally};
use harness::machines::simulated::SimulatedSystem;
use harness::{Config, Coverage, Runner, Silent, Stop};
use model::{MachineSpec, NetworkParameters, PackageVersion, Parameter};

use super::mixture::{Judging, Mixture, State};
use super::{Events, config};

/// All pairs of five factors with three values each. No array of 10 rows does.
const COVERING_ARRAY: [[usize; 5]; 11] = [
    [0, 0, 2, 1, 0],
    [0, 1, 1, 2, 2],
    [0, 2, 0, 2, 1],
    [0, 2, 1, 0, 0],
    [1, 0, 1, 2, 1],
    [1, 1, 0, 1, 0],
    [1, 1, 2, 0, 1],
    [1, 2, 2, 1, 2],
    [2, 0, 0, 0, 2],
    [2, 1, 1, 1, 1],
    [2, 2, 2, 2, 0],
];

/// The pairs in one row: which factors, which values. Counted without the library's help.
fn pairs(row: &[usize]) -> BTreeSet<(usize, usize, usize, usize)> {
    let places = (0..row.len()).flat_map(|one| (one + 1..row.len()).map(move |other| (one, other)));
    places.map(|(one, other)| (one, other, row[one], row[other])).collect()
}

/// After how many states of one site all pairs of five factors with three values were there.
fn cases_needed(states: &[State]) -> usize {
    let mut seen = BTreeSet::new();
    let covers = states.iter().position(|state| {
        seen.extend(pairs(&state[0]));
        seen.len() == 10 * 9
    });
    covers.expect("all pairs were covered") + 1
}

fn states(coverage: Coverage, seed: u64, cases: u32) -> Vec<State> {
    let (model, system) = (Mixture::new(1, &[3; 5]), Judging::new(|_| false));
    let config = Config { coverage, ..config(seed, cases) };
    let summary = Runner::new(&model, &system, &config, &Silent, &Stop::default()).run().unwrap();
    assert_eq!(summary.held, cases);
    system.made.into_inner()
}

#[test]
fn pairs_are_covered_in_few_cases() {
    let by_hand = COVERING_ARRAY.iter().flat_map(|row| pairs(row)).collect::<BTreeSet<_>>();
    assert_eq!(by_hand.len(), 90, "the array is one");
    let needed = |coverage, cases| {
        let needed = (0..20).map(|seed| cases_needed(&states(coverage, seed, cases)));
        needed.collect::<Vec<_>>()
    };
    let (steered, random) = (needed(Coverage::Pairs, 60), needed(Coverage::None, 100));
    println!("steered: {steered:?}\nrandom:  {random:?}");
    let most = COVERING_ARRAY.len() * 3 / 2;
    assert!(steered.iter().all(|cases| *cases <= most), "more than {most}: {steered:?}");
    for (seed, (steered, random)) in steered.iter().zip(&random).enumerate() {
        assert!(steered < random, "seed {seed}: {steered} steered, {random} random");
    }
    // What comes by chance comes early for some seeds, so the factor is that of all together.
    let all = |needed: &[usize]| needed.iter().sum::<usize>();
    assert!(all(&steered) * 2 < all(&random), "{} steered, {} random", all(&steered), all(&random));
}

#[test]
fn the_first_case_is_that_of_the_seed_alone() {
    for seed in 0..20 {
        let first = |coverage| states(coverage, seed, 1);
        assert_eq!(first(Coverage::Pairs), first(Coverage::None));
    }
}

#[test]
fn values_alone_need_no_more_cases_than_values() {
    for seed in 0..20 {
        let states = states(Coverage::Values, seed, 6);
        let values: BTreeSet<_> =
            states.iter().flat_map(|state| state[0].iter().copied().enumerate()).collect();
        assert_eq!(values.len(), 15, "seed {seed}: {states:?}");
    }
}

#[test]
fn old_and_new_meet_across_machines() {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap());
    let versions = ["5:7.0.15-1~deb12u7", "newest"].map(|version| Some(version.parse().unwrap()));
    let versions: [Option<PackageVersion>; 2] = versions;
    let package = Parameter::package(&"redis-server".parse().unwrap(), versions).unwrap();
    let bounds = NetworkParameters::new(kernels.to_vec()).unwrap().with(package);
    let model = MachineSpec::new(bounds).unwrap();
    for seed in 0..20 {
        let events = Events::default();
        let config = config(seed, 12);
        let summary =
            Runner::new(&model, &SimulatedSystem, &config, &events, &Stop::default()).run().unwrap();
        let report = summary.coverage.unwrap();
        // Kernel 2, memory 3 classes, file system 3, package 2: 10 values, 37 pairs of factors.
        let all = |of| Tally { covered: of, of, excluded: 0 };
        let CoverageReport { site, values, together, across, missing, .. } = &report;
        assert_eq!(
            (site.as_str(), *values, *together),
            ("machine", all(10), all(37)),
            "seed {seed}: {missing:?}"
        );
        // Across machines a factor also meets itself: 3 + 6 + 6 + 3 pairs more.
        assert_eq!(*across, all(37 + 18), "seed {seed}: {missing:?}");
        assert!(missing.is_empty());
        let told = &events.named("covered")[0]["coverage"];
        assert_eq!(told["across"]["covered"], 55);
        assert_eq!(
            report.to_string(),
            "10 of 10 values, 37 of 37 pairs on one machine, 55 of 55 pairs across machines"
        );
    }
}

#[test]
fn what_is_not_covered_is_named() {
    let (model, system) = (Mixture::new(2, &[2, 2]), Judging::new(|_| false));
    let summary = Runner::new(&model, &system, &config(3, 1), &Silent, &Stop::default()).run().unwrap();
    let report = summary.coverage.unwrap();
    let state = system.made.borrow()[0].clone();
    let seen: BTreeSet<_> = state.iter().map(|site| (site[0], site[1])).collect();
    assert_eq!(report.together, Tally { covered: seen.len(), of: 4, excluded: 0 });
    for (one, other) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        let missing = report.missing.contains(&format!("f0 {one} with f1 {other}"));
        assert_eq!(missing, !seen.contains(&(one, other)), "{report:?}");
    }
    let none = Config { coverage: Coverage::None, ..config(3, 1) };
    let summary = Runner::new(&model, &system, &none, &Silent, &Stop::default()).run().unwrap();
    assert_eq!(summary.coverage, None, "nothing was to be covered");
}
