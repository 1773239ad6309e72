//! Causes of planted failures: exactly what matters is named.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};

use harness::causes::{Causes, Finding, Role};
use harness::machines::simulated::SimulatedNetwork;
use harness::replay::Replay;
use harness::{Config, Evidence, Runner, Silent, Stop, System, SystemError, report};
use model::machine::{Mtu, Processors};
use model::machines::{Command, Response};
use model::{
    Case, FileSystem, Machine, MachineSpec, Network, NetworkParameters, Outcome, PackageVersion, Parameter,
    Setting, Subnet,
};
use uuid::Uuid;

use super::mixture::{Judging, Mixture, State};
use super::{Events, config};

const OLD: &str = "5:7.0.15-1~deb12u7";

/// A network whose machines vary in much.
fn specification() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|kernel| kernel.parse().unwrap());
    let versions: [PackageVersion; 2] = ["newest", OLD].map(|version| version.parse().unwrap());
    let versions = versions.map(Some).into_iter().chain([None]);
    let redis = Parameter::package(&"redis-server".parse().unwrap(), versions).unwrap();
    let processors = Parameter::processors([1, 2].map(|number| Processors::new(number).unwrap())).unwrap();
    let mtu = Parameter::mtus([1500, 1400].map(|mtu| Mtu::new(mtu).unwrap())).unwrap().for_network();
    let bounds = NetworkParameters::new(kernels.to_vec()).unwrap();
    MachineSpec::new(bounds.with(redis).with(processors).with(mtu)).unwrap()
}

/// Pings from a machine with kernel 6.12 and xfs to another with an old redis are lost.
#[derive(Default)]
struct Lossy {
    /// Each system: the state it was made in and the commands that it was given.
    made: RefCell<Vec<(Network, Vec<Command>)>>,
}

impl System<MachineSpec> for Lossy {
    type Sut = SimulatedNetwork;

    fn new_sut(&self, network: &Network) -> Result<SimulatedNetwork, SystemError> {
        self.made.borrow_mut().push((network.clone(), Vec::new()));
        Ok(network.into())
    }

    fn run(&self, sut: &mut SimulatedNetwork, command: &Command) -> Result<Outcome<Response>, SystemError> {
        self.made.borrow_mut().last_mut().unwrap().1.push(command.clone());
        let lost = |from: &Machine, to: &Machine| {
            let old = to.packages.values().any(|version| version.to_string() == OLD);
            from.id != to.id && from.kernel.as_str() == "6.12" && from.file_system.as_str() == "xfs" && old
        };
        let answer = match command {
            Command::Ping { from, to }
                if sut.machine(from).zip(sut.machine(to)).is_some_and(|(from, to)| lost(from, to)) =>
            {
                Response::Pinged { answered: false }
            }
            _ => sut.run(command),
        };
        Ok(Outcome::Answered(answer))
    }
}

/// The place of each choice that matters, with the values that fail and those that hold.
fn what_matters(causes: &Causes) -> BTreeSet<(String, String, Vec<String>, Vec<String>)> {
    let matters = causes.of_role(Role::Matters).map(|probed| {
        let with = |finding: &Finding| {
            let tried = probed.tried.iter().filter(|trial| trial.finding == *finding);
            tried.map(|trial| trial.value.clone()).collect()
        };
        let place = probed.place.clone();
        (place.site, place.factor, with(&Finding::Fails), with(&Finding::Holds))
    });
    matters.collect()
}

#[test]
fn three_conditions_on_two_machines_are_named_and_nothing_else() {
    let model = specification();
    for seed in 0..20 {
        let (system, events) = (Lossy::default(), Events::default());
        let config = config(seed, 2000);
        let summary = Runner::new(&model, &system, &config, &events, &Stop::default()).run().unwrap();
        let failure = summary.failure.expect("the planted bug is found");
        let text = report::failure(&model, &failure);
        let machines = failure.case.initial.machines();
        assert_eq!(machines.len(), 2, "seed {seed}:\n{text}");
        let [.., Command::Ping { from, to }] = &failure.case.commands[..] else { panic!("{text}") };
        let causes = failure.causes.unwrap();
        let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
        let cause = |machine: &dyn std::fmt::Display, factor: &str, fails: &[&str], holds: &[&str]| {
            (format!("machine {machine}"), factor.to_owned(), words(fails), words(holds))
        };
        let expected = BTreeSet::from([
            cause(from, "kernel", &["6.12"], &["6.1"]),
            cause(from, "file system", &["xfs"], &["ext4", "btrfs"]),
            cause(to, "package redis-server", &[OLD], &["newest", "absent"]),
        ]);
        assert_eq!(what_matters(&causes), expected, "seed {seed}:\n{text}");
        // Five parameters of each machine and one of the network, without those three.
        assert_eq!(causes.of_role(Role::Irrelevant).count(), 8, "seed {seed}:\n{text}");
        assert!(causes.complete && causes.together.is_empty(), "seed {seed}:\n{text}");
        for line in [
            format!("  machine {from}: file system           fails with xfs; holds with ext4, btrfs\n"),
            format!("  machine {to}: package redis-server  fails with {OLD}; holds with newest, absent\n"),
            "does not matter: MTU of the network, ".to_owned(),
        ] {
            assert!(text.contains(&line), "no {line:?} in\n{text}");
        }
        nothing_ran_twice(&system, causes.runs, seed);
        assert_eq!(events.named("probed").len(), causes.runs as usize);
        assert_eq!(events.named("causes")[0]["causes"], serde_json::to_value(&causes).unwrap());
    }
}

/// Two machines, of which the first lacks the kernel that it takes and is given it on the way.
fn upgraded_on_the_way() -> Case<MachineSpec> {
    let machine = |name: &str, number: u8| {
        let address = [172, 16, 2, number].into();
        Machine::new(name.parse().unwrap(), Uuid::from_bytes([number; 16]), address, "6.1".parse().unwrap())
    };
    let (mut from, mut to) = (machine("a", 5), machine("b", 6));
    from.file_system = FileSystem::Xfs;
    to.packages.insert("redis-server".parse().unwrap(), OLD.parse().unwrap());
    let (a, b) = (from.id.clone(), to.id.clone());
    let initial = Network::new(Subnet::default(), vec![from, to]).unwrap();
    let upgrade = Command::Upgrade { machine: a.clone(), to: Setting::Kernel("6.12".parse().unwrap()) };
    let ping = Command::Ping { from: a.clone(), to: b.clone() };
    Case::sequential(initial, vec![Command::Boot(a), Command::Boot(b), upgrade, ping])
}

#[test]
fn a_change_of_software_moves_to_the_beginning() {
    let (model, directory) = (specification(), tempfile::tempdir().unwrap());
    let evidence = Evidence { number: 4, ..Evidence::default() };
    let saved = Replay::new(&model, &"0".repeat(64), BTreeMap::new(), upgraded_on_the_way(), evidence);
    saved.write(directory.path()).unwrap();
    let config = Config { failures: Some(directory.path().to_owned()), ..config(1, 1) };
    let summary = Runner::new(&model, &Lossy::default(), &config, &Silent, &Stop::default()).run().unwrap();
    let failure = summary.failure.unwrap();
    let text = report::failure(&model, &failure);
    assert_eq!(failure.case.commands.len(), 3, "{text}");
    assert_eq!(failure.case.initial.machines()[0].kernel.as_str(), "6.12", "{text}");
    assert!(text.contains("machine a: kernel                fails with 6.12; holds with 6.1\n"), "{text}");
}

/// Every probe is new, also to the shrinker.
fn nothing_ran_twice(system: &Lossy, probes: u32, seed: u64) {
    let made = system.made.borrow();
    let probed = made.len() - probes as usize;
    for (index, run) in made.iter().enumerate().skip(probed) {
        assert!(!made[..index].contains(run), "seed {seed}: run {index} was there before: {run:?}");
    }
}

/// The causes of one case's failure, with how many cases were run for it.
fn causes(model: &Mixture, system: &Judging, initial: State) -> Causes {
    let case = Case::sequential(initial, vec![true]);
    let config = config(0, 1);
    let runner =
        Runner::new(model, system, &config, &Silent, &Stop::default()).causes(&case, None, None, |_| ());
    let causes = runner.unwrap();
    assert!(causes.complete);
    let made = system.made.borrow();
    assert_eq!(made.len(), causes.runs as usize);
    assert!((0..made.len()).all(|index| !made[..index].contains(&made[index])), "{made:?}");
    causes
}

#[test]
fn a_boundary_on_a_scale_is_found_by_halving() {
    let model = Mixture::new(1, &[1024]).ordered();
    let system = Judging::new(|state| state[0][0] >= 389);
    let found = causes(&model, &system, vec![vec![1000]]);
    assert_eq!(found.to_string(), "what matters\n  site 0: f0  fails from 389; holds up to 388\n");
    // Both ends, then ten halvings of what lies between.
    assert!(found.runs <= 2 + 10, "{} runs", found.runs);
    let below = Judging::new(|state| state[0][0] < 389);
    let found = causes(&model, &below, vec![vec![7]]);
    assert_eq!(found.to_string(), "what matters\n  site 0: f0  fails up to 388; holds from 389\n");
    assert!(found.runs <= 2 + 10, "{} runs", found.runs);
    let within = Judging::new(|state| (100..900).contains(&state[0][0]));
    let found = causes(&model, &within, vec![vec![500]]);
    assert_eq!(
        found.to_string(),
        "what matters\n  site 0: f0  fails with 100 to 899; holds with 0 to 99, 900 to 1023\n"
    );
    assert!(found.runs <= 2 + 20, "{} runs", found.runs);
    let always = Judging::new(|_| true);
    let found = causes(&model, &always, vec![vec![500]]);
    assert_eq!((found.runs, found.to_string().as_str()), (2, "does not matter: f0 of site 0\n"));
}

#[test]
fn a_boundary_is_found_after_shrinking_too() {
    for seed in 0..20 {
        let (model, system) = (Mixture::new(1, &[1024]).ordered(), Judging::new(|state| state[0][0] >= 389));
        let config = config(seed, 100);
        let summary = Runner::new(&model, &system, &config, &Silent, &Stop::default()).run().unwrap();
        let failure = summary.failure.unwrap();
        assert_eq!(failure.case.initial, [[389]], "seed {seed}");
        assert!(failure.shrink_runs <= 60, "seed {seed}: {} runs", failure.shrink_runs);
        let causes = failure.causes.unwrap();
        assert_eq!(causes.to_string(), "what matters\n  site 0: f0  fails from 389; holds up to 388\n");
        assert!(causes.runs <= 1, "seed {seed}: only the greatest value was new");
    }
}

#[test]
fn choices_that_matter_only_together_are_not_called_irrelevant() {
    // Any one of the first and third at its last value still fails; both at once hold.
    let system = Judging::new(|state| !(state[0][0] == 2 && state[1][1] == 2));
    let found = causes(&Mixture::new(2, &[3, 3]), &system, vec![vec![0; 2]; 2]);
    assert_eq!(
        found.to_string(),
        "what matters only together\n  holds with site 0: f0 2 and site 1: f1 2 at once\ndoes not matter: f1 of site 0, f0 of site 1\n"
    );
    // Two such pairs are told apart.
    let two = |state: &State| state.iter().all(|site| site[0] == 0 || site[1] == 0);
    let found = causes(&Mixture::new(2, &[2, 2, 2]), &Judging::new(two), vec![vec![0; 3]; 2]);
    assert_eq!(
        found.to_string(),
        "what matters only together\n  holds with site 1: f0 1 and site 1: f1 1 at once\n  holds with site 0: f0 1 and site 0: f1 1 at once\ndoes not matter: f2 of site 0 and site 1\n"
    );
}

#[test]
fn what_costs_least_is_tried_first() {
    // What lies far from the plain end costs much.
    let cost = |state: &State| state[0].iter().map(|value| *value as u64).sum();
    let system = Judging { cost, ..Judging::new(|state| state[0][1] == 2) };
    causes(&Mixture::new(1, &[4, 4]), &system, vec![vec![1, 2]]);
    let made = system.made.borrow();
    let singles = made.iter().take(6);
    let costs: Vec<_> = singles.map(cost).collect();
    assert!(costs.is_sorted(), "{costs:?}: {made:?}");
    // Where all cost the same, each choice is tried once before any is tried twice.
    let equal = Judging::new(|state| state[0][1] == 2);
    causes(&Mixture::new(1, &[4, 4]), &equal, vec![vec![1, 2]]);
    let made = equal.made.borrow();
    let changed: Vec<_> = made.iter().take(6).map(|state| usize::from(state[0][0] == 1)).collect();
    assert_eq!(changed, [0, 1, 0, 1, 0, 1], "{made:?}");
}
