//! Networks of real machines that are put back to the middle of a case.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crate::deaf_machines::DeafOnMachines;
use harness::machines::{Boots, Lab, LabOptions, LiveNetwork, MachineSystem};
use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{Config, Continued, Event, Evidence, Moment, Observer, Runner, Stop, System, SystemError};
use hypervisor::State;
use model::machines::{Command, Response};
use model::{Case, MachineId, MachineSpec, Network, NetworkParameters, Outcome};

/// Machines of two tests would be in each other's way.
static ALONE: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

fn lab() -> Option<Lab> {
    Lab::for_test_with(LabOptions { boots: Boots::Warm, ..LabOptions::default() }).unwrap()
}

/// A network of machines with these names, of which some are on.
fn network(lab: &Lab, names: &[&str], on: &[&str]) -> Network {
    let kernel = lab.kernels().unwrap().remove(0);
    let machines = names.iter().zip(2..).map(|(name, address)| {
        let uuid = format!("b9d1ee3a-55b1-4a1c-9d9b-0000000001{:x}", name.as_bytes().last().unwrap());
        let running = on.contains(name);
        format!(
            r#"{{ "id": "{name}", "uuid": "{uuid}", "address": "172.16.2.{address}", "kernel": "{kernel}",
                 "memory": 96, "file_system": "ext4", "running": {running} }}"#
        )
    });
    let machines: Vec<_> = machines.collect();
    serde_json::from_str(&format!(r#"{{ "machines": [ {} ] }}"#, machines.join(","))).unwrap()
}

fn id(name: &str) -> MachineId {
    name.parse().unwrap()
}

fn run(live: &LiveNetwork<'_>, name: &str, command: &str) -> String {
    let output = live.run(&id(name), &remote::Command::new(command)).unwrap();
    assert!(output.ending.is_success(), "{command}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn give<'a>(system: &MachineSystem<'a>, live: &mut LiveNetwork<'a>, command: Command) -> Response {
    match system.run(live, &command).unwrap() {
        Outcome::Answered(response) => response,
        other => panic!("{command:?} is answered, and not this: {other:?}"),
    }
}

fn save<'a>(system: &MachineSystem<'a>, live: &mut LiveNetwork<'a>) -> Moment {
    let saved = system.moments().unwrap().save(live, Duration::from_secs(10)).unwrap();
    saved.expect("it can be saved")
}

fn go_back<'a>(system: &MachineSystem<'a>, network: &Network, moment: &Moment) -> LiveNetwork<'a> {
    let (moments, wanted) = (system.moments().unwrap(), [moment.clone()]);
    moments.can_go_back(network, &wanted).unwrap();
    let (live, of) = moments.go_back(network, &wanted).unwrap().expect("it was saved");
    assert!(of == *moment && system.is_reused(&live));
    live
}

#[test]
fn all_machines_are_what_they_were_on_or_off() -> Result<(), SystemError> {
    let _alone = alone();
    let Some(lab) = lab() else { return Ok(()) };
    let system = MachineSystem::new(&lab);
    let [a, b, c] = ["then-a", "then-b", "then-c"];
    let network = network(&lab, &[a, b, c], &[a]);
    let boot = |name: &str| Command::Boot(id(name));
    let shut_down = |name: &str| Command::Shutdown(id(name));
    let ping = |from: &str, to: &str| Command::Ping { from: id(from), to: id(to) };
    let reached = |answered| Response::Pinged { answered };

    // At that moment one is on, one has been on, and one has not.
    let mut live = system.new_sut(&network)?;
    run(&live, a, "echo then >/root/mark");
    give(&system, &mut live, boot(b));
    run(&live, b, "echo then >/scratch/mark; sync");
    give(&system, &mut live, shut_down(b));
    let moment = save(&system, &mut live);
    assert_eq!(run(&live, a, "cat /root/mark"), "then", "it goes on as if nothing had been");
    assert_eq!(live.state(&id(b))?, State::Off);

    for round in 0..2 {
        // What comes after is another thing each time.
        run(&live, a, "echo later >/root/mark; echo later >/scratch/mark; sync");
        for name in [b, c] {
            give(&system, &mut live, boot(name));
            run(&live, name, "echo later >/scratch/mark; sync");
        }
        assert_eq!(give(&system, &mut live, ping(c, b)), reached(true));
        give(&system, &mut live, shut_down(if round == 0 { a } else { b }));
        system.destroy_sut(live)?;
        if round == 1 {
            // Nor does the start of a case know of it, or that moment of the start.
            let start = system.new_sut(&network)?;
            assert_eq!(run(&start, a, "ls -A /root /scratch | grep mark || echo none"), "none");
            system.destroy_sut(start)?;
        }

        live = go_back(&system, &network, &moment);
        assert_eq!(live.state(&id(a))?, State::Running);
        assert_eq!([live.state(&id(b))?, live.state(&id(c))?], [State::Off; 2]);
        assert_eq!(give(&system, &mut live, ping(a, b)), reached(false));
        assert_eq!(run(&live, a, "cat /root/mark; ls -A /scratch | grep mark || echo none"), "then\nnone");
        give(&system, &mut live, boot(b));
        assert_eq!(run(&live, b, "cat /scratch/mark"), "then");
        give(&system, &mut live, boot(c));
        assert_eq!(run(&live, c, "ls -A /scratch | grep mark || echo none"), "none");
        assert_eq!(give(&system, &mut live, ping(a, b)), reached(true));
        assert_eq!(give(&system, &mut live, ping(b, c)), reached(true));
        give(&system, &mut live, shut_down(b));
        give(&system, &mut live, shut_down(c));
        system.destroy_sut(live)?;
        live = go_back(&system, &network, &moment);
    }

    // One moment leads to the next, and what nobody wants any more goes.
    run(&live, a, "echo next >/root/mark");
    give(&system, &mut live, boot(b));
    let next = save(&system, &mut live);
    drop(moment);
    let last = save(&system, &mut live);
    system.destroy_sut(live)?;
    for moment in [&next, &last] {
        let live = go_back(&system, &network, moment);
        assert_eq!(run(&live, a, "cat /root/mark"), "next");
        assert_eq!(run(&live, b, "cat /scratch/mark"), "then");
        system.destroy_sut(live)?;
    }
    assert_eq!(system.went_back(), 6);
    Ok(())
}

/// Counts the candidates that began in the middle, and shows what should not be.
#[derive(Default)]
struct Middles(AtomicU32);

impl Observer for Middles {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::WentBack { .. } => drop(self.0.fetch_add(1, Ordering::Relaxed)),
            Event::Warning { text } => eprintln!("warning: {text}"),
            Event::Inconclusive { reason, .. } => eprintln!("inconclusive: {reason}"),
            _ => {}
        }
    }
}

#[test]
fn a_case_whose_commands_take_long_becomes_as_small_as_it_gets() {
    let _alone = alone();
    let Some(lab) = lab() else { return };
    let [a, b] = ["slow-a", "slow-b"];
    let boot = |name: &str| Command::Boot(id(name));
    let shut_down = |name: &str| Command::Shutdown(id(name));
    let ping = |from: &str, to: &str| Command::Ping { from: id(from), to: id(to) };
    let commands =
        vec![boot(a), shut_down(a), boot(a), boot(b), ping(b, b), ping(a, b), ping(b, b), ping(a, a)];
    let kernels = lab.kernels().unwrap().into_iter().take(1).collect();
    let model = MachineSpec::new(NetworkParameters::new(kernels).unwrap()).unwrap();
    let case = Case::sequential(network(&lab, &[a, b], &[]), commands);
    let (directory, evidence) = (tempfile::tempdir().unwrap(), Evidence { number: 8, ..Evidence::default() });
    let replay = Replay::new(&model, &"0".repeat(64), Default::default(), case, evidence);
    let file = replay.write(directory.path()).unwrap();
    let config = Config {
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    };
    let (stop, middles) = (Stop::default(), Middles::default());
    let mut system = DeafOnMachines::new(&lab);
    system.slow = true;
    let runner = Runner::new(&model, &system, &config, &middles, &stop);
    let start = std::time::Instant::now();
    let Continued::Failed(failure) = runner.shrink_file(&file).unwrap() else { panic!("it fails") };
    let middles = middles.0.into_inner();
    eprintln!("{} runs, {middles} from the middle, {:.0?}", failure.shrink_runs, start.elapsed());
    let commands = &failure.case.commands[..];
    let is_smallest =
        matches!(commands, [Command::Boot(_), Command::Shutdown(_), Command::Boot(_), Command::Ping { .. }]);
    assert!(is_smallest && failure.smallest, "{commands:?}");
    assert_eq!(failure.case.initial.machines().len(), 1);
    assert!(failure.confirmed.is_some_and(|confirmed| confirmed.failed == 1), "{:?}", failure.confirmed);
    assert!(middles > 0, "some began in the middle");
}
