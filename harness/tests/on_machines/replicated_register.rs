//! A register that three machines replicate, with bugs that can be planted: each needs a fault of
//! its own to show, is found, and shrinks to the fewest commands that show it. First in a simulation
//! in memory, then on real machines.
//!
//! NETPROP_TEST_CASES names how many cases the correct register is tested with on machines, and
//! NETPROP_TEST_SEED the seed of the first.

use std::path::Path;
use std::time::Instant;

use crate::looked_at;
use crate::replicated::{Bug, Fault, Register, Replicas, SimulatedRegister, shape};
use harness::machines::{Lab, MachineSystem};
use harness::record::{Reason, Record, Said};
use harness::shrink::Budget;
use harness::{Config, Event, Observer, Runner, Shape, Silent, Stop, Summary, System, Voice};
use model::machine::Scratch;
use model::{Mebibytes, NetworkParameters, PackageName, Parameter};

/// Machines of one kind, so that a smaller case runs on the network that is there, with a file system that
/// writes nothing back by itself as long as a case takes.
fn bounds(kernel: model::KernelVersion) -> NetworkParameters {
    let scratch: Scratch = "ext4 mount:commit=300".parse().unwrap();
    let memory = Mebibytes::new(96).unwrap();
    NetworkParameters::new(vec![kernel])
        .unwrap()
        .with(Parameter::memory(memory..=memory).unwrap())
        .with(Parameter::scratches([scratch]).unwrap())
}

fn in_memory(faults: &[Fault]) -> Register {
    Register::new(bounds("6.1".parse().unwrap()), None, faults)
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

/// What is known of a planted bug.
struct Known {
    /// The faults that show it by themselves, its own first.
    shown_by: &'static [Fault],
    /// Those that do not, not even together.
    hidden_from: &'static [Fault],
    /// The fewest commands that show it under its own.
    smallest: &'static [&'static str],
}

fn known(bug: Bug) -> Known {
    match bug {
        Bug::None => Known { shown_by: &[], hidden_from: &Fault::ALL, smallest: &[] },
        // A one-way cut and a power cut together leave no majority either.
        Bug::NoMajority => Known {
            shown_by: &[Fault::Partition],
            hidden_from: &[Fault::OneWay, Fault::Outage, Fault::SetClock],
            smallest: &["Partition a, Write a 1, Read b"],
        },
        // Whatever keeps one replica from a write.
        Bug::StaleRead => Known {
            shown_by: &[Fault::OneWay, Fault::Partition, Fault::PowerCut],
            hidden_from: &[Fault::Outage, Fault::SetClock],
            smallest: &["OneWay a b, Write a 1, Read b"],
        },
        // One machine after the other would be enough, which takes longer cases.
        Bug::Unsynced => Known {
            shown_by: &[Fault::Outage],
            hidden_from: &[Fault::Partition, Fault::OneWay, Fault::SetClock],
            smallest: &["Write a 1, Outage, Boot, Read a", "Write a 1, Outage, Boot, Read b"],
        },
        Bug::WallClock => Known {
            shown_by: &[Fault::SetClock],
            hidden_from: &[Fault::Partition, Fault::OneWay, Fault::PowerCut, Fault::Outage],
            smallest: &["Lease a, SetClock a, Write b 1, Read a"],
        },
    }
}

/// What a case of [`Bug::NoMajority`] may be stuck in too, where it failed after it was healed: without
/// either write it holds, since who is alone has the newer stamp, or the lower number.
const BOTH_SIDES_WRITE: [&str; 2] =
    ["Partition a, Write b 1, Write a 2, Heal, Read a", "Partition a, Write b 2, Write a 1, Heal, Read a"];

#[test]
fn the_simulated_register_holds() {
    let summary = run(&in_memory(&Fault::ALL), &SimulatedRegister(Bug::None), &config(1000, 1));
    assert_eq!((summary.held, summary.verdict()), (1000, "holds"), "{:?}", found(&summary));
}

#[test]
fn each_bug_shows_in_memory_by_its_own_faults_alone() {
    for bug in Bug::ALL {
        let Known { shown_by, hidden_from, .. } = known(bug);
        for fault in Fault::ALL {
            let found = found(&run(&in_memory(&[fault]), &SimulatedRegister(bug), &config(200, 2)));
            assert_eq!(found.is_some(), shown_by.contains(&fault), "{bug} by {fault:?}: {found:?}");
        }
        let found = found(&run(&in_memory(hidden_from), &SimulatedRegister(bug), &config(500, 3)));
        assert_eq!(found, None, "{bug} by {hidden_from:?}");
    }
}

#[test]
fn each_bug_shrinks_in_memory_to_what_is_known_to_be_smallest() {
    for bug in Bug::ALL {
        let Known { shown_by, smallest, .. } = known(bug);
        let shapes = (0..20).map(|seed| {
            let model = in_memory(&shown_by[..1]);
            found(&run(&model, &SimulatedRegister(bug), &config(500, seed))).unwrap()
        });
        let (small, others): (Vec<_>, Vec<_>) = shapes.partition(|shape| smallest.contains(&shape.as_str()));
        assert!(small.len() >= 18, "{bug}: {others:?}");
        let is_known = |shape: &String| BOTH_SIDES_WRITE.contains(&shape.as_str());
        assert!(others.iter().all(is_known), "{bug}: {others:?}");
    }
}

/// Prints what is worth knowing of a run that takes its time.
struct Reasons;

impl Observer for Reasons {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::CaseStarted { number, origin, .. } => println!("case {number}: {origin}"),
            Event::CommandFinished { command, outcome, seconds, .. } => {
                println!("  {command}: {outcome} in {seconds:.2} s");
            }
            Event::CaseFinished { verdict, seconds, .. } => println!("{verdict} in {seconds:.1} s"),
            Event::Falsified { expected, came, .. } => println!("expected {expected}, came {came}"),
            Event::ShrinkStep { runs, smaller, commands } => {
                println!("{runs} runs: {commands} commands, smaller: {smaller}");
            }
            Event::WentBack { commands, .. } => println!("went back to after {commands} commands"),
            Event::Inconclusive { attempt, reason, .. } => println!("attempt {attempt}: {reason}"),
            Event::Warning { text } => println!("warning: {text}"),
            _ => {}
        }
    }
}

fn on_machines(lab: &Lab, bug: Bug, faults: &[Fault]) -> Register {
    let perl: PackageName = "perl-base".parse().unwrap();
    let version = lab.versions(&perl).unwrap().remove(0);
    let kernel = lab.kernels().unwrap().remove(0);
    Register::new(bounds(kernel), Some(Replicas { bug, perl: (perl, version) }), faults)
}

fn run_on_machines(lab: &Lab, model: &Register, config: &Config) -> Summary<Register> {
    let (begin, system) = (Instant::now(), MachineSystem::of(lab));
    let summary = Runner::new(model, &system, config, &Reasons, &Stop::default()).run().unwrap();
    let (put_back, went_back) = (system.put_back(), system.went_back());
    println!("in {:?}, {put_back} networks put back, {went_back} to the middle of a case", begin.elapsed());
    summary
}

#[test]
fn the_register_holds_on_machines() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (cases, seed) = (number("NETPROP_TEST_CASES", 2), number("NETPROP_TEST_SEED", 4));
    let cases = u32::try_from(cases).unwrap();
    let model = on_machines(&lab, Bug::None, &Fault::ALL);
    let summary = run_on_machines(&lab, &model, &config(cases, seed));
    assert_eq!((summary.held, summary.verdict()), (cases, "holds"), "{:?}", found(&summary));
}

/// Finds a bug on machines with a case that has it in memory, under the fault that shows it, and
/// makes it smaller there.
fn is_found_on_machines(bug: Bug) {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let Known { shown_by, smallest, .. } = known(bug);
    let own = &shown_by[..1];

    // Machines are not to spend their time on cases that hold, nor on those that take many runs to be made
    // smaller. Some commands have to go.
    let fewest = smallest[0].split(", ").count();
    let first = (0..40)
        .map(|seed| run(&in_memory(own), &SimulatedRegister(bug), &config(500, seed)).failure.unwrap());
    let several = first.filter(|failure| failure.commands_at_first >= fewest + 2);
    let seed = several.min_by_key(|failure| failure.shrink_runs).unwrap().seed;

    let kept = tempfile::tempdir().unwrap();
    let failures = Some(kept.path().to_owned());
    let config = Config { seed: Some(seed), failures, ..config(1, 0) };
    let summary = run_on_machines(&lab, &on_machines(&lab, bug, own), &config);
    let failure = summary.failure.expect("the planted bug is found");
    let shape = shape(&failure.case);
    println!("{bug}: {} commands, {} runs: {shape}", failure.commands_at_first, failure.shrink_runs);
    assert!(failure.smallest && smallest.contains(&shape.as_str()), "{shape}");
    assert_eq!(failure.warnings, Vec::<String>::new());
    is_shown(bug, &failure.file.unwrap());
}

/// What machines and their replicas said is in the record of the failure, at its time, and the page has
/// what went wrong.
fn is_shown(bug: Bug, file: &Path) {
    let record = Record::open(file).unwrap().0;
    let ended = record.operations.iter().filter_map(|given| Some(given.started? + given.seconds?));
    let ended = ended.fold(0.0, f64::max);
    for machine in &record.machines {
        let said = |voice| {
            let is_it = |said: &&Said| said.machine == machine.name && said.voice == voice;
            record.consoles.iter().find(is_it).map_or(&[][..], |said| &said.lines)
        };
        let says = |text| said(Voice::Journal).iter().any(|line| line.text.contains(text));
        assert!(says("register begins with 0"), "{bug}: {:?}", record.consoles);
        let mut times = said(Voice::Journal).iter().map(|line| line.at.unwrap());
        assert!(times.any(|at| at <= ended), "{bug}: {ended}, {:?}", record.consoles);
    }
    let html = looked_at::page(&format!("register-{bug}"), &record);
    let Reason { expected, came, .. } = &record.evidence;
    assert!(html.contains(expected.as_str()) && html.contains(came.as_str()), "{bug}: {expected}, {came}");
}

#[test]
fn a_write_that_no_majority_has_shows_by_a_partition() {
    is_found_on_machines(Bug::NoMajority);
}

#[test]
fn a_read_of_one_replica_shows_by_a_one_way_cut() {
    is_found_on_machines(Bug::StaleRead);
}

#[test]
fn what_is_not_synced_shows_by_an_outage() {
    is_found_on_machines(Bug::Unsynced);
}

#[test]
fn a_lease_that_trusts_the_clock_shows_by_a_clock_that_is_set_back() {
    is_found_on_machines(Bug::WallClock);
}

#[test]
fn no_bug_shows_on_machines_by_other_faults() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    for bug in Bug::ALL {
        let Known { hidden_from, .. } = known(bug);
        // A case in which as many as can be of the other faults come, and something is written.
        let kinds = |seed: &u64| {
            let summary = run(&in_memory(hidden_from), &SimulatedRegister(bug), &config(1, *seed));
            let is_given =
                |kind: &str| summary.statistics.commands.iter().any(|one| one.kind == kind && one.given > 0);
            let faults = hidden_from.iter().filter(|fault| is_given(&format!("{fault:?}")));
            if is_given("Write") { faults.count() } else { 0 }
        };
        let seed = (0..300).max_by_key(kinds).unwrap();
        let summary = run_on_machines(&lab, &on_machines(&lab, bug, hidden_from), &config(1, seed));
        assert_eq!((summary.held, summary.verdict()), (1, "holds"), "{bug}: {:?}", found(&summary));
    }
}
