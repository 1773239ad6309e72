//! What a person does to machines by hand, and sees of them.

use std::fmt::Write as _;
use std::io::{self, IsTerminal as _};
use std::process::Stdio;

use hypervisor::State;
use hypervisor::fabric::Pairs;
use model::MachineId;
use remote::Client;

use super::line::Hands;
use super::wrong;
use crate::machines::LiveNetwork;
use crate::machines::live::Boot;
use crate::system::SystemError;

/// Does it, and says what came of it.
pub(super) fn act(live: &LiveNetwork<'_>, hands: &Hands) -> Result<String, SystemError> {
    match hands {
        Hands::Console { machine } => return Ok(shown(&live.console(machine)?)),
        Hands::Network => return network(live),
        Hands::Boot { machine } => match live.boot(machine)? {
            Boot::Ready(took) => return Ok(format!("ready after {:.1} s\n", took.as_secs_f64())),
            Boot::Failed(why) => return Ok(format!("it did not boot: {why}\n")),
        },
        Hands::PowerCut { machine } => live.power_cut(machine)?,
        Hands::ShutDown { machine } => live.shut_down(machine)?,
        Hands::Pause { machine } => live.pause(machine)?,
        Hands::Resume { machine } => live.resume(machine)?,
        Hands::Cut { from, to, one_way } => {
            let (from, to) = (&[from.as_str()], &[to.as_str()]);
            live.cut(if *one_way { Pairs::one_way(from, to) } else { Pairs::between(from, to) })?;
        }
        Hands::Heal => live.heal()?,
    }
    Ok("done\n".to_owned())
}

/// Runs `ssh` for a machine, which has the terminal until it ends.
pub(super) fn ssh(
    live: &LiveNetwork<'_>,
    client: &mut Option<Client>,
    machine: &MachineId,
    words: &[String],
) -> Result<String, SystemError> {
    let state = live.state(machine)?;
    if state != State::Running {
        return Err(wrong(format!("{machine} is {state}")));
    }
    let mut command = knowing(client, live)?.command(machine.as_str());
    if io::stdin().is_terminal() {
        // What runs there gets Ctrl-C, and not we.
        command.arg("-t");
    } else {
        // The lines that follow are ours.
        command.stdin(Stdio::null());
    }
    let status = command.args(words).status().map_err(|error| {
        SystemError::infrastructure(format!("could not start ssh to {machine}: {error}: check that it runs"))
    })?;
    Ok(if status.success() { String::new() } else { format!("ssh ended with {status}\n") })
}

/// A line for each machine, with how it is reached from another terminal, and one for each way that is not
/// open as it should be.
pub(super) fn machines(live: &LiveNetwork<'_>, client: &mut Option<Client>) -> Result<String, SystemError> {
    let (network, mut text) = (live.network(), String::new());
    // Without the program there is still much to see.
    let client = knowing(client, live).ok();
    for machine in network.machines() {
        let (id, state) = (&machine.id, live.state(&machine.id)?);
        let reach = client.filter(|_| state == State::Running).map(|client| client.command_line(id.as_str()));
        writeln!(text, "{id}  {}  {state}  {}", machine.address, reach.unwrap_or_default()).ok();
    }
    let Ok(fabric) = live.fabric() else { return Ok(text) };
    let ids = network.ids();
    for (from, to) in ids.iter().flat_map(|from| ids.iter().map(move |to| (from, to))) {
        let effect = fabric.effect(from.as_str(), to.as_str());
        let effect = effect.map_err(|error| SystemError::WrongUse(Box::new(error)))?;
        if from != to && !effect.is_none() {
            writeln!(text, "{from} -> {to}  {effect}").ok();
        }
    }
    Ok(text)
}

fn network(live: &LiveNetwork<'_>) -> Result<String, SystemError> {
    let text = serde_json::to_string_pretty(&*live.network()).map_err(SystemError::infrastructure)?;
    Ok(text + "\n")
}

/// The program, looked for once, that knows where each machine is by now.
fn knowing<'c>(client: &'c mut Option<Client>, live: &LiveNetwork<'_>) -> Result<&'c Client, SystemError> {
    let found = match client.take() {
        Some(client) => client,
        None => Client::find().map_err(|error| SystemError::MissingComponent(Box::new(error)))?,
    };
    let client = client.insert(found);
    let network = live.network();
    let ids = network.machines().iter().map(|machine| &machine.id);
    let targets =
        ids.map(|id| Ok((id.as_str(), live.target(id)?))).collect::<Result<Vec<_>, SystemError>>()?;
    client.know(targets).map_err(SystemError::infrastructure)?;
    Ok(client)
}

/// Text of a guest without what would change the terminal.
fn shown(console: &str) -> String {
    let is_plain = |character: &char| !character.is_control() || matches!(character, '\n' | '\t');
    let mut text: String = console.chars().filter(is_plain).collect();
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text
}
