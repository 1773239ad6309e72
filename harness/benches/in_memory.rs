//! Generation, checking and shrinking without machines: what netprop itself costs.

use std::hint::black_box;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use harness::machines::simulated::SimulatedSystem;
use harness::{Config, Coverage, Runner, Silent, Stop};
use model::{Case, MachineSpec, Model, NetworkParameters, Outcome, Parameter, Possible, Shape, generate};
use proptest::test_runner::{Config as ProptestConfig, TestRunner};

/// How many commands each case has.
const COMMANDS: usize = 100;

fn specification() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().expect("is a kernel version"));
    let parameters = NetworkParameters::new(kernels.to_vec()).expect("has kernels");
    MachineSpec::new(parameters).expect("is within bounds")
}

fn case(model: &MachineSpec, runner: &mut TestRunner) -> Case<MachineSpec> {
    generate(model, &Shape::sequential(COMMANDS..=COMMANDS), runner)
        .expect("the model's strategies agree with it")
        .case
}

fn generation(criterion: &mut Criterion) {
    let (model, mut runner) = (specification(), TestRunner::new(ProptestConfig::default()));
    let mut group = criterion.benchmark_group("generation");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    group.bench_function("100 commands", |bencher| bencher.iter(|| black_box(case(&model, &mut runner))));
    group.finish();
}

fn checking(criterion: &mut Criterion) {
    let (model, mut runner) = (specification(), TestRunner::new(ProptestConfig::default()));
    let mut group = criterion.benchmark_group("checking");
    group.throughput(Throughput::Elements(COMMANDS as u64));
    let mut recorded = || {
        let case = case(&model, &mut runner);
        let mut network = harness::machines::simulated::SimulatedNetwork::from(&case.initial);
        let answers: Vec<_> = case.commands.iter().map(|command| network.run(command)).collect();
        (case, answers)
    };
    group.bench_function("100 answers", |bencher| {
        bencher.iter_batched(
            &mut recorded,
            |(case, answers)| {
                let mut possible = Possible::<MachineSpec>::new(case.initial);
                for (command, answer) in case.commands.iter().zip(answers) {
                    let _ = black_box(possible.observe(&model, command, &Outcome::Answered(answer)));
                }
            },
            BatchSize::SmallInput,
        );
    });
    group.finish();
}

fn running(criterion: &mut Criterion) {
    let (model, stop) = (specification(), Stop::default());
    let config = Config {
        cases: 10,
        shape: Shape::sequential(COMMANDS..=COMMANDS),
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let mut group = criterion.benchmark_group("generated, run and checked");
    group.throughput(Throughput::Elements(10 * COMMANDS as u64));
    group.bench_function(format!("10 cases of {}", model.name()), |bencher| {
        let runner = Runner::new(&model, &SimulatedSystem, &config, &Silent, &stop);
        bencher.iter(|| black_box(runner.run().map(|summary| summary.held)));
    });
    group.finish();
}

/// Four machines with ten parameters of three values each.
fn much_varied() -> MachineSpec {
    let kernels = ["6.1", "6.6", "6.12"].map(|kernel| kernel.parse().expect("is a kernel version"));
    let bounds = NetworkParameters::new(kernels.to_vec()).expect("has kernels").with_machines(4..=4);
    let parameters = (0..7).map(|index| {
        let name = format!("parameter-{index}").parse().expect("is a name");
        Parameter::own(&name, ["plain", "odd", "suspect"].map(str::to_owned)).expect("has values")
    });
    MachineSpec::new(parameters.fold(bounds, NetworkParameters::with)).expect("is within bounds")
}

/// What choosing cases for coverage costs: the same ten cases without and with it.
fn choosing(criterion: &mut Criterion) {
    let (model, stop) = (much_varied(), Stop::default());
    let mut group = criterion.benchmark_group("ten cases of four machines with ten parameters");
    for (name, coverage) in [("random", Coverage::None), ("steered", Coverage::Pairs)] {
        let config = Config { cases: 10, coverage, failures: None, regressions: None, ..Config::default() };
        group.bench_function(name, |bencher| {
            let runner = Runner::new(&model, &SimulatedSystem, &config, &Silent, &stop);
            bencher.iter(|| black_box(runner.run().map(|summary| summary.held)));
        });
    }
    group.finish();
}

criterion_group!(benches, generation, checking, running, choosing);
criterion_main!(benches);
