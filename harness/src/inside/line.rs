//! What can be typed inside a case.

use clap::{Parser, Subcommand};
use model::MachineId;

/// A line that was understood.
#[derive(Debug, Parser)]
#[command(multicall = true, disable_help_flag = true)]
pub(super) struct Typed {
    #[command(subcommand)]
    pub(super) line: Line,
}

#[derive(Debug, Subcommand)]
#[command(subcommand_help_heading = "Lines", subcommand_value_name = "LINE", disable_help_flag = true)]
pub(super) enum Line {
    /// Give the next command of the case, or so many; an empty line gives one
    #[command(visible_alias = "n")]
    Next {
        /// How many
        #[arg(default_value_t = 1)]
        count: usize,
    },
    /// Show what comes next in the case
    Case,
    /// Show the model's state beside the machines'
    #[command(visible_alias = "s")]
    State,
    /// Give any command of the specification, in JSON as replay files have it; the model follows
    Give {
        /// The command
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    /// Open a shell on a machine, or run a command there
    Ssh {
        /// The machine
        machine: MachineId,
        /// The command
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        command: Vec<String>,
    },
    #[command(flatten)]
    Hands(Hands),
    /// End it
    #[command(visible_aliases = ["quit", "exit", "q"])]
    Leave,
}

/// What is done to machines by hand. The model does not know of it.
#[derive(Debug, Subcommand)]
pub(super) enum Hands {
    /// Show the end of what a machine's console said
    Console {
        /// The machine
        machine: MachineId,
    },
    /// Switch a machine on and wait until it serves SSH
    Boot {
        /// The machine
        machine: MachineId,
    },
    /// Cut a machine's power
    PowerCut {
        /// The machine
        machine: MachineId,
    },
    /// Press a machine's power button and wait until it is off
    ShutDown {
        /// The machine
        machine: MachineId,
    },
    /// Have a machine stand still
    Pause {
        /// The machine
        machine: MachineId,
    },
    /// Let a machine go on that stands still
    Resume {
        /// The machine
        machine: MachineId,
    },
    /// Let nothing pass between two machines
    Cut {
        /// From whom
        from: MachineId,
        /// To whom
        to: MachineId,
        /// Leave the way back open
        #[arg(long)]
        one_way: bool,
    },
    /// Take back all that was done to the network
    Heal,
    /// Print the network in JSON, as `netprop shell` reads it
    Network,
}

impl Hands {
    /// Whether it changes anything.
    pub(super) fn changes(&self) -> bool {
        !matches!(self, Self::Console { .. } | Self::Network)
    }
}

impl Typed {
    /// Understands a line; gives what is to be shown where it is none, or asks for help.
    pub(super) fn parse(line: &str) -> Result<Self, String> {
        let line = line.trim();
        // JSON has quotes of its own, which a shell's words would lose.
        let words = match line.split_once(char::is_whitespace) {
            Some(("give", json)) => vec!["give".to_owned(), json.trim().to_owned()],
            _ if line.is_empty() => vec!["next".to_owned()],
            _ => shlex::split(line).ok_or("error: a quote is not closed\n")?,
        };
        Self::try_parse_from(words).map_err(|error| error.render().to_string())
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_definition_is_sound() {
        Typed::command().debug_assert();
    }

    #[test]
    fn lines_are_understood_or_told_apart() {
        assert!(matches!(Typed::parse("").unwrap().line, Line::Next { count: 1 }));
        assert!(matches!(Typed::parse("n 3").unwrap().line, Line::Next { count: 3 }));
        let Line::Give { command } =
            Typed::parse(r#"give {"ping": {"from": "a", "to": "b c"}}"#).unwrap().line
        else {
            unreachable!("it says give")
        };
        assert_eq!(command, [r#"{"ping": {"from": "a", "to": "b c"}}"#]);
        let Line::Ssh { command, .. } = Typed::parse("ssh a ls -l 'a b'").unwrap().line else {
            unreachable!("it says ssh")
        };
        assert_eq!(command, ["ls", "-l", "a b"]);
        for wrong in ["nxt", "ssh", "cut a", "boot 'a", "next -1", "boot A!"] {
            let said = Typed::parse(wrong).unwrap_err();
            assert!(said.starts_with("error: "), "{wrong}: {said}");
        }
        assert!(Typed::parse("help").unwrap_err().contains("power-cut"));
    }
}
