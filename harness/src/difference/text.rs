//! Two runs side by side, for a person to read.

use std::fmt::Write as _;

use textwrap::core::display_width;
use textwrap::{Options, WordSeparator, WordSplitter};

use super::{Aspect, Difference, First, Given, Row, Run};
use crate::plain::{in_one_line, plain};
use crate::record::{Ending, Part, Verdict};
use crate::regressions;

/// What is narrower than this has one run below the other.
const NARROW: usize = 60;
/// What stands between two columns.
const BETWEEN: usize = 3;

/// Both runs: what is the same once, what differs in two columns, or one below the other where there are
/// fewer than sixty. Nothing that a guest has said does anything to a terminal.
#[must_use]
pub fn text(difference: &Difference, columns: usize, is_verbose: bool) -> String {
    let mut page = Page { text: String::new(), columns: columns.max(20), is_verbose };
    page.head(difference);
    if difference.first == Some(First::Specification) {
        page.mark("the specification");
    }
    page.both(
        difference.first == Some(First::Initial),
        MARK_INITIAL,
        |run| vec![run.initial.clone()],
        difference,
    );
    let mut stretch = None;
    for (index, row) in difference.rows.iter().enumerate() {
        if stretch != Some((row.part, row.lane)) {
            page.stretch(row);
            stretch = Some((row.part, row.lane));
        }
        page.row(row, difference.first == Some(First::Row(index)));
    }
    page.text.push('\n');
    page.both(difference.first == Some(First::Verdict), MARK_VERDICT, verdict, difference);
    if difference.is_none() {
        page.text.push_str("the runs are the same\n");
    }
    page.text
}

const MARK_INITIAL: &str = "the state that they begin in";
const MARK_VERDICT: &str = "what they have come to";

/// What is on one side of a row, a paragraph each; those after the first are set in.
type Cell = Vec<String>;

struct Page {
    text: String,
    columns: usize,
    is_verbose: bool,
}

impl Page {
    fn head(&mut self, difference: &Difference) {
        for (sign, run) in [('<', &difference.left), ('>', &difference.right)] {
            let Run { file, specification, seed, netprop, .. } = run;
            let (seed, ended) = (regressions::short(seed), verdict(run).swap_remove(0));
            self.line(
                &format!("{sign} {file}: {specification}, seed {seed}, netprop {netprop}, {ended}"),
                "  ",
            );
        }
        if !difference.other_case.is_empty() {
            self.line(
                &format!("the runs are of different cases: {}", difference.other_case.join(", ")),
                "  ",
            );
        }
        self.text.push('\n');
    }

    /// A line, broken where it is too long.
    fn line(&mut self, text: &str, indent: &str) {
        for line in broken(&in_one_line(text), self.columns, indent) {
            writeln!(self.text, "{line}").ok();
        }
    }

    fn mark(&mut self, what: &str) {
        self.line(&format!("first difference: {what}"), "  ");
    }

    /// What both runs say of themselves: once where it is the same.
    fn both(&mut self, is_first: bool, what: &str, say: impl Fn(&Run) -> Cell, difference: &Difference) {
        let (left, right) = (say(&difference.left), say(&difference.right));
        if is_first {
            self.mark(what);
        }
        if left == right {
            left.iter().flat_map(|text| text.lines()).for_each(|text| self.line(text, "  "));
        } else {
            self.sides(Some(&left), Some(&right));
        }
    }

    /// What a stretch of a case begins with.
    fn stretch(&mut self, row: &Row) {
        let title = match (row.part, row.lane) {
            (Part::Prefix, _) => String::new(),
            (Part::Lane, lane) => format!("lane {}", lane.unwrap_or_default()),
            (Part::Finally, _) => "at the end".to_owned(),
        };
        self.text.push('\n');
        if !title.is_empty() {
            self.line(&title, "");
        }
    }

    fn row(&mut self, row: &Row, is_first: bool) {
        if is_first {
            let what: Vec<_> = row.differs.iter().map(|aspect| word(*aspect)).collect();
            self.mark(&what.join(", "));
        }
        if let (true, Some(left), Some(right)) = (row.differs.is_empty(), &row.left, &row.right) {
            self.line(&format!("{}: {}", command(left), came(left)), "     ");
            if self.is_verbose {
                self.line(&format!("     < {}   > {}", times(left), times(right)), "     ");
            }
            return;
        }
        let cell = |given: &Option<Given>| given.as_ref().map(|given| self.cell(given, row));
        let (left, right) = (cell(&row.left), cell(&row.right));
        self.sides(left.as_ref(), right.as_ref());
    }

    fn cell(&self, given: &Given, row: &Row) -> Cell {
        let mut cell = match row.differs.contains(&Aspect::NotGiven) {
            true => vec![format!("{}: {}", command(given), came(given))],
            false => vec![command(given), format!("came: {}", came(given))],
        };
        if row.differs.contains(&Aspect::State) {
            cell.extend(given.state.as_ref().map(|state| format!("then: {state}")));
        }
        cell.extend(self.is_verbose.then(|| times(given)));
        cell
    }

    fn sides(&mut self, left: Option<&Cell>, right: Option<&Cell>) {
        let is_narrow = self.columns < NARROW;
        let width = if is_narrow { self.columns - 2 } else { (self.columns - BETWEEN) / 2 };
        let lines = |cell: Option<&Cell>| cell.map(|cell| lines_of(cell, width)).unwrap_or_default();
        let (is_left, is_right) = (left.is_some(), right.is_some());
        let (left, right) = (lines(left), lines(right));
        if is_narrow {
            left.iter().for_each(|line| self.put(&format!("< {line}")));
            right.iter().for_each(|line| self.put(&format!("> {line}")));
            return;
        }
        let sign = match (is_left, is_right) {
            (true, false) => '<',
            (false, true) => '>',
            _ => '|',
        };
        for index in 0..left.len().max(right.len()) {
            let [left, right] = [&left, &right].map(|lines| lines.get(index).map_or("", String::as_str));
            let room = " ".repeat(width.saturating_sub(display_width(left)));
            self.put(&format!("{left}{room} {sign} {right}"));
        }
    }

    fn put(&mut self, line: &str) {
        writeln!(self.text, "{}", line.trim_end()).ok();
    }
}

/// A cell in lines that fit.
fn lines_of(cell: &Cell, width: usize) -> Vec<String> {
    let paragraph = |(index, text): (usize, &String)| {
        let indent = if index == 0 { "" } else { "     " };
        let lines = plain(text).lines().map(|line| format!("{indent}{line}")).collect::<Vec<_>>();
        lines.into_iter().flat_map(move |line| broken(&line, width, "       ")).collect::<Vec<_>>()
    };
    cell.iter().enumerate().flat_map(paragraph).collect()
}

/// Lines of so many columns, broken between words where that is possible.
fn broken(text: &str, columns: usize, indent: &str) -> Vec<String> {
    let options = Options::new(columns)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .subsequent_indent(indent);
    textwrap::wrap(text, &options).into_iter().map(|line| line.into_owned()).collect()
}

fn command(given: &Given) -> String {
    format!("{:3}. {}", given.number, given.command)
}

fn came(given: &Given) -> String {
    match given.ending {
        Ending::Answered => given.came.clone(),
        Ending::Refused => format!("refused: {}", given.came),
        Ending::Unknown => format!("unknown: {}", given.came),
    }
}

fn times(given: &Given) -> String {
    let seconds = |seconds: Option<f64>| seconds.map_or_else(|| "?".to_owned(), |time| format!("{time:.3}"));
    format!("at {} s for {} s", seconds(given.started), seconds(given.seconds))
}

/// What a run has come to, and why.
fn verdict(run: &Run) -> Cell {
    let Run { failed, expected, came, .. } = run;
    match run.verdict {
        Verdict::Falsified => {
            vec![format!("falsified by command {failed}"), format!("expected {expected}; came {came}")]
        }
        Verdict::Holds => vec!["holds".to_owned()],
        Verdict::Inconclusive => vec![came.clone()],
    }
}

fn word(aspect: Aspect) -> &'static str {
    match aspect {
        Aspect::NotGiven => "a command that only one run was given",
        Aspect::Command => "another command",
        Aspect::Answer => "another answer",
        Aspect::State => "another state of the model",
    }
}
