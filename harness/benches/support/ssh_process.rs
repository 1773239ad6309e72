//! A process of `ssh` for each command, as the original has it.

use std::error::Error;
use std::process::{Command, Stdio};

use harness::remote::Target;

/// Runs a command by a process of its own; an error where it does not succeed.
pub(crate) fn run(target: &Target, line: &str) -> Result<(), Box<dyn Error + Send + Sync>> {
    let status = Command::new("ssh")
        .arg("-i")
        .arg(&target.private_key)
        .args(["-p", &target.address.port().to_string(), "-l", &target.user])
        .args(["-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
        .args(["-o", "ConnectTimeout=1", "-o", "LogLevel=ERROR"])
        .arg(target.address.ip().to_string())
        .arg(line)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("ssh ended with {status}").into()) }
}
