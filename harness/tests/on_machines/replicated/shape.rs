//! How a case looks, whatever its machines are called.

use harness::Case;

use super::specification::{Command, Register};

/// All commands, the final ones too, with machines named by the order of their first use: a, b, c.
pub(crate) fn shape(case: &Case<Register>) -> String {
    let mut names = Vec::new();
    let mut name = |id: &harness::model::MachineId| {
        let index = names.iter().position(|known| known == id).unwrap_or_else(|| {
            names.push(id.clone());
            names.len() - 1
        });
        char::from(b'a' + u8::try_from(index).unwrap())
    };
    let mut show = |command: &Command| match command {
        Command::Write { at, value } => format!("Write {} {value}", name(at)),
        Command::Read { at } | Command::Lease { at } => format!("{} {}", kind(command), name(at)),
        Command::Partition { alone } => format!("Partition {}", name(alone)),
        Command::OneWay { from, to } => format!("OneWay {} {}", name(from), name(to)),
        Command::PowerCut(id) | Command::SetClock(id) => format!("{} {}", kind(command), name(id)),
        Command::Heal | Command::Outage | Command::Boot => kind(command),
    };
    case.commands.iter().chain(&case.finally).map(&mut show).collect::<Vec<_>>().join(", ")
}

/// The name of a command alone.
fn kind(command: &Command) -> String {
    format!("{command:?}").chars().take_while(|letter| letter.is_alphanumeric()).collect()
}
