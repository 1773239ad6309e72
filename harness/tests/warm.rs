//! Networks that are put back to their start: nothing of the case before is left, neither on the
//! machines nor on the host.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::cell::Cell;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use harness::execute::Verdict;
use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::{Config, Purpose, Runner, Silent, Stop, System, SystemError};
use hypervisor::State;
use model::machine::Service;
use model::machines::{Command, Response};
use model::{Case, MachineId, MachineSpec, Network, Outcome, generate};
use proptest::test_runner::TestRunner;
use remote::Output;

#[path = "host_use/mod.rs"]
mod host_use;

use host_use::HostUse;

/// Held by each test for as long as it lasts: what one leaves on the host can be told only while the
/// others of the process do nothing.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lab() -> Option<Lab> {
    Lab::for_test_with(LabOptions { boots: Boots::Warm, ..LabOptions::default() }).unwrap()
}

/// A network of machines with these names, of which some are on.
fn network(lab: &Lab, names: [&str; 2], on: &[&str]) -> Network {
    let kernel = lab.kernels().unwrap().remove(0);
    let machines = names.iter().zip(2..).map(|(name, address)| {
        let uuid = format!("b9d1ee3a-55b1-4a1c-9d9b-0000000000{:x}", name.as_bytes().last().unwrap());
        let running = on.contains(name);
        format!(
            r#"{{ "id": "{name}", "uuid": "{uuid}", "address": "172.16.2.{address}", "kernel": "{kernel}",
                 "memory": 96, "file_system": "ext4", "running": {running} }}"#
        )
    });
    let machines: Vec<_> = machines.collect();
    serde_json::from_str(&format!(r#"{{ "machines": [ {} ] }}"#, machines.join(","))).unwrap()
}

/// The same network with a service on each machine.
fn with_services(network: Network) -> Network {
    let service = Service { command: "sleep 1000".to_owned(), ready: Some("true".to_owned()) };
    network.ids().iter().fold(network, |network, id| {
        network.with_changed(id, |machine| {
            machine.services.insert("sleep".parse().unwrap(), service.clone());
        })
    })
}

fn id(name: &str) -> MachineId {
    name.parse().unwrap()
}

fn run(live: &LiveNetwork<'_>, name: &str, command: &str) -> String {
    let Output { ending, stdout, stderr, .. } = live.run(&id(name), &remote::Command::new(command)).unwrap();
    assert!(ending.is_success(), "{command}: {ending}: {}", String::from_utf8_lossy(&stderr));
    String::from_utf8(stdout).unwrap().trim().to_owned()
}

fn give<'a>(system: &MachineSystem<'a>, live: &mut LiveNetwork<'a>, command: Command) -> Response {
    match system.run(live, &command).unwrap() {
        Outcome::Answered(response) => response,
        other => panic!("{command:?} is answered, and not this: {other:?}"),
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn boot<'a>(system: &MachineSystem<'a>, live: &mut LiveNetwork<'a>, name: &str) {
    assert_eq!(give(system, live, Command::Boot(id(name))), Response::Booted);
}

#[test]
fn nothing_of_the_case_before_is_left() -> Result<(), SystemError> {
    let _alone = alone();
    let Some(lab) = lab() else { return Ok(()) };
    let system = MachineSystem::new(&lab);
    let names = ["warm-a", "warm-b"];
    let [a, b] = names;
    let is_reached = |from: &str, to: &str| Command::Ping { from: id(from), to: id(to) };
    let reached = |answered| Response::Pinged { answered };

    let mut live = system.new_sut(&network(&lab, names, &[a]))?;
    assert_eq!(give(&system, &mut live, is_reached(a, b)), reached(false));
    boot(&system, &mut live, b);
    assert_eq!(give(&system, &mut live, is_reached(a, b)), reached(true));
    let boot_id = "cat /proc/sys/kernel/random/boot_id";
    let boot_ids = [run(&live, a, boot_id), run(&live, b, boot_id)];
    for name in names {
        run(
            &live,
            name,
            "echo here >/root/mark; echo here >/scratch/mark; sync; date -s @0; ip link set eth1 down",
        );
    }
    system.destroy_sut(live)?;

    // The other one is on at the start.
    let mut live = system.new_sut(&network(&lab, names, &[b]))?;
    assert_eq!(system.put_back(), 1);
    assert_eq!(live.state(&id(a))?, State::Off);
    assert_eq!(give(&system, &mut live, is_reached(b, a)), reached(false));
    boot(&system, &mut live, a);
    assert_eq!(give(&system, &mut live, is_reached(b, a)), reached(true));
    assert_eq!(give(&system, &mut live, is_reached(a, b)), reached(true));
    for (name, boot_id_before) in names.iter().zip(&boot_ids) {
        assert_eq!(run(&live, name, "ls -A /root /scratch | grep mark || echo none"), "none");
        assert_ne!(run(&live, name, boot_id), *boot_id_before, "{name} lives another life");
        let clock: u64 = run(&live, name, "date +%s").parse().unwrap();
        assert!(clock.abs_diff(now()) <= 2, "{name}: {clock}");
    }
    // A second boot finds what the first has left, and is one of the kernel's own.
    run(&live, a, "echo there >/scratch/mark; sync");
    assert_eq!(give(&system, &mut live, Command::Shutdown(id(a))), Response::ShutDown);
    boot(&system, &mut live, a);
    assert!(system.is_reused(&live));
    assert_eq!(run(&live, a, "cat /scratch/mark"), "there");
    assert_ne!(run(&live, a, boot_id), boot_ids[0]);
    system.destroy_sut(live)?;

    // Other machines are not these.
    let other = network(&lab, [a, "warm-c"], &[]);
    let live = system.new_sut(&other)?;
    assert_eq!(system.put_back(), 1);
    assert_eq!(live.state(&id("warm-c"))?, State::Off);
    system.destroy_sut(live)
}

/// How much more of something a round may take than the first rounds did, in KiB: what allocators and
/// the emulator's translations take is not the same each time.
const SLACK: u64 = 32 << 10;
/// Of machines under emulation: what their processes have translated stays with them until they have
/// no room for more.
const SLACK_OF_MACHINES: u64 = 64 << 10;
/// Of files that nobody writes to any more: a file system takes its own blocks for them as it comes to write
/// them down.
const SLACK_OF_FILES: u64 = 1 << 10;
/// How many connections of sessions that have ended a machine's process may not have closed yet.
const CLOSING: u64 = 4;

#[test]
fn putting_back_costs_the_host_nothing() -> Result<(), SystemError> {
    let _alone = alone();
    let cache = tempfile::tempdir().unwrap();
    let snapshots = Some(cache.path().to_owned());
    let options = LabOptions { boots: Boots::Warm, snapshots, ..LabOptions::default() };
    let Some(lab) = Lab::for_test_with(options)? else { return Ok(()) };
    let system = MachineSystem::new(&lab);
    let names = ["warm-d", "warm-e"];
    let network = network(&lab, names, &names);
    system.destroy_sut(system.new_sut(&network)?)?;
    let rounds = std::env::var("NETPROP_TEST_RESETS").map_or(10, |rounds| rounds.parse().unwrap());
    // In the first rounds it is found out how much there is.
    let at_first = rounds.min(50) / 2;
    let (mut drawn, mut before) = (Vec::new(), HostUse::of(lab.run_directory().path(), cache.path()));
    for round in 0..rounds {
        let live = system.new_sut(&network)?;
        for name in names {
            drawn.push(run(&live, name, "od -An -N16 -tx1 /dev/urandom"));
            run(&live, name, "dd if=/dev/zero of=/scratch/fill bs=1M count=4 conv=fsync 2>/dev/null");
        }
        system.destroy_sut(live)?;
        let now = HostUse::of(lab.run_directory().path(), cache.path());
        if round % 10 == 0 {
            eprintln!("after {} resets: {now}", round + 1);
        }
        if round < at_first {
            before = before.most(now);
            continue;
        }
        let told = format!("after {} resets: {now}; before: {before}", round + 1);
        assert!(now.memory <= before.memory + SLACK, "{told}");
        assert!(now.memory_of_machines <= before.memory_of_machines + SLACK_OF_MACHINES, "{told}");
        assert!(now.files_of_machines <= before.files_of_machines + CLOSING, "{told}");
        assert!(now.sockets <= before.sockets + CLOSING, "{told}");
        assert!(now.files <= before.files && now.threads <= before.threads, "{told}");
        assert!(now.processes <= before.processes, "{told}");
        assert!(now.disk <= before.disk + SLACK, "{told}");
        assert!(now.cache <= before.cache + SLACK_OF_FILES, "{told}");
    }
    assert_eq!(system.put_back(), rounds);
    drawn.sort();
    drawn.dedup();
    assert_eq!(drawn.len() as u64, 2 * rounds, "each life draws random numbers of its own");
    Ok(())
}

#[test]
fn with_services_the_same_machines_have_to_be_on() -> Result<(), SystemError> {
    let _alone = alone();
    let Some(lab) = lab() else { return Ok(()) };
    let system = MachineSystem::new(&lab);
    let names = ["warm-f", "warm-g"];
    let [f, g] = names;
    let one_is_on = with_services(network(&lab, names, &[f]));
    for round in 0..2 {
        let mut live = system.new_sut(&one_is_on)?;
        assert_eq!(system.put_back(), round);
        assert_eq!(live.state(&id(g))?, State::Off);
        boot(&system, &mut live, g);
        for name in names {
            assert_eq!(run(&live, name, "ls -A /scratch | grep mark || echo none"), "none");
            assert_eq!(run(&live, name, "pidof sleep | wc -w"), "1");
            run(&live, name, "echo here >/scratch/mark; kill $(pidof sleep); sync");
        }
        system.destroy_sut(live)?;
    }
    let both_are_on = one_is_on.all_running();
    for round in 1..3 {
        let live = system.new_sut(&both_are_on)?;
        assert_eq!(system.put_back(), round, "what was saved of one is of no use without the other");
        for name in names {
            assert_eq!(run(&live, name, "ls -A /scratch | grep mark || echo none"), "none");
            assert_eq!(run(&live, name, "pidof sleep | wc -w"), "1");
            run(&live, name, "echo here >/scratch/mark; kill $(pidof sleep)");
        }
        system.destroy_sut(live)?;
    }
    Ok(())
}

/// Machines whose pings may not be heard, whatever they say.
struct Unheard<'lab> {
    machines: MachineSystem<'lab>,
    is_deaf: Cell<bool>,
}

impl<'lab> Unheard<'lab> {
    fn new(lab: &'lab Lab) -> Self {
        Self { machines: MachineSystem::new(lab), is_deaf: Cell::new(true) }
    }
}

impl<'lab> System<MachineSpec> for Unheard<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, network: &Network) -> Result<Self::Sut, SystemError> {
        self.machines.new_sut(network)
    }

    fn new_sut_for(&self, network: &Network, purpose: Purpose) -> Result<Self::Sut, SystemError> {
        self.machines.new_sut_for(network, purpose)
    }

    fn is_reused(&self, live: &Self::Sut) -> bool {
        self.machines.is_reused(live)
    }

    fn destroy_sut(&self, live: Self::Sut) -> Result<(), SystemError> {
        self.machines.destroy_sut(live)
    }

    fn run(&self, live: &mut Self::Sut, command: &Command) -> Result<Outcome<Response>, SystemError> {
        let outcome = self.machines.run(live, command)?;
        let is_unheard = self.is_deaf.get() && matches!(command, Command::Ping { .. });
        Ok(if is_unheard { Outcome::Answered(Response::Pinged { answered: false }) } else { outcome })
    }
}

#[test]
fn what_fails_on_a_network_that_was_put_back_is_confirmed_on_one_that_was_booted() -> Result<(), SystemError>
{
    let _alone = alone();
    let Some(lab) = lab() else { return Ok(()) };
    let model = MachineSpec::new(lab.bounds()?).unwrap();
    let (system, config, stop) = (Unheard::new(&lab), Config::default(), Stop::default());
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let network = network(&lab, ["warm-h", "warm-i"], &["warm-h"]);
    let ping = Command::Ping { from: id("warm-h"), to: id("warm-h") };
    let held = runner.run_case(&Case::sequential(network.clone(), Vec::new()), "held")?;
    assert_eq!((held.verdict, held.reused), (Verdict::Holds, true), "it began from snapshots");
    let failed = runner.run_case(&Case::sequential(network, vec![ping]), "failed")?;
    assert_eq!((failed.evidence().is_some(), failed.reused), (true, false), "{:?}", failed.verdict);
    assert_eq!(system.machines.put_back(), 1, "it was found on one that was put back");
    Ok(())
}

/// What each seed's case comes to where no ping is heard in every other case.
fn verdicts(boots: Boots, seeds: u64) -> Option<Vec<Verdict>> {
    let lab = Lab::for_test_with(LabOptions { boots, ..LabOptions::default() }).unwrap()?;
    let model = MachineSpec::new(lab.bounds().unwrap()).unwrap();
    let (system, config, stop) = (Unheard::new(&lab), Config::default(), Stop::default());
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let mut generator = TestRunner::deterministic();
    let ran = (0..seeds).map(|seed| {
        system.is_deaf.set(seed % 2 == 0);
        let case = generate(&model, &config.shape, &mut generator).unwrap().case;
        let execution = runner.run_case(&case, &format!("{seed}")).unwrap();
        assert!(boots == Boots::Warm || !execution.reused);
        execution.verdict
    });
    Some(ran.collect())
}

#[test]
fn warm_and_cold_machines_come_to_the_same_verdicts() {
    let _alone = alone();
    let seeds = std::env::var("NETPROP_TEST_SEEDS").map_or(2, |seeds| seeds.parse().unwrap());
    let Some(cold) = verdicts(Boots::Cold, seeds) else { return };
    assert_eq!(verdicts(Boots::Warm, seeds).unwrap(), cold);
    let falsified = cold.iter().filter(|verdict| matches!(verdict, Verdict::Falsified(_))).count();
    eprintln!("{falsified} of {seeds} cases falsify");
    assert!(cold.iter().all(|verdict| matches!(verdict, Verdict::Holds | Verdict::Falsified(_))));
}
