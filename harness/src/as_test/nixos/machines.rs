//! The commands of [`MachineSpec`](model::MachineSpec) in a script.

use model::machines::Command;
use model::{Machine, MachineId, Network};
use sha2::{Digest as _, Sha256};

use super::guests::Guests;
use super::literal::python;
use super::nodes::memory;
use super::script::{Step, booted};

/// So many seconds an answer is waited for that has to come, and one that must not.
const ANSWERED: u32 = 12;
const SILENT: u32 = 3;

/// What a command is on these guests, in the state before it.
pub fn step(guests: &Guests, network: &Network, command: &Command) -> Step {
    match command {
        Command::Boot(id) => boot(guests, id),
        Command::Shutdown(id) => Step::line(format!("{}.crash()", guests.name(id))),
        Command::Ping { from, to } => ping(guests, from, to, Some(network.is_running(to))),
        Command::Inspect(id) => {
            let machine = guests.find(id).and_then(|guest| guest.machine.as_ref());
            Step {
                lines: machine.map(|machine| inspect(guests, machine)).unwrap_or_default(),
                left_out: None,
            }
        }
        Command::Upgrade { .. } | Command::Downgrade { .. } => {
            Step::left_out("a machine of the driver boots the one configuration that it has")
        }
    }
}

/// Switches a machine on and waits until it serves.
pub(super) fn boot(guests: &Guests, id: &MachineId) -> Step {
    Step { lines: guests.find(id).map(booted).unwrap_or_default(), left_out: None }
}

/// A ping whose answer is known, or is only printed.
pub(super) fn ping(guests: &Guests, from: &MachineId, to: &MachineId, is_answered: Option<bool>) -> Step {
    let (not, seconds) = match is_answered {
        Some(false) => ("not ", SILENT),
        _ => ("", ANSWERED),
    };
    let ping = format!("ping({}, {}, {seconds})", guests.name(from), python(&guests.address(to)));
    Step::line(match is_answered {
        Some(_) => format!("assert {not}{ping}"),
        None => format!("print(\"answered:\", {ping})"),
    })
}

/// Asks a machine what it is made of, as far as the test gave it that.
fn inspect(guests: &Guests, machine: &Machine) -> Vec<String> {
    let name = guests.name(&machine.id);
    let says = |line: &str, what: &str| {
        format!("assert {name}.succeed({}).strip() == {}", python(line), python(what))
    };
    let most = memory(machine) * 1024;
    let mut lines = vec![
        says("cat /proc/sys/kernel/hostname", name),
        // nixpkgs may not have had the line.
        format!("print({name}.succeed(\"uname -r\"))"),
        format!(
            "assert {} <= int({name}.succeed(\"grep MemTotal /proc/meminfo\").split()[1]) <= {most}",
            most / 2
        ),
        says("findmnt -n -o FSTYPE /scratch", machine.file_system.as_str()),
        // A default among them is not printed.
        format!("print({name}.succeed(\"findmnt -n -o OPTIONS /scratch\"))"),
        says("nproc", &machine.processors.to_string()),
        says("cat /sys/class/net/eth1/mtu", &machine.mtu.to_string()),
    ];
    let clock = "cat /sys/devices/system/clocksource/clocksource0/current_clocksource";
    lines.extend(machine.clock_source.iter().map(|source| says(clock, source.as_str())));
    for (parameter, value) in &machine.kernel_parameters {
        let word =
            if value.as_str().is_empty() { parameter.to_string() } else { format!("{parameter}={value}") };
        lines.push(format!("assert {} in {name}.succeed(\"cat /proc/cmdline\").split()", python(&word)));
    }
    let files = machine.files.iter().filter(|(_, content)| !content.contains('\0'));
    lines.extend(files.map(|(path, content)| {
        let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(content));
        says(&format!("sha256sum {path}"), &format!("{digest}  {path}"))
    }));
    lines
}
