//! What kind of frame it is, as far as faults tell frames apart.

/// A class of frames. The frames of each class are numbered by themselves, so that a machine that
/// asks once more for an address does not change which of its TCP segments are lost.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub enum Class {
    /// The address resolution protocol.
    Arp,
    /// ICMP, and ICMPv6 but for its neighbour discovery.
    Icmp,
    /// TCP over IPv4 or IPv6.
    Tcp,
    /// UDP over IPv4 or IPv6.
    Udp,
    /// Anything else.
    Other,
    /// Meant for one machine, whichever kind it is, but sent everywhere since the switch had not
    /// learned yet where that machine is. How many of these there are depends on what was forgotten
    /// when, so they must not change the numbers of others. There are none where all machines are
    /// [known](super::FabricConfig::addresses) from the start.
    Unlearned,
    /// ICMPv6 neighbour discovery and router solicitation (RFC 4861): kernels send it when their timers
    /// say so, so that it must not change the numbers of pings.
    Neighbours,
}

/// How many classes there are.
pub(super) const CLASSES: usize = 7;

/// An Ethernet header without tags: two addresses and an `EtherType` (IEEE 802.3).
pub(super) const HEADER: usize = 14;

impl Class {
    /// The class of a frame by its `EtherType` and IP protocol, behind any VLAN tags (IEEE 802.1Q
    /// and 802.1ad). Never [`Class::Unlearned`], which the frame alone does not tell.
    #[must_use]
    pub fn of(frame: &[u8]) -> Self {
        let mut place = HEADER - 2;
        let protocol = loop {
            let Some(&[high, low]) = frame.get(place..place + 2) else { return Self::Other };
            place += 2;
            match u16::from_be_bytes([high, low]) {
                // The tag's two bytes are followed by the next EtherType.
                0x8100 | 0x88a8 => place += 2,
                0x0806 => return Self::Arp,
                0x0800 => break frame.get(place + 9),
                0x86dd => {
                    // The type is the first byte behind a header of 40.
                    let is_discovery = matches!(frame.get(place + 40), Some(133..=137));
                    match frame.get(place + 6) {
                        Some(58) if is_discovery => return Self::Neighbours,
                        next => break next,
                    }
                }
                _ => return Self::Other,
            }
        };
        match protocol {
            Some(1 | 58) => Self::Icmp,
            Some(6) => Self::Tcp,
            Some(17) => Self::Udp,
            _ => Self::Other,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(behind_addresses: &[u8]) -> Vec<u8> {
        [&[0; 12], behind_addresses].concat()
    }

    #[test]
    fn classes_are_found_behind_tags() {
        let ipv4 = |protocol| [&[8, 0][..], &[0x45; 9], &[protocol], &[0; 10]].concat();
        let ipv6 = |next| [&[0x86, 0xdd][..], &[0x60; 6], &[next], &[0; 33]].concat();
        for (rest, class) in [
            (vec![8, 6], Class::Arp),
            (ipv4(1), Class::Icmp),
            (ipv4(6), Class::Tcp),
            (ipv4(17), Class::Udp),
            (ipv4(47), Class::Other),
            (ipv6(58), Class::Icmp),
            ([ipv6(58), vec![128]].concat(), Class::Icmp),
            ([ipv6(58), vec![133]].concat(), Class::Neighbours),
            ([ipv6(58), vec![135]].concat(), Class::Neighbours),
            (ipv6(6), Class::Tcp),
            (ipv6(17), Class::Udp),
            (vec![0x88, 0xcc], Class::Other),
        ] {
            assert_eq!(Class::of(&frame(&rest)), class);
            let tagged = [&[0x81, 0, 0, 7][..], &rest].concat();
            assert_eq!(Class::of(&frame(&tagged)), class);
            let twice = [&[0x88, 0xa8, 0, 7][..], &tagged].concat();
            assert_eq!(Class::of(&frame(&twice)), class);
        }
    }

    #[test]
    fn frames_that_end_early_are_other() {
        let whole = frame(&[0x81, 0, 0, 1, 0x81, 0, 0, 1, 8, 0, 0x45, 0, 0]);
        for length in 0..whole.len() {
            assert_eq!(Class::of(&whole[..length]), Class::Other);
        }
    }
}
