//! A case that is given command by command.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

use model::panics::caught;
use model::{Case, Judgement, Model, Outcome, Place, Possible, Symbol};

use super::{Inside, Live, wrong};
use crate::execute::{Evidence, Recorded, failed, in_order, show_command, show_outcome};
use crate::lanes;
use crate::machines::LiveNetwork;
use crate::system::{System, SystemError};

/// A system in the middle of a case.
///
/// Commands of lanes come one after another here, in the order in which they were given when the case
/// failed, or lane by lane where that is not known.
pub struct Stepping<'a, 'lab, M: Model, S: System<M>> {
    model: &'a M,
    system: &'a S,
    sut: &'a mut S::Sut,
    live: Live<'lab, S::Sut>,
    /// What the system may be, given all that came; none once that was wrong.
    known: Option<Possible<M>>,
    results: BTreeMap<Symbol, M::Response>,
    /// With their numbers in the case.
    coming: VecDeque<(usize, Place, M::Command)>,
}

impl<'a, 'lab, M: Model, S: System<M>> Stepping<'a, 'lab, M, S> {
    /// A system as it was made for a case, which is known to have failed so where there is evidence.
    pub fn new(
        model: &'a M,
        system: &'a S,
        sut: &'a mut S::Sut,
        live: Live<'lab, S::Sut>,
        case: &Case<M>,
        evidence: Option<&Evidence>,
    ) -> Self {
        let known = Some(Possible::new(case.initial.clone()));
        let coming = in_order(case, evidence).into();
        Self { model, system, sut, live, known, results: BTreeMap::new(), coming }
    }

    /// Takes for given what was given already, in this order.
    #[must_use]
    pub fn after(mut self, history: &[Recorded<M>]) -> Self {
        for Recorded { place, operation, .. } in history {
            let Some(at) = self.coming.iter().position(|(_, coming, _)| coming == place) else { continue };
            let Some((_, _, command)) = self.coming.remove(at) else { continue };
            self.took(&command, &operation.command, &operation.outcome);
        }
        self
    }

    /// Gives commands until the one of this number comes next, and says of each what came.
    ///
    /// # Errors
    /// [`SystemError`] where what failed is not the system.
    pub fn go_to(&mut self, number: usize, mut say: impl FnMut(&str)) -> Result<(), SystemError> {
        while self.coming.front().is_some_and(|(next, ..)| *next != number) {
            if let Some(text) = self.give_next()? {
                say(&text);
            }
        }
        Ok(())
    }

    fn give_next(&mut self) -> Result<Option<String>, SystemError> {
        let Some((number, place, command)) = self.coming.pop_front() else { return Ok(None) };
        let text = self.command(&command)?;
        Ok(Some(format!("{number:3}. {}  ({place})\n{text}", show_command(self.model, &command))))
    }

    /// Gives a command, and says what came beside what had to.
    fn command(&mut self, command: &M::Command) -> Result<String, SystemError> {
        let (model, system) = (self.model, self.system);
        let given = caught(|| {
            let bound = lanes::bind(model, command, |symbol| self.results.get(&symbol).cloned());
            let bound = match bound {
                Ok(bound) => bound,
                Err(why) => return Ok(format!("     not given: {why}\n")),
            };
            let outcome = system.run(self.sut, &bound)?;
            let came = show_outcome(model, &outcome);
            Ok(match self.took(command, &bound, &outcome) {
                None => format!("     came:     {came}\n"),
                Some(Judgement::Allowed) => format!("     came:     {came}, as the model says\n"),
                Some(Judgement::Undecided(why)) => {
                    format!("     came:     {came}\n     the model cannot tell: {why}\n")
                }
                Some(Judgement::Forbidden(why)) => {
                    format!("     expected: {}\n     came:     {came}\n", why.expected())
                }
            })
        });
        given.unwrap_or_else(|panicked| Err(failed("the command was given", panicked)))
    }

    /// Takes in what came of a command.
    fn took(
        &mut self,
        command: &M::Command,
        bound: &M::Command,
        outcome: &Outcome<M::Response>,
    ) -> Option<Judgement> {
        if let (Some(symbol), Outcome::Answered(response)) = (self.model.defines(command), outcome) {
            self.results.insert(symbol, response.clone());
        }
        let judgement = self.known.as_mut()?.observe(self.model, bound, outcome);
        if judgement != Judgement::Allowed {
            self.known = None;
        }
        Some(judgement)
    }
}

impl<'lab, M: Model, S: System<M>> Inside<'lab> for Stepping<'_, 'lab, M, S> {
    fn live(&self) -> Option<&LiveNetwork<'lab>> {
        (self.live)(self.sut)
    }

    fn known(&self) -> Vec<String> {
        let Some(known) = &self.known else { return vec!["it knows nothing any more".to_owned()] };
        known.states().map(|state| self.model.show_progress(state)).collect()
    }

    fn coming(&self) -> Vec<String> {
        let show = |(number, place, command): &(usize, Place, M::Command)| {
            format!("{number:3}. {}  ({place})", show_command(self.model, command))
        };
        self.coming.iter().map(show).collect()
    }

    fn next(&mut self) -> Result<Option<String>, SystemError> {
        self.give_next()
    }

    fn give(&mut self, json: &str) -> Result<String, SystemError> {
        let command: M::Command = serde_json::from_str(json)
            .map_err(|error| wrong(format!("this is no command of {}: {error}", self.model.name())))?;
        if self.known.as_ref().is_some_and(|known| !known.allows_giving(self.model, &command)) {
            return Err(wrong("the command makes no sense in the state that the model knows"));
        }
        let text = self.command(&command)?;
        Ok(format!("     {}\n{text}", show_command(self.model, &command)))
    }
}

impl<M: Model, S: System<M>> fmt::Debug for Stepping<'_, '_, M, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Stepping").field("coming", &self.coming).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use model::history::Operation;
    use model::machines::{Command, Response};
    use model::{KernelVersion, Machine, MachineSpec, Network, NetworkParameters, Subnet};

    use super::super::{Console, Said};
    use super::*;
    use crate::machines::simulated::SimulatedSystem;

    fn model() -> MachineSpec {
        let kernel: KernelVersion = "6.1".parse().unwrap();
        MachineSpec::new(NetworkParameters::new(vec![kernel]).unwrap()).unwrap()
    }

    fn case() -> Case<MachineSpec> {
        let machine = |name: &str, last| {
            let uuid = uuid::Uuid::from_bytes([last; 16]);
            Machine::new(name.parse().unwrap(), uuid, [172, 16, 2, last].into(), "6.1".parse().unwrap())
        };
        let network = Network::new(Subnet::default(), vec![machine("a", 2), machine("b", 3)]).unwrap();
        let [a, b] = ["a", "b"].map(|id| id.parse::<model::MachineId>().unwrap());
        let ping = Command::Ping { from: a.clone(), to: b.clone() };
        Case::sequential(network, vec![Command::Boot(a), ping.clone(), Command::Boot(b), ping])
    }

    fn said(console: &mut Console<'_, '_>, line: &str) -> String {
        match console.line(line).unwrap() {
            Said::Text(text) => text,
            Said::Leave => "leave".to_owned(),
        }
    }

    #[test]
    fn a_person_goes_through_a_case_and_beside_it() {
        let (model, case) = (model(), case());
        let mut sut = System::<MachineSpec>::new_sut(&SimulatedSystem, &case.initial).unwrap();
        let mut stepping = Stepping::new(&model, &SimulatedSystem, &mut sut, |_| None, &case, None);
        let mut gone = Vec::new();
        stepping.go_to(3, |text| gone.push(text.to_owned())).unwrap();
        assert_eq!(gone.len(), 2);
        assert_eq!(
            gone[1],
            "  2. Ping a -> b  (command 2)\n     came:     not answered, as the model says\n"
        );
        let mut console = Console::new(&mut stepping);
        assert!(console.greeting().starts_with("the model: a on, b off\nnext:   3. Boot b"));
        assert_eq!(
            said(&mut console, "cut a b"),
            "error: there are no machines here, since the system is simulated\n"
        );
        assert!(said(&mut console, r#"give {"boot": "a"}"#).starts_with("error: the command makes no sense"));
        assert!(
            said(&mut console, r#"give {"bot": "a"}"#).starts_with("error: this is no command of machines")
        );
        assert!(said(&mut console, r#"give {"boot": "b"}"#).contains("as the model says"));
        // The case does not know that b is on by now.
        assert!(said(&mut console, "").contains("refused"));
        assert!(said(&mut console, "next 5").ends_with("as the model says\nthere is nothing more to give\n"));
        assert_eq!(said(&mut console, "quit"), "leave");
    }

    #[test]
    fn what_was_given_before_is_known() {
        let (model, case) = (model(), case());
        let mut sut = System::<MachineSpec>::new_sut(&SimulatedSystem, &case.initial).unwrap();
        let stepping = Stepping::new(&model, &SimulatedSystem, &mut sut, |_| None, &case, None);
        let operation = Operation {
            lane: 0,
            command: case.commands[0].clone(),
            called: 0,
            outcome: Outcome::Answered(Response::Booted),
            ended: Some(1),
        };
        let recorded = Recorded { place: Place::Prefix(0), operation, given: None, elapsed: None };
        let stepping = stepping.after(&[recorded]);
        assert_eq!(stepping.known(), ["a on, b off"]);
        assert_eq!(stepping.coming()[0], "  2. Ping a -> b  (command 2)");
    }
}
