//! Scripts pass where machines do what the model says, and fail where they do not.

use std::path::Path;
use std::process::Command;

use harness::Evidence;
use harness::as_test::nixos::{Guests, NixosTest};
use harness::model::faults;
use harness::prelude::*;
use serde_json::json;

use crate::{Place, bounds, case_of_faults, drawn, has_tools, of_faults, runner, said};

/// What goes wrong where these tests run on machines in memory, which may have a bug; none where nothing does.
fn driven(tests: &[(NixosTest, Network)], bug: &str) -> Vec<Option<String>> {
    let place = Place::new();
    let texts: Vec<_> = tests.iter().map(|(test, _)| test.text.clone()).collect();
    let given: Vec<_> = place
        .read(&texts)
        .iter()
        .zip(tests)
        .map(|(read, (_, network))| {
            let guests = Guests::of(network);
            let machines = guests.iter().zip(network.machines());
            let machines: Vec<_> =
                machines.map(|(guest, machine)| (guest.name.clone(), machine.address)).collect();
            json!({ "script": read["testScript"], "machines": machines })
        })
        .collect();
    let file = place.file("given.json", &json!(given).to_string());
    let driver = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nixos_tests/driver.py");
    serde_json::from_str(&said(Command::new("python3").arg(driver).arg(file).arg(bug))).unwrap()
}

#[test]
fn what_the_model_says_passes() {
    if !has_tools() {
        return;
    }
    let tests: Vec<_> = (0..150)
        .map(|seed| {
            let case = case_of_faults(&mut runner(seed));
            (of_faults(&case, &Evidence::default()), case.initial.network.clone())
        })
        .collect();
    for (failed, (test, _)) in driven(&tests, "").iter().zip(&tests) {
        assert!(failed.is_none(), "{}\n{}", failed.as_deref().unwrap_or_default(), test.text);
    }
}

#[test]
fn a_cut_is_a_rule_at_its_end_for_as_long_as_it_lasts() {
    let mut runner = runner(1);
    let network = drawn(bounds().with_machines(2..=2).strategy().unwrap(), &mut runner).all_running();
    let [a, b] = [0, 1].map(|index| network.machines()[index].id.clone());
    let ping = faults::Command::Ping { from: b.clone(), to: a.clone() };
    let commands = vec![
        faults::Command::Cut(faults::Links::OneWay { from: a.clone(), to: b.clone() }),
        ping.clone(),
        faults::Command::PowerCut(b.clone()),
        faults::Command::Boot(b.clone()),
        ping.clone(),
        faults::Command::Heal,
        ping,
        faults::Command::Volatile { machine: b.clone(), seed: 7 },
        faults::Command::Pause(a.clone()),
    ];
    let address = network.machine(&a).unwrap().address;
    let test = of_faults(&Case::sequential(network.clone().into(), commands), &Evidence::default());
    assert_eq!(test.left_out, 1);
    let rule = format!(
        "{b}.succeed(lines(\"set -e; iptables -F INPUT; iptables -A INPUT -i eth1 -s {address} -j DROP\"))"
    );
    let order = [
        rule.clone(),
        format!("{b}.crash()"),
        format!("boot({b})"),
        rule,
        format!("{b}.succeed(lines(\"set -e; iptables -F INPUT\"))"),
        "# 8. Volatile".to_owned(),
        format!("{a}.send_monitor_command(\"stop\")"),
        format!("{a}.send_monitor_command(\"cont\")"),
    ];
    let mut rest = test.text.split_once("with subtest(\"1. ").unwrap().1;
    for line in order {
        rest = rest.split_once(&line).unwrap_or_else(|| panic!("{line} is not in its place: {rest}")).1;
    }
    if has_tools() {
        let test = [(test, network)];
        assert_eq!(driven(&test, ""), [None]);
        let failed = driven(&test, "deaf").remove(0).unwrap();
        assert!(failed.contains("AssertionError"), "{failed}");
    }
}

/// A test of one machine that is on, and its network.
fn of_one(commands: impl FnOnce(MachineId) -> Vec<faults::Command>) -> (NixosTest, Network) {
    let network = drawn(bounds().with_machines(1..=1).strategy().unwrap(), &mut runner(2)).all_running();
    let commands = commands(network.machines()[0].id.clone());
    let case = Case::sequential(network.clone().into(), commands);
    (of_faults(&case, &Evidence::default()), network)
}

/// That a test passes, but not on machines with this bug.
fn is_found(bug: &str, commands: impl FnOnce(MachineId) -> Vec<faults::Command>) {
    let test = [of_one(commands)];
    assert_eq!(driven(&test, ""), [None]);
    let failed = driven(&test, bug).remove(0);
    assert!(failed.is_some_and(|failed| failed.contains("AssertionError")), "{bug}: {}", test[0].0.text);
}

#[test]
fn synced_files_that_are_lost_services_that_live_on_and_clocks_that_stand_still_are_found() {
    if !has_tools() {
        return;
    }
    is_found("forgetful", |machine| {
        vec![
            faults::Command::Write { machine: machine.clone(), file: 0, value: 7 },
            faults::Command::Sync(machine.clone()),
            faults::Command::PowerCut(machine.clone()),
            faults::Command::Boot(machine.clone()),
            faults::Command::Read { machine, file: 0 },
        ]
    });
    is_found("undead", |machine| {
        let service = |act| faults::Command::Service { machine: machine.clone(), act };
        let acts = [service(faults::Act::Start), service(faults::Act::Kill)];
        acts.into_iter().chain([faults::Command::AskService(machine.clone())]).collect()
    });
    is_found("stuck", |machine| {
        let set = faults::Command::SetClock { machine: machine.clone(), seconds: 3600 };
        vec![set, faults::Command::AskClock(machine)]
    });
}

#[test]
fn lines_that_nobody_knows_are_no_success() {
    if !has_tools() {
        return;
    }
    let (mut test, network) = of_one(|machine| vec![faults::Command::Sync(machine)]);
    test.text = test.text.replace("(lines(\"sync\"))", "(lines(\"snyc\"))");
    let failed = driven(&[(test, network)], "").remove(0).unwrap();
    assert!(failed.contains("unknown lines: snyc"), "{failed}");
}

#[test]
fn memory_is_left_for_the_shell_of_the_driver() {
    let strain = |machine| faults::Command::Strain { machine, strain: faults::Strain::Memory };
    let text = of_one(|machine| vec![strain(machine)]).0.text;
    assert!(text.contains("left / 1024 - 256"), "{text}");
}

#[test]
fn frames_go_twice_beside_any_other_quality() {
    let network = drawn(bounds().with_machines(4..=4).strategy().unwrap(), &mut runner(3)).all_running();
    let ids: Vec<_> = network.machines().iter().map(|machine| machine.id.clone()).collect();
    let percent = |percent| faults::Percent::new(percent).unwrap();
    let qualities = [
        faults::Quality::Duplicating(percent(5)),
        faults::Quality::Lossy(percent(10)),
        faults::Quality::Duplicating(percent(100)),
    ];
    let worsen = |(to, quality): (&MachineId, faults::Quality)| faults::Command::Worsen {
        links: faults::Links::OneWay { from: ids[0].clone(), to: to.clone() },
        quality,
    };
    let commands = ids[1..].iter().zip(qualities).map(worsen).collect();
    let test = of_faults(&Case::sequential(network.clone().into(), commands), &Evidence::default());
    let set = test.text.lines().rfind(|line| line.contains("tc qdisc del")).unwrap();
    assert!(!set.contains("netem duplicate"), "kernels refuse it beside another queue: {set}");
    assert_eq!((set.matches(" netem ").count(), set.matches(" htb;").count()), (1, 1), "{set}");
    let [one, _, other] = [1, 2, 3].map(|index| network.machines()[index].address);
    for (address, share) in [(one, "0.05"), (other, "1.00")] {
        let rule = format!(
            "-d {address} -m statistic --mode random --probability {share} -j TEE --gateway {address}"
        );
        assert!(set.contains(&rule), "{rule} is not in {set}");
    }
}
