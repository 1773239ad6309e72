//! A specification of one's own, as the book shows it.

use harness::prelude::*;

/// Every machine knows its own name. The one command: ask this machine.
struct Names(SBoxedStrategy<Network>);
impl Model for Names {
    type State = Network;
    type Command = MachineId;
    type Response = String;
    fn gen_initial_state(&self) -> BoxedStrategy<Network> {
        self.0.clone().prop_map(Network::all_running).boxed()
    }
    fn gen_command(&self, network: &Network) -> BoxedStrategy<MachineId> {
        select(network.ids()).boxed()
    }
    fn next_state(&self, network: &Network, _: &MachineId) -> Network {
        network.clone()
    }
    fn post_condition(&self, _: &Network, id: &MachineId, name: &String) -> bool {
        name == id.as_str()
    }
}
struct Machines<'lab>(&'lab Lab);
impl<'lab> System<Names> for Machines<'lab> {
    type Sut = LiveNetwork<'lab>;
    fn new_sut(&self, network: &Network) -> Result<LiveNetwork<'lab>, SystemError> {
        LiveNetwork::create(self.0, network)
    }
    fn run(&self, live: &mut LiveNetwork<'lab>, id: &MachineId) -> Result<Outcome<String>, SystemError> {
        let output = live.run(id, &remote::Command::new("hostname"))?;
        Ok(Outcome::Answered(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
    }
}
#[test]
fn machines_know_their_names() -> Result<(), Box<dyn std::error::Error>> {
    let Some(lab) = Lab::for_test()? else { return Ok(()) };
    let networks = lab.bounds()?.strategy()?;
    check_with(&Config { cases: 2, ..Config::default() }, &Names(networks), &Machines(&lab));
    Ok(())
}
