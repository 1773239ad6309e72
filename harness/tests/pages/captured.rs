//! What a capture of a fabric says in words.

use std::time::{Duration, SystemTime};

use etherparse::PacketBuilder;
use harness::hypervisor::fabric::{Fabric, FabricConfig, Pairs, Plug, Rule};
use harness::hypervisor::{Access, RunDirectory};
use harness::record::Packets;

/// A ping from one machine to another.
fn ping(number: u16) -> Vec<u8> {
    let builder = PacketBuilder::ethernet2([2, 0, 0, 0, 0, 1], [2, 0, 0, 0, 0, 2]);
    let mut frame = Vec::new();
    let builder = builder.ipv4([172, 16, 2, 5], [172, 16, 2, 6], 64).icmpv4_echo_request(1, number);
    builder.write(&mut frame, &[0; 32]).unwrap();
    frame
}

#[test]
fn packets_are_told_with_whose_they_are_and_when() {
    let place = tempfile::Builder::new().prefix("np").tempdir_in("/tmp").unwrap();
    let run = RunDirectory::create(Some(place.path()), Access::Owner).unwrap();
    let config = FabricConfig::new(7, ["a", "b"]);
    let fabric = Fabric::start(&run, "fabric", Access::Owner, &config).unwrap();
    let file = place.path().join("case.pcapng");
    let began = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let capture = fabric.capture(&file).unwrap();
    let [a, b] = [1, 2].map(|number| Plug::new(fabric.path(), Some(number)).unwrap());
    fabric.annotate("Ping a -> b");
    a.send(&ping(1)).unwrap();
    let (mut buffer, limit) = ([0; 2048], Duration::from_secs(20));
    assert!(b.receive(&mut buffer, limit).unwrap().is_some());
    let cut = fabric.apply(&[Rule::cut(Pairs::one_way(&["a"], &["b"]))]).unwrap();
    a.send(&ping(2)).unwrap();
    assert!(b.receive(&mut buffer, Duration::from_millis(200)).unwrap().is_none());
    drop(cut);
    capture.finish().unwrap();
    let Packets { file: name, packets, left_out } = Packets::read(&file, began).unwrap();
    assert_eq!((&*name, left_out), ("case.pcapng", 0));
    let told: Vec<_> = packets.iter().map(|packet| (&*packet.machine, packet.is_sent)).collect();
    assert_eq!(told[..3], [("a", true), ("b", false), ("a", true)], "{packets:?}");
    assert!(packets[0].what.starts_with("ping 172.16.2.5 → 172.16.2.6, number 1"), "{packets:?}");
    assert!(packets[1].what.contains("from a"), "{packets:?}");
    assert!(packets.iter().all(|packet| (0.0..60.0).contains(&packet.at)), "{packets:?}");
    // Of a file that ends in the middle what is there is told; what is none is refused.
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() - 7]).unwrap();
    assert!(Packets::read(&file, began).unwrap().packets.len() >= 2);
    std::fs::write(&file, "no capture").unwrap();
    assert!(Packets::read(&file, began).unwrap_err().contains("cannot be read"));
}
