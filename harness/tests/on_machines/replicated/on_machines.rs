//! The register on real machines.

use std::thread;
use std::time::Duration;

use harness::hypervisor::State as Power;
use harness::hypervisor::fabric::Pairs;
use harness::machines::OnMachines;
use harness::prelude::*;
use harness::remote::{self, Ending};

use super::service;
use super::specification::{Answer, Command, Register, State};

/// How long a client waits for a majority that it can reach, which a busy host holds up, and for
/// one that it cannot, in seconds.
const FOR_REACHABLE: &str = "20";
const FOR_UNREACHABLE: &str = "1";
/// How long the client's command may take in all.
const LIMIT: Duration = Duration::from_secs(90);

impl OnMachines for Register {
    fn network(state: &State) -> &Network {
        &state.network
    }

    fn give(live: &LiveNetwork<'_>, command: &Command) -> Result<Outcome<Answer>, SystemError> {
        let ids = live.network().ids();
        match command {
            Command::Write { at, value } => return ask(live, at, &["write", &value.to_string()]),
            Command::Read { at } => return ask(live, at, &["read"]),
            Command::Lease { at } => return ask(live, at, &["lease"]),
            Command::Partition { alone } => live.cut(Pairs::isolate(alone.as_str(), &names(&ids)))?,
            Command::OneWay { from, to } => live.cut(Pairs::one_way(&[from.as_str()], &[to.as_str()]))?,
            Command::Heal => live.heal()?,
            Command::PowerCut(id) => live.power_cut(id)?,
            Command::Outage => drop(on_each(&ids, |id| live.power_cut(id))?),
            Command::Boot => {
                let is_off = |id: &&MachineId| live.state(id).is_ok_and(|power| power == Power::Off);
                let off: Vec<_> = ids.iter().filter(is_off).cloned().collect();
                for boot in on_each(&off, |id| live.boot(id))? {
                    if let Boot::Failed(why) = boot {
                        return Ok(Outcome::Answered(Answer::Failed(why)));
                    }
                }
            }
            Command::SetClock(id) => {
                let line = "date -s @$(($(date +%s) - 60)) >/dev/null";
                return Ok(match run(live, id, &remote::Command::new(line))? {
                    Outcome::Answered(_) => Outcome::Answered(Answer::Done),
                    Outcome::Refused(why) => Outcome::Refused(why),
                    Outcome::Unknown(why) => Outcome::Unknown(why),
                });
            }
        }
        Ok(Outcome::Answered(Answer::Done))
    }

    fn runs_on(command: &Command) -> Option<&MachineId> {
        match command {
            Command::Write { at, .. } | Command::Read { at } | Command::Lease { at } => Some(at),
            Command::SetClock(id) => Some(id),
            _ => None,
        }
    }
}

fn names(ids: &[MachineId]) -> Vec<&str> {
    ids.iter().map(MachineId::as_str).collect()
}

/// Does something to several machines side by side.
fn on_each<T: Send>(
    ids: &[MachineId],
    act: impl Fn(&MachineId) -> Result<T, SystemError> + Sync,
) -> Result<Vec<T>, SystemError> {
    thread::scope(|scope| {
        let act = &act;
        let threads: Vec<_> = ids.iter().map(|id| scope.spawn(move || act(id))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

/// Whether a client on the machine can have answers of a majority at this moment. It decides on
/// nothing but how long the client waits for them.
fn reaches_majority(live: &LiveNetwork<'_>, at: &MachineId) -> Result<bool, SystemError> {
    let (ids, fabric) = (live.network().ids(), live.fabric()?);
    let is_cut = |from: &MachineId, to: &MachineId| {
        from != to && fabric.effect(from.as_str(), to.as_str()).is_ok_and(|effect| effect.is_cut())
    };
    let mut reached = 0;
    for id in &ids {
        let is_on = live.state(id)? == Power::Running;
        reached += usize::from(is_on && !is_cut(at, id) && !is_cut(id, at));
    }
    Ok(2 * reached > ids.len())
}

/// Has a client on the machine ask the register, and says what it printed.
fn ask(live: &LiveNetwork<'_>, at: &MachineId, what: &[&str]) -> Result<Outcome<Answer>, SystemError> {
    let patience = if reaches_majority(live, at)? { FOR_REACHABLE } else { FOR_UNREACHABLE };
    let network = live.network();
    let client = service::client(network.machine(at).unwrap(), &[what, &[patience]].concat());
    let said = match run(live, at, &client)? {
        Outcome::Answered(said) => said,
        Outcome::Refused(why) => return Ok(Outcome::Refused(why)),
        Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
    };
    let words: Vec<_> = said.split_whitespace().collect();
    Ok(Outcome::Answered(match words[..] {
        ["stored"] => Answer::Stored,
        ["leased"] => Answer::Leased,
        ["unavailable"] => Answer::Unavailable,
        ["unknown"] => return Ok(Outcome::Unknown("no majority has acknowledged it".to_owned())),
        ["value", value] => Answer::Value(value.parse().unwrap()),
        _ => Answer::Failed(said),
    }))
}

/// What a command on a machine printed that succeeded.
fn run(
    live: &LiveNetwork<'_>,
    id: &MachineId,
    command: &remote::Command,
) -> Result<Outcome<String>, SystemError> {
    let output = match live.attempt(id, &command.clone().limit(LIMIT))? {
        Outcome::Answered(output) => output,
        Outcome::Refused(why) => return Ok(Outcome::Refused(why)),
        Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
    };
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    match output.ending {
        Ending::Exited(0) => Ok(Outcome::Answered(said(&output.stdout))),
        Ending::TimedOut => Ok(Outcome::Unknown(format!("no answer on {id} within {LIMIT:?}"))),
        ending => {
            let why = format!("{command:?} on {id} {ending}: {}", said(&output.stderr));
            Err(SystemError::infrastructure(why))
        }
    }
}
