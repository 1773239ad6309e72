//! What a client of a VDE switch asks for, and what it is answered.
//!
//! The client connects to the socket `ctl` and sends one request. In its third version, which
//! everything speaks since 2005, that is: a magic number, the version, the kind with a port's number
//! above its lowest byte, the address of the datagram socket that the client listens on, and a
//! description as long as it likes without an end. The first version has no version, the kind in its
//! place, and six unused bytes before the address. Numbers are the host's. The answer is the address
//! of a datagram socket for this client. From then on each datagram is an Ethernet frame, until
//! either side closes the connection. (`src/vde_switch/datasock.c` and `src/lib/libvdeplug.c` of
//! vde-2.)

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// What every request begins with.
const MAGIC: u32 = 0xfeed_face;
/// The address family of unix sockets.
const UNIX: u16 = 1;
/// The bytes of a unix socket's address, `sockaddr_un`.
const ADDRESS: usize = 2 + PATH;
/// Those of the path in it.
const PATH: usize = 108;
/// Where the address begins in the first and in the third version.
const ADDRESS_IN: [usize; 2] = [4 + 4 + 6, 4 + 4 + 4];
/// The longest request without its description.
pub(super) const REQUEST: usize = ADDRESS_IN[0] + ADDRESS;

/// A request that can be met.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Request {
    /// The number of the port that is asked for; any where it is none.
    pub(super) number: Option<u32>,
    /// The client's socket.
    pub(super) path: PathBuf,
}

/// What the bytes that have come are.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Parsed {
    /// The beginning of a request.
    Begun,
    /// No request of ours; why.
    Refused(&'static str),
    /// All that matters of one.
    Whole(Request),
}

/// Reads what a client has sent so far.
pub(super) fn parse(bytes: &[u8]) -> Parsed {
    let number = |place: usize| {
        let bytes = bytes.get(place..place + 4)?;
        Some(u32::from_ne_bytes(bytes.try_into().ok()?))
    };
    match number(0) {
        None => return Parsed::Begun,
        Some(MAGIC) => {}
        Some(_) => return Parsed::Refused("it does not begin as a request of VDE does"),
    }
    let (kind, address) = match number(4) {
        None => return Parsed::Begun,
        Some(kind @ (0 | 1)) => (kind, ADDRESS_IN[0]),
        Some(3) => match number(8) {
            None => return Parsed::Begun,
            Some(kind) => (kind, ADDRESS_IN[1]),
        },
        Some(_) => return Parsed::Refused("it is of a version that is not spoken here"),
    };
    let number = match (kind & 0xff, kind >> 8) {
        (0, 0) | (1, _) => None,
        (0, number) => Some(number),
        _ => return Parsed::Refused("it asks for something unknown"),
    };
    let Some(address) = bytes.get(address..address + ADDRESS) else { return Parsed::Begun };
    let (family, path) = address.split_at(2);
    if family != UNIX.to_ne_bytes() {
        return Parsed::Refused("its address is not that of a unix socket");
    }
    let end = path.iter().position(|&byte| byte == 0).unwrap_or(PATH);
    let path = Path::new(OsStr::from_bytes(&path[..end]));
    if path.is_absolute() {
        Parsed::Whole(Request { number, path: path.to_owned() })
    } else {
        Parsed::Refused("its socket has no absolute path")
    }
}

/// A request of the third version for a client that listens at `path`.
pub(super) fn request(number: Option<u16>, path: &Path, description: &str) -> Option<Vec<u8>> {
    let kind = u32::from(number.unwrap_or_default()) << 8;
    let mut bytes = Vec::with_capacity(REQUEST + description.len());
    for number in [MAGIC, 3, kind] {
        bytes.extend(number.to_ne_bytes());
    }
    bytes.extend(address(path)?);
    bytes.extend(description.as_bytes());
    Some(bytes)
}

/// The address of a socket at `path`; none where it is too long.
pub(super) fn address(path: &Path) -> Option<[u8; ADDRESS]> {
    let path = path.as_os_str().as_bytes();
    // The path ends with a zero, which some readers rely on.
    (path.len() < PATH).then(|| {
        let mut bytes = [0; ADDRESS];
        bytes[..2].copy_from_slice(&UNIX.to_ne_bytes());
        bytes[2..2 + path.len()].copy_from_slice(path);
        bytes
    })
}

/// How long an address is, and so an answer.
pub(super) const fn address_length() -> usize {
    ADDRESS
}

/// The path in an answer, which is an address.
pub(super) fn answered(bytes: &[u8; ADDRESS]) -> &Path {
    let path = &bytes[2..];
    let end = path.iter().position(|&byte| byte == 0).unwrap_or(PATH);
    Path::new(OsStr::from_bytes(&path[..end]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const CLIENT: &str = "/run/client";

    fn first_version(kind: u32) -> Vec<u8> {
        let mut bytes = MAGIC.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([9; 6]);
        bytes.extend(address(Path::new(CLIENT)).unwrap());
        bytes
    }

    #[test]
    fn requests_are_read_as_they_come_in() {
        let whole = |number| Parsed::Whole(Request { number, path: CLIENT.into() });
        let third = |number| request(number, Path::new(CLIENT), "").unwrap();
        for (bytes, parsed) in [
            (third(None), whole(None)),
            (third(Some(7)), whole(Some(7))),
            (third(Some(u16::MAX)), whole(Some(u32::from(u16::MAX)))),
            (first_version(0), whole(None)),
            (first_version(1), whole(None)),
        ] {
            for length in 0..bytes.len() {
                assert_eq!(parse(&bytes[..length]), Parsed::Begun, "{length} bytes");
            }
            assert_eq!(parse(&bytes), parsed);
            assert_eq!(parse(&[&bytes[..], b"a description"].concat()), parsed);
        }
    }

    #[test]
    fn what_is_no_request_is_refused() {
        let third = request(None, Path::new(CLIENT), "").unwrap();
        let with = |place: usize, bytes: &[u8]| {
            let mut changed = third.clone();
            changed[place..place + bytes.len()].copy_from_slice(bytes);
            changed
        };
        for (bytes, why) in [
            (with(0, &1_u32.to_ne_bytes()), "does not begin"),
            (with(4, &2_u32.to_ne_bytes()), "version"),
            (with(4, &4_u32.to_ne_bytes()), "version"),
            (with(8, &2_u32.to_ne_bytes()), "unknown"),
            (with(8, &255_u32.to_ne_bytes()), "unknown"),
            (with(12, &2_u16.to_ne_bytes()), "unix"),
            // Abstract, empty and relative paths.
            (with(14, b"\0"), "absolute"),
            (with(14, b"relative"), "absolute"),
        ] {
            match parse(&bytes) {
                Parsed::Refused(said) => assert!(said.contains(why), "{said}"),
                other => panic!("{other:?}"),
            }
        }
    }

    #[test]
    fn a_path_may_fill_its_room() {
        let mut bytes = request(None, Path::new(CLIENT), "").unwrap();
        bytes[14..].fill(b'/');
        let Parsed::Whole(request) = parse(&bytes) else { panic!("it has a path") };
        assert_eq!(request.path.as_os_str().len(), PATH);
        assert_eq!(address(&request.path), None, "it could not be given back");
    }

    proptest! {
        #[test]
        fn anything_can_be_read(bytes: Vec<u8>, begins: bool) {
            let bytes = if begins { [&MAGIC.to_ne_bytes()[..], &3_u32.to_ne_bytes(), &bytes].concat() } else { bytes };
            match parse(&bytes) {
                Parsed::Begun => prop_assert!(bytes.len() < REQUEST),
                Parsed::Whole(request) => prop_assert!(request.path.is_absolute()),
                Parsed::Refused(_) => {}
            }
        }
    }
}
