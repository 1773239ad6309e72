//! The text of a console: its end kept in memory, all of it in a file, panics noticed.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// How much of the text is kept in memory, in bytes.
const KEPT: usize = 256 * 1024;
/// How much a machine may add to its file in all its lives, in bytes; a guest that floods its
/// console must not fill the host's disk.
const LOGGED: u64 = 16 * 1024 * 1024;
/// The longest line that is looked at, in bytes.
const LINE: usize = 4096;
/// How many lines of a panic are told.
const PANIC_LINES: usize = 60;

/// What Linux prints when it gives up.
const PANIC: &str = "Kernel panic - not syncing";
/// What Linux prints when it has said all about it.
const PANIC_END: &str = "---[ end Kernel panic";

/// Of what came within this time it is not told what came first.
const RESOLUTION: Duration = Duration::from_millis(1);

/// A line that a console said.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct ConsoleLine {
    /// When it began to come, by the host's clock; none where that is not known.
    pub at: Option<SystemTime>,
    /// The line without its end, what is no UTF-8 replaced.
    pub text: String,
}

/// The console of one life of a machine.
#[derive(Debug)]
pub(crate) struct Console {
    text: Vec<u8>,
    /// Where in the text something began to come, and when, in the order of both.
    marks: VecDeque<(usize, SystemTime)>,
    line: Vec<u8>,
    panic: Vec<String>,
    panic_told: bool,
    log: Option<(File, u64)>,
}

impl Console {
    /// A console without text, whose file is `log`.
    pub(crate) fn new(log: &Path) -> io::Result<Self> {
        let file = OpenOptions::new().create(true).append(true).open(log)?;
        let room = LOGGED.saturating_sub(file.metadata()?.len());
        Ok(Self {
            text: Vec::new(),
            marks: VecDeque::new(),
            line: Vec::new(),
            panic: Vec::new(),
            panic_told: false,
            log: Some((file, room)),
        })
    }

    /// Has no text again. What comes next is added to the same file.
    pub(crate) fn begin_anew(&mut self) {
        self.text.clear();
        self.marks.clear();
        self.line.clear();
        self.panic.clear();
        self.panic_told = false;
    }

    /// Adds what the guest said.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.write_log(bytes);
        self.mark(SystemTime::now());
        self.text.extend(bytes.iter().filter(|byte| **byte != b'\r'));
        if self.text.len() > 2 * KEPT {
            self.forget(self.text.len() - KEPT);
        }
        for &byte in bytes {
            match byte {
                b'\n' => self.end_line(),
                b'\r' => {}
                _ if self.line.len() < LINE => self.line.push(byte),
                _ => {}
            }
        }
    }

    /// The end of the text.
    pub(crate) fn text(&self) -> String {
        let from = self.text.len().saturating_sub(KEPT);
        String::from_utf8_lossy(&self.text[from..]).into_owned()
    }

    /// The end of the text, line by line, with when each came.
    pub(crate) fn lines(&self) -> Vec<ConsoleLine> {
        let from = self.text.len().saturating_sub(KEPT);
        let mut begins = from;
        let lines = self.text[from..].split_inclusive(|byte| *byte == b'\n').map(|line| {
            let (text, at) = (line.strip_suffix(b"\n").unwrap_or(line), self.came(begins));
            begins += line.len();
            ConsoleLine { at, text: String::from_utf8_lossy(text).into_owned() }
        });
        lines.collect()
    }

    /// What comes from here on in the text comes now.
    fn mark(&mut self, now: SystemTime) {
        let is_new = |(_, last): &(usize, SystemTime)| {
            now.duration_since(*last).is_ok_and(|since| since >= RESOLUTION)
        };
        if self.marks.back().is_none_or(is_new) {
            self.marks.push_back((self.text.len(), now));
        }
    }

    /// When the byte at this place came.
    fn came(&self, place: usize) -> Option<SystemTime> {
        let after = self.marks.partition_point(|(begins, _)| *begins <= place);
        Some(self.marks.get(after.checked_sub(1)?)?.1)
    }

    /// So many bytes at the beginning are forgotten.
    fn forget(&mut self, count: usize) {
        self.text.drain(..count);
        let gone = self.marks.partition_point(|(begins, _)| *begins <= count);
        self.marks.drain(..gone.saturating_sub(1));
        self.marks.iter_mut().for_each(|(begins, _)| *begins = begins.saturating_sub(count));
    }

    /// Whether the kernel has panicked.
    pub(crate) fn panicked(&self) -> bool {
        !self.panic.is_empty()
    }

    /// Whether a panic's text is still coming.
    pub(crate) fn panicking(&self) -> bool {
        self.panicked() && !self.panic_told
    }

    /// The panic's text, once: where it is complete, or in any case where `now` is set.
    pub(crate) fn take_panic(&mut self, now: bool) -> Option<String> {
        let complete =
            self.panic.len() >= PANIC_LINES || self.panic.last().is_some_and(|line| line.contains(PANIC_END));
        if !self.panicking() || !(complete || now) {
            return None;
        }
        self.panic_told = true;
        Some(self.panic.join("\n"))
    }

    fn end_line(&mut self) {
        let line = String::from_utf8_lossy(&self.line).into_owned();
        self.line.clear();
        if self.panicking() || (!self.panicked() && line.contains(PANIC)) {
            self.panic.push(line);
        }
    }

    /// The file is a help for the reader; where it cannot be written the text goes on in memory.
    fn write_log(&mut self, bytes: &[u8]) {
        let Some((file, room)) = &mut self.log else { return };
        let fits = bytes.len().min(usize::try_from(*room).unwrap_or(usize::MAX));
        *room -= fits as u64;
        let written = file.write_all(&bytes[..fits]);
        if written.is_err() || *room == 0 {
            let _ = file.write_all(b"\n(the rest of the console is left out)\n");
            self.log = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> (tempfile::TempDir, Console) {
        let directory = tempfile::tempdir().unwrap();
        let console = Console::new(&directory.path().join("log")).unwrap();
        (directory, console)
    }

    #[test]
    fn text_is_bounded_and_logged() {
        let (directory, mut console) = console();
        for _ in 0..3 * KEPT / 8 {
            console.push(b"abcdef\r\n");
        }
        assert!(console.text().len() <= KEPT);
        assert!(console.text().ends_with("abcdef\n"));
        let logged = std::fs::metadata(directory.path().join("log")).unwrap().len();
        assert_eq!(logged, 3 * KEPT as u64);
    }

    #[test]
    fn lines_have_the_time_at_which_they_began_to_come() {
        let (_directory, mut console) = console();
        let before = SystemTime::now();
        console.push(b"one\r\ntw");
        std::thread::sleep(3 * RESOLUTION);
        let between = SystemTime::now();
        console.push(b"o\nthree");
        let lines = console.lines();
        let texts: Vec<_> = lines.iter().map(|line| &*line.text).collect();
        assert_eq!(texts, ["one", "two", "three"]);
        let came: Vec<_> = lines.iter().map(|line| line.at.unwrap()).collect();
        assert!(before <= came[0] && came[0] == came[1] && came[1] < between && between <= came[2]);
        console.begin_anew();
        assert_eq!(console.lines(), []);
    }

    #[test]
    fn lines_keep_their_times_where_earlier_ones_are_forgotten() {
        let (_directory, mut console) = console();
        console.push(b"first\n");
        std::thread::sleep(3 * RESOLUTION);
        let later = SystemTime::now();
        for _ in 0..4 * KEPT / 8 {
            console.push(b"abcdef\r\n");
        }
        let lines = console.lines();
        assert!(lines.iter().skip(1).all(|line| line.text == "abcdef" && line.at.unwrap() >= later));
        assert!(lines.is_sorted_by_key(|line| line.at));
        assert!(console.marks.len() < lines.len());
    }

    #[test]
    fn a_flood_does_not_fill_the_disk() {
        let (directory, mut console) = console();
        let block = vec![b'x'; 1024 * 1024];
        for _ in 0..20 {
            console.push(&block);
        }
        assert!(std::fs::metadata(directory.path().join("log")).unwrap().len() < LOGGED + 100);
    }

    #[test]
    fn a_panic_is_told_once_and_whole() {
        let (_directory, mut console) = console();
        console.push(b"[ 0.1] fine\r\n[ 0.2] Kernel panic - not sync");
        assert!(!console.panicked());
        console.push(b"ing: VFS: no root\r\n[ 0.2] CPU: 0\r\n");
        assert!(console.panicked());
        assert_eq!(console.take_panic(false), None);
        console.push(b"[ 0.3] ---[ end Kernel panic - not syncing: VFS: no root ]---\r\n");
        let text = console.take_panic(false).unwrap();
        assert!(text.starts_with("[ 0.2] Kernel panic - not syncing: VFS: no root\n"));
        assert!(text.ends_with("]---"));
        assert_eq!(console.take_panic(true), None);
        console.push(b"Kernel panic - not syncing\n");
        assert!(!console.panicking());
    }
}
