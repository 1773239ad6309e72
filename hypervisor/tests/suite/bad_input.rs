//! What is missing, broken or in the way is told in one clear error, and leaves nothing behind.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::process::Command;
use std::time::Duration;

use hypervisor::{
    Access, BootError, ConnectOptions, Definition, Driver, Endpoints, Error, Hypervisor, Libvirt,
    RunDirectory, State, Switch, boot, create_overlay, free_loopback_port,
};
use rustix::process::geteuid;

use crate::guest::Guest;
use crate::support::{Again, in_own_process, is_child, mentioning, missing};

/// A connection to the embedded driver, and the guest.
fn embedded() -> (RunDirectory, Libvirt, Guest) {
    let guest = Guest::find().unwrap();
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let libvirt = Libvirt::connect(&run, &ConnectOptions::default()).unwrap();
    (run, libvirt, guest)
}

/// What a driver says that does not open.
fn refusal(uri: &str) -> String {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let options = ConnectOptions { driver: Driver::Uri(uri.to_owned()), cache: None };
    let error = Libvirt::connect(&run, &options).unwrap_err();
    assert!(matches!(error, Error::Connect { .. }), "{error}");
    error.to_string()
}

#[test]
fn a_uri_that_does_not_open() {
    for uri in ["nonsense", "qemu+unix:///system?socket=/nonexistent", "nosuch:///system"] {
        let error = refusal(uri);
        assert!(error.starts_with(&format!("could not connect to libvirt at {uri}: ")), "{error}");
        assert!(error.ends_with("or leave it out to use the embedded driver"), "{error}");
    }
    if geteuid().is_root() {
        assert_eq!(
            refusal("qemu:///session"),
            "could not connect to libvirt at qemu:///session: root has no session driver: use the embedded driver (the default) or qemu:///system, or run as an ordinary user"
        );
    }
}

#[test]
fn a_definition_that_cannot_start() {
    in_own_process("bad_input::a_definition_that_cannot_start", || {
        let (run, libvirt, guest) = embedded();
        let good = guest.definition(run.path(), "m", "");
        let kernel = guest.kernel.to_str().unwrap();
        let console = good.endpoints.console.to_str().unwrap().to_owned();
        let control = good.endpoints.control.to_str().unwrap().to_owned();
        let broken: [(&str, String, &str); 9] = [
            ("not XML", "<domain".to_owned(), "it is not XML: "),
            ("empty", String::new(), "it is not XML: "),
            (
                "no domain",
                "<network/>".to_owned(),
                "its root element is <network>, and libvirt wants <domain>",
            ),
            ("no console", good.xml.replace(&console, "/other"), "it needs <serial type='unix'>"),
            ("no control port", good.xml.replace(&control, "/other"), "it needs <channel type='unix'>"),
            (
                "no kernel",
                good.xml.replace(kernel, "/nonexistent"),
                "its kernel /nonexistent cannot be read: No such",
            ),
            (
                "no QEMU",
                good.xml.replace("<emulator>", "<emulator>/nonexistent"),
                "its emulator /nonexistent",
            ),
            ("no such architecture", good.xml.replace("'x86_64'", "'x99'"), "architecture"),
            ("no memory", good.xml.replace("<memory unit='MiB'>96", "<memory unit='MiB'>much"), "memory"),
        ];
        for (what, xml, why) in broken {
            let Err(error) = libvirt.define(&Definition { xml, ..good.clone() }) else {
                panic!("{what} was taken")
            };
            assert!(matches!(error, Error::Definition { .. }), "{what}: {error}");
            let error = error.to_string();
            assert!(error.starts_with("the definition of machine m is refused: "), "{what}: {error}");
            assert!(error.contains(why), "{what}: {error}");
        }
        let long = run.path().join("p".repeat(80));
        let endpoints = Endpoints { console: long.clone(), control: long, log: run.path().join("log") };
        let Err(error) = libvirt.define(&Definition { endpoints, ..good }) else {
            panic!("a long path was taken")
        };
        assert!(matches!(error, Error::PathTooLong { .. }), "{error}");
        assert!(mentioning(run.path()).is_empty(), "nothing was started");
    });
}

#[test]
fn a_port_that_is_taken() {
    in_own_process("bad_input::a_port_that_is_taken", || {
        let (run, libvirt, guest) = embedded();
        let port = free_loopback_port().unwrap();
        let holder = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
        let network = format!(
            "<qemu:commandline><qemu:arg value='-netdev'/>\
         <qemu:arg value='user,id=management,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22'/></qemu:commandline>"
        );
        let mut machine = libvirt.define(&guest.definition(run.path(), "m", &network)).unwrap();
        for _ in 0..3 {
            let error = machine.start().unwrap_err();
            assert!(matches!(&error, Error::PortTaken { machine, .. } if machine == "m"), "{error}");
            assert!(error.to_string().contains(&port.to_string()), "{error}");
            assert_eq!(machine.state(), State::Off);
        }
        drop(holder);
        boot(&mut *machine, "end\n", Duration::from_secs(60)).unwrap();
        machine.undefine().unwrap();
    });
}

#[test]
fn a_disk_that_is_damaged() {
    in_own_process("bad_input::a_disk_that_is_damaged", || {
        let (run, libvirt, guest) = embedded();
        let definition = guest.definition(run.path(), "m", "");
        let xml = definition.xml.replace("type='raw'", "type='qcow2'");
        let mut machine = libvirt.define(&Definition { xml, ..definition }).unwrap();
        let error = machine.start().unwrap_err();
        assert!(matches!(error, Error::Refused { .. }), "{error}");
        let error = error.to_string();
        assert!(error.starts_with("could not start machine m: "), "{error}");
        assert!(error.contains("not in qcow2 format"), "{error}");
        assert_eq!(machine.state(), State::Off);
    });
}

#[test]
fn guests_that_do_not_get_ready() {
    in_own_process("bad_input::guests_that_do_not_get_ready", || {
        let (run, libvirt, guest) = embedded();
        let with = |name: &str, option: &str| {
            let definition = guest.definition(run.path(), name, "");
            let xml = definition.xml.replace("console=ttyS0", &format!("console=ttyS0 {option}"));
            libvirt.define(&Definition { xml, ..definition }).unwrap()
        };
        let mut rootless = with("rootless", "rdinit=/nonexistent");
        match boot(&mut *rootless, "end\n", Duration::from_secs(60)) {
            Err(BootError::Panic { text, .. }) => assert!(text.contains("Unable to mount root fs"), "{text}"),
            other => panic!("{other:?}"),
        }
        let mut mute = with("mute", "module_blacklist=virtio_console");
        let error = boot(&mut *mute, "end\n", Duration::from_secs(20)).unwrap_err();
        assert!(matches!(error, BootError::Limit { .. }), "{error}");
        let error = error.to_string();
        assert!(
            error.contains("was not ready after 20s; its guest never spoke on the control port"),
            "{error}"
        );
        assert!(error.ends_with("\n    no control port"), "{error}");
    });
}

#[test]
fn programs_that_are_missing() {
    const NAME: &str = "bad_input::programs_that_are_missing";
    if !is_child(NAME) {
        let mut again = Again::same_user(NAME);
        again.command.env("PATH", again.directory.path());
        return again.passes();
    }
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let error = Switch::vde(&run, "fabric", Access::Owner).unwrap_err();
    assert_eq!(error.to_string(), "vde_switch was not found on PATH: install vde2 (apt-get install vde2)");
    let error = create_overlay("/etc/passwd".as_ref(), &run.path().join("disk")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "qemu-img was not found on PATH: install qemu-utils (apt-get install qemu-utils)"
    );
}

#[test]
fn a_disk_that_is_full() {
    const NAME: &str = "bad_input::a_disk_that_is_full";
    if !is_child(NAME) {
        let mut again = Again::same_user(NAME);
        if which::which("qemu-img").is_err() {
            return missing("qemu-img", "apt-get install qemu-utils");
        }
        if again.with_own_mounts() {
            again.passes();
        }
        return;
    }
    let arguments = ["-t", "tmpfs", "-o", "size=64k", "tmpfs", "run"];
    assert!(Command::new("mount").args(arguments).status().unwrap().success());
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let template = "template";
    fs::File::create(template).unwrap().set_len(512 << 20).unwrap();
    let disk = run.path().join("disk");
    let error = create_overlay(template.as_ref(), &disk).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    let full = format!("the file system of {} is full: make room there", disk.display());
    assert!(error.to_string().starts_with(&full), "{error}");
    assert!(!disk.exists(), "no half of a disk is left");

    let filled = fs::write(run.path().join("filler"), vec![0; 1 << 20]).unwrap_err();
    assert_eq!(filled.kind(), std::io::ErrorKind::StorageFull);
    let error = Libvirt::connect(&run, &ConnectOptions::default()).unwrap_err();
    assert!(matches!(error, Error::DiskFull { .. }), "{error}");
    let path = run.path().to_owned();
    drop(run);
    assert!(!path.exists());
}

#[test]
fn root_without_the_user_that_libvirt_wants() {
    const NAME: &str = "bad_input::root_without_the_user_that_libvirt_wants";
    if !is_child(NAME) {
        if !geteuid().is_root() {
            return;
        }
        let mut again = Again::same_user(NAME);
        if again.with_own_mounts() {
            again.passes();
        }
        return;
    }
    let users = fs::read_to_string("/etc/passwd").unwrap();
    let kept: Vec<&str> = users.lines().filter(|user| !user.starts_with("libvirt-qemu:")).collect();
    fs::write("passwd", kept.join("\n") + "\n").unwrap();
    assert!(Command::new("mount").args(["--bind", "passwd", "/etc/passwd"]).status().unwrap().success());
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    match Libvirt::connect(&run, &ConnectOptions::default()) {
        Ok(_) => eprintln!("this libvirt does without the user"),
        Err(error) => {
            let error = error.to_string();
            assert!(error.ends_with("install libvirt-daemon-system, or run as an ordinary user"), "{error}");
        }
    }
}

#[test]
fn a_cache_that_is_damaged() {
    in_own_process("bad_input::a_cache_that_is_damaged", || {
        // What is kept is named after the path of QEMU: another process has found the name.
        let kept = hypervisor::cache_directory().unwrap().join("libvirt-capabilities");
        let files: Vec<_> =
            fs::read_dir(&kept).into_iter().flatten().map(|file| file.unwrap().path()).collect();
        files.iter().for_each(|file| fs::write(file, "<qemuCaps><damaged").unwrap());
        let (run, libvirt, guest) = embedded();
        libvirt.define(&guest.definition(run.path(), "m", "")).unwrap();
        let files: Vec<_> = fs::read_dir(&kept).unwrap().map(|file| file.unwrap()).collect();
        assert!(!files.is_empty(), "what libvirt found out is kept");
        for file in files {
            assert!(file.metadata().unwrap().len() > 10_000, "what was damaged is made anew");
        }
    });
}

#[test]
fn one_run_after_another_in_one_process() {
    in_own_process("bad_input::one_run_after_another_in_one_process", || {
        let mut paths = Vec::new();
        // libvirt has room for 21 drivers in a process, and takes none away.
        for number in 1..=24 {
            let (run, libvirt, guest) = embedded();
            let mut machine = libvirt.define(&guest.definition(run.path(), "m", "")).unwrap();
            paths.push(run.path().to_owned());
            // A machine keeps its connection and its run.
            drop((run, libvirt));
            if number % 8 == 0 {
                boot(&mut *machine, "end\n", Duration::from_secs(60)).unwrap();
                machine.power_cut().unwrap();
            }
            machine.undefine().unwrap();
            assert!(paths.iter().all(|path| !path.exists()), "{paths:?}");
            assert_eq!(fs::read_dir(RunDirectory::default_parent()).unwrap().count(), 0);
        }
    });
}
