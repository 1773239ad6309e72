//! Redis in two versions of Debian's: a primary and its replicas, upgraded node by node while
//! clients of either version write and read. What was written is there, whatever was upgraded.

use std::collections::BTreeMap;
use std::time::Duration;

use harness::machines::{Boot, Lab, LiveNetwork};
use harness::{Case, Config, Model, Outcome, Runner, Silent, Stop, System, SystemError, Verdict};
use model::{
    BoundsError, Choice, Machine, MachineId, Mebibytes, Network, NetworkParameters, PackageName,
    PackageVersion, Parameter, Service, Setting,
};
use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::TestRunner;
use remote::{Command, Ending};
use serde::{Deserialize, Serialize};

/// A cluster whose first machine is the primary, and what was stored in it.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
struct Cluster {
    network: Network,
    data: BTreeMap<u8, u32>,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Request {
    /// A client on one machine stores a value at the primary, and all replicas have it.
    Set { from: MachineId, key: u8, value: u32 },
    /// A client on one machine reads a value at another.
    Get { from: MachineId, at: MachineId, key: u8 },
    /// A machine goes to another version; its data stays on the scratch disk.
    Change { machine: MachineId, to: Setting },
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Answer {
    Stored,
    Found(Option<u32>),
    /// With the version that the server says it has, as `INFO` prints it, and the package's.
    Changed {
        server: String,
        package: String,
    },
    Failed(String),
}

struct Redis {
    bounds: NetworkParameters,
}

const PORT: &str = "6379";

impl Redis {
    /// Versions, plain first: what the base installs by itself, then the one before it.
    fn new(lab: &Lab, machines: usize) -> Result<Self, BoundsError> {
        let package: PackageName = "redis-server".parse()?;
        let versions = lab.versions(&package).unwrap();
        let [newest, older, ..] = &versions[..] else {
            panic!("apt offers one version of redis-server only ({versions:?}): enable the security archive")
        };
        let versions = [newest, older].map(|version| Some(version.clone()));
        let kernel = lab.kernels().unwrap().into_iter().take(1).collect();
        let memory = Mebibytes::new(160)?;
        let bounds = NetworkParameters::new(kernel)?
            .with(Parameter::memory(memory..=memory)?)
            .with(Parameter::package(&package, versions)?)
            .with_machines(machines..=machines);
        Ok(Self { bounds })
    }

    /// The versions, newest first.
    fn versions(&self) -> Vec<Setting> {
        let package =
            self.bounds.parameters().iter().find(|parameter| parameter.name().starts_with("package"));
        package.unwrap().values().iter().flat_map(|value| value.settings.clone()).collect()
    }
}

/// Gives each machine its server: everything on the scratch disk, each write synced.
fn with_servers(network: Network) -> Network {
    let primary = network.machines()[0].clone();
    network.ids().into_iter().fold(network, |network, id| {
        network.with_changed(&id, |machine| {
            let mut lines = format!("bind 0.0.0.0\nprotected-mode no\nport {PORT}\ndir /scratch\n");
            lines.push_str("appendonly yes\nappendfsync always\nsave \"\"\n");
            // A replica that asks for everything is not kept waiting for others that might.
            lines.push_str("repl-diskless-sync-delay 0\n");
            let mut ready = format!("redis-cli -p {PORT} ping | grep -q PONG");
            if machine.id != primary.id {
                lines.push_str(&format!("replicaof {} {PORT}\n", primary.address));
                ready = format!("redis-cli -p {PORT} info replication | grep -q master_link_status:up");
            }
            machine.files.insert("/etc/netprop-redis.conf".parse().unwrap(), lines);
            let command = "exec redis-server /etc/netprop-redis.conf".to_owned();
            machine.services.insert("redis".parse().unwrap(), Service { command, ready: Some(ready) });
            machine.running = true;
        })
    })
}

impl Model for Redis {
    type State = Cluster;
    type Command = Request;
    type Response = Answer;

    fn gen_initial_state(&self) -> BoxedStrategy<Cluster> {
        let networks = self.bounds.strategy().unwrap().prop_map(with_servers);
        networks.prop_map(|network| Cluster { network, data: BTreeMap::new() }).boxed()
    }

    fn gen_command(&self, cluster: &Cluster) -> BoxedStrategy<Request> {
        let any_id = || select(cluster.network.ids());
        let set =
            (any_id(), 0..4u8, any::<u32>()).prop_map(|(from, key, value)| Request::Set { from, key, value });
        let get = (any_id(), any_id(), 0..4u8).prop_map(|(from, at, key)| Request::Get { from, at, key });
        let change =
            (any_id(), select(self.versions())).prop_map(|(machine, to)| Request::Change { machine, to });
        prop_oneof![3 => set, 3 => get, 1 => change].boxed()
    }

    fn pre_condition(&self, cluster: &Cluster, request: &Request) -> bool {
        let is_there = |id: &MachineId| cluster.network.machine(id).is_some();
        match request {
            Request::Set { from, .. } => is_there(from),
            Request::Get { from, at, .. } => is_there(from) && is_there(at),
            Request::Change { machine, to } => {
                cluster.network.machine(machine).is_some_and(|machine| !to.holds(machine))
            }
        }
    }

    fn next_state(&self, cluster: &Cluster, request: &Request) -> Cluster {
        let mut cluster = cluster.clone();
        match request {
            Request::Set { key, value, .. } => drop(cluster.data.insert(*key, *value)),
            Request::Get { .. } => {}
            Request::Change { machine, to } => {
                cluster.network = cluster.network.with_changed(machine, |machine| to.apply(machine));
            }
        }
        cluster
    }

    fn post_condition(&self, cluster: &Cluster, request: &Request, answer: &Answer) -> bool {
        match (request, answer) {
            (Request::Set { .. }, Answer::Stored) => true,
            (Request::Get { key, .. }, Answer::Found(value)) => value.as_ref() == cluster.data.get(key),
            (
                Request::Change { to: Setting::Package(_, Some(PackageVersion::Exact(version))), .. },
                Answer::Changed { server, package },
            ) => package == version && version.contains(&format!(":{server}-")),
            _ => false,
        }
    }

    fn choices(&self, cluster: &Cluster) -> Vec<Choice> {
        self.bounds.choices(&cluster.network)
    }

    fn with_choice(&self, cluster: &Cluster, choice: &Choice) -> Option<Cluster> {
        let network = self.bounds.with_choice(&cluster.network, choice)?;
        Some(Cluster { network, ..cluster.clone() })
    }
}

struct Servers<'lab>(&'lab Lab);

impl Servers<'_> {
    /// Gives a server a command from a client on some machine.
    fn ask(
        &self,
        live: &mut LiveNetwork<'_>,
        from: &MachineId,
        at: &Machine,
        words: &[&str],
    ) -> Result<Outcome<String>, SystemError> {
        let address = at.address.to_string();
        let words = ["redis-cli", "-h", &address, "-p", PORT].into_iter().chain(words.iter().copied());
        let output = live.run(from, &Command::from_words(words).limit(Duration::from_secs(90)))?;
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        Ok(match output.ending {
            Ending::Exited(_) => Outcome::Answered(said),
            ending => Outcome::Unknown(format!("redis-cli: {ending}")),
        })
    }
}

/// The answer, or the outcome that takes its place.
macro_rules! answered {
    ($outcome:expr) => {
        match $outcome {
            Outcome::Answered(answer) => answer,
            Outcome::Refused(why) => return Ok(Outcome::Refused(why)),
            Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
        }
    };
}

impl<'lab> System<Redis> for Servers<'lab> {
    type Sut = LiveNetwork<'lab>;

    fn new_sut(&self, cluster: &Cluster) -> Result<Self::Sut, SystemError> {
        LiveNetwork::create(self.0, &cluster.network)
    }

    fn run(&self, live: &mut Self::Sut, request: &Request) -> Result<Outcome<Answer>, SystemError> {
        let machines = live.network().machines().to_vec();
        let replicas = (machines.len() - 1).to_string();
        let found = |id: &MachineId| machines.iter().find(|machine| machine.id == *id).unwrap();
        Ok(Outcome::Answered(match request {
            Request::Set { from, key, value } => {
                let (key, value) = (key.to_string(), value.to_string());
                let said = answered!(self.ask(live, from, &machines[0], &["set", &key, &value])?);
                // Every replica says that it has it, or a minute is over: one whose connection has to be made
                // anew tries that at longer and longer intervals.
                let acknowledged = answered!(self.ask(
                    live,
                    &machines[0].id,
                    &machines[0],
                    &["wait", &replicas, "60000"]
                )?);
                match (said.as_str(), acknowledged == replicas) {
                    ("OK", true) => Answer::Stored,
                    ("OK", false) => Answer::Failed(format!("{acknowledged} of {replicas} replicas have it")),
                    _ => Answer::Failed(said),
                }
            }
            Request::Get { from, at, key } => {
                let said = answered!(self.ask(live, from, found(at), &["get", &key.to_string()])?);
                match said.parse() {
                    Ok(value) => Answer::Found(Some(value)),
                    Err(_) if said.is_empty() => Answer::Found(None),
                    Err(_) => Answer::Failed(said),
                }
            }
            Request::Change { machine, to } => match live.change_software(machine, to)? {
                Boot::Failed(why) => Answer::Failed(why),
                Boot::Ready(_) => {
                    let info = answered!(self.ask(live, machine, found(machine), &["info", "server"])?);
                    let server = info.lines().find_map(|line| line.strip_prefix("redis_version:"));
                    let server = server.unwrap_or_default().trim().to_owned();
                    let list = live.run(machine, &Command::new("cat /etc/netprop/packages"))?;
                    let list = String::from_utf8_lossy(&list.stdout).into_owned();
                    let package = list.lines().find_map(|line| line.strip_prefix("redis-server "));
                    Answer::Changed { server, package: package.unwrap_or_default().to_owned() }
                }
            },
        }))
    }
}

/// Old servers, written to and read from; then each is upgraded, the primary last, and everything
/// that was ever stored is read again by clients of both versions.
#[test]
fn an_upgrade_node_by_node_keeps_the_data() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let model = Redis::new(&lab, 3).unwrap();
    let versions = model.versions();
    let (new, old) = (&versions[0], &versions[1]);
    let mut initial = model.gen_initial_state().new_tree(&mut TestRunner::deterministic()).unwrap().current();
    let ids = initial.network.ids();
    for id in &ids {
        initial.network = initial.network.with_changed(id, |machine| old.apply(machine));
    }
    let mut commands = Vec::new();
    for (round, machine) in (0..).zip(ids.iter().rev()) {
        let other = &ids[(ids.iter().position(|id| id == machine).unwrap() + 1) % ids.len()];
        commands.push(Request::Set { from: machine.clone(), key: round, value: u32::from(round) + 100 });
        commands.push(Request::Change { machine: machine.clone(), to: new.clone() });
        for key in 0..=round {
            commands.push(Request::Get { from: other.clone(), at: machine.clone(), key });
        }
        commands.push(Request::Set { from: other.clone(), key: 3, value: u32::from(round) + 200 });
        commands.extend(ids.iter().map(|at| Request::Get { from: machine.clone(), at: at.clone(), key: 3 }));
    }
    let case = Case::sequential(initial, commands);
    case.validate(&model).unwrap();
    let config = Config { failures: None, regressions: None, ..Config::default() };
    let (stop, system) = (Stop::default(), Servers(&lab));
    let runner = Runner::new(&model, &system, &config, &Silent, &stop);
    let execution = runner.run_case(&case, "an upgrade node by node").unwrap();
    assert_eq!(
        execution.verdict,
        Verdict::Holds,
        "{:?}",
        execution.history.last().map(|given| (&given.operation.command, &given.operation.outcome))
    );
    assert_eq!(execution.history.len(), case.commands.len());
}
