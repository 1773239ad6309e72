//! What a machine is told of itself when it boots, and the host key of a network.

use std::fmt::{Display, Write as _};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use data_encoding::BASE64;
use model::machine::{Mtu, OptionWord};
use model::{Machine, Network};
use remote::HostKey;
use ssh_key::private::Ed25519Keypair;
use ssh_key::{LineEnding, PrivateKey};
use uuid::Uuid;

/// The SSH host key that all machines of one network have, and no other network.
pub struct NetworkKey {
    /// The private half, in OpenSSH's format.
    private: String,
    /// The public half, for whoever connects.
    pub public: HostKey,
}

impl NetworkKey {
    /// A key that was never used before.
    ///
    /// # Errors
    /// What the libraries say where they cannot write a key that they made.
    pub fn generate() -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let mut seed = [0; 32];
        seed[..16].copy_from_slice(Uuid::new_v4().as_bytes());
        seed[16..].copy_from_slice(Uuid::new_v4().as_bytes());
        let key = PrivateKey::from(Ed25519Keypair::from_seed(&seed));
        let private = key.to_openssh(LineEnding::LF)?.to_string();
        Ok(Self { private, public: key.public_key().to_openssh()?.parse()? })
    }
}

/// What a guest is told behind the word `resumed`, by the same contract: the time, and a seed.
#[must_use]
pub fn resumed() -> String {
    format!("{} {}", now(), Uuid::new_v4().simple())
}

/// Seconds since 1970, to the nearest.
fn now() -> u64 {
    let half = Duration::from_millis(500);
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| (since + half).as_secs())
}

/// The lines of the guest contract that give a machine its identity (`nix/guest/README.md`).
#[must_use]
pub fn lines(network: &Network, machine: &Machine, key: &NetworkKey) -> String {
    let mut moment = String::new();
    writeln!(moment, "clock={}\nseed={}", now(), Uuid::new_v4().simple()).ok();
    text(network, machine, key, &moment)
}

/// The same for a guest that was told the time and given a seed by [`resumed`].
#[must_use]
pub fn lines_when_resumed(network: &Network, machine: &Machine, key: &NetworkKey) -> String {
    text(network, machine, key, "")
}

fn text(network: &Network, machine: &Machine, key: &NetworkKey, moment: &str) -> String {
    let mut text = format!("netprop-identity 1\n{moment}");
    let mut line = |name: &str, value: &dyn Display| {
        writeln!(text, "{name}={value}").ok();
    };
    line("name", &machine.id);
    line("uuid", &machine.uuid);
    line("address", &machine.address);
    line("prefix", &network.subnet().prefix_len());
    line("file_system", &machine.file_system);
    line("host_key", &BASE64.encode(key.private.as_bytes()));
    line("mac", &nixgen::mac(machine.address));
    for machine in network.machines() {
        line("host", &format_args!("{} {}", machine.address, machine.id));
    }
    own(&mut line, machine);
    text.push_str("end\n");
    text
}

/// What few machines have, and what is the guest's default elsewhere.
fn own(line: &mut dyn FnMut(&str, &dyn Display), machine: &Machine) {
    if machine.mtu != Mtu::default() {
        line("mtu", &machine.mtu);
    }
    if !machine.mount_options.is_empty() {
        let options: Vec<_> = machine.mount_options.iter().map(OptionWord::as_str).collect();
        line("mount_options", &options.join(","));
    }
    for (name, value) in &machine.parameters {
        // The guest keeps them in lines.
        line("parameter", &format_args!("{name} {}", value.replace(['\n', '\r'], " ")));
    }
    for (path, content) in &machine.files {
        line("file", &format_args!("{path} {}\n{content}", content.len()));
    }
    for (name, service) in &machine.services {
        line("service", &format_args!("{name} {}", BASE64.encode(service.command.as_bytes())));
        if let Some(ready) = &service.ready {
            line("service_ready", &format_args!("{name} {}", BASE64.encode(ready.as_bytes())));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_identity_names_all_that_the_contract_asks_for() {
        let network: Network = serde_json::from_str(
            r#"{ "machines": [ { "id": "a", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a01",
                 "address": "172.16.2.2", "kernel": "6.1", "memory": 96, "file_system": "xfs" } ] }"#,
        )
        .unwrap();
        let key = NetworkKey::generate().unwrap();
        let text = lines(&network, &network.machines()[0], &key);
        assert!(text.starts_with("netprop-identity 1\nclock="), "{text}");
        assert!(text.contains("\nname=a\nuuid=b9d1ee3a-"), "{text}");
        assert!(text.contains("\nmac=52:54:00:10:02:02\n"), "{text}");
        let resumed = lines_when_resumed(&network, &network.machines()[0], &key);
        assert!(text.ends_with(resumed.strip_prefix("netprop-identity 1").unwrap()), "{text}");
        assert!(text.contains("\naddress=172.16.2.2\nprefix=24\nfile_system=xfs\nhost_key="), "{text}");
        assert!(text.ends_with("\nhost=172.16.2.2 a\nend\n"), "{text}");
        assert!(text.lines().all(|line| line == "end" || line.contains(['=', ' '])), "{text}");
    }

    #[test]
    fn what_a_machine_has_of_its_own_is_told_between() {
        let network: Network = serde_json::from_str(
            r#"{ "machines": [ { "id": "a", "uuid": "b9d1ee3a-55b1-4a1c-9d9b-0d9e5c7c0a01",
                 "address": "172.16.2.2", "kernel": "6.1", "memory": 96, "file_system": "xfs",
                 "mount_options": ["noatime", "logbufs=8"], "mtu": 1400, "parameters": { "p": "v w" },
                 "files": { "/etc/x": "two\nlines ä" },
                 "services": { "s": { "command": "sleep 1", "ready": "true" } } } ] }"#,
        )
        .unwrap();
        let text = lines(&network, &network.machines()[0], &NetworkKey::generate().unwrap());
        let own = "mtu=1400\nmount_options=noatime,logbufs=8\nparameter=p v w\nfile=/etc/x 12\ntwo\nlines ä\n\
                   service=s c2xlZXAgMQ==\nservice_ready=s dHJ1ZQ==\nend\n";
        assert!(text.ends_with(own), "{text}");
    }

    #[test]
    fn every_network_has_a_key_of_its_own() {
        let [one, other] = [NetworkKey::generate().unwrap(), NetworkKey::generate().unwrap()];
        assert_ne!(one.public.to_string(), other.public.to_string());
    }
}
