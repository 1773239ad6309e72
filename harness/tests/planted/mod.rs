//! Planted bugs, the same for systems in memory and for real machines.

mod deaf;
mod shape;

pub(crate) use deaf::DeafAfterSecondBoot;
use harness::system::Cost;
use harness::{Model, Outcome, Purpose, System, SystemError};
use model::machines::{Command, Response};
use model::{Choice, MachineSpec, Network};
use proptest::strategy::BoxedStrategy;
pub(crate) use shape::shape;

/// A specification that is wrong about machines that are off: it expects them to answer.
pub(crate) struct EverybodyAnswers(pub(crate) MachineSpec);

impl Model for EverybodyAnswers {
    type State = Network;
    type Command = Command;
    type Response = Response;

    fn gen_initial_state(&self) -> BoxedStrategy<Network> {
        self.0.gen_initial_state()
    }

    fn gen_command(&self, state: &Network) -> BoxedStrategy<Command> {
        self.0.gen_command(state)
    }

    fn pre_condition(&self, state: &Network, command: &Command) -> bool {
        self.0.pre_condition(state, command)
    }

    fn next_state(&self, state: &Network, command: &Command) -> Network {
        self.0.next_state(state, command)
    }

    fn post_condition(&self, state: &Network, command: &Command, response: &Response) -> bool {
        match command {
            Command::Ping { .. } => *response == Response::Pinged { answered: true },
            _ => self.0.post_condition(state, command, response),
        }
    }

    fn choices(&self, state: &Network) -> Vec<Choice> {
        self.0.choices(state)
    }

    fn with_choice(&self, state: &Network, choice: &Choice) -> Option<Network> {
        self.0.with_choice(state, choice)
    }

    fn simpler_states(&self, state: &Network) -> Vec<Network> {
        self.0.simpler_states(state)
    }

    fn simpler_commands(&self, command: &Command) -> Vec<Command> {
        self.0.simpler_commands(command)
    }
}

/// Any system of machines, held to the wrong model.
pub(crate) struct Judged<S>(pub(crate) S);

impl<S: System<MachineSpec>> System<EverybodyAnswers> for Judged<S> {
    type Sut = S::Sut;

    fn new_sut(&self, network: &Network) -> Result<S::Sut, SystemError> {
        self.0.new_sut(network)
    }

    fn new_sut_for(&self, network: &Network, purpose: Purpose) -> Result<S::Sut, SystemError> {
        self.0.new_sut_for(network, purpose)
    }

    fn is_reused(&self, sut: &S::Sut) -> bool {
        self.0.is_reused(sut)
    }

    fn run(&self, sut: &mut S::Sut, command: &Command) -> Result<Outcome<Response>, SystemError> {
        self.0.run(sut, command)
    }

    fn cost(&self, network: &Network) -> Cost {
        self.0.cost(network)
    }

    fn destroy_sut(&self, sut: S::Sut) -> Result<(), SystemError> {
        self.0.destroy_sut(sut)
    }
}
