//! Configurations of NixOS, evaluated with whole and real trees of nixpkgs: `NETPROP_TEST_NIXPKGS` names
//! them, as `RELEASE=DIRECTORY` with colons between. Nothing is built: that takes a network.
//!
//! Where it is not set, this says so loudly, and the wiring alone is tested, with the small stand-in
//! for nixpkgs in `stand-in-nixpkgs`.
#![expect(clippy::unwrap_used, reason = "these are helpers of tests")]

#[path = "nixos/mod.rs"]
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::time::Instant;

use model::{
    FileSystem, KernelVersion, Machine, Network, NetworkParameters, PackageName, PackageVersion, Parameter, Setting,
    Value as Choice,
};
use nixgen::{BaseChoice, Builder, NixosStore, NixpkgsSource, UserModule};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};
use serde_json::Value;
use support::{Place, Result, Tree, trees};

/// How many networks are generated for each release.
const NETWORKS: usize = 100;
/// What of an image's configuration is looked at.
const LOOK: &str = "image: let c = image.config; in {
  drv = image.drvPath;
  kernel = c.boot.kernelPackages.kernel.version;
  packages = map (p: p.name) c.environment.systemPackages;
  ssh = {
    inherit (c.services.openssh) enable hostKeys;
    text = c.services.openssh.extraConfig;
    root = c.services.openssh.settings.PermitRootLogin or c.services.openssh.permitRootLogin;
    password = c.services.openssh.settings.PasswordAuthentication or c.services.openssh.passwordAuthentication;
  };
  dhcp = c.networking.useDHCP;
  firewall = c.networking.firewall.enable;
  eth0 = map (a: { inherit (a) address prefixLength; }) c.networking.interfaces.eth0.ipv4.addresses;
  parameters = c.boot.kernelParams;
  commandLine = image.commandLine;
  fileSystems = builtins.mapAttrs (_: f: { inherit (f) device fsType; }) c.fileSystems;
  keys = c.users.users.root.openssh.authorizedKeys.keys;
  identity = c.systemd.services.netprop-identity.serviceConfig.Type;
  users = builtins.attrNames (c.systemd.services);
  note = c.environment.etc.\"note\".text or null;
  warnings = c.warnings;
}";

/// The networks that a seed gives: all kernels offered, three choices of packages.
fn networks(kernels: Vec<KernelVersion>) -> Result<Vec<Network>> {
    let package = |name: &str| Setting::Package(PackageName::new(name).unwrap(), Some(PackageVersion::Newest));
    let packages = vec![
        Choice { label: "none".to_owned(), settings: Vec::new() },
        Choice::new("htop", package("htop")),
        Choice { label: "servers".to_owned(), settings: vec![package("redis"), package("nginx")] },
    ];
    let parameters = NetworkParameters::new(kernels)?.with(Parameter::new("packages", packages)?);
    let strategy = parameters.strategy()?;
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &[7; 32]);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    (0..NETWORKS).map(|_| Ok(strategy.new_tree(&mut runner).map_err(|reason| reason.to_string())?.current())).collect()
}

/// The first and the last kernel of those offered, so that evaluations stay few.
fn two(kernels: &[KernelVersion]) -> Vec<KernelVersion> {
    let ends = [kernels.first(), kernels.last()];
    ends.into_iter().flatten().cloned().collect()
}
