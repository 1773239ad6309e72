//! Boot, Shutdown and Ping: what is generated is possible, and in the proportions promised.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashMap;

use model::machines::{Command, Facts, Response};
use model::{
    Case, KernelVersion, MachineId, MachineSpec, Model, Network, NetworkParameters, Setting, Shape, generate,
    generate_state,
};
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

fn specification() -> MachineSpec {
    let kernels = ["6.1", "6.12"].map(|version| KernelVersion::new(version).unwrap());
    MachineSpec::new(NetworkParameters::new(kernels.to_vec()).unwrap()).unwrap()
}

fn case_of(seed: [u8; 32]) -> Case<MachineSpec> {
    generate(&specification(), &Shape::sequential(0..=30), &mut runner(seed)).unwrap().case
}

fn runner(seed: [u8; 32]) -> TestRunner {
    TestRunner::new_with_rng(Config::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
}

/// The answer that the model holds to be right.
fn right(network: &Network, command: &Command) -> Response {
    match command {
        Command::Boot(_) => Response::Booted,
        Command::Shutdown(_) => Response::ShutDown,
        Command::Ping { to, .. } => Response::Pinged { answered: network.is_running(to) },
        Command::Inspect(id) => Response::Inspected(Box::new(Facts::of(network.machine(id).unwrap()))),
        Command::Upgrade { .. } | Command::Downgrade { .. } => Response::Changed { scratch_kept: true },
    }
}

proptest! {
    #[test]
    fn generated_cases_are_valid_and_all_off_at_first(seed in any::<[u8; 32]>()) {
        let case = case_of(seed);
        prop_assert_eq!(case.validate(&specification()), Ok(()));
        prop_assert!(case.initial.machines().iter().all(|machine| !machine.running));
    }

    #[test]
    fn a_seed_makes_one_case(seed in any::<[u8; 32]>()) {
        prop_assert_eq!(case_of(seed), case_of(seed));
    }

    #[test]
    fn a_state_is_generated_without_its_commands(seed in any::<[u8; 32]>()) {
        let state = generate_state(&specification(), &Shape::sequential(0..=30), &mut runner(seed));
        prop_assert_eq!(state, Ok(case_of(seed).initial));
    }

    #[test]
    fn only_right_answers_are_allowed(seed in any::<[u8; 32]>()) {
        let (model, case) = (specification(), case_of(seed));
        for (network, command) in case.states(&model).iter().zip(&case.commands) {
            let answer = right(network, command);
            let wrong = match &answer {
                Response::Pinged { answered } => Response::Pinged { answered: !answered },
                Response::Changed { .. } => Response::Changed { scratch_kept: false },
                _ => Response::Failed("kernel panic".to_owned()),
            };
            prop_assert!(model.post_condition(network, command, &answer));
            prop_assert!(!model.post_condition(network, command, &wrong));
        }
    }

    #[test]
    fn simpler_states_are_smaller(seed in any::<[u8; 32]>()) {
        let (model, mut network) = (specification(), case_of(seed).initial);
        let mut steps = 0;
        while let Some(simpler) = model.simpler_states(&network).pop() {
            network = simpler;
            steps += 1;
            prop_assert!(steps < 100, "shrinking does not end");
        }
        prop_assert_eq!(network.machines().len(), 1);
    }

    #[test]
    fn cases_survive_a_file(seed in any::<[u8; 32]>()) {
        let case = case_of(seed);
        let text = serde_json::to_string(&case).unwrap();
        prop_assert_eq!(serde_json::from_str::<Case<MachineSpec>>(&text).unwrap(), case);
    }
}

/// How often each kind of command is drawn of 7,000 in a network of which `on` of 2 machines run.
fn drawn(on: usize) -> HashMap<&'static str, u32> {
    let model = specification();
    let mut runner = TestRunner::deterministic();
    let networks = NetworkParameters::new(vec!["6.1".parse().unwrap()]).unwrap().with_machines(2..=2);
    let mut network = networks.strategy().unwrap().new_tree(&mut runner).unwrap().current();
    for machine in network.clone().machines().iter().take(on) {
        network = network.with_running(&machine.id, true);
    }
    let strategy = model.gen_command(&network);
    let mut counts = HashMap::new();
    for _ in 0..7_000 {
        let kind = match strategy.new_tree(&mut runner).unwrap().current() {
            Command::Boot(_) => "boot",
            Command::Shutdown(_) => "shutdown",
            Command::Ping { to, .. } if network.is_running(&to) => "ping on",
            Command::Ping { .. } => "ping off",
            Command::Inspect(_) => "inspect",
            Command::Upgrade { .. } | Command::Downgrade { .. } => "change",
        };
        *counts.entry(kind).or_insert(0) += 1;
    }
    counts
}

#[test]
fn commands_come_in_the_promised_proportions() {
    assert_eq!(drawn(0), HashMap::from([("boot", 7_000)]));
    let weights = [
        (2, vec![("shutdown", 2), ("ping on", 8), ("inspect", 2), ("change", 1)]),
        (
            1,
            vec![
                ("boot", 4),
                ("shutdown", 2),
                ("ping on", 8),
                ("ping off", 8),
                ("inspect", 2),
                ("change", 1),
            ],
        ),
    ];
    for (on, weights) in weights {
        let counts = drawn(on);
        let total: u32 = weights.iter().map(|(_, weight)| weight).sum();
        assert_eq!(counts.len(), weights.len());
        for (kind, weight) in weights {
            let expected = 7_000 * weight / total;
            assert!(counts[kind].abs_diff(expected) < 200, "{kind}: {} of {expected}", counts[kind]);
        }
    }
}

#[test]
fn what_makes_no_sense_is_refused_with_the_reason() {
    let parameters =
        NetworkParameters::new(["6.1", "6.12"].map(|text| text.parse().unwrap()).to_vec()).unwrap();
    let networks = parameters.with_machines(2..=2).strategy().unwrap();
    let network = networks.new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let [a, b] = [0, 1].map(|index| network.machines()[index].id.clone());
    let kernel = |text: &str| Setting::Kernel(text.parse().unwrap());
    let network = network.with_running(&a, true).with_changed(&a, |machine| kernel("6.12").apply(machine));
    let ping = |from: &MachineId, to: &MachineId| Command::Ping { from: from.clone(), to: to.clone() };
    let upgrade = |to| Command::Upgrade { machine: a.clone(), to };
    let nobody: MachineId = "nobody".parse().unwrap();
    let refused = [
        (Command::Boot(a.clone()), format!("{a} is on already")),
        (Command::Shutdown(b.clone()), format!("{b} is off")),
        (Command::Inspect(b.clone()), format!("{b} is off")),
        (ping(&b, &a), format!("{b} is off")),
        (ping(&a, &nobody), "there is no machine nobody".to_owned()),
        (upgrade(kernel("6.12")), format!("{a} has kernel 6.12 already")),
        (upgrade(kernel("6.1")), format!("kernel 6.1 is earlier than what {a} has")),
    ];
    for (command, why) in refused {
        assert_eq!(command.check(&network), Err(why));
        assert!(!specification().pre_condition(&network, &command), "{command}");
        assert!(specification().can_be_refused(&command));
    }
    let sensible = [
        Command::Boot(b.clone()),
        ping(&a, &b),
        Command::Downgrade { machine: a.clone(), to: kernel("6.1") },
    ];
    assert!(sensible.iter().all(|command| command.check(&network).is_ok()));
}
