//! What went through a fabric, written to a file.

use std::fs::File;
use std::io::{self, BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Weak;
use std::time::{SystemTime, UNIX_EPOCH};

use super::PORTS;
use super::class::HEADER;
use super::flights::Marks;
use super::handle::Shared;
use super::names::{Names, Place};
use super::pcapng::{self, Direction};
use crate::Error;

/// A capture that is being written. Dropping it ends the file.
#[derive(Debug)]
#[must_use = "dropping it ends the capture"]
pub struct Capture {
    pub(super) path: PathBuf,
    pub(super) id: u64,
    pub(super) fabric: Weak<Shared>,
}

impl Capture {
    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Ends the file and says whether everything is in it.
    ///
    /// # Errors
    /// [`Error::DiskFull`] or [`Error::File`] with what went wrong first. What was written until
    /// then can be read.
    pub fn finish(mut self) -> Result<(), Error> {
        self.end().map_err(Error::file("write the capture", &self.path))
    }

    fn end(&mut self) -> io::Result<()> {
        match std::mem::take(&mut self.fabric).upgrade() {
            Some(fabric) => fabric.end_capture(self.id),
            None => Ok(()),
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            tracing::warn!(path = %self.path.display(), %error, "a capture is not complete");
        }
    }
}

/// Writes frames and annotations to a capture's file, until that fails.
#[derive(Debug)]
pub(super) struct Recorder {
    pub(super) id: u64,
    out: BufWriter<File>,
    result: io::Result<()>,
    /// The number of each port's interface, and that of annotations behind them. One is declared
    /// when something first goes through it, those of ports with names at the start.
    interfaces: Vec<Option<u32>>,
    declared: u32,
    names: Names,
    /// When the frame came in that is being handed out, and what was written of that: it belongs
    /// behind the frame, of which it is not known yet what rules do to it.
    incoming: Option<u64>,
    behind: Vec<u8>,
}

/// Where the interface is that annotations are packets of.
const ANNOTATIONS: usize = PORTS;
/// What annotations are for readers that show no comments: frames of another type than any machine
/// sends (local experimental `EtherType` 2, IEEE 802) with the text in it.
const ANNOTATION: [u8; HEADER] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x88, 0xb6];

impl Recorder {
    pub(super) fn new(id: u64, file: File, names: &Names) -> io::Result<Self> {
        let mut out = BufWriter::with_capacity(1 << 16, file);
        pcapng::section(&mut out, concat!("netprop ", env!("CARGO_PKG_VERSION")))?;
        let mut recorder = Self {
            id,
            out,
            result: Ok(()),
            interfaces: vec![None; PORTS + 1],
            declared: 0,
            names: names.clone(),
            incoming: None,
            behind: Vec::new(),
        };
        for place in (0..PORTS).filter(|&place| names.is_given(place)) {
            recorder.interface(place)?;
        }
        recorder.out.flush()?;
        Ok(recorder)
    }

    /// A frame comes in: what is told from here on until it is received comes behind it.
    pub(super) fn coming_in(&mut self) {
        self.incoming = Some(now());
    }

    /// A frame that came in at a port, with what rules did to it on its ways.
    pub(super) fn received(&mut self, from: Place, frame: &[u8], comments: &[String]) {
        let time = self.incoming.take().unwrap_or_else(now);
        self.packet(from, time, frame, Direction::Inbound, comments);
        if self.result.is_ok() {
            self.result = self.out.write_all(&self.behind);
        }
        self.behind.clear();
    }

    /// A frame that was not delivered after all, and why.
    pub(super) fn dropped(&mut self, from: Place, to: Place, frame: &[u8], why: &str) {
        let comment = format!("from {}, not delivered: {why}", self.names.name(from));
        self.packet(to, now(), frame, Direction::Unknown, &[comment]);
    }

    /// A frame that a port was given.
    pub(super) fn delivered(&mut self, from: Place, to: Place, frame: &[u8], marks: Marks) {
        let done = [
            (marks.copy, "the second copy"),
            (marks.corrupted, "corrupted"),
            (marks.delayed, "delayed"),
            (marks.reordered, "overtaken by the next"),
        ];
        let mut comment = format!("from {}", self.names.name(from));
        for (_, what) in done.iter().filter(|(is, _)| *is) {
            comment.push_str(", ");
            comment.push_str(what);
        }
        self.packet(to, now(), frame, Direction::Outbound, &[comment]);
    }

    /// Something that the caller has to say about this moment.
    pub(super) fn annotate(&mut self, text: &str) {
        let frame = [&ANNOTATION, text.as_bytes()].concat();
        self.packet(ANNOTATIONS, now(), &frame, Direction::Unknown, &[text.to_owned()]);
    }

    /// What is not in the file yet goes there.
    pub(super) fn flush(&mut self) {
        if self.result.is_ok() {
            self.result = self.out.flush();
        }
    }

    /// Ends the file.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.flush();
        self.result
    }

    fn packet(&mut self, place: usize, time: u64, packet: &[u8], direction: Direction, comments: &[String]) {
        // What comes after a gap would be mistaken for all that there was.
        if self.result.is_ok() {
            self.result = self.interface(place).and_then(|interface| match self.incoming {
                Some(_) => pcapng::packet(&mut self.behind, interface, time, packet, direction, comments),
                None => pcapng::packet(&mut self.out, interface, time, packet, direction, comments),
            });
        }
    }

    fn interface(&mut self, place: usize) -> io::Result<u32> {
        if let Some(number) = self.interfaces[place] {
            return Ok(number);
        }
        let name = if place == ANNOTATIONS { "annotations" } else { self.names.name(place) };
        pcapng::interface(&mut self.out, name)?;
        let number = self.declared;
        self.declared += 1;
        self.interfaces[place] = Some(number);
        Ok(number)
    }
}

/// Nanoseconds since 1970.
fn now() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_nanos()).unwrap_or(u64::MAX)
}
