//! Standard error while a command runs: lines that stay, and below them, on a terminal, bars that move.

use std::io::{self, IsTerminal as _, Write as _};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use anstyle::Style;
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};
use textwrap::{Options, WordSeparator, WordSplitter};
use tracing_subscriber::fmt::MakeWriter;

/// How often a spinner turns.
const TURN: Duration = Duration::from_millis(120);

/// What is narrower than this has no room for a bar beside its words.
const NARROW: u16 = 60;

/// How much is done of how much.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Amount {
    /// This cannot be told.
    Unknown,
    /// So many cases of so many.
    Cases(u64, u64),
    /// So many bytes of so many.
    Bytes(u64, u64),
}

/// The screen of a process, which all that write to standard error share: none of them tears what
/// another shows. Clones are the same screen.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    bars: MultiProgress,
    /// What the run does as a whole.
    main: ProgressBar,
    /// One for each of the cases that run side by side, where more than one does.
    rows: Arc<Mutex<Vec<ProgressBar>>>,
    turns: Arc<AtomicBool>,
    /// How many columns there are, on a terminal.
    columns: Option<u16>,
    is_colored: bool,
}

impl Screen {
    /// The screen of this process: without a terminal, or on one that can only append (`TERM=dumb`), it
    /// has lines and no bars; without colours where `NO_COLOR` says so.
    pub(crate) fn of_process() -> Self {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = io::stderr().is_terminal() && !is_dumb;
        let columns = is_terminal.then(|| terminal_size::terminal_size_of(io::stderr())).flatten();
        let columns = columns.map(|(width, _)| width.0.max(1)).or(is_terminal.then_some(80));
        let target = if is_terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let choice = anstream::AutoStream::choice(&io::stderr());
        Self::on(target, columns, choice != anstream::ColorChoice::Never)
    }

    fn on(target: ProgressDrawTarget, columns: Option<u16>, is_colored: bool) -> Self {
        let bars = MultiProgress::with_draw_target(target);
        let main = bars.add(ProgressBar::no_length());
        let screen = Self { bars, main, rows: Arc::default(), turns: Arc::default(), columns, is_colored };
        screen.count(Amount::Unknown);
        screen
    }

    /// Whether there are bars, which say what goes on, and not only lines.
    pub(crate) fn has_bars(&self) -> bool {
        self.columns.is_some()
    }

    /// Whether lines may have colours.
    pub(crate) fn is_colored(&self) -> bool {
        self.is_colored
    }

    /// A text in a style, where the screen has colours.
    pub(crate) fn paint(&self, style: Style, text: &str) -> String {
        if self.is_colored { format!("{style}{text}{style:#}") } else { text.to_owned() }
    }

    /// A line that stays, or several; on a terminal, too long ones are broken between words.
    pub(crate) fn line(&self, text: &str) {
        let text = self.columns.map_or_else(|| text.to_owned(), |columns| broken(text, columns));
        // A reader that went away ends nothing.
        self.beside(|| writeln!(io::stderr(), "{text}").ok());
    }

    /// Writes somewhere else that may be the same terminal, with the bars out of the way.
    pub(crate) fn beside<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bars.suspend(write)
    }

    /// Says what goes on now.
    pub(crate) fn doing(&self, text: String) {
        if !self.has_bars() {
            return;
        }
        if !self.turns.swap(true, Ordering::SeqCst) {
            if self.main.is_finished() {
                self.main.reset();
            }
            self.main.enable_steady_tick(TURN);
        }
        self.main.set_message(text);
    }

    /// Shows how much of it is done, as a bar where there is room for one.
    pub(crate) fn count(&self, amount: Amount) {
        let has_room = self.columns.is_some_and(|columns| columns >= NARROW);
        let bar = if has_room { "{bar:16} " } else { "" };
        let (bar, numbers, (done, total)) = match amount {
            Amount::Unknown => ("", "", (0, 0)),
            Amount::Cases(done, total) => (bar, "{pos}/{len}  ", (done, total)),
            Amount::Bytes(done, total) => (bar, "{bytes}/{total_bytes}  ", (done, total)),
        };
        let template = format!("{{spinner}} {{elapsed_precise}}  {bar}{numbers}{{wide_msg}}");
        let style = ProgressStyle::with_template(&template);
        let style = style.unwrap_or_else(|_| ProgressStyle::default_spinner());
        self.main.set_style(style.progress_chars("━╸─"));
        if !matches!(amount, Amount::Unknown) {
            self.main.set_length(total);
            self.main.set_position(done);
        }
    }

    /// Says what one of several cases that run side by side does now, in a row of its own.
    pub(crate) fn row(&self, index: usize, text: String) {
        if !self.has_bars() {
            return;
        }
        let mut rows = self.rows();
        while rows.len() <= index {
            let row = self.bars.add(ProgressBar::no_length());
            let style = ProgressStyle::with_template("  {wide_msg}");
            row.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
            row.enable_steady_tick(TURN);
            rows.push(row);
        }
        rows[index].set_message(text);
    }

    /// How many rows there are.
    pub(crate) fn row_count(&self) -> usize {
        self.rows().len()
    }

    /// Takes the rows away.
    pub(crate) fn remove_rows(&self) {
        for row in self.rows().drain(..) {
            row.finish_and_clear();
            self.bars.remove(&row);
        }
    }

    /// Takes everything away that moves; what is said next begins anew.
    pub(crate) fn finish(&self) {
        self.remove_rows();
        self.main.finish_and_clear();
        self.turns.store(false, Ordering::SeqCst);
    }

    fn rows(&self) -> MutexGuard<'_, Vec<ProgressBar>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lines that fit, broken between words, never within one: a path can still be copied.
fn broken(text: &str, columns: u16) -> String {
    let options = Options::new(columns.into())
        .break_words(false)
        .word_separator(WordSeparator::AsciiSpace)
        .word_splitter(WordSplitter::NoHyphenation)
        .subsequent_indent("    ");
    text.lines().map(|line| textwrap::fill(line, &options)).collect::<Vec<_>>().join("\n")
}

/// What the crates log goes to the screen too.
impl<'a> MakeWriter<'a> for Screen {
    type Writer = LogWriter;

    fn make_writer(&'a self) -> LogWriter {
        LogWriter(self.clone())
    }
}

/// Writes whole records, with the bars out of the way.
pub(crate) struct LogWriter(Screen);

impl io::Write for LogWriter {
    fn write(&mut self, record: &[u8]) -> io::Result<usize> {
        self.0.beside(|| io::stderr().write_all(record)).map(|()| record.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use indicatif::InMemoryTerm;

    use super::*;

    /// A screen in memory of so many columns, and what is seen on it.
    pub(crate) fn in_memory(columns: u16) -> (Screen, InMemoryTerm) {
        let terminal = InMemoryTerm::new(24, columns);
        let target = ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), 255);
        (Screen::on(target, Some(columns), false), terminal)
    }

    #[test]
    fn long_lines_are_broken_between_words() {
        let text = "covered: 8 of 8 values and netprop-failures/machines-0123456789abcdef.json\n  short";
        let said = broken(text, 40);
        assert_eq!(
            said,
            "covered: 8 of 8 values and\n    netprop-failures/machines-0123456789abcdef.json\n  short"
        );
    }

    #[test]
    fn bars_fit_into_any_width_and_leave_nothing() {
        for columns in [20, 40, 80] {
            let (screen, terminal) = in_memory(columns);
            screen.count(Amount::Cases(3, 20));
            screen.doing("2.1 cases/s  case 4: a command that is rather long, and longer still".to_owned());
            screen.row(1, "case 5: another command that is rather long, and much longer still".to_owned());
            std::thread::sleep(Duration::from_millis(300));
            let seen = terminal.contents();
            assert!(seen.contains("3/20"), "{columns}: {seen}");
            // The bar, and two rows, the first of which says nothing.
            assert!(seen.lines().count() <= 3, "{columns}: {seen}");
            screen.finish();
            assert_eq!(terminal.contents(), "", "{columns}");
        }
    }
}
