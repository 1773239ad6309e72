//! Faults on real machines: each command does what the model says, generated cases hold, in sequence and
//! in lanes, and nothing of the data network leaks over the management network.

use std::fs;
use std::time::Instant;

use harness::machines::{Lab, LiveNetwork, MachineSystem, faults};
use harness::{Case, Config, Event, LaneShape, Observer, Runner, Shape, Silent, Stop, Verdict};
use hypervisor::fabric::{Effect, Pairs, Probability, Rule};
use model::faults::{
    Act, Ailment, Command, Drift, Kibibytes, Lateness, Links, Percent, Quality, Response, Strain, World,
};
use model::{FaultSpec, FileSystem, MachineId, Mebibytes, Model as _, Network, Outcome, Place};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

fn specification(lab: &Lab, machines: usize) -> FaultSpec {
    FaultSpec::new(lab.bounds().unwrap().with_machines(1..=machines)).unwrap()
}

/// So many machines with as little memory as they need, all of them on.
fn network(lab: &Lab, machines: usize) -> Network {
    let bounds = lab.bounds().unwrap().with_machines(machines..=machines);
    let mut network =
        bounds.strategy().unwrap().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    for id in network.ids() {
        network = network.with_changed(&id, |machine| machine.memory = Mebibytes::new(96).unwrap());
    }
    network.all_running()
}

fn config() -> Config {
    Config { failures: None, regressions: None, ..Config::default() }
}

/// Runs commands on a network and tells of the first answer that is wrong.
fn holds(lab: &Lab, network: Network, commands: Vec<Command>) {
    let model = specification(lab, network.machines().len());
    let case = Case::sequential(World::from(network), commands);
    case.validate(&model).unwrap();
    let (config, stop) = (config(), Stop::default());
    let system = MachineSystem::of(lab);
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let execution = runner.run_case(&case, "each fault").unwrap();
    let last = execution.history.last().map(|given| &given.operation);
    let shown = last.map(|last| (model.show_command(&last.command), format!("{:?}", last.outcome)));
    assert_eq!(execution.verdict, Verdict::Holds, "{shown:?}");
    assert_eq!(execution.history.len(), case.commands.len());
}

fn ids(network: &Network) -> Vec<MachineId> {
    network.ids()
}

#[test]
fn links_do_what_they_are_told() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = network(&lab, 3);
    let [a, b, c] = &ids(&network)[..] else { unreachable!("three machines") };
    let ping = |from: &MachineId, to: &MachineId| Command::Ping { from: from.clone(), to: to.clone() };
    let all = || [ping(a, b), ping(b, a), ping(b, c), ping(c, a)];
    let mut commands = all().to_vec();
    let cuts = [
        Links::OneWay { from: a.clone(), to: b.clone() },
        Links::Between(a.clone(), b.clone()),
        Links::Alone(c.clone()),
        Links::Halves,
        Links::Bridge(b.clone()),
        Links::Ring,
        Links::All,
    ];
    for links in cuts {
        commands.push(Command::Cut(links));
        commands.extend(all());
        commands.push(ping(a, a));
        commands.push(Command::Heal);
        commands.extend(all());
    }
    let percent = |percent| Percent::new(percent).unwrap();
    let late = |milliseconds| Lateness::new(milliseconds).unwrap();
    let qualities = [
        Quality::Slow { delay: late(300), jitter: late(100) },
        Quality::Lossy(percent(50)),
        Quality::Duplicating(percent(100)),
        Quality::Reordering(percent(50)),
        Quality::Corrupting(percent(50)),
        Quality::Narrow { kilobits: 64 },
    ];
    for quality in qualities {
        commands.push(Command::Worsen { links: Links::All, quality });
        commands.extend([ping(a, b), ping(c, a)]);
        commands.push(Command::Heal);
    }
    commands.extend(all());
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("packets.pcapng");
    lab.capture_into(Some(&file));
    holds(&lab, network, commands.clone());
    lab.capture_into(None);
    // Every command is in it, before the packets that it made; capture files are read in `hypervisor`.
    let packets = fs::read(&file).unwrap();
    let is_there = |text: &str| packets.windows(text.len()).any(|part| part == text.as_bytes());
    for command in commands {
        assert!(is_there(&command.to_string()), "{command} is not in the capture");
    }
}

/// What came of pings that are sent once each, of equal traffic, follows from the seed.
#[test]
fn the_same_seed_loses_the_same_frames() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = network(&lab, 2);
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let [a, b] = network.machines() else { unreachable!("two machines") };
    let (to, mac) = (b.address, harness::nixgen::mac(b.address));
    let (back, mac_back) = (a.address, harness::nixgen::mac(a.address));
    let said = |id: &MachineId, line: &str| {
        let output = live.run(id, &remote::Command::new(line)).unwrap();
        String::from_utf8_lossy(&output.stderr).trim().to_owned()
    };
    // When addresses are asked for depends on time.
    said(&a.id, &format!("ip neighbour replace {to} lladdr {mac} dev eth1 nud permanent"));
    said(&b.id, &format!("ip neighbour replace {back} lladdr {mac_back} dev eth1 nud permanent"));
    let lossy = Effect::loss(Probability::new(0.3).unwrap());
    let pairs = || Pairs::between(&[a.id.as_str()], &[b.id.as_str()]);
    let answered = |seed: u64| {
        live.fabric().unwrap().reset_to(seed);
        live.disturb(&[Rule::new(pairs(), lossy)]).unwrap();
        let said = said(&a.id, &format!("fping -q -C 30 -p 50 -t 2000 {to}"));
        let times = said.split_once(" : ").unwrap().1.split(' ');
        times.map(|time| time != "-").collect::<Vec<bool>>()
    };
    let (first, again, other) = (answered(1), answered(1), answered(2));
    assert_eq!(first, again);
    assert_ne!(first, other);
    assert!(first.contains(&true) && first.contains(&false), "{first:?}");
}

#[test]
fn machines_disks_and_clocks_do_what_they_are_told() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    for file_system in FileSystem::ALL {
        let mut network = network(&lab, 2);
        for id in network.ids() {
            network = network.with_changed(&id, |machine| machine.file_system = file_system);
        }
        let [a, b] = &ids(&network)[..] else { unreachable!("two machines") };
        let ping = |from: &MachineId, to: &MachineId| Command::Ping { from: from.clone(), to: to.clone() };
        let write = |file, value| Command::Write { machine: a.clone(), file, value };
        let read = |file| Command::Read { machine: a.clone(), file };
        let clock = || Command::AskClock(a.clone());
        let ail = |ailment| Command::Ail { machine: a.clone(), ailment };
        let serve = |act| Command::Service { machine: a.clone(), act };
        let skew = |seconds| Command::SetClock { machine: a.clone(), seconds };
        let drift = |percent| Command::Skew { machine: a.clone(), drift: Drift::new(percent).unwrap() };
        let mut commands = vec![
            read(0),
            write(0, 1),
            read(0),
            Command::Sync(a.clone()),
            write(0, 2),
            write(1, 3),
            Command::PowerCut(a.clone()),
            ping(b, a),
            Command::Boot(a.clone()),
            read(0),
            read(1),
            write(0, 4),
            Command::ShutDown(a.clone()),
            Command::Boot(a.clone()),
            read(0),
            write(0, 5),
            Command::Reboot(a.clone()),
            read(0),
            Command::Fill(a.clone()),
            write(0, 6),
            write(2, 7),
            read(0),
            Command::Free(a.clone()),
            write(2, 8),
            Command::Sync(a.clone()),
            ail(Ailment::Slow(Kibibytes::new(Kibibytes::LEAST).unwrap())),
            write(0, 9),
            Command::Sync(a.clone()),
            ail(Ailment::Flushes),
            ail(Ailment::Reads),
            read(1),
            ail(Ailment::Writes),
            write(0, 10),
            Command::Sync(a.clone()),
            Command::Mend(a.clone()),
            read(0),
            Command::Volatile { machine: a.clone(), seed: 7 },
            write(1, 11),
            Command::PowerCut(a.clone()),
            Command::Boot(a.clone()),
            read(0),
            read(1),
            read(2),
        ];
        if file_system == FileSystem::Ext4 {
            commands.extend([
                clock(),
                skew(-3600),
                clock(),
                Command::Strobe { machine: a.clone(), seconds: 300 },
                clock(),
                skew(100_000),
                clock(),
                drift(10),
                clock(),
                drift(-10),
                drift(0),
                clock(),
                Command::Pause(a.clone()),
                ping(b, a),
                Command::Resume(a.clone()),
                ping(b, a),
                clock(),
                Command::AskService(a.clone()),
                serve(Act::Stop),
                Command::AskService(a.clone()),
                serve(Act::Start),
                Command::AskService(a.clone()),
                serve(Act::Stop),
                Command::AskService(a.clone()),
                serve(Act::Continue),
                Command::AskService(a.clone()),
                serve(Act::Kill),
                Command::AskService(a.clone()),
                serve(Act::Restart),
                Command::AskService(a.clone()),
                Command::Strain { machine: a.clone(), strain: Strain::Processors },
                Command::Strain { machine: a.clone(), strain: Strain::Memory },
                ping(b, a),
                Command::AskService(a.clone()),
                Command::Relax(a.clone()),
            ]);
        }
        holds(&lab, network, commands);
    }
}

/// A clock gains by a tenth of the time when it is told to, and by none when it is put right.
#[test]
fn a_clock_runs_at_the_pace_that_it_is_told() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = network(&lab, 1);
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let id = &ids(&network)[0];
    // The guest's time, told at some moment between two that are seconds since the test began.
    let began = Instant::now();
    let ask = || {
        let before = began.elapsed().as_secs_f64();
        let output = live.run(id, &remote::Command::new("echo $EPOCHREALTIME")).unwrap();
        let told: f64 = String::from_utf8(output.stdout).unwrap().trim().parse().unwrap();
        (before, told, began.elapsed().as_secs_f64())
    };
    for percent in [10, 0] {
        let command = Command::Skew { machine: id.clone(), drift: Drift::new(percent).unwrap() };
        let outcome = faults::give(&live, &command).unwrap();
        assert_eq!(outcome, Outcome::Answered(Response::ClockSet { monotonic: true }));
        let (before, at_first, after) = ask();
        // However long it takes to be told, and be told again, it is known at last to a few percent.
        let (least, most) = loop {
            let (before_last, at_last, after_last) = ask();
            let gained = |seconds: f64| 100.0 * ((at_last - at_first) / seconds - 1.0);
            let (least, most) = (gained(after_last - before), gained(before_last - after));
            if most - least < 4.0 {
                break (least, most);
            }
        };
        assert!((least..=most).contains(&f64::from(percent)), "{percent} %: gained {least} to {most} %");
    }
}

/// Each writer puts its file in the place of the other's, whichever comes last.
#[test]
fn lanes_write_the_same_file() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let (network, model) = (network(&lab, 1), specification(&lab, 1));
    let id = &ids(&network)[0];
    let write = |value| Command::Write { machine: id.clone(), file: 0, value };
    let case = Case {
        lanes: vec![[1, 2, 3, 4].map(write).to_vec(), [5, 6, 7, 8].map(write).to_vec()],
        finally: vec![Command::Read { machine: id.clone(), file: 0 }],
        ..Case::sequential(World::from(network.clone()), Vec::new())
    };
    case.validate(&model).unwrap();
    let (config, stop, system) = (config(), Stop::default(), MachineSystem::of(&lab));
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    assert_eq!(runner.run_case(&case, "two writers").unwrap().verdict, Verdict::Holds);
}

/// What lanes do to one machine in several steps, or ask of it meanwhile.
#[test]
fn lanes_meet_nothing_that_is_half_done() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let (network, model) = (network(&lab, 2), specification(&lab, 2));
    let [machine, other] = &ids(&network)[..] else { unreachable!("two machines") };
    let again = |command: Command, times: usize| vec![command; times];
    let serve = |act| Command::Service { machine: machine.clone(), act };
    let strain = |strain| Command::Strain { machine: machine.clone(), strain };
    let told = [
        again(Command::Strobe { machine: machine.clone(), seconds: 390 }, 4),
        again(Command::AskClock(machine.clone()), 12),
        again(serve(Act::Restart), 4),
        again(Command::AskService(machine.clone()), 8),
    ];
    let strained = [again(strain(Strain::Memory), 6), again(Command::Relax(machine.clone()), 12)];
    let ping = Command::Ping { from: other.clone(), to: machine.clone() };
    let restarted = [again(Command::Reboot(machine.clone()), 2), again(ping, 12)];
    for lanes in [told.to_vec(), strained.to_vec(), restarted.to_vec()] {
        let case = Case {
            lanes,
            finally: vec![Command::AskClock(machine.clone()), Command::AskService(machine.clone())],
            ..Case::sequential(World::from(network.clone()), vec![serve(Act::Start)])
        };
        case.validate(&model).unwrap();
        let (config, stop, system) = (config(), Stop::default(), MachineSystem::of(&lab));
        let runner = Runner::new(&model, &system, &config, &Silent, &stop);
        let execution = runner.run_case(&case, "lanes").unwrap();
        let told = |given: &harness::execute::Recorded<FaultSpec>| format!("{:?}", given.operation.outcome);
        let outcomes: Vec<_> = execution.history.iter().map(told).collect();
        assert_eq!(execution.verdict, Verdict::Holds, "{outcomes:?}");
        // With nothing known, anything would hold.
        let asks = |given: &&harness::execute::Recorded<FaultSpec>| {
            matches!(given.place, Place::Lane { .. })
                && given.operation.command == Command::AskClock(machine.clone())
        };
        let mut asked = execution.history.iter().filter(asks).peekable();
        let is_told = |given: &harness::execute::Recorded<FaultSpec>| {
            matches!(given.operation.outcome, Outcome::Answered(Response::Time { .. }))
        };
        assert!(asked.peek().is_none() || asked.any(is_told), "{outcomes:?}");
    }
}

/// Prints what a run warns of, what kept it from a verdict, and a failure at once.
struct Loud;

impl Observer for Loud {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::Warning { text } => eprintln!("{text}"),
            Event::Inconclusive { attempt, reason, .. } => eprintln!("attempt {attempt}: {reason}"),
            // Making it smaller takes a while, and may be cut off.
            Event::Falsified { number, expected, came } => {
                eprintln!("command {number}: expected {expected}, came {came}");
            }
            _ => {}
        }
    }
}

/// Cases of `NETPROP_TEST_SEEDS` seeds (1 by default, the first of them `NETPROP_TEST_SEED`), in sequence
/// and in lanes.
#[test]
fn generated_cases_hold() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let number = |name: &str, default| std::env::var(name).map_or(default, |text| text.parse().unwrap());
    let (seeds, first): (u64, u64) = (number("NETPROP_TEST_SEEDS", 1), number("NETPROP_TEST_SEED", 0));
    let model = specification(&lab, 3);
    let system = MachineSystem::of(&lab);
    let lanes = LaneShape { lanes: 2..=3, commands: 1..=4, percent: 100, ..LaneShape::default() };
    for (shape, what) in [
        (Shape::sequential(4..=16), "in sequence"),
        (Shape { lanes: Some(lanes), ..Shape::sequential(2..=6) }, "in lanes"),
    ] {
        for seed in first..first + seeds {
            let config = Config { cases: 1, seed: Some(seed.into()), shape: shape.clone(), ..config() };
            let summary = Runner::new(&model, &system, &config, &Loud, &Stop::default()).run().unwrap();
            let failure = summary.failure.as_ref().map(|failure| harness::report::failure(&model, failure));
            assert!(failure.is_none(), "seed {seed} {what}: {}", failure.unwrap());
            assert_eq!(summary.held, 1, "seed {seed} {what}: {}", summary.verdict());
        }
    }
}

/// Whatever is said over the data network goes through the fabric: with all ways cut nothing of it
/// arrives, on no interface and by no address, while SSH goes on.
#[test]
fn nothing_of_the_data_network_leaks_over_the_management_network() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = network(&lab, 2);
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let [a, b] = network.machines() else { unreachable!("two machines") };
    let said = |id: &MachineId, line: &str| {
        let output = live.run(id, &remote::Command::new(line)).unwrap();
        (output.ending.is_success(), String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    // An answer ends the wait for it, which a busy host may make long.
    let reaches = |address: &str| said(&a.id, &format!("fping -q -t 5000 -r 2 {address}")).0;
    let is_cut_off = |address: &str| !said(&a.id, &format!("fping -q -t 300 -r 1 {address}")).0;
    let (to_b, management) = (b.address.to_string(), "169.254.77.15");
    assert!(reaches(&to_b), "the way is open at first");
    let received = || said(&b.id, "cat /sys/class/net/eth1/statistics/rx_packets").1;
    live.cut(Pairs::between(&[a.id.as_str()], &[b.id.as_str()])).unwrap();
    let before = received();
    assert!(is_cut_off(&to_b), "what is cut is not reached");
    // There is no way around: no route, by whichever interface, and no neighbour, by whichever address.
    assert!(said(&a.id, &format!("ip neighbour flush all; ip route replace {to_b}/32 dev eth0")).0);
    assert!(is_cut_off(&to_b), "not over the management interface either");
    assert!(
        said(&a.id, &format!("ip route del {to_b}/32; ip route replace default via 169.254.77.2 dev eth0")).0
    );
    for outside in ["10.0.2.2", "192.0.2.1", "169.254.77.2"] {
        let connects = said(
            &a.id,
            &format!("timeout 3 sh -c 'exec 3<>/dev/tcp/{outside}/22' || nc -w 2 {outside} 22 </dev/null"),
        )
        .0;
        assert!(!connects, "{outside} is reached over the management network");
    }
    assert!(said(&a.id, "ip route del default").0);
    assert_eq!(received(), before, "no frame came in");
    assert!(reaches(management), "a guest has its own management address, and nobody else's");
    live.heal().unwrap();
    assert!(reaches(&to_b), "the way is open again");
}
