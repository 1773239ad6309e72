//! The shell lines around a command, which bound it and mark its ends in its output.
//!
//! libssh2 reports status 0 for a command whose status never arrived, so the status travels a
//! second time, in the output itself. Two shells share the work:
//!
//! 1. The login shell marks the beginning on standard error, with its process id, which is that
//!    of the process group that everything in the line belongs to. Then it *becomes* `timeout`
//!    where the machine has one (GNU's, or busybox's from 1.34 on), so that nothing lives on in
//!    the machine when nobody is left to end it.
//! 2. `sh` sets a trap that marks both streams on its exit, and runs the line.
//!
//! No shell is left to wait for another one. That is what keeps signals exact: a waiting shell
//! sees 137 for `kill -9` as well as for `exit 137`, whereas the SSH server, and GNU's `timeout`
//! on its behalf, tell them apart. A line that replaces its shell (`exec`) or sets an exit trap
//! of its own goes without the second mark; then the server's word stands alone.
//!
//! The marks hold 128 random bits, new for each command and written in two halves, so neither
//! chance, nor the output of another command, nor `set -x` can produce one. A mark is written
//! through descriptors 7 and 8, so that a line may redirect its own output; these two are taken.

use std::time::Duration;

/// The text that begins each mark of one command.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Nonce(u64, u64);

impl Nonce {
    /// How many bytes a nonce takes in the output.
    pub(crate) const LENGTH: usize = 32;

    /// Draws a nonce from the system's randomness.
    pub(crate) fn random() -> Result<Self, getrandom::Error> {
        Ok(Self(getrandom::u64()?, getrandom::u64()?))
    }

    /// The nonce as it stands in the output.
    pub(crate) fn text(self) -> String {
        format!("{:016x}{:016x}", self.0, self.1)
    }
}

/// What a mark says; in the output it follows the nonce.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mark {
    /// The login shell began, as this process: `p0000012345;`.
    Started(u32),
    /// The command's shell ended with this status: `x003;`.
    Ended(u8),
}

/// What the bytes after a nonce are.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Parsed {
    /// A mark of that many bytes.
    Mark(Mark, usize),
    /// The beginning of one.
    Incomplete,
    /// Something else.
    Other,
}

impl Mark {
    /// Reads what follows a nonce.
    pub(crate) fn parse(bytes: &[u8]) -> Parsed {
        let digits = match bytes.first() {
            None => return Parsed::Incomplete,
            Some(b'p') => 10,
            Some(b'x') => 3,
            Some(_) => return Parsed::Other,
        };
        let number = &bytes[1..bytes.len().min(1 + digits)];
        if !number.iter().all(u8::is_ascii_digit) {
            return Parsed::Other;
        }
        match bytes.get(1 + digits) {
            None => Parsed::Incomplete,
            Some(b';') => {
                Self::of(bytes[0], number).map_or(Parsed::Other, |mark| Parsed::Mark(mark, digits + 2))
            }
            Some(_) => Parsed::Other,
        }
    }

    fn of(kind: u8, number: &[u8]) -> Option<Self> {
        let number: u32 = std::str::from_utf8(number).ok()?.parse().ok()?;
        match kind {
            b'p' => Some(Self::Started(number)),
            _ => u8::try_from(number).ok().map(Self::Ended),
        }
    }
}

/// Puts a line between its marks and under a bound in the machine.
pub(crate) fn wrap(line: &str, nonce: Nonce, limit: Duration) -> String {
    let Nonce(left, right) = nonce;
    let halves = format!("{left:016x} {right:016x}");
    // `set +ex`: neither may tracing add to the output here, nor may a closed descriptor change
    // the status that the shell is about to exit with.
    let mark = format!("printf %s%sx%03d\\; {halves} \"$netprop_status\"");
    let script = format!(
        "exec 7>&1 8>&2; trap '{{ netprop_status=$?; set +ex; }} 2>/dev/null; {{ {mark} >&7; {mark} >&8; }} 2>/dev/null' EXIT\n{line}\n"
    );
    let seconds = bound(limit);
    let script = crate::quote(&script);
    format!(
        "printf '%s%sp%010d;' {halves} $$ >&2; set --; command -v timeout >/dev/null 2>&1 && set -- timeout -k 1 {seconds}; exec \"$@\" sh -c {script}"
    )
}

/// Ends every process of the group that a command's login shell leads, or at least that shell.
pub(crate) fn kill_group(leader: u32) -> String {
    format!("kill -KILL -- -{leader} 2>/dev/null || kill -KILL {leader} 2>/dev/null")
}

/// The bound in whole seconds, since busybox takes no others: always later than the limit here,
/// so that it is the caller's clock that decides, and never more than a year.
fn bound(limit: Duration) -> u64 {
    const YEAR: u64 = 365 * 24 * 60 * 60;
    let started = u64::from(limit.subsec_nanos() > 0);
    limit.as_secs().saturating_add(started + 1).min(YEAR)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_read_whole_or_not_at_all() {
        assert_eq!(Mark::parse(b"x003;rest"), Parsed::Mark(Mark::Ended(3), 5));
        assert_eq!(Mark::parse(b"p0000012345;"), Parsed::Mark(Mark::Started(12345), 12));
        for beginning in [&b""[..], b"x", b"x00", b"x003", b"p00000", b"p0000012345"] {
            assert_eq!(Mark::parse(beginning), Parsed::Incomplete, "{beginning:?}");
        }
        for other in [&b"y"[..], b"x0 3", b"x0033", b"x999;", b"p9999999999;", b" x003;"] {
            assert_eq!(Mark::parse(other), Parsed::Other, "{other:?}");
        }
    }

    #[test]
    fn the_machine_gives_up_after_the_caller() {
        assert_eq!(bound(Duration::ZERO), 1);
        assert_eq!(bound(Duration::from_millis(1)), 2);
        assert_eq!(bound(Duration::from_secs(5)), 6);
        assert_eq!(bound(Duration::MAX), 365 * 24 * 60 * 60);
    }

    #[test]
    fn a_wrapped_line_does_not_hold_the_nonce_in_one_piece() {
        let nonce = Nonce::random().unwrap();
        assert!(!wrap("true", nonce, Duration::ZERO).contains(&nonce.text()));
        assert_ne!(nonce, Nonce::random().unwrap());
        assert_eq!(nonce.text().len(), Nonce::LENGTH);
    }
}
