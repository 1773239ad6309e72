//! Writing captures that Wireshark reads.
//!
//! The format is pcapng (draft-ietf-opsawg-pcapng): blocks, each with its length at both ends,
//! padded to four bytes, with options behind what is fixed. Written here is the little that a
//! capture of Ethernet frames needs, in the host's byte order as the format allows.

use std::io::{self, Write};

/// Packets are Ethernet frames. All interfaces have this type, since libpcap reads no file in which
/// they differ.
const ETHERNET: u16 = 1;

const SECTION_HEADER: u32 = 0x0a0d_0d0a;
const INTERFACE: u32 = 1;
const ENHANCED_PACKET: u32 = 6;

const COMMENT: u16 = 1;
const APPLICATION: u16 = 4;
const NAME: u16 = 2;
const RESOLUTION: u16 = 9;
const FLAGS: u16 = 2;

/// The longest option, in bytes; what is longer is cut.
const OPTION_MAX: usize = 65_532;

/// Which way a packet went, as seen from its interface.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Direction {
    Unknown = 0,
    Inbound = 1,
    Outbound = 2,
}

/// Begins a capture.
pub(super) fn section(out: &mut impl Write, application: &str) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend(0x1a2b_3c4d_u32.to_ne_bytes());
    body.extend(1_u16.to_ne_bytes());
    body.extend(0_u16.to_ne_bytes());
    // How long the section will be is not known.
    body.extend(u64::MAX.to_ne_bytes());
    option(&mut body, APPLICATION, application.as_bytes());
    block(out, SECTION_HEADER, body)
}

/// Declares the next interface; the first one is number 0.
pub(super) fn interface(out: &mut impl Write, name: &str) -> io::Result<()> {
    let mut body = Vec::new();
    body.extend(ETHERNET.to_ne_bytes());
    body.extend(0_u16.to_ne_bytes());
    // Packets are captured as long as they are.
    body.extend(0_u32.to_ne_bytes());
    option(&mut body, NAME, name.as_bytes());
    // Times are in 10⁻⁹ seconds.
    option(&mut body, RESOLUTION, &[9]);
    block(out, INTERFACE, body)
}

/// One packet with what there is to say about it; the time in nanoseconds since 1970.
pub(super) fn packet(
    out: &mut impl Write,
    interface: u32,
    time: u64,
    packet: &[u8],
    direction: Direction,
    comments: &[String],
) -> io::Result<()> {
    let mut body = Vec::with_capacity(packet.len() + 64);
    let length = u32::try_from(packet.len()).unwrap_or(u32::MAX);
    for number in [interface, (time >> 32) as u32, time as u32, length, length] {
        body.extend(number.to_ne_bytes());
    }
    body.extend(packet);
    pad(&mut body);
    if direction != Direction::Unknown {
        option(&mut body, FLAGS, &(direction as u32).to_ne_bytes());
    }
    for comment in comments {
        option(&mut body, COMMENT, comment.as_bytes());
    }
    block(out, ENHANCED_PACKET, body)
}

fn block(out: &mut impl Write, kind: u32, mut body: Vec<u8>) -> io::Result<()> {
    // The end of options.
    body.extend([0; 4]);
    let length = u32::try_from(body.len() + 12).map_err(|_| io::ErrorKind::InvalidInput)?.to_ne_bytes();
    out.write_all(&kind.to_ne_bytes())?;
    out.write_all(&length)?;
    out.write_all(&body)?;
    out.write_all(&length)
}

fn option(body: &mut Vec<u8>, code: u16, value: &[u8]) {
    let value = &value[..value.len().min(OPTION_MAX)];
    body.extend(code.to_ne_bytes());
    body.extend((value.len() as u16).to_ne_bytes());
    body.extend(value);
    pad(body);
}

fn pad(body: &mut Vec<u8>) {
    body.resize(body.len().next_multiple_of(4), 0);
}
