//! Inside a case on real machines: command by command, with shells and faults by hand beside it.

use harness::inside::{Console, Machines, Said, Stepping};
use harness::machines::{Lab, LiveNetwork, MachineSystem};
use harness::model::machines::Command;
use harness::{Case, Purpose, System as _};
use model::{MachineId, MachineSpec, Mebibytes, Network};
use proptest::strategy::{Strategy as _, ValueTree as _};
use proptest::test_runner::TestRunner;

fn network(lab: &Lab) -> Network {
    let bounds = lab.bounds().unwrap().with_machines(2..=2);
    let mut network =
        bounds.strategy().unwrap().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    for id in network.ids() {
        network = network.with_changed(&id, |machine| machine.memory = Mebibytes::new(96).unwrap());
    }
    network
}

fn said(console: &mut Console<'_, '_>, line: &str) -> String {
    match console.line(line).unwrap() {
        Said::Text(text) => text,
        Said::Leave => "leave".to_owned(),
    }
}

#[test]
fn a_person_goes_through_a_case_and_beside_it() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let (model, network) = (MachineSpec::new(lab.bounds().unwrap()).unwrap(), network(&lab).all_running());
    let [a, b] = &network.ids()[..] else { unreachable!("two machines") };
    let ping = |from: &MachineId, to: &MachineId| Command::Ping { from: from.clone(), to: to.clone() };
    let commands = vec![ping(a, b), Command::Shutdown(a.clone()), ping(b, a), Command::Boot(a.clone())];
    let (case, system) = (Case::sequential(network.clone(), commands), MachineSystem::new(&lab));
    let mut live = system.new_sut_for(&case.initial, Purpose::Rerun).unwrap();
    let mut stepping = Stepping::new(&model, &system, &mut live, |live| Some(live), &case, None);
    let mut gone = Vec::new();
    stepping.go_to(3, |text| gone.push(text.to_owned())).unwrap();
    assert_eq!(gone.len(), 2);
    assert!(gone.iter().all(|text| text.ends_with("as the model says\n")), "{gone:?}");

    let mut console = Console::new(&mut stepping);
    let greeting = console.greeting();
    assert!(greeting.contains(&format!("{a} off")) && greeting.contains("next:   3. Ping"), "{greeting}");
    assert!(said(&mut console, &format!("ssh {a} true")).starts_with(&format!("error: {a} is off")));
    assert_eq!(said(&mut console, &format!("ssh {b} true")), "");
    assert_eq!(said(&mut console, &format!("ssh {b} exit 3")), "ssh ended with exit status: 3\n");
    assert!(said(&mut console, "next 2").ends_with("as the model says\n"));
    // What is done by hand the model does not know: it finds it wrong.
    assert!(said(&mut console, &format!("cut {b} {a}")).ends_with("the model does not know of this\n"));
    assert!(said(&mut console, "state").contains(&format!("{b} -> {a}  cut\n")));
    let json = serde_json::to_string(&ping(b, a)).unwrap();
    let answer = said(&mut console, &format!("give {json}"));
    assert!(answer.contains("expected: answered") && answer.contains("came:     not answered"), "{answer}");
    said(&mut console, "heal");
    assert!(said(&mut console, &format!("give {json}")).ends_with("came:     answered\n"));
}

#[test]
fn a_network_is_there_to_play_with() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let network = network(&lab);
    let live = LiveNetwork::create(&lab, &network).unwrap();
    let (mut machines, id) = (Machines(&live), &network.ids()[0]);
    let mut console = Console::new(&mut machines);
    assert!(said(&mut console, &format!("boot {id}")).starts_with("ready after "));
    assert_eq!(said(&mut console, &format!("pause {id}")), "done\n");
    assert!(said(&mut console, "state").contains("suspended"));
    assert_eq!(said(&mut console, &format!("resume {id}")), "done\n");
    assert_eq!(said(&mut console, &format!("ssh {id} true")), "");
    assert_eq!(said(&mut console, &format!("power-cut {id}")), "done\n");
    let printed: Network = serde_json::from_str(&said(&mut console, "network")).unwrap();
    assert_eq!(printed.machines().len(), 2);
    assert_eq!(said(&mut console, "next"), "there is nothing more to give\n");
    assert!(said(&mut console, "give {}").starts_with("error: there is no specification here"));
    assert!(said(&mut console, "boot nobody").starts_with("error: the network has no machine nobody"));
}
