//! What a guest's kernel counts of echo requests: a guest that got them and answered none is deaf,
//! however busy its host is.

use std::time::Duration;

use model::{MachineId, Outcome};
use remote::Command;

use crate::machines::live::LiveNetwork;

/// So many requests must have come in. A kernel takes them one after the other from the one queue
/// of a NIC, so that once a second one is counted the first has been dealt with: a guest that lost
/// its processor just before it replied is not taken for one that does not.
const CERTAIN: u64 = 2;

/// What a kernel has counted since it booted, by its `/proc/net/snmp` (RFC 5097 has the names):
/// requests as they come in, before anything decides whether they are answered.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct Echoes {
    pub(super) requests: u64,
    replies: u64,
}

impl Echoes {
    pub(super) fn parse(snmp: &str) -> Option<Self> {
        let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Icmp: "));
        let (names, values) = (lines.next()?, lines.next()?);
        let count = |name: &str| {
            let mut pairs = names.split_whitespace().zip(values.split_whitespace());
            pairs.find(|(other, _)| *other == name)?.1.parse().ok()
        };
        Some(Self { requests: count("InEchos")?, replies: count("OutEchoReps")? })
    }

    /// Whether requests came in from this count to a later one of the same boot, and none of any
    /// sender was answered.
    fn are_unanswered_until(self, later: Self) -> bool {
        self.replies == later.replies && later.requests.saturating_sub(self.requests) >= CERTAIN
    }
}

/// Asks the target of a ping what it has counted, over the management NIC.
pub(super) struct Witness<'a> {
    live: &'a LiveNetwork<'a>,
    target: &'a MachineId,
    /// The first count, and the epoch of the machine that it is of.
    first: Option<(u64, Echoes)>,
    /// Whether asking is of no use, since it failed.
    is_mute: bool,
}

impl<'a> Witness<'a> {
    pub(super) fn new(live: &'a LiveNetwork<'a>, target: &'a MachineId) -> Self {
        Self { live, target, first: None, is_mute: false }
    }

    /// Asks once more. Whether it is certain by now that the target gets echo requests and answers
    /// none; where it is off, boots, or cannot be asked, nothing is.
    pub(super) fn saw_silence(&mut self) -> bool {
        let Some((epoch, now)) = self.ask() else { return false };
        match self.first {
            Some((known, first)) if known == epoch => first.are_unanswered_until(now),
            _ => {
                self.first = Some((epoch, now));
                false
            }
        }
    }

    fn ask(&mut self) -> Option<(u64, Echoes)> {
        if self.is_mute {
            return None;
        }
        let status = &self.live.live(self.target).ok()?.status;
        let epoch = status.now().epoch;
        let read = Command::new("cat /proc/net/snmp").limit(Duration::from_secs(5));
        let output = match self.live.attempt(self.target, &read) {
            Ok(Outcome::Answered(output)) if output.ending.is_success() => output,
            Ok(Outcome::Refused(_)) => return None,
            // What waits for the target is the ping: it fails, or not, by itself.
            _ => {
                self.is_mute = true;
                return None;
            }
        };
        let counted = Echoes::parse(&String::from_utf8_lossy(&output.stdout))?;
        (status.now().epoch == epoch).then_some((epoch, counted))
    }
}

#[cfg(test)]
mod tests {
    use super::Echoes;

    const SNMP: &str = "\
Ip: Forwarding DefaultTTL InReceives
Ip: 2 64 31
Icmp: InMsgs InErrors InDestUnreachs InEchos InEchoReps OutMsgs OutEchos OutEchoReps
Icmp: 9 0 1 5 3 8 4 2
IcmpMsg: InType0 InType8 OutType0
IcmpMsg: 3 5 2
";

    #[test]
    fn counters_are_found_by_their_names() {
        assert_eq!(Echoes::parse(SNMP), Some(Echoes { requests: 5, replies: 2 }));
        assert_eq!(Echoes::parse("Ip: InReceives\nIp: 31\n"), None);
        assert_eq!(Echoes::parse(&SNMP.replace("OutEchoReps", "Others")), None);
        assert_eq!(Echoes::parse(""), None);
    }

    #[test]
    fn only_requests_that_came_in_and_no_reply_are_silence() {
        let first = Echoes { requests: 5, replies: 2 };
        let until = |requests, replies| first.are_unanswered_until(Echoes { requests, replies });
        assert!(until(7, 2) && until(9, 2));
        assert!(!until(5, 2), "nothing came in, so the host or the switch may be busy");
        assert!(!until(6, 2), "the reply to the only one may be on its way");
        assert!(!until(7, 3), "one was answered, if late");
        assert!(!until(3, 2), "another boot");
    }
}
