//! Configurations of NixOS, evaluated with whole and real trees of nixpkgs: nothing is
//! built, which takes a network.

use std::collections::BTreeSet;
use std::time::Instant;

use crate::support::{Place, Result, Tree, have_nix, trees};
use model::machine::ParameterName;
use model::parameter::Value as Choice;
use model::{
    KernelVersion, Machine, Network, NetworkParameters, PackageName, PackageVersion, Parameter, Setting,
};
use nixgen::{NixosOptions, UserModule};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::{Value, json};

/// How many networks are generated for each release.
const NETWORKS: usize = 100;

/// A user's module that makes a file and a service of what it is told of its machine.
const MODULE: &str = r#"
{ machine, pkgs, ... }: {
  environment.etc."note".text = "${machine.parameters.note} on ${machine.kernel}";
  systemd.services.noter = { wantedBy = [ "multi-user.target" ]; script = "cat /etc/note"; };
}
"#;

/// What is looked at of an image and its configuration.
const LOOK: &str = r#"image: let c = image.config; ssh = c.services.openssh; in {
  drv = image.drvPath;
  commandLine = image.commandLine;
  kernel = c.boot.kernelPackages.kernel.version;
  packages = map (package: package.name) c.environment.systemPackages;
  rootLogin = ssh.settings.PermitRootLogin or ssh.permitRootLogin;
  password = ssh.settings.PasswordAuthentication or ssh.passwordAuthentication;
  hostKeys = ssh.hostKeys;
  hostKey = builtins.match ".*HostKey /run/netprop/ssh_host_ed25519_key.*" ssh.extraConfig != null;
  socket = c.systemd.sockets.sshd.wantedBy;
  keys = c.users.users.root.openssh.authorizedKeys.keys;
  dhcp = c.networking.useDHCP;
  firewall = c.networking.firewall.enable;
  eth0 = map (a: "${a.address}/${toString a.prefixLength}") c.networking.interfaces.eth0.ipv4.addresses;
  store = c.fileSystems."/nix/store".device;
  storeType = c.fileSystems."/nix/store".fsType;
  root = c.fileSystems."/".fsType;
  identity = c.systemd.services.netprop-identity.serviceConfig.Type;
  note = c.environment.etc.note.text;
  noter = c.systemd.services.noter.wantedBy;
  warnings = c.warnings;
}"#;

/// Networks whose machines have one of two kernels, one package or not, and one of two notes: eight
/// different softwares, and memory and file systems that are no software.
fn networks(kernels: Vec<KernelVersion>) -> Result<Vec<Network>> {
    let htop = PackageName::new("htop")?;
    let note =
        |text: &str| Choice::new(text, Setting::Own(ParameterName::new("note").unwrap(), text.to_owned()));
    let parameters = NetworkParameters::new(kernels)?
        .with(Parameter::package(&htop, [None, Some(PackageVersion::Newest)])?)
        .with(Parameter::new("note", vec![note("plain"), note("a \"${quoted}\" one")])?);
    let strategy = parameters.strategy()?;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let network = |_| Ok(strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current());
    (0..NETWORKS).map(network).collect()
}

/// Whether the configuration is what the machine asks for.
fn check(machine: &Machine, found: &Value, release: &str) {
    let context = format!("{release}, machine {}, of {machine:?}: {found}", machine.id);
    let kernel = found["kernel"].as_str().unwrap();
    assert!(machine.kernel.matches(kernel), "{context}");
    let packages: Vec<_> = found["packages"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    let has = |name: &str| packages.iter().any(|package| package.starts_with(&format!("{name}-")));
    assert!(has("fping") && has("xfsprogs"), "{context}");
    assert_eq!(has("htop"), machine.packages.keys().any(|name| name.as_str() == "htop"), "{context}");
    let note = machine.parameters.values().next().unwrap();
    assert_eq!(found["note"], json!(format!("{note} on {}", machine.kernel)), "{context}");
    assert_eq!(found["noter"], json!(["multi-user.target"]), "{context}");
}

/// What is so for every machine.
fn check_common(found: &Value, release: &str) {
    let context = format!("{release}: {found}");
    for (name, expected) in [
        ("rootLogin", json!("prohibit-password")),
        ("password", json!(false)),
        ("hostKeys", json!([])),
        ("hostKey", json!(true)),
        ("socket", json!([])),
        ("dhcp", json!(false)),
        ("firewall", json!(false)),
        ("eth0", json!(["169.254.77.15/24"])),
        ("store", json!("/dev/vda")),
        ("root", json!("tmpfs")),
        ("identity", json!("notify")),
        ("warnings", json!([])),
        ("keys", json!([include_str!("../../../test-keys/id_ed25519.pub").trim()])),
    ] {
        assert_eq!(found[name], expected, "{name}: {context}");
    }
    let old = release < "21.05";
    assert_eq!(found["storeType"], if old { json!("squashfs") } else { json!("erofs") }, "{context}");
    let line = found["commandLine"].as_str().unwrap();
    let words: BTreeSet<_> = line.split(' ').collect();
    for word in ["console=ttyS0", "quiet", "panic=-1", "net.ifnames=0"] {
        assert!(words.contains(word), "{word}: {line}");
    }
    assert!(line.contains(" init=/") && line.ends_with("/init"), "{line}");
    assert!(found["drv"].as_str().unwrap().ends_with(".drv"), "{context}");
}

fn evaluate_networks(tree: &Tree) -> Result {
    let place = Place::new()?;
    let module = UserModule { machine: None, path: place.file("module.nix", MODULE)? };
    let builder = place.builder(tree, NixosOptions { modules: vec![module], ..NixosOptions::default() })?;
    let offered = builder.offer()?.kernels;
    let ends = [offered.first(), offered.last()];
    let networks = networks(ends.into_iter().flatten().cloned().collect())?;
    let expression = builder.expression(&networks)?;
    let images: BTreeSet<_> = expression.images.iter().copied().collect();
    let text = format!(
        "let look = {LOOK}; all = {}; in map (n: look (builtins.elemAt all n)) [ {} ]",
        expression.text,
        images.iter().map(ToString::to_string).collect::<Vec<_>>().join(" "),
    );
    let start = Instant::now();
    let found = place.evaluate(&text)?;
    let seconds = start.elapsed().as_secs_f64();
    let machines: Vec<_> = networks.iter().flat_map(Network::machines).collect();
    assert_eq!(machines.len(), expression.images.len());
    for (machine, image) in machines.iter().zip(&expression.images) {
        check(machine, &found[image], &tree.release);
    }
    images.iter().for_each(|&image| check_common(&found[image], &tree.release));
    let derivations: BTreeSet<_> = images.iter().map(|&image| found[image]["drv"].as_str()).collect();
    assert_eq!(derivations.len(), images.len(), "different software is different derivations");
    eprintln!(
        "nixpkgs {}: {NETWORKS} networks of {} machines, {} different images, kernels {} and {} of {}: one evaluation of {seconds:.1} s",
        tree.release,
        machines.len(),
        images.len(),
        ends[0].unwrap(),
        ends[1].unwrap(),
        offered.len(),
    );
    Ok(())
}

#[test]
fn a_hundred_networks_evaluate_in_each_release() -> Result {
    if !have_nix() {
        return Ok(());
    }
    trees().iter().try_for_each(evaluate_networks)
}
