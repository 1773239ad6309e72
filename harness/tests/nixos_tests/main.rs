//! Cases as tests of NixOS: Nix reads them, Python reads their scripts, and whatever texts are in a case
//! come back as they were.
//!
//! `NETPROP_TEST_NIXPKGS` names whole trees of nixpkgs as `RELEASE=DIRECTORY` with colons between; tests are
//! evaluated with each whose driver knows Python.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod driven;
mod real;
mod texts;

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use harness::as_test::nixos::{self, About, Guests, NixosTest};
use harness::model::machine::{Scratch, Service};
use harness::model::{
    FaultSpec, KernelVersion, MachineSpec, NetworkParameters, Swarm, faults, generate_case, machines,
};
use harness::prelude::*;
use harness::{Evidence, Shape};
use proptest::strategy::ValueTree as _;
use proptest::test_runner::{RngAlgorithm, TestRng, TestRunner};
use serde_json::Value as Json;

/// Texts that mean something to Nix, to Python or to a terminal.
const PIECES: [&str; 23] = [
    "''",
    "'",
    "\"\"\"",
    "\"",
    "${builtins.abort \"x\"}",
    "$",
    "${",
    "}",
    "\\",
    "\\n",
    "\n",
    "\r\n",
    "#",
    "/*",
    "*/",
    "\u{1b}[2J",
    "\u{202e}",
    "ä",
    "''$",
    "''\\",
    "); import os; (",
    "{{x}}",
    "\0",
];

fn hostile() -> impl Strategy<Value = String> {
    proptest::collection::vec(select(PIECES.to_vec()), 0..6).prop_map(|pieces| pieces.concat())
}

/// Whether a program is there; where not, a loud skip, or a failure under `CI=true`.
fn have(program: &str, package: &str) -> bool {
    let found = which::which(program).is_ok();
    let is_ci = std::env::var_os("CI").is_some_and(|ci| ci == "true");
    assert!(found || !is_ci, "{program} is missing: install {package}");
    if !found {
        eprintln!("SKIPPED: {program} is missing: install Debian's package {package}");
    }
    found
}

/// Whether Nix and Python are there to read tests.
fn has_tools() -> bool {
    have("nix-instantiate", "nix-bin") && have("python3", "python3")
}

/// Directories of one test, with a store of its own.
struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        fs::write(self.0.path().join(name), text).unwrap();
        self.0.path().join(name)
    }

    fn nix(&self, arguments: &[&str]) -> String {
        let store = self.0.path().canonicalize().unwrap().join("nix");
        let mut command = Command::new("nix-instantiate");
        command.args(arguments);
        for (name, directory) in
            [("NIX_STORE_DIR", "store"), ("NIX_STATE_DIR", "state"), ("NIX_LOG_DIR", "log")]
        {
            command.env(name, store.join(directory));
        }
        said(&mut command)
    }

    /// What Nix makes of tests, with a nixpkgs of nothing but what gives a test back.
    fn read(&self, tests: &[String]) -> Vec<Json> {
        let files: Vec<_> =
            tests.iter().enumerate().map(|(index, text)| self.file(&format!("{index}.nix"), text)).collect();
        let paths: String = files.iter().map(|file| format!(" {}", file.display())).collect();
        let expression = self.file("all.nix", &format!("map ({READ}) [{paths} ]"));
        serde_json::from_str(&self.nix(&["--eval", "--strict", "--json", expression.to_str().unwrap()]))
            .unwrap()
    }
}

/// Gives the script of the test in a file, and what its machines were given.
const READ: &str = r#"file:
  let
    lib = {
      mkForce = value: value;
      warn = text: value: value;
      splitString = separator: text: [ text ];
      attrByPath = path: default: set: default;
      concatStringsSep = builtins.concatStringsSep;
    };
    pkgs = { inherit lib; linuxPackages = "linux"; testers.runNixOSTest = test: test; writeText = name: text: text; runtimeShell = "sh"; };
    test = import file { inherit pkgs; };
    node = make: let made = make { inherit lib pkgs; }; in {
      scratch = made.systemd.services.netprop-scratch.script or "";
      services = map (service: service.serviceConfig) (builtins.filter (service: service ? serviceConfig)
        (builtins.attrValues (made.systemd.services or { })));
    };
  in { inherit (test) testScript name; nodes = builtins.mapAttrs (name: node) test.nodes; }"#;

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn bounds() -> NetworkParameters {
    let kernels: Vec<KernelVersion> = ["6.1", "6.12.9"].map(|kernel| kernel.parse().unwrap()).to_vec();
    NetworkParameters::new(kernels).unwrap().with_machines(1..=4)
}

/// Networks with files, services and parameters that say anything.
fn networks() -> BoxedStrategy<Network> {
    let texts = proptest::collection::vec(hostile(), 4);
    let scratch: Scratch = "ext4 mkfs:-O,^has_journal mount:noatime".parse().unwrap();
    (bounds().strategy().unwrap(), texts)
        .prop_map(move |(network, texts)| {
            let id = network.machines()[0].id.clone();
            network.with_changed(&id, |machine| {
                machine.running = true;
                machine.mount_options.clone_from(&scratch.mount_options);
                machine.files.insert("/etc/x".parse().unwrap(), texts[0].clone());
                let (command, ready) = (texts[1].clone(), Some(texts[2].clone()));
                machine.services.insert("x".parse().unwrap(), Service { command, ready });
                machine.parameters.insert("x".parse().unwrap(), texts[3].clone());
            })
        })
        .boxed()
}

fn about(text: &str) -> About {
    About { name: "case".to_owned(), remarks: text.to_owned() }
}

fn of_machines(case: &Case<MachineSpec>, evidence: &Evidence) -> NixosTest {
    let (model, guests) = (MachineSpec::new(bounds()).unwrap(), Guests::of(&case.initial));
    let mut steps =
        |network: &Network, command: &machines::Command| nixos::machines::step(&guests, network, command);
    nixos::nixos_test(&about(&evidence.came), &model, case, Some(evidence), &guests, &mut steps).unwrap()
}

fn of_faults(case: &Case<FaultSpec>, evidence: &Evidence) -> NixosTest {
    let (model, guests) = (FaultSpec::new(bounds()).unwrap(), Guests::of(&case.initial.network));
    let mut given = nixos::faults::Steps::new(&guests);
    let mut steps = |world: &faults::World, command: &faults::Command| given.step(&model, world, command);
    nixos::nixos_test(&about(&evidence.came), &model, case, Some(evidence), &guests, &mut steps).unwrap()
}

/// A runner whose draws are the same each time.
fn runner(seed: u8) -> TestRunner {
    TestRunner::new_with_rng(Default::default(), TestRng::from_seed(RngAlgorithm::ChaCha, &[seed; 32]))
}

fn drawn<T>(strategy: impl Strategy<Value = T>, runner: &mut TestRunner) -> T {
    strategy.new_tree(runner).unwrap().current()
}

fn evidence(runner: &mut TestRunner) -> Evidence {
    let (expected, came) = drawn((hostile(), hostile()), runner);
    Evidence { number: 1, expected, came, ..Evidence::default() }
}

/// A case of a model that begins in one of these states; every other has lanes.
fn case<M: Model>(model: &M, initial: &BoxedStrategy<M::State>, runner: &mut TestRunner) -> Case<M> {
    let lanes = Some(LaneShape { percent: 50, ..LaneShape::default() });
    generate_case(model, initial, &Shape { commands: 5..=25, lanes }, Swarm::OFF, runner).unwrap()
}

fn case_of_machines(runner: &mut TestRunner) -> Case<MachineSpec> {
    case(&MachineSpec::new(bounds()).unwrap(), &networks(), runner)
}

fn case_of_faults(runner: &mut TestRunner) -> Case<FaultSpec> {
    let worlds = networks().prop_map(faults::World::from).boxed();
    case(&FaultSpec::new(bounds()).unwrap(), &worlds, runner)
}
