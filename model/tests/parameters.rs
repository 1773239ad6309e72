//! Parameters: every value is generated, holds where it was set, shrinks toward plain, and is
//! found again by what a guest says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::{BTreeMap, BTreeSet};

use model::machine::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, KernelVersion, Mtu, ParameterName,
    Processors, ServiceName,
};
use model::machines::{Command, Facts};
use model::{
    Choice, FileSystem, Machine, MachineSpec, Mebibytes, Model, Network, NetworkParameters, PackageName,
    PackageVersion, Parameter, Scratch, Service, Setting, Value,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::TestRunner;

fn kernels() -> Vec<KernelVersion> {
    ["6.1", "6.12"].map(|version| version.parse().unwrap()).to_vec()
}

/// All parameters that come ready, and one of a specification's own.
fn ready_made() -> Vec<Parameter> {
    let package: PackageName = "redis-server".parse().unwrap();
    let version = |text: &str| text.parse::<PackageVersion>().unwrap();
    let scratch = |text: &str| text.parse::<Scratch>().unwrap();
    let file: GuestPath = "/etc/redis.conf".parse().unwrap();
    let service: ServiceName = "redis".parse().unwrap();
    let redis = Service { command: "redis-server".to_owned(), ready: Some("redis-cli ping".to_owned()) };
    let cpu: KernelParameterName = "mitigations".parse().unwrap();
    let value = |text: &str| Some(text.parse::<KernelParameterValue>().unwrap());
    let own: ParameterName = "replicas".parse().unwrap();
    let text = |text: &str| text.to_owned();
    vec![
        Parameter::kernels(kernels()),
        Parameter::memory(Mebibytes::new(96).unwrap()..=Mebibytes::new(256).unwrap()),
        Parameter::scratches([
            scratch("ext4"),
            scratch("ext4 mkfs:-I,128 mount:noatime"),
            FileSystem::Xfs.into(),
        ]),
        Parameter::package(&package, [None, Some(version("newest")), Some(version("5:7.0.15-1~deb12u7"))]),
        Parameter::file(&file, [(text("none"), None), (text("small"), Some(text("maxmemory 1mb\n")))]),
        Parameter::service(&service, [(text("off"), None), (text("on"), Some(redis))]),
        Parameter::kernel_parameter(&cpu, [None, value("off"), value("")]),
        Parameter::processors([1, 2].map(|number| Processors::new(number).unwrap())),
        Parameter::clock_sources([None, Some(ClockSource::new("hpet").unwrap())]),
        Parameter::mtus([1500, 1400].map(|mtu| Mtu::new(mtu).unwrap())).map(Parameter::for_network),
        Parameter::own_range(&own, 1..=9, 2),
    ]
    .into_iter()
    .collect::<Result<_, _>>()
    .unwrap()
}

fn bounds() -> NetworkParameters {
    let bounds = NetworkParameters::new(kernels()).unwrap();
    ready_made().into_iter().fold(bounds, NetworkParameters::with)
}

fn networks() -> impl Strategy<Value = Network> {
    bounds().strategy().unwrap()
}

fn specification() -> MachineSpec {
    MachineSpec::new(bounds()).unwrap()
}

proptest! {
    /// A machine has exactly one value of each parameter, and what sets it makes it hold.
    #[test]
    fn each_value_holds_where_it_was_set(network in networks(), values in any::<[prop::sample::Index; 11]>()) {
        let mut machine = network.machines()[0].clone();
        let parameters = bounds().parameters().to_vec();
        for (parameter, value) in parameters.iter().zip(values) {
            prop_assert!(parameter.value_of(&machine).is_some(), "{}", parameter.name());
            let value = value.index(parameter.values().len());
            parameter.set(&mut machine, value);
            prop_assert_eq!(parameter.value_of(&machine), Some(value));
        }
        for (parameter, value) in parameters.iter().zip(values) {
            let value = value.index(parameter.values().len());
            prop_assert_eq!(parameter.value_of(&machine), Some(value), "{} was overwritten", parameter.name());
        }
    }

    #[test]
    fn a_parameter_of_the_network_is_the_same_everywhere(network in networks()) {
        let mtus: BTreeSet<_> = network.machines().iter().map(|machine| machine.mtu).collect();
        prop_assert_eq!(mtus.len(), 1);
    }

    #[test]
    fn networks_with_all_parameters_survive_a_file(network in networks()) {
        let text = serde_json::to_string(&network).unwrap();
        prop_assert_eq!(serde_json::from_str::<Network>(&text).unwrap(), network);
    }

    /// Each choice names the value that is there, and choosing another gives exactly that.
    #[test]
    fn choices_are_lenses(network in networks(), index in any::<prop::sample::Index>(), value in any::<prop::sample::Index>()) {
        let model = specification();
        let choices = model.choices(&network);
        prop_assert_eq!(choices.len(), 1 + 10 * network.machines().len());
        for choice in &choices {
            prop_assert_eq!(model.with_choice(&network, choice), Some(network.clone()));
        }
        let choice = index.get(&choices).clone();
        let other = Choice { value: value.index(choice.factor.values.len()), ..choice };
        let changed = model.with_choice(&network, &other).unwrap();
        for (before, after) in choices.iter().zip(model.choices(&changed)) {
            let is_it = before.site == other.site && before.factor == other.factor;
            prop_assert_eq!(&after, if is_it { &other } else { before });
        }
        prop_assert_eq!(model.with_choice(&network, &Choice { value: 99, ..other }), None);
    }

    /// However shrinking goes on, it ends with one machine that is plain in everything.
    #[test]
    fn shrinking_ends_at_the_plainest(network in networks(), indices in prop::collection::vec(any::<prop::sample::Index>(), 200)) {
        let (model, mut network, mut steps) = (specification(), network, 0);
        loop {
            let simpler = model.simpler_states(&network);
            if simpler.is_empty() {
                break;
            }
            network = indices[steps].get(&simpler).clone();
            steps += 1;
        }
        prop_assert_eq!(network.machines().len(), 1);
        prop_assert!(model.choices(&network).iter().all(|choice| choice.value == 0));
    }

    /// What a guest says truthfully is right for its machine, and for no machine with another
    /// value of a parameter that shows.
    #[test]
    fn facts_tell_machines_apart(network in networks(), index in any::<prop::sample::Index>(), value in any::<prop::sample::Index>()) {
        let model = specification();
        let machine = &network.machines()[0];
        let facts = Facts::of(machine);
        prop_assert_eq!(facts.differences(machine), Vec::<String>::new());
        let shows = ["kernel", "file system", "processors", "MTU"];
        let choices: Vec<_> = model.choices(&network).into_iter().filter(|choice| shows.contains(&choice.factor.name.as_str())).collect();
        let choice = index.get(&choices).clone();
        let other = Choice { value: value.index(choice.factor.values.len()), ..choice.clone() };
        let changed = model.with_choice(&network, &other).unwrap();
        let same = other.value == choice.value || *machine == changed.machines()[0]
            // Nothing in the guest tells how large its inodes were made.
            || (other.factor.name == "file system" && Facts::of(machine) == Facts::of(&changed.machines()[0]))
            // More options than were asked for are the kernel's own affair.
            || (other.factor.name == "file system" && other.value == 0 && choice.value == 1);
        prop_assert_eq!(facts.differences(&changed.machines()[0]).is_empty(), same, "{:?}", other);
    }
}

#[test]
fn every_value_is_generated() {
    let (strategy, model) = (bounds().strategy().unwrap(), specification());
    let mut runner = TestRunner::deterministic();
    let mut seen: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for _ in 0..200 {
        for choice in model.choices(&strategy.new_tree(&mut runner).unwrap().current()) {
            seen.entry(choice.factor.name.clone()).or_default().insert(choice.value);
        }
    }
    for parameter in bounds().parameters() {
        assert_eq!(seen[parameter.name()].len(), parameter.values().len(), "{}", parameter.name());
    }
}

#[test]
fn what_a_guest_says_wrongly_is_named() {
    let strategy = bounds().strategy().unwrap();
    let mut machine =
        strategy.new_tree(&mut TestRunner::deterministic()).unwrap().current().machines()[0].clone();
    for parameter in bounds().parameters() {
        parameter.set(&mut machine, 1);
    }
    let right = Facts::of(&machine);
    type Spoil<'a> = &'a dyn Fn(&mut Facts);
    let wrong: [(&str, Spoil<'_>); 11] = [
        ("host name is other, not", &|facts| facts.name = "other".to_owned()),
        ("kernel is 6.1.0, not 6.12", &|facts| facts.release = "6.1.0".to_owned()),
        ("memory is 1 KiB, not", &|facts| facts.memory = 1),
        ("file system is xfs, not ext4", &|facts| facts.file_system = "xfs".to_owned()),
        ("mount is rw, not with noatime", &|facts| facts.mount_options = vec!["rw".to_owned()]),
        ("package redis-server is absent, not newest", &|facts| facts.packages.clear()),
        ("command line is , not with mitigations=off", &|facts| facts.command_line.clear()),
        ("number of processors is 1, not 2", &|facts| facts.processors = 1),
        ("clock source is tsc, not hpet", &|facts| facts.clock_source = "tsc".to_owned()),
        ("MTU is 1500, not 1400", &|facts| facts.mtu = 1500),
        ("file /etc/redis.conf is absent, not", &|facts| facts.files.clear()),
    ];
    for (said, spoil) in wrong {
        let mut facts = right.clone();
        spoil(&mut facts);
        let differences = facts.differences(&machine);
        assert!(differences.len() == 1 && differences[0].starts_with(said), "{said}: {differences:?}");
    }
}

#[test]
fn versions_know_their_order() {
    let version = |text: &str| text.parse::<PackageVersion>().unwrap();
    // Later ones to the right.
    for (one, other) in [
        ("5:7.0.15-1~deb12u7", "5:7.0.15-1~deb12u10"),
        ("1.0~rc1", "1.0"),
        ("9", "1:0"),
        ("5:99-1", "newest"),
        ("/a/x_1.2-1_amd64.deb", "1.10-1"),
    ] {
        assert!(version(one).order(&version(other)).unwrap().is_lt(), "{one} < {other}");
        assert!(version(other).order(&version(one)).unwrap().is_gt(), "{other} > {one}");
    }
    assert_eq!(version("/a/x.deb").order(&version("1")), None);
}

/// The ways up and down between two kernels and three states of a package.
#[test]
fn changes_go_in_their_direction() {
    let bounds =
        ready_made().into_iter().fold(NetworkParameters::new(kernels()).unwrap(), NetworkParameters::with);
    let model = MachineSpec::new(bounds.with_machines(1..=1)).unwrap();
    let package: PackageName = "redis-server".parse().unwrap();
    let old = Setting::Package(package.clone(), Some("5:7.0.15-1~deb12u7".parse().unwrap()));
    let newest = Setting::Package(package.clone(), Some("newest".parse().unwrap()));
    let without = Setting::Package(package, None);
    let later = Setting::Kernel("6.12".parse().unwrap());
    let mut runner = TestRunner::deterministic();
    let network = model.gen_initial_state().new_tree(&mut runner).unwrap().current().all_running();
    let id = network.machines()[0].id.clone();
    let with = |settings: &[&Setting]| {
        let change = |machine: &mut Machine| settings.iter().for_each(|setting| setting.apply(machine));
        network.clone().with_changed(&id, change)
    };
    let earlier = Setting::Kernel("6.1".parse().unwrap());
    for (state, to, up, down) in [
        (with(&[&earlier]), &later, true, false),
        (with(&[&later]), &earlier, false, true),
        (with(&[&later]), &later, false, false),
        (with(&[&old]), &newest, true, false),
        (with(&[&newest]), &old, false, true),
        (with(&[&without]), &old, true, false),
        (with(&[&old]), &without, false, true),
        (with(&[]), &Setting::Memory(Mebibytes::MIN), false, false),
        (with(&[&earlier]).with_running(&id, false), &later, false, false),
    ] {
        let upgrade = Command::Upgrade { machine: id.clone(), to: to.clone() };
        let downgrade = Command::Downgrade { machine: id.clone(), to: to.clone() };
        assert_eq!(model.pre_condition(&state, &upgrade), up, "{upgrade}");
        assert_eq!(model.pre_condition(&state, &downgrade), down, "{downgrade}");
        for command in [upgrade, downgrade] {
            if model.pre_condition(&state, &command) {
                assert!(to.holds(&model.next_state(&state, &command).machines()[0]));
            }
        }
    }
}

#[test]
fn texts_are_held_to_their_rules() {
    let refused: [(Result<(), String>, &str); 9] = [
        ("../x".parse::<PackageName>().map(drop).map_err(|e| e.to_string()), "package name \"../x\""),
        ("a..b".parse::<PackageName>().map(drop).map_err(|e| e.to_string()), "two dots"),
        ("/etc/../x".parse::<GuestPath>().map(drop).map_err(|e| e.to_string()), "without . and .."),
        ("etc/x".parse::<GuestPath>().map(drop).map_err(|e| e.to_string()), "absolute path"),
        ("/e tc".parse::<GuestPath>().map(drop).map_err(|e| e.to_string()), "path in a guest"),
        ("x;y".parse::<ServiceName>().map(drop).map_err(|e| e.to_string()), "service name"),
        ("a b".parse::<KernelParameterValue>().map(drop).map_err(|e| e.to_string()), "kernel parameter"),
        ("1;2".parse::<PackageVersion>().map(drop).map_err(|e| e.to_string()), "package version"),
        ("ext4 fsck:x".parse::<Scratch>().map(drop).map_err(|e| e.to_string()), "scratch disk"),
    ];
    for (result, said) in refused {
        assert!(result.clone().is_err_and(|error| error.contains(said)), "{said}: {result:?}");
    }
    for text in ["ext4", "xfs mount:noatime", "btrfs mkfs:-O,no-holes mount:compress=zstd,noatime"] {
        assert_eq!(text.parse::<Scratch>().unwrap().to_string(), text);
    }
}

#[test]
fn impossible_parameters_are_refused() {
    let own: ParameterName = "x".parse().unwrap();
    let text = |text: &str| text.to_owned();
    for (parameter, said) in [
        (Parameter::own(&own, []), "parameter \"x\" has no values"),
        (Parameter::own(&own, [text("1"), text("1")]), "the value \"1\" twice"),
        (Parameter::own_range(&own, 1..=9, 0), "in steps of 0"),
        (Parameter::own_range(&own, 0..=u64::MAX, 1), "not more than 4096"),
    ] {
        let error = parameter.unwrap_err().to_string();
        assert!(error.contains(said), "{error}");
    }
    let value = |label: &str, setting| Value::new(label, setting);
    let kernel = || Setting::Kernel("6.1".parse().unwrap());
    let uneven = vec![value("a", kernel()), value("b", Setting::Memory(Mebibytes::MIN))];
    let error = Parameter::new("x", uneven).unwrap_err().to_string();
    assert!(error.contains("\"b\"") && error.contains("same things"), "{error}");
    let twice = bounds().with(Parameter::new("x", vec![value("a", kernel())]).unwrap());
    let error = twice.strategy().unwrap_err().to_string();
    assert!(error.contains("\"kernel\" and \"x\" both set the kernel"), "{error}");
}
