//! What file systems promise of data that was synced holds when the power is cut, also where the disk
//! loses all that was not flushed; without a sync data are lost, and a case says so.

use crate::looked_at;
use harness::machines::{Lab, LiveNetwork, MachineSystem, OnMachines};
use harness::record::Record;
use harness::shrink::Budget;
use harness::{Case, Config, Runner, Silent, Stop, SystemError, Verdict};
use model::faults::{Command, Found, Response, World};
use model::scene::{Role, Scene};
use model::{FaultSpec, FileSystem, MachineId, Mebibytes, Model, Network, Outcome};
use proptest::prelude::*;
use proptest::test_runner::TestRunner;

fn specification(lab: &Lab) -> FaultSpec {
    FaultSpec::new(lab.bounds().unwrap().with_machines(1..=1)).unwrap()
}

/// One machine that is on, with this file system.
fn network(lab: &Lab, file_system: FileSystem) -> Network {
    let bounds = lab.bounds().unwrap().with_machines(1..=1);
    let network = bounds.strategy().unwrap().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let id = network.ids()[0].clone();
    let network = network.with_changed(&id, |machine| {
        machine.memory = Mebibytes::new(96).unwrap();
        machine.file_system = file_system;
    });
    network.all_running()
}

fn config() -> Config {
    let none = Budget { runs: 0, time: None };
    Config { failures: None, regressions: None, probes: none, ..Config::default() }
}

/// Some files are written and synced, and written again; then the power is cut, by this seed or plainly.
fn commands(id: &MachineId, seed: Option<u32>) -> Vec<Command> {
    let write = |file, value| Command::Write { machine: id.clone(), file, value };
    let read = |file| Command::Read { machine: id.clone(), file };
    let mut commands = vec![write(0, 1), write(1, 2), Command::Sync(id.clone())];
    commands.extend(seed.map(|seed| Command::Volatile { machine: id.clone(), seed }));
    commands.extend([write(0, 3), write(2, 4), Command::Sync(id.clone()), write(2, 5), write(1, 6)]);
    commands.extend([Command::PowerCut(id.clone()), Command::Boot(id.clone()), read(0), read(1), read(2)]);
    commands
}

/// `NETPROP_TEST_SEEDS` power cuts of each kind for each file system, 1 by default.
#[test]
fn what_was_synced_is_there_after_each_power_cut() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let seeds: u32 = std::env::var("NETPROP_TEST_SEEDS").map_or(1, |seeds| seeds.parse().unwrap());
    let (model, config, stop) = (specification(&lab), config(), Stop::default());
    let system = MachineSystem::of(&lab);
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    for file_system in FileSystem::ALL {
        let (mut lost, mut kept) = (0, 0);
        for seed in (0..seeds).flat_map(|seed| [None, Some(seed)]) {
            let network = network(&lab, file_system);
            let id = network.ids()[0].clone();
            let case = Case::sequential(World::from(network), commands(&id, seed));
            let execution = runner.run_case(&case, "power cut").unwrap();
            assert_eq!(execution.verdict, Verdict::Holds, "{file_system}, seed {seed:?}");
            let answers = execution.history.iter().filter_map(|given| match &given.operation.outcome {
                Outcome::Answered(Response::Found(found)) => Some(found.clone()),
                _ => None,
            });
            let found: Vec<_> = answers.collect();
            assert_eq!(found[0], Found::Value(3), "it was synced");
            for (found, last) in [(&found[1], 6), (&found[2], 5)] {
                if *found == Found::Value(last) { kept += 1 } else { lost += 1 }
            }
        }
        println!("{file_system}: of what was not synced {lost} files were lost and {kept} kept");
        assert!(lost > 0, "{file_system}: nothing was lost, so nothing was shown");
    }
}

/// A specification that takes each write for synced: what many programs take for granted.
struct TakesWritesForSynced(FaultSpec);

impl Model for TakesWritesForSynced {
    type State = World;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<World> {
        self.0.gen_initial_state().prop_map(|world| World::from(world.network.all_running())).boxed()
    }

    fn initial_pre_condition(&self, world: &World) -> bool {
        self.0.initial_pre_condition(world)
    }

    fn gen_command(&self, world: &World) -> BoxedStrategy<Command> {
        let id = world.network.ids()[0].clone();
        if !world.network.is_running(&id) {
            return Just(Command::Boot(id)).boxed();
        }
        let of = |id: &MachineId| (Just(id.clone()), 0..3_u8);
        prop_oneof![
            3 => (of(&id), any::<u16>()).prop_map(|((machine, file), value)| Command::Write { machine, file, value }),
            3 => of(&id).prop_map(|(machine, file)| Command::Read { machine, file }),
            1 => Just(Command::PowerCut(id.clone())),
            1 => Just(Command::Volatile { machine: id, seed: 1 }),
        ]
        .boxed()
    }

    fn pre_condition(&self, world: &World, command: &Command) -> bool {
        self.0.pre_condition(world, command)
    }

    fn next_state(&self, world: &World, command: &Command) -> World {
        let world = self.0.next_state(world, command);
        match command {
            Command::Write { machine, .. } => self.0.next_state(&world, &Command::Sync(machine.clone())),
            _ => world,
        }
    }

    fn post_condition(&self, world: &World, command: &Command, response: &Response) -> bool {
        self.0.post_condition(world, command, response)
    }

    fn expectation(&self, world: &World, command: &Command) -> String {
        let expectation = self.0.expectation(world, command);
        match command {
            Command::Read { .. } => format!("{expectation}, taken for synced as it was written"),
            _ => expectation,
        }
    }

    fn show_command(&self, command: &Command) -> String {
        self.0.show_command(command)
    }

    fn show_response(&self, response: &Response) -> String {
        self.0.show_response(response)
    }

    fn show_state(&self, world: &World) -> String {
        self.0.show_state(world)
    }

    fn show_progress(&self, world: &World) -> String {
        self.0.show_progress(world)
    }

    fn scene(&self, world: &World) -> Option<Scene> {
        self.0.scene(world)
    }

    fn role(&self, command: &Command) -> Role {
        self.0.role(command)
    }

    fn concerns(&self, command: &Command) -> Vec<String> {
        self.0.concerns(command)
    }
}

impl OnMachines for TakesWritesForSynced {
    fn network(world: &World) -> &Network {
        &world.network
    }

    fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Response>, SystemError> {
        harness::machines::faults::give(live, command)
    }

    fn runs_on(command: &Command) -> Option<&MachineId> {
        command.runs_on()
    }
}

#[test]
fn a_program_that_does_not_sync_is_found_to_lose_data() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let model = TakesWritesForSynced(specification(&lab));
    let system = MachineSystem::of(&lab);
    let config = Config { cases: 20, seed: Some(1.into()), ..config() };
    let summary = Runner::new(&model, &system, &config, &Silent, &Stop::default()).run().unwrap();
    let failure = summary.failure.expect("data are lost");
    let kinds: Vec<_> = failure.case.commands.iter().map(Command::verb).collect();
    assert_eq!(kinds, ["Write", "PowerCut", "Boot", "Read"], "{:?}", failure.evidence);
    let record = Record::of(&model, &failure, Some(summary.statistics));
    let html = looked_at::page("unsynced-data", &record);
    assert!(record.evidence.expected.contains("synced"), "{}", record.evidence.expected);
    assert!(html.contains(&record.evidence.expected) && html.contains(&record.evidence.came));
}
