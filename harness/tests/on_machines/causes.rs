//! A failure on real machines that needs three conditions on two of them: found, shrunk to the
//! smallest network, and put down to exactly these three.

use std::collections::BTreeSet;

use crate::looked_at;
use harness::causes::{Causes, Finding, Role};
use harness::machines::give::give;
use harness::machines::simulated::SimulatedNetwork;
use harness::machines::{Lab, LiveNetwork, MachineSystem};
use harness::record::Record;
use harness::{Config, Failure, Purpose, Runner, Shape, Silent, Stop, System, SystemError, report};
use model::machine::{Mtu, Processors};
use model::machines::{Command, Facts, Response};
use model::{
    FileSystem, MachineId, MachineSpec, Mebibytes, Network, NetworkParameters, Outcome, PackageName,
    PackageVersion, Parameter,
};

/// The bug: pings are lost from a machine with this kernel and XFS to another one with this
/// version of memcached. What a machine is, it says itself.
#[derive(Clone)]
struct Conditions {
    kernel: String,
    package: PackageName,
    version: String,
}

impl Conditions {
    fn lost(&self, from: &Facts, to: &Facts) -> bool {
        from.name != to.name
            && from.release.starts_with(&format!("{}.", self.kernel))
            && from.file_system == "xfs"
            && to.packages.get(&self.package).is_some_and(|version| *version == self.version)
    }
}

/// The bug in memory, to learn from which seed on it is met.
struct InMemory(Conditions);

impl System<MachineSpec> for InMemory {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let facts = |id| sut.machine(id).map(Facts::of);
        let lost = match command {
            Command::Ping { from, to } => {
                facts(from).zip(facts(to)).is_some_and(|(from, to)| self.0.lost(&from, &to))
            }
            _ => false,
        };
        let answer = sut.run(command);
        Ok(Outcome::Answered(if lost { Response::Pinged { answered: false } } else { answer }))
    }
}

/// The bug on real machines: the target is made deaf for the time of the ping, so that the answer
/// is what `fping` says.
struct OnMachines<'lab>(MachineSystem<'lab>, Conditions);

impl<'lab> System<MachineSpec> for OnMachines<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
        self.0.new_sut(network)
    }

    fn new_sut_for(&self, network: &Network, purpose: Purpose) -> Result<Self::Sut, SystemError> {
        self.0.new_sut_for(network, purpose)
    }

    fn is_reused(&self, live: &Self::Sut) -> bool {
        self.0.is_reused(live)
    }

    fn destroy_sut(&self, live: Self::Sut) -> Result<(), SystemError> {
        self.0.destroy_sut(live)
    }

    fn run(&self, live: &mut Self::Sut, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let Command::Ping { from, to } = command else { return self.0.run(live, command) };
        // A machine that is off is asked for nothing, and answers no pings anyway.
        let on = live.state(to)? == hypervisor::State::Running;
        if !on || !self.1.lost(&facts(live, from)?, &facts(live, to)?) {
            return self.0.run(live, command);
        }
        deafen(live, to, true)?;
        let outcome = self.0.run(live, command)?;
        deafen(live, to, false)?;
        Ok(outcome)
    }
}

fn facts(live: &mut LiveNetwork<'_>, id: &MachineId) -> Result<Facts, SystemError> {
    match give(live, &Command::Inspect(id.clone()))? {
        Outcome::Answered(Response::Inspected(facts)) => Ok(*facts),
        other => panic!("{id} could not be inspected: {other:?}"),
    }
}

fn deafen(live: &mut LiveNetwork<'_>, id: &MachineId, deaf: bool) -> Result<(), SystemError> {
    let line = format!("echo {} >/proc/sys/net/ipv4/icmp_echo_ignore_all", u8::from(deaf));
    assert!(live.run(id, &remote::Command::new(line))?.ending.is_success());
    Ok(())
}

fn failure<S: System<MachineSpec>>(model: &MachineSpec, system: &S, config: &Config) -> Failure<MachineSpec> {
    let summary = Runner::new(model, system, config, &Silent, &Stop::default()).run().unwrap();
    summary.failure.expect("the planted bug is found")
}

/// Each choice that matters: which machine of the ping, what, the values that fail and that hold.
fn what_matters(
    failure: &Failure<MachineSpec>,
) -> BTreeSet<(&'static str, String, Vec<String>, Vec<String>)> {
    let Some(Command::Ping { from, .. }) = failure.case.commands.last() else { panic!("no ping") };
    let causes: &Causes = failure.causes.as_ref().unwrap();
    let matters = causes.of_role(Role::Matters).map(|probed| {
        let with = |finding: &Finding| {
            let tried = probed.tried.iter().filter(|trial| trial.finding == *finding);
            tried.map(|trial| trial.value.clone()).collect()
        };
        let role = if probed.place.site == format!("machine {from}") { "from" } else { "to" };
        (role, probed.place.factor.clone(), with(&Finding::Fails), with(&Finding::Holds))
    });
    matters.collect()
}

#[test]
fn a_bug_of_three_conditions_is_put_down_to_them() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let kernels = lab.kernels().unwrap();
    let package: PackageName = "memcached".parse().unwrap();
    let versions: Vec<PackageVersion> = lab.versions(&package).unwrap().into_iter().take(2).collect();
    let [newest, older] = &versions[..] else { panic!("apt offers one memcached only: {versions:?}") };
    let values = [Some(newest.clone()), Some(older.clone())];
    let (least, most) = (Mebibytes::new(96).unwrap(), Mebibytes::new(128).unwrap());
    let bounds = NetworkParameters::new(kernels.clone())
        .unwrap()
        .with(Parameter::memory(least..=most).unwrap())
        .with(Parameter::package(&package, values).unwrap())
        .with(Parameter::processors([1, 2].map(|number| Processors::new(number).unwrap())).unwrap())
        .with(Parameter::mtus([1500, 1280].map(|mtu| Mtu::new(mtu).unwrap())).unwrap().for_network())
        .with_machines(2..=3);
    let model = MachineSpec::new(bounds).unwrap();
    let (kernel, version) = (kernels.last().unwrap().to_string(), older.to_string());
    let conditions = Conditions { kernel: kernel.clone(), package, version: version.clone() };

    let directory = tempfile::tempdir().unwrap();
    let config =
        Config { cases: 5000, shape: Shape::sequential(3..=6), regressions: None, ..Config::default() };
    // Runs cost nothing in memory and half a minute on machines, which are given the case that
    // takes fewest.
    let in_memory = (1..=20).map(|seed| {
        let failures = Some(directory.path().join(format!("in-memory-{seed}")));
        let config = Config { seed: Some(seed.into()), failures, ..config.clone() };
        failure(&model, &InMemory(conditions.clone()), &config)
    });
    let in_memory: Vec<_> = in_memory.collect();
    let simulated = in_memory.iter().min_by_key(|failure| failure.shrink_runs).unwrap();
    let failures = Some(directory.path().join("on-machines"));
    let config = Config { cases: 1, seed: Some(simulated.seed), failures, ..config };
    let found = failure(&model, &OnMachines(MachineSystem::new(&lab), conditions), &config);
    println!("{}", report::failure(&model, &found));
    let html = looked_at::page("three-conditions", &Record::of(&model, &found, None));
    assert!(html.contains("What of it matters"));

    assert!(found.smallest);
    assert_eq!(found.case.initial.machines().len(), 2);
    assert_eq!(found.case.commands.len(), 3, "two Boots and a Ping");
    let one = |text: &str| vec![text.to_owned()];
    let plain = |text: &[&str]| text.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let first_kernel = kernels[0].to_string();
    let others = plain(&[FileSystem::Ext4.as_str(), FileSystem::Btrfs.as_str()]);
    let expected = BTreeSet::from([
        ("from", "kernel".to_owned(), one(&kernel), one(&first_kernel)),
        ("from", "file system".to_owned(), one("xfs"), others),
        ("to", "package memcached".to_owned(), one(&version), one(&newest.to_string())),
    ]);
    assert_eq!(what_matters(&found), expected);
    let causes = found.causes.as_ref().unwrap();
    assert!(causes.complete && causes.together.is_empty());
    assert_eq!(causes.of_role(Role::Irrelevant).count(), causes.choices.len() - 3, "all else is named too");
    assert!(in_memory.iter().all(|found| what_matters(found) == expected), "and in memory the same");
}
