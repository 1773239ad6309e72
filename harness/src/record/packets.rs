//! Packets of a capture, in words.

use std::fs::File;
use std::net::IpAddr;
use std::path::Path;

use etherparse::{ArpOperation, Icmpv4Type, Icmpv6Type, NetSlice, SlicedPacket, TcpSlice, TransportSlice};
use pcap_parser::pcapng::{Block, EnhancedPacketBlock, OptionCode, PcapNGOption};
use pcap_parser::traits::PcapReaderIterator as _;
use pcap_parser::{PcapBlockOwned, PcapError, PcapNGReader};

use super::states::bounded;
use super::{Packet, Packets};

/// So many packets are told; the file has all.
const MOST: usize = 5000;
/// How much of the file is looked at at once, in bytes: more than one packet with what is said of it.
const WINDOW: usize = 1 << 18;
/// Which way a packet went, as pcapng writes it down: the option, and the bits of its value.
const FLAGS: OptionCode = OptionCode(2);
const INBOUND: u32 = 1;
/// The interface of what the run itself has to say, which is told as commands already.
const ANNOTATIONS: &str = "annotations";

impl Packets {
    /// Those in a capture's file, of a run whose first command was given then, in seconds since 1970.
    ///
    /// # Errors
    /// What cannot be read or understood, in words.
    pub fn read(path: &Path, began: f64) -> Result<Self, String> {
        let failed =
            |error: &dyn std::fmt::Display| format!("capture {} cannot be read: {error}", path.display());
        let file = File::open(path).map_err(|error| failed(&error))?;
        let mut reader = PcapNGReader::new(WINDOW, file).map_err(|error| failed(&error))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let mut packets = Self { file: name, packets: Vec::new(), left_out: 0 };
        let mut interfaces = Vec::new();
        loop {
            match reader.next() {
                Ok((length, block)) => {
                    packets.take(&block, &mut interfaces, began);
                    reader.consume(length);
                }
                // A run that was stopped has not ended its last packet.
                Err(PcapError::Eof | PcapError::UnexpectedEof) => return Ok(packets),
                Err(PcapError::Incomplete(_)) => reader.refill().map_err(|error| failed(&error))?,
                Err(error) => return Err(failed(&error)),
            }
        }
    }

    fn take(&mut self, block: &PcapBlockOwned<'_>, interfaces: &mut Vec<String>, began: f64) {
        match block {
            PcapBlockOwned::NG(Block::InterfaceDescription(interface)) => {
                let name = interface.options.iter().find(|option| option.code == OptionCode::IfName);
                interfaces.push(name.map(text).unwrap_or_default());
            }
            PcapBlockOwned::NG(Block::EnhancedPacket(packet)) => {
                let Some(machine) = interfaces.get(packet.if_id as usize) else { return };
                match () {
                    () if machine == ANNOTATIONS => {}
                    () if self.packets.len() >= MOST => self.left_out += 1,
                    () => self.packets.push(told(packet, machine, began)),
                }
            }
            _ => {}
        }
    }
}

fn text(option: &PcapNGOption<'_>) -> String {
    let length = usize::from(option.len).min(option.value.len());
    String::from_utf8_lossy(&option.value[..length]).into_owned()
}

fn told(packet: &EnhancedPacketBlock<'_>, machine: &str, began: f64) -> Packet {
    let nanoseconds = u64::from(packet.ts_high) << 32 | u64::from(packet.ts_low);
    let length = (packet.caplen as usize).min(packet.data.len());
    let mut what = summary(&packet.data[..length]);
    for comment in packet.options.iter().filter(|option| option.code == OptionCode::Comment).map(text) {
        what.push_str(&format!("; {comment}"));
    }
    let flags = packet.options.iter().find(|option| option.code == FLAGS);
    let flags = flags.and_then(|option| option.value.first_chunk()).copied().map(u32::from_ne_bytes);
    Packet {
        at: nanoseconds as f64 / 1e9 - began,
        machine: machine.to_owned(),
        is_sent: flags.is_some_and(|flags| flags & 3 == INBOUND),
        what: bounded(what),
    }
}

/// What an Ethernet frame is, in one line.
fn summary(frame: &[u8]) -> String {
    let sliced = match SlicedPacket::from_ethernet(frame) {
        Ok(sliced) => sliced,
        Err(_) => return format!("{} bytes that are no packet", frame.len()),
    };
    let (from, to): (IpAddr, IpAddr) = match &sliced.net {
        Some(NetSlice::Arp(arp)) => return address_resolution(arp),
        Some(NetSlice::Ipv4(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        Some(NetSlice::Ipv6(ip)) => (ip.header().source_addr().into(), ip.header().destination_addr().into()),
        None => return format!("frame of {} bytes", frame.len()),
    };
    match &sliced.transport {
        Some(transport) => carried(transport, from, to),
        None => format!("IP {from} → {to}, {} bytes", frame.len()),
    }
}

/// What an IP packet carries.
fn carried(transport: &TransportSlice<'_>, from: IpAddr, to: IpAddr) -> String {
    let ping = |number: u16| format!("ping {from} → {to}, number {number}");
    match transport {
        TransportSlice::Udp(udp) => {
            format!("UDP {from}:{} → {to}:{}", udp.source_port(), udp.destination_port())
        }
        TransportSlice::Tcp(tcp) => {
            let (ports, bytes) = ((tcp.source_port(), tcp.destination_port()), tcp.payload().len());
            format!("TCP {from}:{} → {to}:{} {}, {bytes} bytes", ports.0, ports.1, flags(tcp))
        }
        TransportSlice::Icmpv4(icmp) => match icmp.icmp_type() {
            Icmpv4Type::EchoRequest(echo) => ping(echo.seq),
            Icmpv4Type::EchoReply(echo) => format!("answer to a {}", ping(echo.seq)),
            Icmpv4Type::DestinationUnreachable(_) => format!("ICMP {from} → {to}, unreachable"),
            _ => format!("ICMP {from} → {to}"),
        },
        TransportSlice::Icmpv6(icmp) => match icmp.icmp_type() {
            Icmpv6Type::EchoRequest(echo) => ping(echo.seq),
            Icmpv6Type::EchoReply(echo) => format!("answer to a {}", ping(echo.seq)),
            _ => format!("ICMPv6 {from} → {to}"),
        },
        TransportSlice::Igmp(_) => format!("IGMP {from} → {to}"),
    }
}

fn address_resolution(arp: &etherparse::ArpPacketSlice<'_>) -> String {
    let address = |bytes: &[u8]| {
        <[u8; 4]>::try_from(bytes).map_or_else(|_| "?".to_owned(), |bytes| IpAddr::from(bytes).to_string())
    };
    let (from, to) = (address(arp.sender_protocol_addr()), address(arp.target_protocol_addr()));
    match arp.operation() {
        ArpOperation::REQUEST => format!("ARP {from} asks who has {to}"),
        ArpOperation::REPLY => format!("ARP {from} tells {to} its address"),
        _ => format!("ARP {from} → {to}"),
    }
}

fn flags(tcp: &TcpSlice<'_>) -> String {
    let all = [(tcp.syn(), "SYN"), (tcp.fin(), "FIN"), (tcp.rst(), "RST"), (tcp.ack(), "ACK")];
    all.iter().filter(|(is_set, _)| *is_set).map(|(_, name)| *name).collect::<Vec<_>>().join("+")
}

#[cfg(test)]
mod tests {
    use etherparse::{ArpHardwareId, ArpPacket, EtherType, PacketBuilder};

    use super::*;

    fn built(builder: etherparse::PacketBuilderStep<etherparse::Icmpv4Header>) -> Vec<u8> {
        let mut frame = Vec::new();
        builder.write(&mut frame, b"data").unwrap();
        frame
    }

    #[test]
    fn frames_are_told_in_words() {
        let ip = || PacketBuilder::ethernet2([2; 6], [4; 6]).ipv4([172, 16, 2, 5], [172, 16, 2, 6], 64);
        let ping = "ping 172.16.2.5 → 172.16.2.6, number 3";
        assert_eq!(summary(&built(ip().icmpv4_echo_request(9, 3))), ping);
        assert_eq!(summary(&built(ip().icmpv4_echo_reply(9, 3))), format!("answer to a {ping}"));
        let mut tcp = Vec::new();
        ip().tcp(40000, 22, 1, 100).syn().write(&mut tcp, b"").unwrap();
        assert_eq!(summary(&tcp), "TCP 172.16.2.5:40000 → 172.16.2.6:22 SYN, 0 bytes");
        let hardware = (ArpHardwareId::ETHERNET, EtherType::IPV4);
        let arp = ArpPacket::new(
            hardware.0,
            hardware.1,
            ArpOperation::REQUEST,
            &[2; 6],
            &[172, 16, 2, 5],
            &[0; 6],
            &[172, 16, 2, 6],
        );
        let mut frame = Vec::new();
        PacketBuilder::ethernet2([2; 6], [0xff; 6]).arp(arp.unwrap()).write(&mut frame).unwrap();
        assert_eq!(summary(&frame), "ARP 172.16.2.5 asks who has 172.16.2.6");
    }

    #[test]
    fn whatever_a_guest_sends_is_told_somehow() {
        let mut frame = vec![0xff; 60];
        for byte in 0..=255 {
            frame.iter_mut().skip(12).for_each(|place| *place = byte);
            assert!(!summary(&frame).is_empty());
            assert!(!summary(&frame[..usize::from(byte) % 60]).is_empty());
        }
    }
}
