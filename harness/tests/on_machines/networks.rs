//! Generated networks on real machines: the right model holds, wrong ones are caught and shrunk.

use std::io::Write as _;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::deaf_machines::DeafOnMachines;
use crate::planted::{DeafAfterSecondBoot, EverybodyAnswers, Judged, shape};
use harness::machines::give::give;
use harness::machines::identity::{self, NetworkKey};
use harness::machines::simulated::SimulatedSystem;
use harness::machines::{Boot, Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::regressions::Seed;
use harness::shrink::Budget;
use harness::{Config, Failure, Runner, Shape, Silent, Stop, Summary, System, SystemError};
use hypervisor::{BootError, Definition, boot};
use model::machines::{Command, Response};
use model::{
    FileSystem, KernelVersion, MachineId, MachineSpec, Model, Network, NetworkParameters, Outcome, Setting,
};
use nixgen::{Console, Control, Image, Wiring};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

fn specification(lab: &Lab) -> MachineSpec {
    MachineSpec::new(NetworkParameters::new(lab.kernels().unwrap()).unwrap()).unwrap()
}

fn config(directory: &Path, cases: u32, seed: impl Into<Seed>) -> Config {
    Config {
        cases,
        seed: Some(seed.into()),
        failures: Some(directory.join("failures")),
        regressions: None,
        ..Config::default()
    }
}

fn run<M: Model, S: System<M>>(model: &M, system: &S, cases: u32, seed: impl Into<Seed>) -> Summary<M> {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path(), cases, seed);
    Runner::new(model, system, &config, &Silent, &Stop::default()).run().unwrap()
}

/// The failure of a planted bug on machines, from the smallest of some cases that have it in memory:
/// machines are not to spend their time on cases that hold, nor on what matters in the smallest one,
/// which `causes.rs` asks of machines.
fn failure<M: Model<State = Network>>(
    model: &M,
    simulated: &impl System<M>,
    system: &impl System<M>,
    seeds: Range<u64>,
) -> Failure<M> {
    let none = Budget { runs: 0, time: None };
    let found = seeds.map(|seed| {
        let config = config(Path::new(""), 2000, seed);
        let config = Config { shrink: none, probes: none, failures: None, ..config };
        let summary = Runner::new(model, simulated, &config, &Silent, &Stop::default()).run().unwrap();
        summary.failure.expect("the planted bug is found in memory")
    });
    let several = found.filter(|failure| failure.case.initial.machines().len() >= 2);
    let size = |failure: &Failure<M>| (failure.case.initial.machines().len(), failure.commands_at_first);
    let smallest = several.min_by_key(size).unwrap();
    assert!(smallest.commands_at_first > 4, "there is something to shrink");
    let directory = tempfile::tempdir().unwrap();
    let config = Config { probes: none, ..config(directory.path(), 1, smallest.seed) };
    let summary = Runner::new(model, system, &config, &Silent, &Stop::default()).run().unwrap();
    summary.failure.expect("the planted bug is found")
}

#[test]
fn generated_networks_hold() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let summary = run(&specification(&lab), &MachineSystem::new(&lab), 3, 2);
    assert_eq!((summary.held, summary.verdict()), (3, "holds"));
}

#[test]
fn a_wrong_model_is_caught_on_machines() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let model = EverybodyAnswers(specification(&lab));
    let failure = failure(&model, &Judged(SimulatedSystem), &Judged(MachineSystem::new(&lab)), 100..120);
    assert_eq!(shape(&failure.case), "Boot a, Ping a b");
    assert!(failure.case.initial.machines().len() <= 2 && failure.smallest);
}

#[test]
fn a_guest_that_goes_deaf_is_caught_on_machines() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let failure = failure(&specification(&lab), &DeafAfterSecondBoot, &DeafOnMachines::new(&lab), 200..220);
    assert_eq!(shape(&failure.case), "Boot a, Shutdown a, Boot a, Ping a a");
    assert_eq!(failure.case.initial.machines().len(), 1);
    assert!(failure.smallest);
}

/// The planted bug's smallest case, how long it took to find, and how many networks were put back.
fn found_with(boots: Boots) -> Option<(Failure<EverybodyAnswers>, Duration, u64)> {
    let lab = Lab::for_test_with(LabOptions { boots, ..LabOptions::default() }).unwrap()?;
    let model = EverybodyAnswers(specification(&lab));
    let system = Judged(MachineSystem::new(&lab));
    let begin = Instant::now();
    let failure = failure(&model, &Judged(SimulatedSystem), &system, 300..320);
    Some((failure, begin.elapsed(), system.0.put_back()))
}

#[test]
fn networks_that_are_put_back_shrink_to_the_same_case() {
    let Some((cold, cold_time, none)) = found_with(Boots::Cold) else { return };
    let (warm, warm_time, put_back) = found_with(Boots::Auto).unwrap();
    eprintln!("{} runs, cold in {cold_time:?}, with {put_back} put back in {warm_time:?}", warm.shrink_runs);
    assert_eq!(format!("{:?}", warm.case), format!("{:?}", cold.case));
    assert_eq!((shape(&warm.case).as_str(), warm.smallest), ("Boot a, Ping a b", true));
    assert_eq!((none, put_back > 0), (0, true));
    assert!(cold.confirmed.is_none() && warm.confirmed.is_none_or(|rate| rate.failed > 0));
}

#[test]
fn candidates_on_networks_side_by_side_shrink_to_the_same_case() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let (model, none) = (EverybodyAnswers(specification(&lab)), Budget { runs: 0, time: None });
    let short = Config {
        shape: Shape::sequential(4..=5),
        probes: none,
        failures: None,
        ..config(Path::new(""), 2000, 400)
    };
    let stop = Stop::default();
    let in_memory = Config { shrink: none, ..short.clone() };
    let found = Runner::new(&model, &Judged(SimulatedSystem), &in_memory, &Silent, &stop).run().unwrap();
    let seed = Some(found.failure.expect("the planted bug is found in memory").seed);
    let config = Config { cases: 1, jobs: 2, seed, ..short };
    let system = Judged(MachineSystem::new(&lab));
    let summary = Runner::new(&model, &system, &config, &Silent, &stop).run_side_by_side().unwrap();
    let failure = summary.failure.expect("the planted bug is found");
    eprintln!("from {} commands in {} runs", failure.commands_at_first, failure.shrink_runs);
    assert_eq!((shape(&failure.case).as_str(), failure.smallest), ("Boot a, Ping a b", true));
}

/// A network of one machine for each kernel and file system, so that all are seen.
fn every_kind(lab: &Lab) -> Network {
    let kernels = lab.kernels().unwrap();
    let parameters = NetworkParameters::new(kernels.clone()).unwrap().with_machines(3..=3);
    let network = parameters.strategy().unwrap().new_tree(&mut TestRunner::default()).unwrap().current();
    let mut machines = network.machines().to_vec();
    for (index, machine) in machines.iter_mut().enumerate() {
        machine.kernel = kernels[index % kernels.len()].clone();
        machine.file_system = FileSystem::ALL[index];
    }
    Network::new(network.subnet(), machines).unwrap()
}

fn said(live: &mut LiveNetwork<'_>, id: &MachineId, line: &str) -> String {
    let output = live.run(id, &remote::Command::new(line)).unwrap();
    assert!(output.ending.is_success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn guests_are_what_was_generated_and_boot_side_by_side() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = every_kind(&lab).all_running();
    let mut live = LiveNetwork::create(&lab, &network).unwrap();
    for machine in network.machines() {
        let id = &machine.id;
        let release = said(&mut live, id, "uname -r");
        assert!(release.starts_with(&format!("{}.", machine.kernel)), "{release} is not {}", machine.kernel);
        let mounts = said(&mut live, id, "cat /proc/mounts");
        let scratch = format!("/scratch {} ", machine.file_system);
        assert!(mounts.contains(&scratch), "{scratch}: {mounts}");
        assert_eq!(said(&mut live, id, "hostname").trim(), id.as_str());
        assert!(said(&mut live, id, "ip -4 addr show eth1").contains(&machine.address.to_string()));
        let memory = said(&mut live, id, "cat /proc/meminfo");
        let total: u64 = memory.split_whitespace().nth(1).unwrap().parse().unwrap();
        let given = machine.memory.get() * 1024;
        assert!(total < given && total > given / 2, "{total} kB of {given}");
        let routes = said(&mut live, id, "cat /proc/net/route");
        let default =
            routes.lines().skip(1).find(|route| route.split_whitespace().nth(1) == Some("00000000"));
        assert_eq!(default, None, "traffic would escape");
    }
}

#[test]
fn the_scratch_disk_survives_a_power_cut() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = every_kind(&lab);
    let id = &network.machines()[0].id;
    let mut live = LiveNetwork::create(&lab, &network).unwrap();
    assert!(matches!(live.boot(id).unwrap(), Boot::Ready(_)));
    said(&mut live, id, "echo kept > /scratch/file && sync && echo gone > /root/file");
    live.power_cut(id).unwrap();
    assert!(matches!(live.boot(id).unwrap(), Boot::Ready(_)));
    assert_eq!(said(&mut live, id, "cat /scratch/file"), "kept\n");
    assert_eq!(said(&mut live, id, "ls /root"), "");
}

#[test]
fn a_clock_that_was_set_stays_as_far_off_while_a_machine_stands_still() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = every_kind(&lab);
    let id = &network.machines()[0].id;
    let mut live = LiveNetwork::create(&lab, &network).unwrap();
    assert!(matches!(live.boot(id).unwrap(), Boot::Ready(_)));
    let stand_still = |live: &mut LiveNetwork<'_>| {
        live.pause(id).unwrap();
        std::thread::sleep(Duration::from_secs(4));
        live.resume(id).unwrap();
        let clock: i64 = said(live, id, "date +%s").trim().parse().unwrap();
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_secs().cast_signed();
        clock - now
    };
    let ahead = stand_still(&mut live);
    assert!((-2..=2).contains(&ahead), "{ahead} s");
    said(&mut live, id, "date -s @$(($(date +%s) - 60))");
    for _ in 0..2 {
        let ahead = stand_still(&mut live);
        assert!((-63..=-57).contains(&ahead), "{ahead} s");
    }
}

#[test]
fn a_machine_of_another_network_is_wrong_use() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = every_kind(&lab);
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let stranger = "stranger".parse().unwrap();
    let error = live.boot(&stranger).err().unwrap();
    assert!(matches!(error, SystemError::WrongUse(_)), "{error}");
    assert!(error.to_string().contains("no machine stranger"), "{error}");
}

/// Boots the first machine of [`every_kind`] from an image that was tampered with, and gives what
/// is said about that.
fn boot_spoiled(lab: &Lab, spoil: impl FnOnce(&mut Image, &Path)) -> BootError {
    let network = every_kind(lab);
    let machine = &network.machines()[0];
    let directory = tempfile::tempdir().unwrap();
    let mut image = lab.images(&network).unwrap().swap_remove(0);
    spoil(&mut image, directory.path());
    let endpoints = lab.run_directory().endpoints("spoiled").unwrap();
    let scratch = directory.path().join("scratch");
    hypervisor::create_overlay(&image.scratch[&machine.format()], &scratch).unwrap();
    let wiring = Wiring {
        console: Console::Socket(endpoints.console.clone()),
        control: Control::Socket(endpoints.control.clone()),
        scratch: Some(scratch),
        accelerator: lab.accelerator(),
        ..Wiring::default()
    };
    let xml = nixgen::domain_xml(machine, &network, &image, &wiring).unwrap();
    let definition = Definition { name: machine.id.to_string(), xml, endpoints };
    let mut defined = lab.hypervisor().define(&definition).unwrap();
    let identity = identity::lines(&network, machine, &NetworkKey::generate().unwrap());
    boot(defined.as_mut(), &identity, Duration::from_secs(120)).unwrap_err()
}

/// The image's initial file system with another `/init`: of two archives, the second one counts.
fn with_init(image: &mut Image, directory: &Path, script: &str) {
    let mut archive = std::fs::read(&image.initrd).unwrap();
    archive.resize(archive.len().next_multiple_of(512), 0);
    let init = cpio::NewcBuilder::new("init").mode(0o100_755);
    let mut writer = init.write(&mut archive, script.len().try_into().unwrap());
    writer.write_all(script.as_bytes()).unwrap();
    cpio::newc::trailer(writer.finish().unwrap()).unwrap();
    image.initrd = directory.join("initrd");
    image.loader = None;
    std::fs::write(&image.initrd, archive).unwrap();
}

#[test]
fn a_guest_without_an_ssh_server_says_so() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let error = boot_spoiled(&lab, |image, directory| {
        let init = include_str!("../../../nix/debian/initramfs-init");
        let without = init.replace(
            "exec /bin/busybox switch_root",
            "rm /root/usr/sbin/sshd\nexec /bin/busybox switch_root",
        );
        assert_ne!(init, without);
        with_init(image, directory, &without);
    });
    assert!(matches!(error, BootError::Failed { .. }), "{error}");
    assert!(error.to_string().contains("sshd"), "{error}");
}

#[test]
fn a_guest_that_panics_is_told_at_once_with_its_console() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let error = boot_spoiled(&lab, |image, directory| with_init(image, directory, "#!/bin/busybox false\n"));
    assert!(matches!(error, BootError::Panic { .. }), "{error}");
    assert!(error.to_string().contains("Attempted to kill init"), "{error}");
}

#[test]
fn a_corrupt_root_is_told_with_its_console() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let error = boot_spoiled(&lab, |image, directory| {
        image.root = directory.join("root");
        std::fs::write(&image.root, vec![0; 1 << 20]).unwrap();
    });
    assert!(matches!(error, BootError::Ended { .. } | BootError::Panic { .. }), "{error}");
    assert!(error.to_string().contains("the root on /dev/vda cannot be mounted"), "{error}");
}

#[test]
fn a_guest_that_never_speaks_is_given_up_at_the_limit() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let options = LabOptions { boot_limit: Duration::from_millis(300), ..LabOptions::default() };
    let impatient = Lab::open(options, Arc::new(Silent), Stop::default()).unwrap();
    let network = every_kind(&lab);
    let live = LiveNetwork::create(&impatient, &network).unwrap();
    let error = live.boot(&network.machines()[0].id).err().unwrap();
    assert!(matches!(error, SystemError::Infrastructure(_)), "{error}");
    assert!(error.to_string().contains("was not ready after 300ms"), "{error}");
}

#[test]
fn other_software_leaves_the_scratch_disk_as_it_was() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let kernels = lab.kernels().unwrap();
    let machine = every_kind(&lab).machines()[0].clone();
    let network = Network::new("172.16.2.0/24".parse().unwrap(), vec![machine]).unwrap();
    let id = &network.machines()[0].id;
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let give = |command| match give(&live, &command).unwrap() {
        Outcome::Answered(response) => response,
        other => panic!("{command}: {other:?}"),
    };
    assert_eq!(give(Command::Boot(id.clone())), Response::Booted);
    let to = |kernel: &KernelVersion| Setting::Kernel(kernel.clone());
    let upgrade = Command::Upgrade { machine: id.clone(), to: to(&kernels[1]) };
    assert_eq!(give(upgrade), Response::Changed { scratch_kept: true });
    let upgraded = network.clone().with_changed(id, |machine| to(&kernels[1]).apply(machine));
    match give(Command::Inspect(id.clone())) {
        Response::Inspected(facts) => assert_eq!(facts.differences(&upgraded.machines()[0]), [""; 0]),
        other => panic!("{other}"),
    }
    let downgrade = Command::Downgrade { machine: id.clone(), to: to(&kernels[0]) };
    assert_eq!(give(downgrade), Response::Changed { scratch_kept: true });
}
