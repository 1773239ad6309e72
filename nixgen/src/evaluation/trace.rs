//! What Nix says about a failing evaluation, taken apart.
//!
//! Nix 2.8 tells the error first and then, after `--show-trace`, what it was doing, from the inside
//! to the outside. Younger ones tell what they were doing first, from the outside to the inside, and
//! the error at the end.

use std::path::PathBuf;

use model::MachineId;

use super::Position;

/// An error and what led to it.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Report {
    /// The message, its lines without their indentation.
    pub(super) message: String,
    /// Where Nix saw it.
    pub(super) position: Option<Position>,
    /// What Nix was doing, the innermost first.
    pub(super) frames: Vec<Frame>,
}

/// One thing that Nix was doing.
#[derive(Debug, Default, Eq, PartialEq)]
pub(super) struct Frame {
    pub(super) text: String,
    pub(super) position: Option<Position>,
}

impl Report {
    /// Reads the first error in a text; none where there is none.
    pub(super) fn read(said: &str) -> Option<Self> {
        let lines: Vec<_> = said.lines().collect();
        let start = lines.iter().position(|line| line.starts_with("error:"))?;
        let first = lines[start].trim_start_matches("error:").trim();
        let rest = &lines[start + 1..];
        // What ends an error is another one, or anything that is not indented.
        let end =
            rest.iter().position(|line| !line.is_empty() && !line.starts_with(' ')).unwrap_or(rest.len());
        let rest = &rest[..end];
        let young =
            first.is_empty() && rest.iter().find(|line| !line.is_empty()).is_some_and(|line| is_frame(line));
        if young { Some(Self::young(rest)) } else { Some(Self::old(first, rest)) }
    }

    fn old(first: &str, rest: &[&str]) -> Self {
        let (mut report, used) = Self::error(first, rest);
        report.frames = frames(&rest[used..]);
        report
    }

    fn young(lines: &[&str]) -> Self {
        let last = lines.iter().rposition(|line| line.trim_start().starts_with("error:"));
        let (before, at) = lines.split_at(last.unwrap_or(lines.len()));
        let mut frames = frames(before);
        frames.reverse();
        let first = at.first().map_or("", |line| line.trim_start().trim_start_matches("error:").trim());
        let (report, _) = Self::error(first, at.get(1..).unwrap_or_default());
        Self { frames, ..report }
    }

    /// Reads message and position, and tells how many lines they took.
    fn error(first: &str, lines: &[&str]) -> (Self, usize) {
        let mut report = Self { message: first.to_owned(), ..Self::default() };
        let mut used = 0;
        while let Some(line) = lines.get(used).filter(|line| !is_frame(line)) {
            used += 1;
            if let Some(position) = at(line) {
                report.position = Some(position);
            } else if !is_excerpt(line) {
                report.message.push('\n');
                report.message.push_str(line.trim());
            }
        }
        report.message = report.message.trim().to_owned();
        (report, used)
    }

    /// The files that the message names in quotation marks.
    pub(super) fn files(&self) -> Vec<PathBuf> {
        let quoted = self.message.split(['`', '\'', '"']).filter(|text| text.starts_with('/'));
        quoted.map(PathBuf::from).collect()
    }
}

impl Frame {
    /// The option whose value was being found.
    pub(super) fn option(&self) -> Option<String> {
        let option = self.text.strip_prefix("while evaluating the option `")?;
        Some(option.trim_end_matches([':', '\'']).to_owned())
    }

    /// The machines whose software was being evaluated: `nix/nixos/default.nix` says so.
    pub(super) fn machines(&self) -> Option<Vec<MachineId>> {
        let machines = self.text.strip_prefix("while evaluating the software of machine(s) ")?;
        Some(super::machines(machines))
    }

    /// The file whose definitions were being looked at.
    pub(super) fn file(&self) -> Option<PathBuf> {
        let (_, rest) =
            self.text.split_once("definitions from `").or_else(|| self.text.split_once(" in \""))?;
        let file = rest.trim_end_matches([':', '\'', '"']);
        file.starts_with('/').then(|| PathBuf::from(file))
    }
}

fn frames(lines: &[&str]) -> Vec<Frame> {
    let mut frames: Vec<Frame> = Vec::new();
    for line in lines {
        if is_frame(line) {
            let text = line.trim_start().trim_start_matches('…').trim().to_owned();
            frames.push(Frame { text, position: None });
        } else if let (Some(frame), Some(position)) = (frames.last_mut(), at(line)) {
            frame.position.get_or_insert(position);
        }
    }
    frames
}

fn is_frame(line: &str) -> bool {
    line.trim_start().starts_with('…')
}

/// A line of the code that Nix shows: a number or nothing, then a bar.
fn is_excerpt(line: &str) -> bool {
    let rest = line.trim_start().trim_start_matches(|letter: char| letter.is_ascii_digit());
    line.starts_with("      ") && rest.trim_start().starts_with('|')
}

/// The position in a line such as `at /a/b.nix:3:5:`.
fn at(line: &str) -> Option<Position> {
    let mut parts = line.trim().strip_prefix("at ")?.trim_end_matches(':').rsplitn(3, ':');
    let (column, line) = (parts.next()?.parse().ok()?, parts.next()?.parse().ok()?);
    let file = parts.next().filter(|file| file.starts_with('/'))?;
    Some(Position::new(file, line, column))
}
