//! What clients ask of the fabric, well and badly.

use std::io::{Read as _, Write as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use hypervisor::fabric::{Fabric, FabricConfig, PENDING_MAX, PORTS, Plug};
use hypervisor::{Access, Error, RunDirectory, Switch};

use super::clients::{BROADCAST, COMES, LAST, Network, address, frame, introduce, next, number, until_last};
use crate::support::{Again, is_child, missing, within};

/// Where a test that runs again as somebody else finds the switch.
const SWITCH: &str = "NETPROP_TEST_SWITCH";

/// A request as libvdeplug makes it.
pub(super) fn request(magic: u32, version: u32, kind: u32, path: &[u8]) -> Vec<u8> {
    let mut bytes: Vec<u8> = [magic, version, kind].iter().flat_map(|number| number.to_ne_bytes()).collect();
    bytes.extend(1_u16.to_ne_bytes());
    bytes.extend(path);
    bytes.resize(12 + 110, 0);
    bytes
}

const MAGIC: u32 = 0xfeed_face;

/// Sends a request, and says where the answer has the port's socket; none where there is no answer.
fn ask(switch: &Path, bytes: &[u8]) -> (UnixStream, Option<PathBuf>) {
    let mut control = UnixStream::connect(switch.join("ctl")).unwrap();
    control.set_read_timeout(Some(COMES)).unwrap();
    control.write_all(bytes).unwrap();
    let mut answer = [0; 110];
    let is_answered = control.read_exact(&mut answer).is_ok();
    let path = answer[2..].split(|&byte| byte == 0).next().unwrap();
    let path = PathBuf::from(std::ffi::OsStr::from_bytes(path));
    (control, is_answered.then_some(path))
}

fn fabric(names: &[&str]) -> (RunDirectory, Fabric) {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let config = FabricConfig::new(1, names.iter().copied());
    let fabric = Fabric::start(&run, "f", Access::Owner, &config).unwrap();
    (run, fabric)
}

#[test]
fn ports_have_the_names_of_their_numbers() {
    let (_run, fabric) = fabric(&["a", "b"]);
    let plug = |number| Plug::new(fabric.path(), number);
    let second = plug(Some(2)).unwrap();
    let any = plug(None).unwrap();
    assert_eq!(fabric.plugged(), ["b", "port-3"], "a name is for who asks for its number");
    let _last = plug(Some(PORTS as u16)).unwrap();
    for (number, why) in [(2, "taken"), (PORTS as u16 + 1, "no such port"), (u16::MAX, "no such port")] {
        assert!(plug(Some(number)).is_err(), "{why}");
    }
    // The number is free as soon as its client is gone.
    for _ in 0..100 {
        drop(plug(Some(1)).unwrap());
    }
    drop((second, any));
    within(COMES, "the end of ports", || fabric.plugged() == ["port-127"]);
}

#[test]
fn as_many_ports_as_there_are_can_be_had() {
    let (_run, fabric) = fabric(&[]);
    let mut plugs: Vec<Plug> = (0..PORTS).map(|_| Plug::new(fabric.path(), None).unwrap()).collect();
    assert!(Plug::new(fabric.path(), None).is_err());
    introduce(&plugs[..3]);
    plugs.pop();
    within(COMES, "the end of a port", || fabric.plugged().len() == PORTS - 1);
    Plug::new(fabric.path(), None).unwrap();
}

#[test]
fn all_versions_that_tools_speak_are_understood_and_no_other() {
    let (run, fabric) = fabric(&[]);
    let path = run.path().join("client");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let path = path.as_os_str().as_bytes();
    let old = |kind: u32| {
        let mut bytes = [MAGIC.to_ne_bytes(), kind.to_ne_bytes()].concat();
        bytes.extend(address(1));
        bytes.extend(&request(0, 0, 0, path)[12..]);
        bytes
    };
    let described = [&request(MAGIC, 3, 7 << 8, path)[..], b"somebody user=root PID=1"].concat();
    for bytes in [request(MAGIC, 3, 0, path), request(MAGIC, 3, 1, path), described, old(0), old(1)] {
        let (_control, port) = ask(fabric.path(), &bytes);
        assert!(port.unwrap().starts_with(fabric.path()));
        drop(_control);
        within(COMES, "the end of a port", || fabric.plugged().is_empty());
    }
    let long = [b'/'; 108];
    for (bytes, what) in [
        (request(MAGIC + 1, 3, 0, path), "magic"),
        (request(MAGIC, 2, 0, path), "version 2"),
        (request(MAGIC, 4, 0, path), "version 4"),
        (request(MAGIC, u32::MAX, 0, path), "version"),
        (request(MAGIC, 3, 2, path), "kind"),
        (request(MAGIC, 3, 0, b""), "no path"),
        (request(MAGIC, 3, 0, b"\0abstract"), "abstract path"),
        (request(MAGIC, 3, 0, b"client"), "relative path"),
        (request(MAGIC, 3, 0, b"/nonexistent/socket"), "no file"),
        (request(MAGIC, 3, 0, b"/etc/passwd"), "no socket"),
        (request(MAGIC, 3, 0, b"/"), "a directory"),
        (request(MAGIC, 3, 0, &long), "a path without an end"),
        (request(MAGIC, 3, 0, fabric.path().join("ctl").as_os_str().as_bytes()), "a stream's socket"),
    ] {
        let (_control, port) = ask(fabric.path(), &bytes);
        assert_eq!(port, None, "{what}");
    }
    assert!(fabric.plugged().is_empty());
    assert!(Path::new("/etc/passwd").exists() && fabric.path().join("ctl").exists());
}

#[test]
fn a_request_may_come_in_pieces_and_need_not_end() {
    let network = Network::new(1, 2);
    let path = network.run.path().join("client");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let bytes = request(MAGIC, 3, 0, path.as_os_str().as_bytes());
    let mut control = UnixStream::connect(network.fabric.path().join("ctl")).unwrap();
    control.set_read_timeout(Some(COMES)).unwrap();
    let mut unfinished = UnixStream::connect(network.fabric.path().join("ctl")).unwrap();
    unfinished.set_read_timeout(Some(COMES)).unwrap();
    unfinished.write_all(&bytes[..50]).unwrap();
    // Each with a frame that has to come meanwhile: few enough for a busy host to be in time.
    for piece in bytes.chunks(11) {
        control.write_all(piece).unwrap();
        network.send(1, 2, 5);
        assert_eq!(number(&next(network.plug(2))), 5);
    }
    control.read_exact(&mut [0; 110]).unwrap();
    // Who never ends is disconnected after a while.
    assert_eq!(unfinished.read(&mut [0]).unwrap(), 0);
    assert_eq!(network.fabric.plugged().len(), 3);
}

#[test]
fn who_only_connects_takes_no_room_for_long() {
    let network = Network::new(1, 2);
    let connect = || UnixStream::connect(network.fabric.path().join("ctl")).unwrap();
    let idle: Vec<UnixStream> = (0..2_000).map(|_| connect()).collect();
    let third = Plug::new(network.fabric.path(), None).unwrap();
    third.send(&frame(BROADCAST, 3, 1)).unwrap();
    assert_eq!(number(&next(network.plug(1))), 1);
    // Clients are let in one after the other, so by now the first of them have made room for others,
    // without anybody having to wait for that.
    for mut stream in idle.iter().take(2_000 - PENDING_MAX) {
        stream.set_nonblocking(true).unwrap();
        assert_eq!(stream.read(&mut [0]).unwrap(), 0);
    }
}

#[test]
fn a_client_that_goes_on_talking_is_unplugged() {
    let network = Network::new(1, 2);
    let path = network.run.path().join("client");
    let _socket = UnixDatagram::bind(&path).unwrap();
    let (mut control, port) = ask(network.fabric.path(), &request(MAGIC, 3, 0, path.as_os_str().as_bytes()));
    assert!(port.unwrap().exists());
    assert_eq!(network.fabric.plugged().len(), 3);
    within(COMES, "the end of the connection", || control.write_all(&[0; 1000]).is_err());
    within(COMES, "the end of a port", || network.fabric.plugged().len() == 2);
    assert!(path.exists(), "the client's file is the client's");
}

#[test]
fn nobody_but_its_client_can_send_to_a_port() {
    let network = Network::new(1, 2);
    let entries = std::fs::read_dir(network.fabric.path()).unwrap().map(|entry| entry.unwrap().path());
    let ports: Vec<PathBuf> =
        entries.filter(|path| path.file_name().unwrap().to_str().unwrap().starts_with("00")).collect();
    assert_eq!(ports.len(), 2);
    let stranger = UnixDatagram::unbound().unwrap();
    for port in &ports {
        assert!(stranger.send_to(&frame(BROADCAST, 9, 9), port).is_err());
    }
    // Nor can it have the switch send to itself, or to another's client.
    for path in &ports {
        let bytes = request(MAGIC, 3, 0, path.as_os_str().as_bytes());
        assert_eq!(ask(network.fabric.path(), &bytes).1, None);
    }
}

/// Others may join a fabric that is open to everybody, but cannot have it write to what is not theirs.
#[test]
fn a_stranger_has_only_its_own_socket_written_to() {
    const NAME: &str = "fabric::requests::a_stranger_has_only_its_own_socket_written_to";
    if is_child(NAME) {
        let switch = PathBuf::from(std::env::var_os(SWITCH).unwrap());
        let not_ours = switch.parent().unwrap().join("root");
        let bytes = request(MAGIC, 3, 0, not_ours.as_os_str().as_bytes());
        assert_eq!(ask(&switch, &bytes).1, None);
        let link = std::env::current_dir().unwrap().join("link");
        std::os::unix::fs::symlink(&not_ours, &link).unwrap();
        let bytes = request(MAGIC, 3, 0, link.as_os_str().as_bytes());
        assert_eq!(ask(&switch, &bytes).1, None);
        let plug = Plug::new(&switch, None).unwrap();
        plug.send(&frame(BROADCAST, 2, 3)).unwrap();
        assert_eq!(number(&next(&plug)), 4);
        assert!(std::fs::remove_file(switch.join("ctl")).is_err());
        return;
    }
    if !rustix::process::geteuid().is_root() {
        return missing("the right to become somebody else", "run the test as root");
    }
    let Some(mut again) = Again::ordinary_user(NAME) else { return };
    let parent = tempfile::Builder::new().permissions(PermissionsExt::from_mode(0o711)).tempdir().unwrap();
    let run = RunDirectory::create(Some(parent.path()), Access::Everybody).unwrap();
    let fabric = Fabric::start(&run, "f", Access::Everybody, &FabricConfig::default()).unwrap();
    let roots = UnixDatagram::bind(run.path().join("root")).unwrap();
    std::fs::set_permissions(run.path().join("root"), PermissionsExt::from_mode(0o666)).unwrap();
    let plug = Plug::new(fabric.path(), None).unwrap();
    again.command.env(SWITCH, fabric.path());
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert_eq!(number(&next(&plug)), 3);
            plug.send(&frame(BROADCAST, 1, 4)).unwrap();
        });
        again.passes();
    });
    roots.set_nonblocking(true).unwrap();
    assert!(roots.recv(&mut [0; 100]).is_err(), "nothing was written to it");
}

/// VDE's own tools join: `dpipe` ties two `vde_plug`s together, and so two switches.
#[test]
fn the_tools_of_vde_join() {
    if which::which("vde_plug").is_err() || which::which("dpipe").is_err() {
        return missing("vde_plug and dpipe", "apt-get install vde2");
    }
    let (one, other) = (Network::new(1, 2), Network::new(2, 1));
    let mut tools = Command::new("dpipe")
        .arg("vde_plug")
        .arg(one.fabric.path())
        .args(["=", "vde_plug"])
        .arg(other.fabric.path())
        .stdin(Stdio::null())
        .spawn()
        .unwrap();
    within(COMES, "vde_plug joins", || {
        one.fabric.plugged().contains(&"port-6".to_owned()) && other.fabric.plugged().len() == 2
    });
    // What is sent to all in one network is received in the other, and an answer comes back.
    one.plug(1).send(&frame(BROADCAST, 1, 1)).unwrap();
    assert_eq!(number(&next(other.plug(1))), 1);
    assert_eq!(number(&next(one.plug(2))), 1);
    other.plug(1).send(&frame(address(1), 9, 2)).unwrap();
    assert_eq!(number(&next(one.plug(1))), 2);
    one.plug(2).send(&frame(BROADCAST, 2, LAST)).unwrap();
    assert!(until_last(one.plug(1)).is_empty());
    // They have no time to say goodbye.
    one.run.end_processes().unwrap();
    other.run.end_processes().unwrap();
    tools.wait().unwrap();
    within(COMES, "the end of both", || one.fabric.plugged().len() == 2 && other.fabric.plugged().len() == 1);
}

#[test]
fn a_fabric_lives_until_it_is_dropped() {
    let run = RunDirectory::create(None, Access::Owner).unwrap();
    let config = FabricConfig::default();
    let switch = Switch::fabric(&run, "f", Access::Owner, &config).unwrap();
    assert!(switch.is_alive() && switch.pid().is_none());
    assert!(matches!(
        Switch::fabric(&run, "f", Access::Owner, &config),
        Err(Error::SwitchStart { name, .. }) if name == "f"
    ));
    let same = Switch::existing(switch.path()).unwrap();
    assert!(same.is_alive() && same.as_fabric().is_none());
    let path = switch.path().to_owned();
    let _plug = Plug::new(&path, None).unwrap();
    drop(switch);
    assert!(!path.exists() && !same.is_alive());
    let again = Switch::fabric(&run, "f", Access::Owner, &config).unwrap();
    assert_eq!(again.path(), path);
    let long = Switch::fabric(&run, &"n".repeat(80), Access::Owner, &config);
    assert!(matches!(long, Err(Error::PathTooLong { .. })));
    let start = |config: &FabricConfig| Switch::fabric(&run, "g", Access::Owner, config);
    assert!(matches!(start(&FabricConfig::new(1, ["a", "a"])), Err(Error::PortName { .. })));
    let known = |name, address| {
        FabricConfig::new(1, ["a", "b"]).with_address("b", [2; 6]).with_address(name, address)
    };
    assert!(matches!(start(&known("c", address(1))), Err(Error::NoSuchPort { .. })));
    assert!(matches!(start(&known("a", BROADCAST)), Err(Error::PortAddress { .. })));
    assert!(matches!(start(&known("a", [2; 6])), Err(Error::PortAddress { .. })));
    assert!(!run.path().join("g.vde").exists());
}

#[test]
fn a_client_notices_that_the_fabric_is_gone() {
    let (_run, fabric) = fabric(&[]);
    let plug = Plug::new(fabric.path(), None).unwrap();
    drop(fabric);
    assert!(plug.send(&frame(BROADCAST, 1, 1)).is_err());
    assert!(!matches!(plug.receive(&mut [0; 100], Duration::ZERO), Ok(Some(_))));
}
