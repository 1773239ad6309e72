//! The tutorial's program: what redis-server acknowledges is there after a power cut. It is not.
//!
//! `cargo run -p harness --example first_bug -- run`

use harness::prelude::*;

/// What redis-server is told beside Debian's configuration, plain first.
pub(crate) const WAYS: [(&str, &str); 2] =
    [("synced always", "--appendonly yes --appendfsync always"), ("as Debian has it", "")];

/// The network of one machine, and what it has to have stored.
type Store = (Network, Option<u8>);

/// What is done to it; a power cut ends with a boot.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) enum Command {
    Set(u8),
    Get,
    PowerCut,
}

pub(crate) struct Redis {
    bounds: NetworkParameters,
    networks: SBoxedStrategy<Network>,
}

impl Redis {
    pub(crate) fn new(bounds: NetworkParameters, ways: &[(&str, &str)]) -> Result<Self, BoundsError> {
        let variants = ways.iter().map(|(label, options)| {
            let server = "redis-server /etc/redis/redis.conf --daemonize no --logfile ''";
            let command = format!("ln -s /scratch /var/lib/redis; exec {server} {options}");
            let ready = Some("redis-cli ping | grep -q PONG".to_owned());
            ((*label).to_owned(), Some(Service { command, ready }))
        });
        let bounds = bounds
            .with_machines(1..=1)
            .with(Parameter::memory(Mebibytes::new(160)?..=Mebibytes::new(160)?)?)
            .with(Parameter::package(&"redis-server".parse()?, [Some(PackageVersion::Newest)])?)
            .with(Parameter::service(&"redis".parse()?, variants)?);
        Ok(Self { networks: bounds.strategy()?, bounds })
    }
}

impl Model for Redis {
    type State = Store;
    type Command = Command;
    type Response = String;

    fn gen_initial_state(&self) -> BoxedStrategy<Store> {
        self.networks.clone().prop_map(|network| (network.all_running(), None)).boxed()
    }

    fn gen_command(&self, _: &Store) -> BoxedStrategy<Command> {
        let set = any::<u8>().prop_map(Command::Set);
        prop_oneof![2 => set, 2 => Just(Command::Get), 1 => Just(Command::PowerCut)].boxed()
    }

    fn next_state(&self, (network, stored): &Store, command: &Command) -> Store {
        let stored = if let Command::Set(value) = command { Some(*value) } else { *stored };
        (network.clone(), stored)
    }

    fn expectation(&self, (_, stored): &Store, command: &Command) -> String {
        match command {
            Command::Set(_) => "OK".to_owned(),
            Command::Get => stored.map(|value| value.to_string()).unwrap_or_default(),
            Command::PowerCut => "ready again".to_owned(),
        }
    }

    fn post_condition(&self, store: &Store, command: &Command, answer: &String) -> bool {
        *answer == self.expectation(store, command)
    }

    fn choices(&self, (network, _): &Store) -> Vec<Choice> {
        self.bounds.choices(network)
    }

    fn with_choice(&self, (network, stored): &Store, choice: &Choice) -> Option<Store> {
        Some((self.bounds.with_choice(network, choice)?, *stored))
    }

    fn show_state(&self, (network, _): &Store) -> String {
        network.machines().iter().map(|machine| format!("machine {}", machine.id)).collect()
    }

    fn show_progress(&self, (_, stored): &Store) -> String {
        format!("stored: {stored:?}")
    }
}

impl OnMachines for Redis {
    fn network((network, _): &Store) -> &Network {
        network
    }

    fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<String>, SystemError> {
        let id = live.network().ids()[0].clone();
        let ask = |words: String| {
            let output = live.run(&id, &remote::Command::new(format!("redis-cli {words} 2>&1")))?;
            Ok(Outcome::Answered(String::from_utf8_lossy(&output.stdout).trim().to_owned()))
        };
        match command {
            Command::Set(value) => ask(format!("set key {value}")),
            Command::Get => ask("get key".to_owned()),
            Command::PowerCut => {
                live.power_cut(&id)?;
                Ok(Outcome::Answered(match live.boot(&id)? {
                    Boot::Ready(_) => "ready again".to_owned(),
                    Boot::Failed(why) => why,
                }))
            }
        }
    }
}

fn main() -> std::process::ExitCode {
    harness::cli::main_on_machines(|bounds| Redis::new(bounds, &WAYS))
}
