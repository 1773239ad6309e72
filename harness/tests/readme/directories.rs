//! A specification of machines with lanes, as the book shows it.

use harness::prelude::*;
use std::sync::Arc;

/// Who makes a directory is told so, and nobody after them. The one command: make this one there.
struct Directories(SBoxedStrategy<Network>);
impl Model for Directories {
    type State = (Network, Vec<(MachineId, u8)>);
    type Command = (MachineId, u8);
    type Response = bool;
    fn gen_initial_state(&self) -> BoxedStrategy<Self::State> {
        self.0.clone().prop_map(|network| (network.all_running(), Vec::new())).boxed()
    }
    fn gen_command(&self, (network, _): &Self::State) -> BoxedStrategy<Self::Command> {
        (select(network.ids()), 0..3_u8).boxed()
    }
    fn next_state(&self, (network, made): &Self::State, directory: &Self::Command) -> Self::State {
        (network.clone(), made.iter().chain([directory]).cloned().collect())
    }
    fn post_condition(&self, (_, made): &Self::State, directory: &Self::Command, is_made: &bool) -> bool {
        *is_made != made.contains(directory)
    }
}
impl<'lab> System<Directories> for &'lab Lab {
    type Sut = Arc<LiveNetwork<'lab>>;
    fn new_sut(&self, (network, _): &(Network, Vec<(MachineId, u8)>)) -> Result<Self::Sut, SystemError> {
        LiveNetwork::create(self, network).map(Arc::new)
    }
    fn run(&self, live: &mut Self::Sut, (id, name): &(MachineId, u8)) -> Result<Outcome<bool>, SystemError> {
        let output = live.run(id, &remote::Command::new(format!("mkdir /scratch/{name}")))?;
        Ok(Outcome::Answered(output.ending.is_success()))
    }
    fn run_lanes(&self, live: &mut Self::Sut, lanes: &Lanes<'_, Directories>) -> Result<(), SystemError> {
        lanes.run(|_lane| Ok(|directory: &(MachineId, u8)| self.run(&mut Arc::clone(live), directory)))
    }
}
#[test]
fn a_directory_is_made_once() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let model = Directories(lab.bounds().unwrap().strategy().unwrap());
    check_with(&Config { cases: 2, ..Config::default().with_lanes() }, &model, &&lab);
}
