//! Lanes whose commands name each other's results, as the book shows it.

use harness::prelude::*;
use std::collections::BTreeSet;
use std::sync::Mutex;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    /// A coat is handed in; the symbol stands for the ticket that this will give.
    HandIn(Symbol),
    /// It is fetched: with a symbol where a case is generated, with a real ticket where it runs.
    Fetch(Named<u64>),
}
/// Nobody gets a ticket that somebody else has, and each is good for a coat.
struct Cloakroom;
impl Model for Cloakroom {
    type State = BTreeSet<Named<u64>>; // The tickets that are out.
    type Command = Command;
    type Response = Option<u64>; // The ticket of the coat, where there is one.
    fn gen_initial_state(&self) -> BoxedStrategy<Self::State> {
        Just(BTreeSet::new()).boxed()
    }
    fn gen_command(&self, out: &Self::State) -> BoxedStrategy<Command> {
        let hand_in = Just(()).prop_map(|()| Command::HandIn(Symbol::fresh())).boxed();
        let fetch: Vec<_> = out.iter().cloned().map(Command::Fetch).collect();
        if fetch.is_empty() { hand_in } else { prop_oneof![hand_in, select(fetch)].boxed() }
    }
    fn pre_condition(&self, out: &Self::State, command: &Command) -> bool {
        !matches!(command, Command::Fetch(ticket) if !out.contains(ticket))
    }
    fn next_state(&self, out: &Self::State, command: &Command) -> Self::State {
        let mut out = out.clone();
        match command {
            Command::HandIn(symbol) => out.insert(Named::Symbol(*symbol)),
            Command::Fetch(ticket) => out.remove(ticket),
        };
        out
    }
    fn next_state_after(&self, out: &Self::State, command: &Command, came: &Option<u64>) -> Self::State {
        let (Command::HandIn(_), Some(ticket)) = (command, came) else {
            return self.next_state(out, command);
        };
        out.iter().cloned().chain([Named::Value(*ticket)]).collect()
    }
    fn post_condition(&self, out: &Self::State, command: &Command, came: &Option<u64>) -> bool {
        match command {
            Command::HandIn(_) => came.is_some_and(|ticket| !out.contains(&Named::Value(ticket))),
            Command::Fetch(ticket) => came.as_ref() == ticket.value(),
        }
    }
    fn defines(&self, command: &Command) -> Option<Symbol> {
        if let Command::HandIn(symbol) = command { Some(*symbol) } else { None }
    }
    fn uses(&self, command: &Command) -> Vec<Symbol> {
        if let Command::Fetch(ticket) = command { ticket.symbol().into_iter().collect() } else { Vec::new() }
    }
    fn bind(&self, command: &Command, result: &dyn Fn(Symbol) -> Option<Option<u64>>) -> Option<Command> {
        let Command::Fetch(Named::Symbol(symbol)) = command else { return Some(command.clone()) };
        Some(Command::Fetch(Named::Value(result(*symbol)??)))
    }
}
/// Which of its hooks have a coat; the ticket is the hook's number.
struct Hooks(Mutex<BTreeSet<u64>>);
impl Hooks {
    fn give(&self, command: &Command) -> Outcome<Option<u64>> {
        let mut taken = self.0.lock().unwrap();
        Outcome::Answered(match command {
            Command::HandIn(_) => (0..).find(|hook| taken.insert(*hook)),
            Command::Fetch(ticket) => ticket.value().copied().filter(|ticket| taken.remove(ticket)),
        })
    }
}
struct Attended;
impl System<Cloakroom> for Attended {
    type Sut = Hooks;
    fn new_sut(&self, _: &BTreeSet<Named<u64>>) -> Result<Hooks, SystemError> {
        Ok(Hooks(Mutex::default()))
    }
    fn run(&self, hooks: &mut Hooks, command: &Command) -> Result<Outcome<Option<u64>>, SystemError> {
        Ok(hooks.give(command))
    }
    fn run_lanes(&self, hooks: &mut Hooks, lanes: &Lanes<'_, Cloakroom>) -> Result<(), SystemError> {
        let hooks = &*hooks;
        lanes.run(|_lane| Ok(|command: &Command| Ok(hooks.give(command))))
    }
}
#[test]
fn no_coat_is_lost() {
    check_with(&Config::default().with_lanes(), &Cloakroom, &Attended);
}
