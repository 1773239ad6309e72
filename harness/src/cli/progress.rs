//! What a run shows on its way: bars on a terminal, lines elsewhere, or JSON for programs.

use std::collections::BTreeMap;
use std::io::{IsTerminal as _, Write as _};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tracing_subscriber::EnvFilter;

use crate::causes::Finding;
use crate::cli::args::{MessageFormat, OutputOptions};
use crate::coverage::CoverageReport;
use crate::observe::{Event, Observer};
use crate::statistics::Statistics;

/// The observer that these options ask for.
pub(crate) fn observer(options: &OutputOptions) -> Box<dyn Observer> {
    match options.message_format {
        MessageFormat::Json => Box::new(Json),
        MessageFormat::Human if options.quiet => Box::new(Quiet),
        MessageFormat::Human => Box::new(Human::new(options.verbose)),
    }
}

/// Sends what the crates log to standard error: warnings, with `-vv` what they do, with `-vvv`
/// everything; `NETPROP_LOG` chooses in the syntax of `tracing-subscriber`.
pub(crate) fn start_logging(verbose: u8) {
    let level = ["error", "warn", "debug"].get(usize::from(verbose)).unwrap_or(&"trace");
    let filter = EnvFilter::builder()
        .with_env_var("NETPROP_LOG")
        .try_from_env()
        .unwrap_or_else(|_| EnvFilter::new(level));
    // A program that embeds this may have set up its own.
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init().ok();
}

/// One JSON object a line on standard output.
struct Json;

impl Observer for Json {
    fn event(&self, event: &Event<'_>) {
        if let Ok(line) = serde_json::to_string(event) {
            // A reader that went away ends nothing.
            writeln!(std::io::stdout(), "{line}").ok();
        }
    }
}

/// Nothing but texts that stand by themselves.
struct Quiet;

impl Observer for Quiet {
    fn event(&self, event: &Event<'_>) {
        if let Event::Warning { text } = event {
            anstream::eprintln!("warning: {text}");
        }
    }

    fn follows_cases(&self) -> bool {
        false
    }

    fn text(&self, text: &str) {
        anstream::print!("{text}");
    }
}

/// Lines on standard error, with a bar below them where it is a terminal.
struct Human {
    verbose: u8,
    bar: ProgressBar,
    shown: Mutex<Shown>,
}

/// What is known of what runs.
#[derive(Default)]
struct Shown {
    phase: Phase,
    /// The cases that run now, by their numbers.
    cases: BTreeMap<u32, CaseLine>,
    /// How many commands the case has that is made smaller.
    commands: usize,
}

/// What is known of a case that runs, for its one line.
#[derive(Default)]
struct CaseLine {
    cases: u32,
    initial: String,
    commands: usize,
}

/// What the commands are given for.
#[derive(Clone, Copy, Default, Eq, PartialEq)]
enum Phase {
    #[default]
    Generated,
    Shrinking,
    Probing,
}

impl Human {
    fn new(verbose: u8) -> Self {
        let target = if std::io::stderr().is_terminal() {
            ProgressDrawTarget::stderr()
        } else {
            ProgressDrawTarget::hidden()
        };
        let bar = ProgressBar::with_draw_target(None, target);
        let style = ProgressStyle::with_template("{spinner} [{elapsed_precise}] {wide_msg}");
        bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_spinner()));
        Self { verbose, bar, shown: Mutex::default() }
    }

    fn line(&self, text: &str) {
        self.bar.suspend(|| anstream::eprintln!("{text}"));
    }

    fn doing(&self, text: String) {
        self.bar.enable_steady_tick(Duration::from_millis(120));
        self.bar.set_message(text);
    }

    fn shown(&self) -> MutexGuard<'_, Shown> {
        self.shown.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn command(&self, case: Option<u32>, number: usize, lane: Option<usize>, command: &str) {
        let shown = self.shown();
        let line = case.and_then(|case| Some((case, shown.cases.get(&case)?)));
        let (place, commands) = match (line, shown.phase) {
            (Some((case, line)), _) => (format!("case {case}/{}", line.cases), line.commands),
            (None, Phase::Probing) => ("finding out what matters".to_owned(), shown.commands),
            (None, _) => ("shrinking".to_owned(), shown.commands),
        };
        self.doing(format!("{place}  {number}/{commands}  {}{command}", in_lane(lane)));
    }

    /// Which case something is of, where more than one runs.
    fn beside(&self, case: Option<u32>) -> String {
        let several = self.shown().cases.len() > 1;
        case.filter(|_| several).map(|case| format!("case {case}: ")).unwrap_or_default()
    }

    fn preparing(&self, what: &str, done: Option<u64>, total: Option<u64>) {
        match (done, total) {
            (Some(done), Some(total)) => self.doing(format!("{what} {done}/{total}")),
            _ => {
                if self.bar.is_hidden() {
                    self.line(what);
                }
                self.doing(what.to_owned());
            }
        }
    }

    fn case_started(&self, number: u32, line: CaseLine, origin: &str) {
        if self.verbose > 0 {
            self.line(&format!("case {number}/{}  {origin}\n{}", line.cases, indent(&line.initial)));
        }
        self.shown().cases.insert(number, line);
    }

    fn case_finished(&self, number: u32, verdict: &str, seconds: f64) {
        let Some(CaseLine { cases, initial, commands }) = self.shown().cases.remove(&number) else { return };
        let machines = initial.lines().filter(|line| line.starts_with("machine ")).count();
        let size = match machines {
            0 => String::new(),
            1 => "1 machine, ".to_owned(),
            _ => format!("{machines} machines, "),
        };
        self.line(&format!("case {number}/{cases}  {size}{commands} commands  {verdict}  {seconds:.1} s"));
        let mut shown = self.shown();
        // A failure of the run is made smaller next, or it ends.
        shown.commands = commands;
        shown.phase = Phase::Generated;
    }

    fn shrink_step(&self, runs: u32, smaller: bool, commands: usize) {
        self.shown().commands = commands;
        if smaller && (self.verbose > 0 || self.bar.is_hidden()) {
            self.line(&format!("shrinking: {commands} commands after {runs} runs"));
        }
        self.doing(format!("shrinking: {commands} commands at best, {runs} runs"));
    }

    fn probed(&self, runs: u32, changed: &str, finding: &Finding) {
        let first = std::mem::replace(&mut self.shown().phase, Phase::Probing) != Phase::Probing;
        if first && self.bar.is_hidden() {
            self.line("finding out what matters");
        }
        if self.verbose > 0 {
            self.line(&format!("{changed}: {finding}"));
        }
        self.doing(format!("finding out what matters: {runs} runs, {changed}"));
    }

    fn statistics(&self, statistics: &Statistics) {
        self.line(&statistics.to_string());
        if self.verbose > 0 {
            let pairs = std::iter::once(&statistics.sequence).chain(&statistics.across);
            pairs.flat_map(|pairs| &pairs.missing).for_each(|pair| self.line(&format!("  not met: {pair}")));
        }
    }

    fn covered(&self, coverage: &CoverageReport) {
        self.line(&format!("covered: {coverage}"));
        if self.verbose > 0 {
            coverage.missing.iter().for_each(|goal| self.line(&format!("  not covered: {goal}")));
            coverage.excluded.iter().for_each(|goal| self.line(&format!("  excluded: {goal}")));
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
            }
            Event::Preparing { what, done, total } => self.preparing(what, done, total),
            Event::CaseStarted { number, cases, origin, initial, commands } => {
                let initial = initial.to_owned();
                self.case_started(number, CaseLine { cases, initial, commands }, origin);
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
            Event::Falsified { number, expected, came } => {
                let mut shown = self.shown();
                if shown.phase == Phase::Generated {
                    self.line(&format!("falsified by command {number}: expected {expected}; came {came}"));
                }
                shown.phase = Phase::Shrinking;
            }
            Event::Measured { failed, runs } => {
                if failed < runs {
                    let kept = if failed == 0 { ", so it is kept as it is" } else { "" };
                    self.line(&format!("it fails in {failed} of {runs} more runs{kept}"));
                }
            }
            Event::Confirmed { failed, runs } => {
                self.line(&format!("run on machines booted cold, it fails in {failed} of {runs} runs"));
            }
            Event::WentBack { commands, .. } => {
                if self.verbose > 0 {
                    self.line(&format!("a case goes on after {commands} of its commands"));
                }
            }
            Event::OtherFailure { way, file } => {
                let kept = file.map(|file| format!(", kept as {file}")).unwrap_or_default();
                self.line(&format!("another failure came up ({way}){kept}"));
            }
            Event::ShrinkStep { runs, smaller, commands } => self.shrink_step(runs, smaller, commands),
            Event::Excluded { what, reason } => self.line(&format!("excluded: {what} ({reason})")),
            Event::Probed { runs, changed, finding } => self.probed(runs, changed, finding),
            // The report of the failure has it.
            Event::Causes { .. } => {}
            Event::Covered { coverage } => self.covered(coverage),
            Event::Statistics { statistics } => self.statistics(statistics),
            Event::Saved { file } => {
                if self.verbose > 0 {
                    self.line(&format!("saved as {file}"));
                }
            }
            Event::Warning { text } => self.line(&format!("warning: {text}")),
            Event::RunFinished { .. } => self.bar.finish_and_clear(),
        }
    }

    fn text(&self, text: &str) {
        self.bar.suspend(|| anstream::print!("{text}"));
    }
}
