//! The script of a test, which NixOS's driver runs: Python.

use std::fmt::Write as _;

use model::scene::{Power, Scene};
use model::step::{makes_sense, predict};
use model::{Case, Model, Place};

use super::Steps;
use super::guests::{Guest, Guests};
use super::literal::python;
use crate::execute::{Evidence, in_order};
use crate::plain::in_one_line;

/// What every script begins with.
const PRELUDE: &str = include_str!("prelude.py");

/// What a command is in a script.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Step {
    /// Lines of Python, each a statement by itself; what comes from a case is a literal in them.
    pub lines: Vec<String>,
    /// Why it is only a comment, or not all of it is there, where that is so.
    pub left_out: Option<String>,
}

impl Step {
    /// A command that one statement gives.
    #[must_use]
    pub fn line(line: impl Into<String>) -> Self {
        Self { lines: vec![line.into()], left_out: None }
    }

    /// A command that the driver has no counterpart of, for this reason.
    #[must_use]
    pub fn left_out(why: impl Into<String>) -> Self {
        Self { lines: Vec::new(), left_out: Some(why.into()) }
    }
}

/// A script, and how many commands are only comments in it, for want of a counterpart or of sense.
pub(super) struct Script {
    pub(super) text: String,
    pub(super) left_out: usize,
    pub(super) senseless: usize,
}

/// The script of a case.
pub(super) fn of<M: Model>(
    model: &M,
    case: &Case<M>,
    evidence: Option<&Evidence>,
    guests: &Guests,
    steps: &mut Steps<'_, M>,
) -> Script {
    let mut script = Script { text: PRELUDE.to_owned(), left_out: 0, senseless: 0 };
    script.begin(guests);
    let mut state = case.initial.clone();
    let mut is_told = false;
    for (number, place, command) in in_order(case, evidence) {
        if matches!(place, Place::Lane { .. }) && !is_told {
            script.comment("", LANES);
            is_told = true;
        }
        let title = match place {
            Place::Prefix(_) => format!("{number}. {}", model.show_command(&command)),
            place => format!("{number}. {} ({place})", model.show_command(&command)),
        };
        let failed = evidence.filter(|evidence| evidence.number == number);
        if let Some(Evidence { expected, came, .. }) = failed {
            script.comment("", &format!("Here it failed: expected {expected}; came {came}"));
        }
        if makes_sense(model, &state, &command) {
            let step = steps(&state, &command);
            script.step(&title, &model.expectation(&state, &command), &step);
            state = predict(model, &state, &command);
        } else {
            script.senseless += 1;
            script.comment("", &format!("{title}: makes no sense in this order, and is not given"));
        }
    }
    script.end(guests, &model.scene(&state).unwrap_or_default());
    script
}

/// What is said of lanes.
const LANES: &str = "From here on lanes went on side by side, and only all their answers together were judged. \
Here their commands come one after another, in the order in which they were given, and are judged so.";

impl Script {
    /// Switches on what is on as the case begins.
    fn begin(&mut self, guests: &Guests) {
        let on: Vec<&Guest> = guests.iter().filter(|guest| guest.is_on).collect();
        for guest in &on {
            writeln!(self.text, "{}.start()", guest.name).ok();
        }
        for line in on.iter().flat_map(|guest| booted(guest)) {
            writeln!(self.text, "{line}").ok();
        }
        if !on.is_empty() {
            self.text.push('\n');
        }
    }

    /// Lets what stands still go on: some drivers run a command on each machine at the end.
    fn end(&mut self, guests: &Guests, scene: &Scene) {
        let paused = scene.machines.iter().filter(|seat| seat.power == Power::Paused);
        let paused = paused.filter_map(|seat| guests.iter().find(|guest| guest.id == seat.name));
        for guest in paused {
            writeln!(self.text, "{}.send_monitor_command(\"cont\")", guest.name).ok();
        }
    }

    fn step(&mut self, title: &str, expected: &str, step: &Step) {
        let Step { lines, left_out } = step;
        if let Some(why) = left_out {
            self.left_out += 1;
            self.comment("", &format!("{title}: left out: {why}"));
        }
        if lines.is_empty() {
            return;
        }
        writeln!(self.text, "with subtest({}):", python(&in_one_line(title))).ok();
        self.comment("    ", &format!("expected: {expected}"));
        for line in lines {
            writeln!(self.text, "    {line}").ok();
        }
        self.text.push('\n');
    }

    /// A comment in one line, whatever is in it.
    fn comment(&mut self, indent: &str, text: &str) {
        writeln!(self.text, "{indent}# {}", in_one_line(text)).ok();
    }
}

/// Has a machine be on, and its services ready.
pub(super) fn booted(guest: &Guest) -> Vec<String> {
    let services = guest.machine.iter().flat_map(|machine| machine.services.values());
    let ready = services.filter_map(|service| service.ready.as_ref());
    let wait = |ready: &String| format!("{}.wait_until_succeeds(lines({}))", guest.name, python(ready));
    let boot = format!("boot({})", guest.name);
    std::iter::once(boot).chain(ready.map(wait)).collect()
}
