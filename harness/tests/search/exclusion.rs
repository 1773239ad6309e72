//! Configurations that cannot be built are left out, told once, and taken for nothing else.

use std::collections::BTreeSet;

use harness::{Config, Summary};
use harness::{Coverage, Runner, Silent, Stop};

use super::mixture::{Judging, Mixture, State};
use super::{Events, config};

/// Value 2 of the first factor is never to be had, nor is value 1 of the second with 0 of the third.
fn unfit(state: &State) -> Option<&'static str> {
    let has = |unfit: fn(&[usize]) -> bool| state.iter().any(|site| unfit(site));
    if has(|site| site[0] == 2) {
        Some("f0 2")
    } else if has(|site| site[1] == 1 && site[2] == 0) {
        Some("f1 1 with f2 0")
    } else {
        None
    }
}

fn run(system: &Judging, config: &Config, events: &Events) -> Summary<Mixture> {
    Runner::new(&Mixture::new(2, &[3; 4]), system, config, events, &Stop::default()).run().unwrap()
}

#[test]
fn everything_else_is_covered() {
    for seed in 0..20 {
        let (system, events) = (Judging { unfit, ..Judging::new(|_| false) }, Events::default());
        let summary = run(&system, &config(seed, 45), &events);
        assert_eq!((summary.held, summary.inconclusive, summary.verdict()), (45, 0, "holds"), "seed {seed}");
        assert!(summary.failure.is_none() && summary.excluded > 0);
        let told: Vec<_> =
            events.named("excluded").iter().map(|event| event["what"].as_str().unwrap().to_owned()).collect();
        let each: BTreeSet<_> = told.iter().map(String::as_str).collect();
        assert_eq!((told.len(), each), (2, BTreeSet::from(["f0 2", "f1 1 with f2 0"])), "seed {seed}");
        assert_eq!(summary.exclusions.len(), 2);
        let report = summary.coverage.unwrap();
        assert_eq!((report.values.covered, report.values.of, report.values.excluded), (11, 12, 1));
        // Of 6 pairs of factors with 9 pairs of values each, f0 2 is in 9, and 1 is not to be had.
        assert_eq!((report.together.covered, report.together.of, report.together.excluded), (44, 54, 10));
        assert_eq!(report.missing, Vec::<String>::new(), "seed {seed}");
        assert!(report.excluded.iter().any(|goal| goal == "f0 2"), "{:?}", report.excluded);
        assert!(report.excluded.iter().any(|goal| goal == "f1 1 with f2 0"), "{:?}", report.excluded);
        println!("seed {seed}: {} discarded", summary.excluded);
        assert!(summary.excluded <= 12, "seed {seed}: {} discarded", summary.excluded);
        let finished = &events.named("run-finished")[0];
        assert_eq!(finished["excluded"], summary.excluded);
    }
}

#[test]
fn a_run_without_anything_to_build_ends_with_the_reasons() {
    let system = Judging { unfit: |_| Some("kernel 2.4"), ..Judging::new(|_| false) };
    for coverage in [Coverage::None, Coverage::Values, Coverage::Pairs] {
        let config = Config { coverage, most_excluded: 7, ..config(1, 10) };
        let (model, stop) = (Mixture::new(2, &[3; 4]), Stop::default());
        let error = Runner::new(&model, &system, &config, &Silent, &stop).run().unwrap_err();
        assert_eq!(
            error.to_string(),
            "7 generated cases in a row could not be built or booted: leave out or mend kernel 2.4 (there is no such part)"
        );
    }
    assert!(system.made.borrow().is_empty());
}

#[test]
fn what_cannot_be_built_is_neither_smaller_nor_a_cause() {
    // It fails wherever the first factor is not 0, of which 1 cannot be built.
    let fails = |state: &State| state[0][0] > 0;
    let unfit = |state: &State| (state[0][0] == 1).then_some("f0 1");
    for seed in 0..20 {
        let (system, events) = (Judging { unfit, ..Judging::new(fails) }, Events::default());
        let failure = run(&system, &config(seed, 60), &events).failure.unwrap();
        assert_eq!(failure.case.initial, [[2, 0, 0, 0], [0, 0, 0, 0]], "seed {seed}");
        let causes = failure.causes.unwrap().to_string();
        let said = "site 0: f0  fails with 2; holds with 0; excluded: 1 (f0 1: there is no such part)\n";
        assert!(causes.contains(said), "seed {seed}: {causes}");
        assert_eq!(events.named("excluded").len(), 1, "seed {seed}");
    }
}
