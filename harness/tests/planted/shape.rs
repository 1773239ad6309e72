//! How the smallest cases of machines look, whatever their machines are called.

use harness::Model;
use model::Case;
use model::machines::Command;

/// The commands with machines named by the order of their first use: a, b, …; the lanes, if there
/// are any, behind a colon, with `||` between them.
pub(crate) fn shape(case: &Case<impl Model<Command = Command>>) -> String {
    let mut names: Vec<String> = Vec::new();
    let mut name = |id: &dyn ToString| {
        let id = id.to_string();
        let index = names.iter().position(|known| *known == id).unwrap_or_else(|| {
            names.push(id);
            names.len() - 1
        });
        char::from(b'a' + u8::try_from(index).unwrap())
    };
    let mut show = |command: &Command| match command {
        Command::Boot(id) => format!("Boot {}", name(id)),
        Command::Shutdown(id) => format!("Shutdown {}", name(id)),
        Command::Ping { from, to } => format!("Ping {} {}", name(from), name(to)),
        Command::Inspect(id) => format!("Inspect {}", name(id)),
        Command::Upgrade { machine, to } => format!("Upgrade {} {to}", name(machine)),
        Command::Downgrade { machine, to } => format!("Downgrade {} {to}", name(machine)),
    };
    let mut list = |commands: &[Command]| commands.iter().map(&mut show).collect::<Vec<_>>().join(", ");
    let prefix = list(&case.commands);
    let lanes: Vec<_> = case.lanes.iter().map(|lane| list(lane)).collect();
    if lanes.is_empty() { prefix } else { format!("{prefix}: {}", lanes.join(" || ")) }
}
