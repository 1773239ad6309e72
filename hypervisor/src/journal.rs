//! What the services of a guest say: the end of it, kept with the times at which it came.

use std::collections::VecDeque;
use std::time::SystemTime;

use crate::console::ConsoleLine;

/// What a line of the control port begins with that a service has said, its name and the line itself
/// after that.
pub(crate) const MARK: &str = "log ";
/// How much is kept, in bytes.
const KEPT: usize = 256 * 1024;
/// The longest line that is kept, in bytes; the rest of a longer one is lost.
const LINE: usize = 4096;

/// What the services of one life of a guest have said.
#[derive(Debug, Default)]
pub(crate) struct Journal {
    lines: VecDeque<ConsoleLine>,
    size: usize,
}

impl Journal {
    /// Adds what a service has just said, its name before it.
    pub(crate) fn push(&mut self, text: &str) {
        let end = (0..=text.len().min(LINE)).rev().find(|end| text.is_char_boundary(*end));
        let text = text[..end.unwrap_or(0)].to_owned();
        self.size += text.len() + 1;
        self.lines.push_back(ConsoleLine { at: Some(SystemTime::now()), text });
        while self.size > KEPT
            && let Some(first) = self.lines.pop_front()
        {
            self.size -= first.text.len() + 1;
        }
    }

    /// The end of what they have said.
    pub(crate) fn lines(&self) -> Vec<ConsoleLine> {
        self.lines.iter().cloned().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_is_kept_with_its_times() {
        let mut journal = Journal::default();
        let before = SystemTime::now();
        for number in 0..3 * KEPT / 8 {
            journal.push(&format!("web {number:04}"));
        }
        journal.push(&format!("web {}", "ä".repeat(LINE)));
        let lines = journal.lines();
        assert!(lines.iter().map(|line| line.text.len() + 1).sum::<usize>() <= KEPT);
        assert!(lines.windows(2).all(|pair| before <= pair[0].at.unwrap() && pair[0].at <= pair[1].at));
        assert_eq!(lines.last().unwrap().text.len(), LINE);
    }
}
