//! What a run shows to people: a line for each case, and on a terminal what goes on at this moment.

use std::io::Write as _;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::shown::{CaseLine, Phase, Shown};
use super::words::{counted, duration, rate, style};
use crate::causes::Finding;
use crate::cli::args::WARNING;
use crate::cli::screen::{Amount, Screen};
use crate::coverage::CoverageReport;
use crate::observe::{Event, Observer};
use crate::plain::plain;
use crate::statistics::Statistics;

/// Where texts go that stand by themselves, such as the report of a failure.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Texts {
    StandardOutput,
    /// Where standard output is for a program.
    StandardError,
}

/// Lines on standard error, with bars below them where it is a terminal.
pub(super) struct Human {
    verbose: u8,
    texts: Texts,
    screen: Screen,
    shown: Mutex<Shown>,
}

impl Human {
    pub(super) fn new(verbose: u8, texts: Texts, screen: Screen) -> Self {
        Self { verbose, texts, screen, shown: Mutex::default() }
    }

    /// A line that stays; what guests said in it only shows itself.
    fn line(&self, text: &str) {
        self.screen.line(&plain(text));
    }

    /// A line that is said only to those who asked for more.
    fn detail(&self, text: impl FnOnce() -> String) {
        if self.verbose > 0 {
            self.line(&text());
        }
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, case: Option<u32>, number: usize, lane: Option<usize>, command: &str) {
        if !self.screen.has_bars() {
            return;
        }
        let shown = self.shown();
        let lane = in_lane(lane);
        match case.and_then(|case| Some((case, shown.cases.get(&case)?))) {
            Some((case, line)) => {
                let text = format!("case {case}  {number}/{}  {lane}{command}", line.commands);
                self.running(&shown, line.row, text);
            }
            None => self.screen.doing(format!(
                "{}  {number}/{}  {lane}{command}",
                shown.searching(),
                shown.at_best
            )),
        }
    }

    /// Says what a case does: in the one line, or in a row of its own where several run.
    fn running(&self, shown: &Shown, row: usize, text: String) {
        let rate = rate(shown.ended, shown.since.elapsed().as_secs_f64(), "case");
        let rate = if rate.is_empty() { rate } else { format!("{rate}  ") };
        if row == 0 && self.screen.row_count() == 0 {
            self.screen.doing(format!("{rate}{text}"));
        } else {
            self.screen.doing(rate);
            self.screen.row(row, text);
        }
    }

    /// Which case something is of, where more than one runs.
    fn beside(&self, case: Option<u32>) -> String {
        let several = self.shown().cases.len() > 1;
        case.filter(|_| several).map(|case| format!("case {case}: ")).unwrap_or_default()
    }

    fn preparing(&self, what: &str, done: Option<u64>, total: Option<u64>) {
        match (done, total) {
            (Some(done), Some(total)) => self.screen.count(Amount::Bytes(done, total)),
            _ => {
                if !self.screen.has_bars() {
                    self.line(what);
                }
                self.screen.count(Amount::Unknown);
            }
        }
        self.screen.doing(what.to_owned());
    }

    fn case_started(&self, number: u32, cases: u32, origin: &str, initial: &str, commands: usize) {
        self.detail(|| format!("case {number}/{cases}  {origin}\n{}", indent(initial)));
        let machines = initial.lines().filter(|line| line.starts_with("machine ")).count();
        let mut shown = self.shown();
        shown.total = cases;
        let row = shown.free_row();
        let line = CaseLine { row, machines, commands };
        let text = format!("case {number}  {}{commands} commands", line.machines());
        shown.cases.insert(number, line);
        self.screen.count(Amount::Cases(shown.ended, cases.into()));
        self.running(&shown, row, text);
    }

    fn case_finished(&self, number: u32, verdict: &str, seconds: f64) {
        let mut shown = self.shown();
        let Some(line) = shown.cases.remove(&number) else { return };
        let (size, commands) = (line.machines(), counted(line.commands, "command"));
        let (total, seconds) = (shown.total, duration(seconds));
        let said = self.screen.paint(style(verdict), verdict);
        self.screen.line(&format!("case {number}/{total}  {size}{commands}  {said}  {seconds}"));
        if shown.phase != Phase::Generated {
            shown.begin(Phase::Generated);
        }
        // In the place of an excluded case comes another.
        shown.ended += u64::from(verdict != "excluded");
        // A failure of the run is made smaller next, or it ends.
        (shown.at_first, shown.at_best) = (line.commands, line.commands);
        self.screen.count(Amount::Cases(shown.ended, total.into()));
        self.running(&shown, line.row, String::new());
    }

    fn falsified(&self, number: usize, expected: &str, came: &str) {
        let mut shown = self.shown();
        if shown.phase == Phase::Generated {
            self.line(&format!("falsified by command {number}: expected {expected}; came {came}"));
        }
        shown.begin(Phase::Shrinking);
        self.screen.remove_rows();
        self.screen.count(Amount::Unknown);
        self.screen.doing(shown.searching());
    }

    fn shrink_step(&self, runs: u32, smaller: bool, commands: usize) {
        let mut shown = self.shown();
        (shown.runs, shown.at_best) = (runs, commands);
        if smaller && (self.verbose > 0 || !self.screen.has_bars()) {
            let took = duration(shown.since.elapsed().as_secs_f64());
            let commands = counted(commands, "command");
            self.line(&format!(
                "shrinking: {commands} at best, after {} in {took}",
                counted(runs as usize, "run")
            ));
        }
        self.screen.doing(shown.searching());
    }

    fn probed(&self, runs: u32, changed: &str, finding: &Finding) {
        let mut shown = self.shown();
        let first = shown.phase != Phase::Probing;
        if first {
            shown.begin(Phase::Probing);
        }
        if first && !self.screen.has_bars() {
            self.line("finding out what matters");
        }
        self.detail(|| format!("{changed}: {finding}"));
        shown.runs = runs;
        self.screen.doing(format!("{}  {changed}", shown.searching()));
    }

    fn statistics(&self, statistics: &Statistics) {
        self.line(&statistics.to_string());
        let pairs = std::iter::once(&statistics.sequence).chain(&statistics.across);
        pairs.flat_map(|pairs| &pairs.missing).for_each(|pair| self.detail(|| format!("  not met: {pair}")));
    }

    fn covered(&self, coverage: &CoverageReport) {
        self.line(&format!("covered: {coverage}"));
        coverage.missing.iter().for_each(|goal| self.detail(|| format!("  not covered: {goal}")));
        coverage.excluded.iter().for_each(|goal| self.detail(|| format!("  excluded: {goal}")));
    }

    fn run_finished(&self, seconds: f64) {
        self.screen.finish();
        let ended = self.shown().ended;
        let rate = rate(ended, seconds, "case");
        if !rate.is_empty() {
            let cases = counted(ended as usize, "case");
            self.line(&format!("ran {cases} in {}, {rate}", duration(seconds)));
        }
    }
}

/// Which lane a command is given in, if any.
fn in_lane(lane: Option<usize>) -> String {
    lane.map(|lane| format!("lane {lane}: ")).unwrap_or_default()
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

impl Observer for Human {
    fn event(&self, event: &Event<'_>) {
        match *event {
            Event::RunStarted { specification, cases, seed } => {
                self.line(&format!("testing {specification} in {cases} cases, seed {seed}"));
                self.shown().begin(Phase::Generated);
            }
            Event::Preparing { what, done, total } => self.preparing(what, done, total),
            Event::CaseStarted { number, cases, origin, initial, commands } => {
                self.case_started(number, cases, origin, initial, commands);
            }
            Event::CommandStarted { case, number, lane, command } => {
                self.command(case, number, lane, command);
            }
            Event::CommandFinished { case, number, lane, command, outcome, seconds } => {
                if self.verbose > 0 {
                    let (case, lane) = (self.beside(case), in_lane(lane));
                    self.line(&format!("{number:4}. {case}{lane}{command}: {outcome}  {seconds:.2} s"));
                }
            }
            Event::CaseFinished { number, verdict, seconds } => self.case_finished(number, verdict, seconds),
            Event::Inconclusive { case, attempt, attempts, reason } => {
                let case = self.beside(case);
                self.line(&format!("{case}inconclusive (attempt {attempt} of {attempts}): {reason}"));
            }
            Event::Falsified { number, expected, came } => self.falsified(number, expected, came),
            Event::Measured { failed, runs } if failed < runs => {
                let kept = if failed == 0 { ", so it is kept as it is" } else { "" };
                self.line(&format!("it fails in {failed} of {runs} more runs{kept}"));
            }
            Event::Confirmed { failed, runs } => {
                self.line(&format!("run on machines booted cold, it fails in {failed} of {runs} runs"));
            }
            Event::WentBack { commands, .. } => {
                self.detail(|| format!("a case goes on after {commands} of its commands"));
            }
            Event::OtherFailure { way, file } => {
                let kept = file.map(|file| format!(", kept as {file}")).unwrap_or_default();
                self.line(&format!("another failure came up ({way}){kept}"));
            }
            Event::ShrinkStep { runs, smaller, commands } => self.shrink_step(runs, smaller, commands),
            Event::Excluded { what, reason } => self.line(&format!("excluded: {what} ({reason})")),
            Event::Probed { runs, changed, finding } => self.probed(runs, changed, finding),
            // The report of the failure has the causes.
            Event::Causes { .. } | Event::Measured { .. } => {}
            Event::Covered { coverage } => self.covered(coverage),
            Event::Statistics { statistics } => self.statistics(statistics),
            Event::Saved { file } => self.detail(|| format!("saved as {file}")),
            Event::Warning { text } => {
                let warning = self.screen.paint(WARNING, "warning:");
                self.screen.line(&format!("{warning} {}", plain(text)));
            }
            Event::RunFinished { seconds, .. } => self.run_finished(seconds),
        }
    }

    fn text(&self, text: &str) {
        self.screen.finish();
        match self.texts {
            Texts::StandardOutput => anstream::stdout().write_all(text.as_bytes()),
            Texts::StandardError => anstream::stderr().write_all(text.as_bytes()),
        }
        // A reader that went away ends nothing.
        .ok();
    }
}
