//! Whether the other end of a unix socket has read all that was written to it.
//!
//! The kernel tells over netlink (`sock_diag(7)`, `unix_diag`), the one way to ask that needs no
//! unsafe code.

use std::io;
use std::os::fd::AsFd;

use rustix::net::{AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink};

/// `SOCK_DIAG_BY_FAMILY`: ask about sockets of one family, and the kind of the answer.
const BY_FAMILY: u16 = 20;
/// `NLM_F_REQUEST`.
const REQUEST: u16 = 1;
/// `AF_UNIX`.
const UNIX: u8 = 1;
/// `UDIAG_SHOW_RQLEN`: tell how much lies unread.
const SHOW_UNREAD: u32 = 0x10;
/// `UNIX_DIAG_RQLEN`: the attribute that does.
const UNREAD: u16 = 4;
/// The length of `nlmsghdr`, and of it with `unix_diag_msg` behind it.
const HEADER: usize = 16;
const MESSAGE: usize = HEADER + 16;

/// Whether something that was written to this connected socket waits for the other end to read it.
///
/// # Errors
/// Where the kernel does not tell, as without its module `unix_diag`.
pub(super) fn is_unread(socket: impl AsFd) -> io::Result<bool> {
    let inode = u32::try_from(rustix::fs::fstat(socket)?.st_ino).map_err(io::Error::other)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let protocol = Some(netlink::SOCK_DIAG);
    let netlink = rustix::net::socket_with(AddressFamily::NETLINK, SocketType::DGRAM, flags, protocol)?;
    rustix::net::send(&netlink, &request(inode), SendFlags::empty())?;
    let mut reply = [0; 1024];
    let (length, _) = rustix::net::recv(&netlink, &mut reply, RecvFlags::empty())?;
    let unread = written(&reply[..length.min(reply.len())]);
    unread.map(|unread| unread > 0).ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn request(inode: u32) -> Vec<u8> {
    let mut request = Vec::new();
    let mut word = |word: u32| request.extend(word.to_ne_bytes());
    // The length is filled in at the end; type and flags share a word.
    word(0);
    word(u32::from_ne_bytes(halves(BY_FAMILY, REQUEST)));
    // Sequence and port.
    word(1);
    word(0);
    // Family, then in any state, this socket, with any cookie.
    word(u32::from_ne_bytes([UNIX, 0, 0, 0]));
    [u32::MAX, inode, SHOW_UNREAD, u32::MAX, u32::MAX].into_iter().for_each(word);
    let length = u32::try_from(request.len()).unwrap_or_default();
    request[..4].copy_from_slice(&length.to_ne_bytes());
    request
}

fn halves(first: u16, second: u16) -> [u8; 4] {
    let ([a, b], [c, d]) = (first.to_ne_bytes(), second.to_ne_bytes());
    [a, b, c, d]
}

/// How much memory the kernel holds for what was written and not read, by its answer.
fn written(reply: &[u8]) -> Option<u32> {
    if half(reply, 4)? != BY_FAMILY {
        return None;
    }
    let mut attributes = reply.get(MESSAGE..)?;
    loop {
        let length = usize::from(half(attributes, 0)?);
        if half(attributes, 2)? == UNREAD {
            // What this end has not read comes first.
            return Some(u32::from_ne_bytes(attributes.get(8..12)?.try_into().ok()?));
        }
        attributes = attributes.get(length.max(4).next_multiple_of(4)..)?;
    }
}

fn half(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_ne_bytes(bytes.get(at..at + 2)?.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream;

    #[test]
    fn what_was_not_read_is_known() {
        let (mut ours, mut theirs) = UnixStream::pair().unwrap();
        assert!(!is_unread(&ours).unwrap());
        ours.write_all(b"12345").unwrap();
        assert!(is_unread(&ours).unwrap());
        theirs.read_exact(&mut [0; 4]).unwrap();
        assert!(is_unread(&ours).unwrap(), "one byte is left");
        theirs.read_exact(&mut [0; 1]).unwrap();
        assert!(!is_unread(&ours).unwrap());
        theirs.write_all(b"for us").unwrap();
        assert!(!is_unread(&ours).unwrap(), "only what we have written counts");
    }

    #[test]
    fn what_is_no_socket_is_told() {
        assert!(is_unread(tempfile::tempfile().unwrap()).is_err());
    }
}
