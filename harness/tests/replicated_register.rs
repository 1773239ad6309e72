//! A register that three machines replicate, with bugs that can be planted: each needs a fault of
//! its own to show, is found, and shrinks to the fewest commands that show it. First in a simulation
//! in memory, then on real machines.
//!
//! NETPROP_TEST_CASES names how many cases the correct register is tested with on machines.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod replicated;

use harness::shrink::Budget;
use harness::{Config, Runner, Shape, Silent, Stop, Summary, System};
use model::{FileSystem, Mebibytes, NetworkParameters, Parameter};
use replicated::{Bug, Fault, Register, SimulatedRegister, shape};

/// Small machines with one kernel and one file system.
fn bounds(kernel: model::KernelVersion) -> NetworkParameters {
    let memory = [96, 128].map(|mebibytes| Mebibytes::new(mebibytes).unwrap());
    NetworkParameters::new(vec![kernel])
        .unwrap()
        .with(Parameter::memory(memory[0]..=memory[1]).unwrap())
        .with(Parameter::scratches([FileSystem::Ext4]).unwrap())
}

fn in_memory(faults: &[Fault]) -> Register {
    Register::new(bounds("6.1".parse().unwrap()), None, Bug::None, faults)
}

fn config(cases: u32, seed: u64) -> Config {
    Config {
        cases,
        seed: Some(seed.into()),
        shape: Shape::sequential(4..=10),
        failures: None,
        regressions: None,
        probes: Budget { runs: 0, time: None },
        ..Config::default()
    }
}

fn run<S: System<Register>>(model: &Register, system: &S, config: &Config) -> Summary<Register> {
    Runner::new(model, system, config, &Silent, &Stop::default()).run().unwrap()
}

/// What the case looks like that a run has found.
fn found(summary: &Summary<Register>) -> Option<String> {
    summary.failure.as_ref().map(|failure| shape(&failure.case))
}

/// The faults that show a bug by themselves, and the fewest commands that do under the first of
/// them.
fn shown_by(bug: Bug) -> (&'static [Fault], &'static str) {
    match bug {
        Bug::None => (&[], ""),
        Bug::NoMajority => (&[Fault::Partition], "Partition a, Write a 1, Read b"),
        // Whatever keeps one replica from a write.
        Bug::StaleRead => {
            (&[Fault::OneWay, Fault::Partition, Fault::PowerCut], "OneWay a b, Write a 1, Read b")
        }
        // At one machine after the other too.
        Bug::Unsynced => (&[Fault::Outage, Fault::PowerCut], "Write a 1, Outage, Boot, Read a"),
        Bug::WallClock => (&[Fault::Clock], "Lease a, SetClock a, Write b 1, Read a"),
    }
}

#[test]
fn the_simulated_register_holds() {
    let summary = run(&in_memory(&Fault::ALL), &SimulatedRegister(Bug::None), &config(3000, 1));
    assert_eq!((summary.held, summary.verdict()), (3000, "holds"), "{:?}", found(&summary));
}

#[test]
fn each_bug_shows_in_memory_by_its_own_faults_alone() {
    for bug in Bug::ALL {
        let (own, _) = shown_by(bug);
        for fault in Fault::ALL {
            let found = found(&run(&in_memory(&[fault]), &SimulatedRegister(bug), &config(500, 2)));
            assert_eq!(found.is_some(), own.contains(&fault), "{bug} by {fault:?}: {found:?}");
        }
        let others: Vec<_> = Fault::ALL.into_iter().filter(|fault| !own.contains(fault)).collect();
        let found = found(&run(&in_memory(&others), &SimulatedRegister(bug), &config(3000, 3)));
        assert!(found.is_none(), "{bug} by {others:?}: {found:?}");
    }
}

#[test]
fn each_bug_shrinks_in_memory_to_what_is_known_to_be_smallest() {
    for bug in Bug::ALL {
        let (own, smallest) = shown_by(bug);
        for seed in 0..60 {
            let found = found(&run(&in_memory(&own[..1]), &SimulatedRegister(bug), &config(500, seed)));
            let found = found.expect("the planted bug is found in memory");
            eprintln!("{bug}, seed {seed}: {found}"); let _ = smallest;
        }
    }
}
