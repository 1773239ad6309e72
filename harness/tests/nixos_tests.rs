//! Cases as tests of NixOS: Nix reads them, Python reads their scripts, and whatever texts are in a case
//! come back as they were.
//!
//! `NETPROP_TEST_NIXPKGS` names whole trees of nixpkgs as `RELEASE=DIRECTORY` with colons between; tests are
//! evaluated with each whose driver knows Python.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use harness::as_test::nixos::{self, About, Guests, NixosTest};
use harness::model::machine::{Scratch, Service};
use harness::model::scene::{Power, Scene, Seat};
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
    pkgs = { inherit lib; linuxPackages = "linux"; testers.runNixOSTest = test: test; writeText = name: text: text; };
    test = import file { inherit pkgs; };
    node = make: let made = make { inherit lib pkgs; }; in {
      scratch = made.systemd.services.netprop-scratch.script or "";
      services = map (service: service.script or "") (builtins.attrValues (made.systemd.services or { }));
    };
  in { inherit (test) testScript name; nodes = builtins.mapAttrs (name: node) test.nodes; }"#;

fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// The texts that are literals in each script, in their order; a script that is none fails.
fn literals(place: &Place, scripts: &[&str]) -> Vec<Vec<String>> {
    let given = place.file("scripts.json", &serde_json::to_string(scripts).unwrap());
    let program = "import ast, json, sys
def literals(script):
    return [node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant) and isinstance(node.value, str)]
print(json.dumps([literals(script) for script in json.load(open(sys.argv[1], encoding='utf-8', newline=''))]))";
    serde_json::from_str(&said(Command::new("python3").args(["-c", program]).arg(given))).unwrap()
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

/// That what machines were given is in a test as it was, and each command.
fn check(test: &NixosTest, read: &Json, literals: &[String], network: &Network, commands: usize) {
    for (machine, guest) in network.machines().iter().zip(Guests::of(network).iter()) {
        let node = &read["nodes"][&guest.name];
        let scratch = node["scratch"].as_str().unwrap();
        let sayable = |text: &&String| !text.contains('\0');
        machine
            .files
            .values()
            .filter(sayable)
            .for_each(|content| assert!(scratch.contains(content), "{scratch}"));
        let services: Vec<_> =
            node["services"].as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect();
        for service in machine.services.values() {
            assert!(service.command.contains('\0') || services.contains(&&*service.command), "{services:?}");
            let ready = service.ready.as_ref().unwrap();
            assert!(!machine.running || literals.contains(ready), "{ready:?} is not in {literals:?}");
        }
    }
    let script = read["testScript"].as_str().unwrap();
    let refused = script.matches(": makes no sense in this order").count();
    let is_title =
        |text: &&String| text.split_once(". ").is_some_and(|(number, _)| number.parse::<u32>().is_ok());
    let given = literals.iter().filter(is_title).count();
    assert_eq!(given + test.left_out + refused, commands, "{script}");
}

#[test]
fn whatever_is_in_a_case_comes_back_as_it_was() {
    if !have("nix-instantiate", "nix-bin") || !have("python3", "python3") {
        return;
    }
    let (place, mut tests, mut cases) = (Place::new(), Vec::new(), Vec::new());
    for seed in 0..40 {
        let mut runner = runner(seed);
        let evidence = evidence(&mut runner);
        let case = case_of_machines(&mut runner);
        tests.push(of_machines(&case, &evidence));
        cases.push((case.initial.clone(), case.len()));
        let case = case_of_faults(&mut runner);
        tests.push(of_faults(&case, &evidence));
        cases.push((case.initial.network.clone(), case.len()));
    }
    let texts: Vec<_> = tests.iter().map(|test| test.text.clone()).collect();
    let read = place.read(&texts);
    let scripts: Vec<_> = read.iter().map(|read| read["testScript"].as_str().unwrap()).collect();
    let literals = literals(&place, &scripts);
    assert_eq!(literals.len(), tests.len());
    for (index, (network, commands)) in cases.iter().enumerate() {
        check(&tests[index], &read[index], &literals[index], network, *commands);
    }
}

/// A model of one's own, of which nothing is known but texts.
#[derive(Clone)]
struct Texts(Vec<String>);

impl Model for Texts {
    type State = Vec<String>;
    type Command = String;
    type Response = ();
    fn gen_initial_state(&self) -> BoxedStrategy<Vec<String>> {
        Just(self.0.clone()).boxed()
    }
    fn gen_command(&self, _: &Vec<String>) -> BoxedStrategy<String> {
        hostile().boxed()
    }
    fn next_state(&self, state: &Vec<String>, _: &String) -> Vec<String> {
        state.clone()
    }
    fn post_condition(&self, _: &Vec<String>, _: &String, (): &()) -> bool {
        true
    }
    fn show_command(&self, command: &String) -> String {
        command.clone()
    }
    fn scene(&self, names: &Vec<String>) -> Option<Scene> {
        let seat = |name: &String| Seat {
            name: name.clone(),
            details: vec![name.clone()],
            power: Power::On,
            notes: Vec::new(),
        };
        Some(Scene { machines: names.iter().map(seat).collect(), links: Vec::new() })
    }
}

fn of_texts(case: &Case<Texts>) -> NixosTest {
    let (model, about) = (Texts(Vec::new()), about(&case.commands.concat()));
    let guests = Guests::of_scene(model.scene(&case.initial).unwrap());
    nixos::nixos_test(&about, &model, case, None, &guests, &mut nixos::to_be_filled_in::<Texts>).unwrap()
}

#[test]
fn what_is_not_known_is_a_comment_and_nothing_else() {
    if !have("nix-instantiate", "nix-bin") || !have("python3", "python3") {
        return;
    }
    let place = Place::new();
    let mut tests = Vec::new();
    for seed in 0..20 {
        let mut runner = runner(seed);
        let names = drawn(proptest::collection::vec(hostile(), 1..4), &mut runner);
        let commands = drawn(proptest::collection::vec(hostile(), 1..10), &mut runner);
        let count = commands.len();
        for (commands, left_out) in [(commands, count), (Vec::new(), 0)] {
            let test = of_texts(&Case::sequential(names.clone(), commands));
            assert_eq!(test.left_out, left_out);
            tests.push(test.text);
        }
    }
    let read = place.read(&tests);
    let scripts: Vec<_> = read.iter().map(|read| read["testScript"].as_str().unwrap()).collect();
    let literals = literals(&place, &scripts);
    assert!(literals.chunks(2).all(|pair| pair[0] == pair[1]), "a command is more than a comment");
}

/// The trees that are named and have a driver for Python, with the release of each.
fn trees() -> Vec<(String, PathBuf)> {
    let Some(named) = std::env::var("NETPROP_TEST_NIXPKGS").ok() else {
        eprintln!("SKIPPED: no real nixpkgs was evaluated: set NETPROP_TEST_NIXPKGS=RELEASE=DIRECTORY:…");
        return Vec::new();
    };
    let tree =
        |text: &str| text.split_once('=').map(|(release, directory)| (release.to_owned(), directory.into()));
    named.split(':').filter_map(tree).filter(|(release, _)| release.as_str() >= "20.03").collect()
}

#[test]
fn tests_evaluate_with_real_nixpkgs() {
    let overlay = Path::new(env!("CARGO_MANIFEST_DIR")).join("../nixgen/tests/nixos/without-haskell.nix");
    for (release, directory) in trees() {
        let place = Place::new();
        // Trees of late releases may lack Haskell's packages, one of which each system is checked with.
        let overlays = if release.as_str() >= "21.05" {
            format!("(import {})", overlay.display())
        } else {
            String::new()
        };
        let pkgs = format!("import {} {{ overlays = [ {overlays} ]; }}", directory.display());
        for seed in 0..3 {
            let mut runner = runner(seed);
            let evidence = evidence(&mut runner);
            let tests = [
                of_machines(&case_of_machines(&mut runner), &evidence),
                of_faults(&case_of_faults(&mut runner), &evidence),
            ];
            for test in tests {
                let file = place.file("test.nix", &test.text);
                let path = place.nix(&[file.to_str().unwrap(), "--arg", "pkgs", &pkgs]);
                assert!(path.trim().ends_with("-vm-test-run-case.drv"), "{release}: {path}");
            }
        }
    }
}

#[test]
fn a_cut_is_a_rule_at_its_end_for_as_long_as_it_lasts() {
    let mut runner = runner(1);
    let network = drawn(bounds().with_machines(2..=2).strategy().unwrap(), &mut runner).all_running();
    let [a, b] = [0, 1].map(|index| network.machines()[index].id.clone());
    let commands = vec![
        faults::Command::Cut(faults::Links::OneWay { from: a.clone(), to: b.clone() }),
        faults::Command::Ping { from: b.clone(), to: a.clone() },
        faults::Command::PowerCut(b.clone()),
        faults::Command::Boot(b.clone()),
        faults::Command::Heal,
        faults::Command::Ping { from: b.clone(), to: a.clone() },
        faults::Command::Volatile { machine: b.clone(), seed: 7 },
        faults::Command::Pause(a.clone()),
    ];
    let addresses = [&a, &b].map(|id| network.machine(id).unwrap().address);
    let test = of_faults(&Case::sequential(network.into(), commands), &Evidence::default());
    assert_eq!(test.left_out, 1);
    let rule = format!(
        "{b}.succeed(lines(\"set -e; iptables -F INPUT; iptables -A INPUT -i eth1 -s {} -j DROP\"))",
        addresses[0]
    );
    let ping = format!("ping({b}, \"{}\", ", addresses[0]);
    let order = [
        rule.clone(),
        format!("assert not {ping}3)"),
        format!("{b}.crash()"),
        format!("boot({b})"),
        rule,
        format!("{b}.succeed(lines(\"set -e; iptables -F INPUT\"))"),
        format!("assert {ping}12)"),
        "# 7. Volatile".to_owned(),
        format!("{a}.send_monitor_command(\"stop\")"),
        format!("{a}.send_monitor_command(\"cont\")"),
    ];
    let mut rest = test.text.split_once("with subtest(\"1. ").unwrap().1;
    for line in order {
        rest = rest.split_once(&line).unwrap_or_else(|| panic!("{line} is not in its place: {rest}")).1;
    }
}
