//! The parameters of a network as choices, for a specification whose state holds a network.

use std::sync::Arc;

use crate::factor::Choice;
use crate::generate::NetworkParameters;
use crate::machine::Machine;
use crate::network::Network;
use crate::parameter::{Parameter, Scope};

/// The site of the parameters that all machines share.
const NETWORK: &str = "network";

/// The site of a machine's parameters.
fn site(machine: &Machine) -> String {
    format!("machine {}", machine.id)
}

impl NetworkParameters {
    /// The value of each parameter in a network: a specification's `choices` can be just this.
    #[must_use]
    pub fn choices(&self, network: &Network) -> Vec<Choice> {
        let choice = |site: &str, parameter: &Parameter, machine: &Machine| {
            let factor = Arc::clone(parameter.factor());
            parameter.value_of(machine).map(|value| Choice { site: site.to_owned(), factor, value })
        };
        let mut choices = Vec::new();
        if let Some(first) = network.machines().first() {
            let shared = self.of_scope(Scope::Network);
            choices.extend(shared.filter_map(|parameter| choice(NETWORK, parameter, first)));
        }
        for machine in network.machines() {
            let site = site(machine);
            let own = self.of_scope(Scope::Machine);
            choices.extend(own.filter_map(|parameter| choice(&site, parameter, machine)));
        }
        choices
    }

    /// The network with another value in one place; none where there is no such place or value.
    #[must_use]
    pub fn with_choice(&self, network: &Network, choice: &Choice) -> Option<Network> {
        let parameter = self.parameters().iter().find(|parameter| parameter.name() == choice.factor.name)?;
        let is_there = |machine: &&Machine| match parameter.scope() {
            Scope::Machine => site(machine) == choice.site,
            Scope::Network => choice.site == NETWORK,
        };
        let there: Vec<_> = network.machines().iter().filter(is_there).collect();
        let possible = choice.value < parameter.values().len() && !there.is_empty();
        possible.then(|| {
            there.iter().fold(network.clone(), |network, machine| {
                network.with_changed(&machine.id, |machine| parameter.set(machine, choice.value))
            })
        })
    }

    fn of_scope(&self, scope: Scope) -> impl Iterator<Item = &Parameter> {
        self.parameters().iter().filter(move |parameter| parameter.scope() == scope)
    }
}
