//! Machines that differ in everything a machine can differ in, checked inside them.

use std::fs;
use std::path::Path;
use std::process::Command as Program;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use harness::machines::{Boot, Lab, LiveNetwork, give};
use harness::nixgen::{BuildOptions, Builder};
use model::machine::{
    ClockSource, GuestPath, KernelParameterName, KernelParameterValue, Mtu, OptionWord, PackageName,
    PackageVersion, ParameterName, Processors, Service, ServiceName,
};
use model::machines::{Command, Response};
use model::{FileSystem, Machine, MachineId, Mebibytes, Network, Outcome, Setting, Subnet};
use uuid::Uuid;

fn machine(lab: &Lab, name: &str, index: u32) -> Machine {
    let kernel = lab.kernels().unwrap().into_iter().next().unwrap();
    let address = Subnet::default().address(index).unwrap();
    let mut machine = Machine::new(name.parse().unwrap(), Uuid::new_v4(), address, kernel);
    machine.memory = Mebibytes::new(160).unwrap();
    machine.running = true;
    machine
}

fn network(machines: Vec<Machine>) -> Network {
    Network::new(Subnet::default(), machines).unwrap()
}

/// The versions of redis that apt has here, newest first.
fn versions() -> Vec<String> {
    let directory = tempfile::tempdir().unwrap();
    let builder = Builder::new(BuildOptions::new(directory.path()).unwrap()).unwrap();
    builder.versions(&PackageName::new("redis-server").unwrap()).unwrap()
}

fn said(live: &mut LiveNetwork<'_>, id: &MachineId, line: &str) -> String {
    let output = live.run(id, &remote::Command::new(line)).unwrap();
    assert!(output.ending.is_success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asks a machine what it is made of: all of it has to be what it was given.
fn inspect(live: &mut LiveNetwork<'_>, id: &MachineId) {
    let outcome = give::give(live, &Command::Inspect(id.clone())).unwrap();
    let Outcome::Answered(Response::Inspected(facts)) = outcome else { panic!("{id}: {outcome:?}") };
    let machine = live.network().machine(id).unwrap().clone();
    eprintln!("{id}: {facts}");
    assert_eq!(facts.differences(&machine), [] as [String; 0], "{facts}");
}

/// Gives a machine redis, which serves the data network from the scratch disk.
fn with_redis(machine: &mut Machine, version: PackageVersion) {
    machine.packages.insert("redis-server".parse().unwrap(), version);
    let content = "bind 0.0.0.0\nprotected-mode no\ndir /scratch\nappendonly yes\n";
    machine.files.insert("/etc/netprop-test/redis.conf".parse().unwrap(), content.to_owned());
    let service = Service {
        command: "exec redis-server /etc/netprop-test/redis.conf".to_owned(),
        ready: Some("[ \"$(redis-cli ping)\" = PONG ]".to_owned()),
    };
    machine.services.insert("redis".parse().unwrap(), service);
}

fn words(options: &[&str]) -> Vec<OptionWord> {
    options.iter().map(|option| OptionWord::new(*option).unwrap()).collect()
}

#[test]
fn machines_are_what_they_were_given() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let versions = versions();
    let [newest, .., oldest] = versions.as_slice() else {
        eprintln!("SKIPPED in part: apt has one version of redis-server, so that both machines have it");
        return both_versions(&lab, &versions[0], &versions[0]);
    };
    both_versions(&lab, newest, oldest);
}

fn both_versions(lab: &Lab, newest: &str, oldest: &str) {
    let mut old = machine(lab, "old", 0);
    with_redis(&mut old, PackageVersion::Exact(oldest.to_owned()));
    old.mkfs_options = words(&["-O", "^has_journal", "-I", "128", "-E", "stride=2"]);
    old.mount_options = words(&["noatime"]);
    old.processors = Processors::new(2).unwrap();
    old.mtu = Mtu::new(1400).unwrap();
    old.clock_source = Some(ClockSource::new("acpi_pm").unwrap());
    old.parameters.insert(ParameterName::new("role").unwrap(), "the old one = first".to_owned());

    let mut new = machine(lab, "new", 1);
    with_redis(&mut new, PackageVersion::Newest);
    new.file_system = FileSystem::Xfs;
    new.mount_options = words(&["logbufs=8", "noatime"]);
    new.mtu = Mtu::new(1400).unwrap();
    new.clock_source = Some(ClockSource::new("hpet").unwrap());
    let parameter =
        |name, value| (KernelParameterName::new(name).unwrap(), KernelParameterValue::new(value).unwrap());
    new.kernel_parameters.extend([parameter("nosmt", ""), parameter("netprop.x", "a,b:c=1")]);
    // A file as long as a line of the control port is slow for, and one on the scratch disk.
    let long = "0123456789 ä\n".repeat(8000);
    new.files.insert(GuestPath::new("/srv/a/b/long").unwrap(), long);
    new.files.insert(GuestPath::new("/scratch/seed").unwrap(), "no line feed at its end".to_owned());

    let network = network(vec![old, new]);
    let mut live = LiveNetwork::create(lab, &network).unwrap();
    let [old, new]: [MachineId; 2] = network.ids().try_into().unwrap();
    inspect(&mut live, &old);
    inspect(&mut live, &new);
    assert_eq!(said(&mut live, &old, "cat /run/netprop/parameters"), "role=the old one = first\n");
    let features = said(&mut live, &old, "/usr/sbin/dumpe2fs -h /dev/vdb 2>/dev/null");
    assert!(
        !features.contains("has_journal") && features.contains("RAID stride:              2"),
        "{features}"
    );

    // Each redis says which it is to the other's client, over the data network.
    for (client, server, version) in [(&old, &new, newest), (&new, &old, oldest)] {
        let address = live.network().machine(server).unwrap().address;
        let info = said(&mut live, client, &format!("redis-cli -h {address} info server"));
        let build = said(&mut live, server, "redis-server --version");
        let build = build.split("build=").nth(1).unwrap().trim().to_owned();
        assert!(info.contains(&format!("redis_build_id:{build}")), "{build}: {info}");
        let upstream = version.split(':').next_back().unwrap().split('-').next().unwrap();
        assert!(info.contains(&format!("redis_version:{upstream}")), "{info}");
        let client_version =
            said(&mut live, client, "awk '$1 == \"redis-tools\" { print $2 }' /etc/netprop/packages");
        assert_ne!(client_version.trim() == version, newest != oldest, "another client than the server");
    }

    // A shutdown in order lets redis write its file; the scratch disk comes back with it.
    said(
        &mut live,
        &old,
        "redis-cli config set appendonly no; redis-cli config set save '3600 1'; redis-cli set k v",
    );
    let pid = said(&mut live, &old, "cat /run/netprop/services/redis.pid");
    assert!(
        said(&mut live, &old, &format!("tr '\\0' ' ' </proc/{}/cmdline", pid.trim()))
            .contains("redis-server")
    );
    let kernel = live.network().machine(&old).unwrap().kernel.clone();
    let changed = live.change_software(&old, &Setting::Kernel(kernel)).unwrap();
    assert!(matches!(changed, Boot::Ready(_)), "{changed:?}");
    let dump = said(&mut live, &old, "ls /scratch");
    assert!(dump.contains("dump.rdb"), "redis had no time to save: {dump}");
    inspect(&mut live, &old);
}

/// What is said of a network of one machine that does not become ready.
fn failure(lab: &Lab, machine: Machine) -> String {
    let error = LiveNetwork::create(lab, &network(vec![machine])).err().unwrap();
    error.to_string()
}

#[test]
fn what_a_guest_cannot_do_is_said_in_its_words() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let service =
        |command: &str, ready: &str| Service { command: command.to_owned(), ready: Some(ready.to_owned()) };

    let mut broken = machine(&lab, "broken", 0);
    let name = || ServiceName::new("web").unwrap();
    broken.services.insert(name(), service("echo the port is taken; exit 3", "false"));
    let error = failure(&lab, broken);
    assert!(
        error.contains("service web: it ended with status 3 before it was ready; the port is taken"),
        "{error}"
    );

    let mut odd = machine(&lab, "odd", 0);
    odd.mount_options = words(&["no-such-option"]);
    let error = failure(&lab, odd);
    assert!(error.contains("cannot be mounted as ext4 with the options rw,no-such-option"), "{error}");
    assert!(error.contains("Unknown parameter 'no-such-option'"), "the kernel's own words: {error}");
}

#[test]
fn what_a_machine_and_its_services_say_is_heard_in_each_life() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let mut talking = machine(&lab, "talking", 0);
    let id = talking.id.clone();
    let command = "echo up; echo 'it is  \\slow' >&2; exec sleep 1000".to_owned();
    talking.services.insert(ServiceName::new("web").unwrap(), Service { command, ready: None });
    talking.running = true;
    let before = SystemTime::now();
    let live = LiveNetwork::create(&lab, &network(vec![talking])).unwrap();
    let heard = |lives: usize| {
        let deadline = Instant::now() + Duration::from_secs(20);
        loop {
            let [_, journal] = live.said(&id).unwrap();
            let texts: Vec<_> = journal.lines.iter().map(|line| line.text.as_str()).collect();
            if texts == ["web up", "web it is  \\slow"].repeat(lives) {
                return journal.lines.iter().map(|line| line.at.unwrap()).collect::<Vec<_>>();
            }
            assert!(Instant::now() < deadline, "{texts:?}");
            thread::sleep(Duration::from_millis(20));
        }
    };
    heard(1);
    let word = remote::Command::new("echo a word for the console >/dev/ttyS0");
    assert!(live.run(&id, &word).unwrap().ending.is_success());
    let deadline = Instant::now() + Duration::from_secs(20);
    while !live.console(&id).unwrap().contains("a word for the console") {
        assert!(Instant::now() < deadline, "the word does not come");
        thread::sleep(Duration::from_millis(20));
    }
    live.power_cut(&id).unwrap();
    let cut = SystemTime::now();
    assert!(matches!(live.boot(&id).unwrap(), Boot::Ready(_)));
    let times = heard(2);
    assert!(before < times[0] && times[1] < cut && cut < times[2] && times[3] < SystemTime::now());
    let [console, _] = live.said(&id).unwrap();
    let words = console.lines.iter().filter(|line| line.text == "a word for the console");
    assert_eq!(words.map(|line| line.at.is_some_and(|at| at < cut)).collect::<Vec<_>>(), [true]);
}

/// A package of our own with a user, directories and what it takes to tell them.
fn own_package(directory: &Path) -> String {
    let package = directory.join("package");
    let write = |path: &str, content: &str| {
        let path = package.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    write(
        "DEBIAN/control",
        "Package: netprop-own\nVersion: 2:3.4~a\nArchitecture: all\nMaintainer: x\nDescription: x\n",
    );
    write("usr/lib/sysusers.d/own.conf", "# x\nu own - \"Own user\" /var/lib/own\ng ownership 700\n");
    write("usr/lib/tmpfiles.d/own.conf", "d /run/own 2750 own own - -\nd /run/%x 0750 - -\n");
    write("usr/share/own/data", "data\n");
    let file = directory.join("own.deb");
    let built = Program::new("dpkg-deb").arg("--build").arg(&package).arg(&file).output().unwrap();
    assert!(built.status.success(), "{built:?}");
    file.to_str().unwrap().to_owned()
}

#[test]
fn a_package_from_a_file_comes_with_its_users_and_directories() {
    let Some(lab) = Lab::for_test().unwrap() else { return };
    let directory = tempfile::tempdir().unwrap();
    let mut own = machine(&lab, "own", 0);
    own.packages.insert("netprop-own".parse().unwrap(), PackageVersion::File(own_package(directory.path())));
    own.file_system = FileSystem::Btrfs;
    let network = network(vec![own]);
    let id = &network.ids()[0];
    let mut live = LiveNetwork::create(&lab, &network).unwrap();
    inspect(&mut live, id);
    assert_eq!(said(&mut live, id, "grep netprop-own /etc/netprop/packages"), "netprop-own 2:3.4~a\n");
    assert_eq!(said(&mut live, id, "cat /usr/share/own/data"), "data\n");
    assert_eq!(
        said(
            &mut live,
            id,
            "id -u own >/tmp/id && grep -c :x:$(cat /tmp/id): /etc/passwd && grep -c ^ownership:x:700: /etc/group"
        ),
        "1\n1\n"
    );
    assert_eq!(said(&mut live, id, "stat -c %a /run/own && ls -d /var/lib/own"), "750\n/var/lib/own\n");
}
