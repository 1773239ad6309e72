//! A case written down before it runs.

use std::io;
use std::time::{Duration, Instant};

/// Takes in JSON, which comes in very short pieces, each case of a run anew.
pub(super) struct Text<'a>(pub(super) &'a mut Vec<u8>);

impl io::Write for Text<'_> {
    #[inline]
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        self.write_all(piece).map(|()| piece.len())
    }

    #[inline]
    fn write_all(&mut self, piece: &[u8]) -> io::Result<()> {
        match piece {
            [one] => self.0.push(*one),
            // A loop of a few steps, where a call to copy memory would take longer.
            short if short.len() < 16 => self.0.extend(short.iter().copied()),
            long => self.0.extend_from_slice(long),
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Where commands take less than this, writing them down would take much of the time.
const BRIEF: Duration = Duration::from_micros(10);

/// So many commands go by before it is judged anew how long they take.
const JUDGED: usize = 1024;

/// How fast the cases of a run follow one another.
#[derive(Debug, Default)]
pub(super) struct Haste {
    commands: usize,
    since: Option<Instant>,
    brief: bool,
}

impl Haste {
    /// Whether cases follow so fast that one with so many commands is better not written down.
    pub(super) fn is_brief(&mut self, commands: usize) -> bool {
        // A case without commands takes time too.
        self.commands += commands.max(1);
        if self.commands >= JUDGED || self.since.is_none() {
            let counted = u32::try_from(self.commands).unwrap_or(u32::MAX);
            let before = self.since.replace(Instant::now());
            self.brief = before.is_some_and(|since| since.elapsed() / counted < BRIEF);
            self.commands = 0;
        }
        self.brief
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;
    use std::time::{Duration, Instant};

    use super::{BRIEF, Haste, JUDGED, Text};

    #[test]
    fn text_is_what_was_written() {
        let mut text = Vec::new();
        for piece in ["{", "", "\"Push\":", "a piece that is longer than fifteen letters", "}"] {
            Text(&mut text).write_all(piece.as_bytes()).unwrap();
        }
        assert_eq!(text, b"{\"Push\":a piece that is longer than fifteen letters}");
    }

    #[test]
    fn only_a_run_that_is_known_to_be_fast_is_brief() {
        let mut haste = Haste::default();
        assert!(!haste.is_brief(10), "nothing is known");
        assert!(!haste.is_brief(10), "nor soon after");
        haste.since = Some(Instant::now());
        assert!(haste.is_brief(2 * JUDGED) && haste.is_brief(10));
        let slow = Instant::now() - 4 * BRIEF * u32::try_from(JUDGED).unwrap();
        haste.since = Some(slow - Duration::from_millis(1));
        assert!(!haste.is_brief(JUDGED) && !haste.is_brief(10));
    }
}
