//! The `ssh` program for machines, for a person who wants a shell there.

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::command::quote;
use crate::target::Target;

/// Why there is no `ssh` for machines.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClientError {
    /// It is not installed.
    #[error("found no program ssh: install the OpenSSH client")]
    Missing(#[source] which::Error),
    /// What it is to know of machines cannot be written.
    #[error("could not write {path} for ssh: {source}: check that there is room, and that you may", path = path.display())]
    File {
        /// What was to be written.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Starts OpenSSH's client as [`Session`](crate::Session) logs in: with the same key, to machines that prove
/// themselves by the same host keys. Nothing of the user's own configuration counts, and nothing is added
/// to it. What it needs lies in a temporary directory that goes with this value.
///
/// ```no_run
/// # fn example(target: remote::Target) -> Result<(), Box<dyn std::error::Error>> {
/// let client = remote::Client::find()?;
/// client.know([("a", target)])?;
/// println!("in another terminal: {}", client.command_line("a"));
/// client.command("a").arg("uname -r").status()?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Client {
    program: PathBuf,
    directory: TempDir,
}

impl Client {
    /// Looks for the program.
    ///
    /// # Errors
    /// [`ClientError`] where it is not there, or there is no room for a directory.
    pub fn find() -> Result<Self, ClientError> {
        let program = which::which("ssh").map_err(ClientError::Missing)?;
        let directory = TempDir::with_prefix("netprop-ssh-")
            .map_err(|source| ClientError::File { path: std::env::temp_dir(), source })?;
        Ok(Self { program, directory })
    }

    /// Has it know these machines by their names, and no others.
    ///
    /// # Errors
    /// [`ClientError::File`].
    pub fn know<'a>(&self, machines: impl IntoIterator<Item = (&'a str, Target)>) -> Result<(), ClientError> {
        let known_hosts = self.directory.path().join("known_hosts");
        let (mut config, mut known) = (String::new(), String::new());
        for (name, Target { address, user, private_key, host_key }) in machines {
            let (ip, port) = (address.ip(), address.port());
            writeln!(config, "Host {name}\n  HostName {ip}\n  Port {port}\n  User {user}").ok();
            writeln!(config, "  IdentityFile \"{}\"\n  HostKeyAlias {name}", private_key.display()).ok();
            writeln!(known, "{name} {host_key}").ok();
        }
        writeln!(config, "Host *\n  UserKnownHostsFile \"{}\"", known_hosts.display()).ok();
        config.push_str("  IdentitiesOnly yes\n  StrictHostKeyChecking yes\n  LogLevel ERROR\n");
        for (path, text) in [(known_hosts, known), (self.config(), config)] {
            fs::write(&path, text).map_err(|source| ClientError::File { path, source })?;
        }
        Ok(())
    }

    fn config(&self) -> PathBuf {
        self.directory.path().join("config")
    }

    /// The command that logs in to a machine that it knows; words that are added to it are run there in the
    /// place of a shell. Whoever starts it sees to its end.
    #[must_use]
    pub fn command(&self, machine: &str) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("-F").arg(self.config()).arg(machine);
        command
    }

    /// The same as a line for a shell, such as another terminal's.
    #[must_use]
    pub fn command_line(&self, machine: &str) -> String {
        format!("ssh -F {} {machine}", quote(&self.config().to_string_lossy()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_knows_machines_by_their_keys_alone() {
        let host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAILM+rvN+ot98qgEN796jTiQfZfG1KaT0PtFDJ/XFSqti";
        let target = Target {
            address: ([127, 0, 0, 1], 2222).into(),
            user: "root".to_owned(),
            private_key: "/keys/a test".into(),
            host_key: host_key.parse().unwrap(),
        };
        let client = Client { program: "ssh".into(), directory: TempDir::new().unwrap() };
        client.know([("a", target)]).unwrap();
        let known_hosts = client.directory.path().join("known_hosts");
        assert_eq!(fs::read_to_string(&known_hosts).unwrap(), format!("a {host_key}\n"));
        let config = fs::read_to_string(client.config()).unwrap();
        let begin =
            "Host a\n  HostName 127.0.0.1\n  Port 2222\n  User root\n  IdentityFile \"/keys/a test\"\n";
        assert!(config.starts_with(begin), "{config}");
        assert!(client.command_line("a").ends_with("/config a"));
        drop(client);
        assert!(!known_hosts.exists());
    }
}
