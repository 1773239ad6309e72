//! Asking a guest what it is made of.

use model::machine::PackageName;
use model::machines::{Facts, Response};
use model::{Machine, MachineId, Outcome};
use remote::{Command, Ending};

use crate::machines::live::{LiveNetwork, unknown};
use crate::system::SystemError;

/// Prints a line for each fact: a key, a space and the value. `/etc/netprop/packages` is part of
/// the guest contract.
const QUESTIONS: &str = r#"
echo "name $(cat /proc/sys/kernel/hostname)"
echo "release $(uname -r)"
while read -r key value unit; do [ "$key" != MemTotal: ] || echo "memory $value"; done </proc/meminfo
while read -r device place type options rest; do
	[ "$place" != /scratch ] || echo "scratch $type $options"
done </proc/mounts
echo "command_line $(cat /proc/cmdline)"
echo "processors $(grep -c '^processor' /proc/cpuinfo)"
echo "clock_source $(cat /sys/devices/system/clocksource/clocksource0/current_clocksource)"
echo "clock_sources $(cat /sys/devices/system/clocksource/clocksource0/available_clocksource)"
echo "mtu $(cat /sys/class/net/eth1/mtu)"
while read -r name version; do echo "package $name $version"; done </etc/netprop/packages
"#;

/// Asks a machine that is on for its facts.
pub(super) fn inspect(live: &LiveNetwork<'_>, id: &MachineId) -> Result<Outcome<Response>, SystemError> {
    let begun = live.live(id)?.status.now();
    let machine = live.network().machine(id).cloned().ok_or_else(|| unknown(id))?;
    let mut script = QUESTIONS.to_owned();
    for path in machine.files.keys() {
        // The path has no signs that the shell would take for its own.
        script.push_str(&format!("[ ! -e {path} ] || echo \"file {path} $(base64 -w 0 {path})\"\n"));
    }
    let output = match live.attempt(id, &Command::new(&script))? {
        Outcome::Answered(output) => output,
        Outcome::Refused(why) => return Ok(Outcome::Refused(why)),
        Outcome::Unknown(why) => return Ok(Outcome::Unknown(why)),
    };
    if begun.sees_restart_until(live.live(id)?.status.now()) {
        return Ok(Outcome::Unknown(format!("{id} was restarted under Inspect")));
    }
    match output.ending {
        Ending::Exited(0) => {
            let text = String::from_utf8_lossy(&output.stdout).into_owned();
            let facts = read(&text, &machine).map_err(|line| {
                SystemError::infrastructure(format!(
                    "machine {id} answered to Inspect what is not understood: {line:?}"
                ))
            })?;
            // A kernel passes over a clock source that it does not have without a word.
            let sources = text.lines().find_map(|line| line.strip_prefix("clock_sources "));
            let offers =
                |source: &str| sources.is_none_or(|all| all.split_whitespace().any(|one| one == source));
            if let Some(source) = machine.clock_source.as_ref().filter(|source| !offers(source.as_str())) {
                let why = format!(
                    "the guest's kernel has no clock source {source}, only {}",
                    sources.unwrap_or_default()
                );
                return Err(live.shared.lab.configurations().not_booted(&machine, &why));
            }
            Ok(Outcome::Answered(Response::Inspected(Box::new(facts))))
        }
        Ending::TimedOut | Ending::ConnectionLost => {
            Ok(Outcome::Unknown(format!("Inspect of {id}: {}", output.ending)))
        }
        ending => {
            let said = String::from_utf8_lossy(&output.stderr);
            Ok(Outcome::Answered(Response::Failed(format!("{ending}: {}", said.trim()))))
        }
    }
}

/// Reads what [`QUESTIONS`] prints; the error is a line that it never prints.
fn read(text: &str, machine: &Machine) -> Result<Facts, String> {
    let mut facts = Facts::default();
    for line in text.lines() {
        read_line(&mut facts, line, machine).ok_or_else(|| line.to_owned())?;
    }
    Ok(facts)
}

fn read_line(facts: &mut Facts, line: &str, machine: &Machine) -> Option<()> {
    let (key, value) = line.split_once(' ')?;
    match key {
        "name" => value.clone_into(&mut facts.name),
        "release" => value.clone_into(&mut facts.release),
        "memory" => facts.memory = value.parse().ok()?,
        "scratch" => {
            let (file_system, options) = value.split_once(' ')?;
            file_system.clone_into(&mut facts.file_system);
            facts.mount_options = options.split(',').map(str::to_owned).collect();
        }
        "command_line" => facts.command_line = value.split_whitespace().map(str::to_owned).collect(),
        "processors" => facts.processors = value.parse().ok()?,
        "clock_source" => value.clone_into(&mut facts.clock_source),
        "clock_sources" => {}
        "mtu" => facts.mtu = value.parse().ok()?,
        "package" => {
            let (name, version) = value.split_once(' ')?;
            let name = PackageName::new(name).ok()?;
            if machine.packages.contains_key(&name) {
                facts.packages.insert(name, version.to_owned());
            }
        }
        "file" => {
            let (path, content) = value.split_once(' ')?;
            let content = data_encoding::BASE64.decode(content.as_bytes()).ok()?;
            facts.files.insert(path.to_owned(), String::from_utf8_lossy(&content).into_owned());
        }
        _ => return None,
    }
    Some(())
}
