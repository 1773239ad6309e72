//! Generated networks are what was generated: each machine is asked what it is made of.
//!
//! Three networks are tested by default; NETPROP_TEST_NETWORKS names another number.

use harness::machines::give::give;
use harness::machines::{Lab, LiveNetwork};
use harness::{Config, Model, Outcome, Runner, Shape, Silent, Stop, System, SystemError};
use model::machine::{ClockSource, KernelParameterName, Mtu, Processors};
use model::machines::{Command, Facts, Response};
use model::{Choice, MachineId, MachineSpec, Network, NetworkParameters, PackageName, Parameter, Scratch};
use proptest::prelude::*;

/// The one command: ask every machine.
#[derive(Debug)]
struct AsGenerated {
    bounds: NetworkParameters,
    machines: MachineSpec,
}

impl AsGenerated {
    fn new(lab: &Lab) -> Self {
        let packages = ["memcached", "redis-server"].map(|name| {
            let name: PackageName = name.parse().unwrap();
            let versions = lab.versions(&name).unwrap().into_iter().take(2).map(Some);
            Parameter::package(&name, [None].into_iter().chain(versions)).unwrap()
        });
        let scratches =
            ["ext4", "xfs", "btrfs", "ext4 mkfs:-O,^has_journal mount:noatime", "xfs mount:noatime"];
        let clocks =
            [None, Some(ClockSource::new("hpet").unwrap()), Some(ClockSource::new("acpi_pm").unwrap())];
        let mitigations: KernelParameterName = "mitigations".parse().unwrap();
        let off = [None, Some("off".parse().unwrap())];
        let bounds = NetworkParameters::new(lab.kernels().unwrap())
            .unwrap()
            .with(Parameter::scratches(scratches.map(|text| text.parse::<Scratch>().unwrap())).unwrap())
            .with(Parameter::processors([1, 2].map(|number| Processors::new(number).unwrap())).unwrap())
            .with(Parameter::clock_sources(clocks).unwrap())
            .with(Parameter::kernel_parameter(&mitigations, off).unwrap())
            .with(Parameter::mtus([1500, 1280].map(|mtu| Mtu::new(mtu).unwrap())).unwrap().for_network())
            .with_machines(2..=3);
        let bounds = packages.into_iter().fold(bounds, NetworkParameters::with);
        Self { machines: MachineSpec::new(bounds.clone()).unwrap(), bounds }
    }
}

impl Model for AsGenerated {
    type State = Network;
    type Command = ();
    type Response = Vec<(MachineId, Facts)>;

    fn gen_initial_state(&self) -> BoxedStrategy<Network> {
        self.machines.gen_initial_state().prop_map(Network::all_running).boxed()
    }

    fn gen_command(&self, _: &Network) -> BoxedStrategy<()> {
        Just(()).boxed()
    }

    fn next_state(&self, network: &Network, (): &()) -> Network {
        network.clone()
    }

    fn post_condition(&self, network: &Network, (): &(), answers: &Self::Response) -> bool {
        let wrong = answers.iter().flat_map(|(id, facts)| facts.differences(network.machine(id).unwrap()));
        let wrong: Vec<_> = wrong.collect();
        wrong.iter().for_each(|wrong| eprintln!("{wrong}"));
        wrong.is_empty() && answers.len() == network.machines().len()
    }

    fn choices(&self, network: &Network) -> Vec<Choice> {
        self.bounds.choices(network)
    }

    fn with_choice(&self, network: &Network, choice: &Choice) -> Option<Network> {
        self.bounds.with_choice(network, choice)
    }
}

struct Machines<'lab>(&'lab Lab);

impl<'lab> System<AsGenerated> for Machines<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
        LiveNetwork::create(self.0, network)
    }

    fn run(&self, live: &mut Self::Sut, (): &()) -> Result<Outcome<Vec<(MachineId, Facts)>>, SystemError> {
        let mut answers = Vec::new();
        for id in live.network().ids() {
            match give(live, &Command::Inspect(id.clone()))? {
                Outcome::Answered(Response::Inspected(facts)) => answers.push((id, *facts)),
                other => panic!("{id} could not be inspected: {other:?}"),
            }
        }
        Ok(Outcome::Answered(answers))
    }
}

#[test]
fn guests_are_what_was_generated() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let networks = std::env::var("NETPROP_TEST_NETWORKS").map_or(3, |number| number.parse().unwrap());
    let config = Config {
        cases: networks,
        shape: Shape::sequential(1..=1),
        seed: Some(3.into()),
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let (model, system, stop) = (AsGenerated::new(&lab), Machines(&lab), Stop::default());
    let summary = Runner::new(&model, &system, &config, &Silent, &stop).run().unwrap();
    assert_eq!((summary.verdict(), summary.held), ("holds", networks), "{:?}", summary.failure);
}
