//! What a capture holds, as other programs read it.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use hypervisor::fabric::{Effect, Pairs, Probability, Rule};
use pcap_parser::pcapng::{Block, EnhancedPacketBlock, OptionCode};
use pcap_parser::traits::PcapReaderIterator as _;
use pcap_parser::{PcapBlockOwned, PcapError, PcapNGReader};

use super::clients::{BROADCAST, COMES, LAST, Network, address, frame, next, until_last};
use crate::support::within;

/// A packet as it is in the file.
#[derive(Clone, Debug)]
struct Packet {
    interface: String,
    data: Vec<u8>,
    time: u64,
    inbound: Option<bool>,
    comments: Vec<String>,
}

/// What a reader of others' makes of the file.
fn read(path: &Path) -> Vec<Packet> {
    let mut reader = PcapNGReader::new(1 << 16, File::open(path).unwrap()).unwrap();
    let (mut interfaces, mut packets) = (Vec::new(), Vec::new());
    loop {
        match reader.next() {
            Ok((length, PcapBlockOwned::NG(block))) => {
                match block {
                    Block::InterfaceDescription(interface) => {
                        let is_name = |code| code == OptionCode::IfName;
                        let name = interface.options.iter().find(|option| is_name(option.code)).unwrap();
                        let name = &name.value[..usize::from(name.len)];
                        interfaces.push(String::from_utf8(name.to_vec()).unwrap());
                    }
                    Block::EnhancedPacket(packet) => packets.push(packet_of(&interfaces, &packet)),
                    Block::SectionHeader(_) => {}
                    other => panic!("{other:?}"),
                }
                reader.consume(length);
            }
            Ok(_) => panic!("it is no pcapng"),
            Err(PcapError::Eof) => return packets,
            Err(PcapError::Incomplete(_)) => reader.refill().unwrap(),
            Err(error) => panic!("{error:?}"),
        }
    }
}

fn packet_of(interfaces: &[String], packet: &EnhancedPacketBlock<'_>) -> Packet {
    let mut comments = Vec::new();
    let mut inbound = None;
    for option in &packet.options {
        let value = &option.value[..usize::from(option.len)];
        match option.code {
            OptionCode::Comment => comments.push(String::from_utf8(value.to_vec()).unwrap()),
            OptionCode(2) => inbound = Some(u32::from_ne_bytes(value.try_into().unwrap()) & 3 == 1),
            _ => {}
        }
    }
    Packet {
        interface: interfaces[packet.if_id as usize].clone(),
        data: packet.data[..packet.caplen as usize].to_vec(),
        time: u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low),
        inbound,
        comments,
    }
}

#[test]
fn a_capture_tells_what_came_and_what_rules_did() {
    let network = Network::new(1, 3);
    let path = network.run.path().join("capture.pcapng");
    let since = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    let capture = network.fabric.capture(&path).unwrap();
    network.fabric.annotate("a no longer reaches b");
    let guard = network
        .fabric
        .apply(&[
            Rule::cut(Pairs::one_way(&["a"], &["b"])),
            Rule::new(Pairs::one_way(&["a"], &["c"]), Effect::duplication(Probability::ALWAYS)),
        ])
        .unwrap();
    let mut odd = frame(BROADCAST, 1, 7);
    odd.push(9);
    network.plug(1).send(&odd).unwrap();
    assert_eq!((next(network.plug(3)), next(network.plug(3))), (odd.clone(), odd.clone()));
    drop(guard);
    network.fabric.annotate("healed");
    network.send(2, 1, 8);
    assert_eq!(next(network.plug(1)), frame(address(1), 2, 8));
    // One more meets a cut on its way.
    let ways = Pairs::one_way(&["b"], &["a"]);
    let delay = Effect::delay(Duration::from_secs(60)).unwrap();
    let guard = network.fabric.apply(&[Rule::new(ways.clone(), delay)]).unwrap();
    network.send(2, 1, 10);
    within(COMES, "a frame is taken in", || network.fabric.counts("b", "a").unwrap().delayed.frames == 1);
    guard.replace(&[Rule::cut(ways)]).unwrap();
    drop(guard);
    capture.finish().unwrap();
    network.send(2, 1, 9);
    next(network.plug(1));

    let packets = read(&path);
    let told: Vec<(&str, Option<bool>, Vec<&str>)> = packets
        .iter()
        .map(|packet| {
            let comments = packet.comments.iter().map(String::as_str).collect();
            (packet.interface.as_str(), packet.inbound, comments)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("annotations", None, vec!["a no longer reaches b"]),
            ("a", Some(true), vec!["cut to b: Other 1", "duplicated to c: Other 1"]),
            ("c", Some(false), vec!["from a"]),
            ("c", Some(false), vec!["from a, the second copy"]),
            ("annotations", None, vec!["healed"]),
            ("b", Some(true), vec![]),
            ("a", Some(false), vec!["from b"]),
            ("b", Some(true), vec![]),
            ("a", None, vec!["from b, not delivered: it met a cut on its way"]),
        ]
    );
    assert!([1, 2, 3].iter().all(|&place| packets[place].data == odd));
    assert_eq!(packets[0].data[14..], b"a no longer reaches b"[..]);
    let until = std::time::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    assert!(packets.iter().all(|packet| (since..=until).contains(&packet.time)));
    assert!(packets.is_sorted_by_key(|packet| packet.time));
    others_read(&path, packets.len());
}

/// Programs that people look at captures with, where they are.
fn others_read(path: &Path, packets: usize) {
    for (program, arguments) in
        [("tshark", &["-n", "-r"][..]), ("tcpdump", &["-n", "-r"]), ("capinfos", &["-c"])]
    {
        if which::which(program).is_err() {
            eprintln!("not looked at with {program}, which is not here");
            continue;
        }
        let output = Command::new(program).args(arguments).arg(path).output().unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout);
        match program {
            "capinfos" => assert!(said.contains(&packets.to_string()), "{said}"),
            // A packet that it knows no name for has lines with its bytes below.
            "tcpdump" => {
                let lines = said.lines().filter(|line| !line.starts_with('\t'));
                assert_eq!(lines.count(), packets, "{said}");
            }
            _ => assert_eq!(said.lines().count(), packets, "{said}"),
        }
    }
}

#[test]
fn captures_end_with_their_guard_and_one_follows_another() {
    let network = Network::new(1, 2);
    let path = |name: &str| network.run.path().join(name);
    let first = network.fabric.capture(&path("first")).unwrap();
    network.send(1, 2, 1);
    next(network.plug(2));
    let second = network.fabric.capture(&path("second")).unwrap();
    drop(first);
    network.send(1, 2, 2);
    next(network.plug(2));
    within(COMES, "both are written", || {
        network.fabric.annotate("now");
        read(second.path()).len() >= 3
    });
    drop(second);
    let count = |name| read(&path(name)).iter().filter(|packet| packet.interface != "annotations").count();
    assert_eq!((count("first"), count("second")), (2, 2));
    let size = fs::metadata(path("second")).unwrap().len();
    network.send(1, 2, LAST);
    until_last(network.plug(2));
    network.fabric.annotate("unheard");
    assert_eq!(fs::metadata(path("second")).unwrap().len(), size);
    assert!(network.fabric.capture(Path::new("/nonexistent/capture")).is_err());
}

#[test]
fn a_full_disk_ends_the_capture_and_nothing_else() {
    let network = Network::new(1, 2);
    // The device that is always full refuses what is written at the beginning already.
    assert!(network.fabric.capture(Path::new("/dev/full")).is_err());
    network.send(1, 2, 1);
    next(network.plug(2));
    network.fabric.check().unwrap();
}
