//! The report of a failure, for a person to read.

use std::fmt::Write as _;
use std::ops::Range;

use model::step::predict;
use model::{Case, Model, Place};

use crate::execute::{Course, Evidence, Given, Obstacle};
use crate::plain::plain;
use crate::runner::{Failure, Other, Summary};
use crate::shrink::Rate;

mod lanes;
pub mod page;

/// So many failures that came once are told in full.
const MOST_IN_FULL: usize = 3;

/// Tells of all failures of a run: of the one that ended it, and of those that came once.
#[must_use]
pub fn summary<M: Model>(model: &M, summary: &Summary<M>) -> String {
    let mut text = summary.failure.as_ref().map(|first| failure(model, first)).unwrap_or_default();
    for (index, once) in summary.once.iter().enumerate() {
        text.push_str("\nanother case failed");
        if index < MOST_IN_FULL {
            write!(text, "\n\n{}", failure(model, once)).ok();
        } else {
            writeln!(text, " ({}); seed {}", once.evidence, once.seed).ok();
        }
        if let Some(file) = &once.file {
            writeln!(text, "kept in {}", file.display()).ok();
        }
    }
    text
}

/// Tells what failed: the smallest case, the model's state at each step of a sequence, what lanes
/// did side by side, what was expected and what came.
#[must_use]
pub fn failure<M: Model>(model: &M, failure: &Failure<M>) -> String {
    let mut text = String::new();
    let (case, evidence) = (&failure.case, &failure.evidence);
    let place = case.places().nth(evidence.number.saturating_sub(1)).map(|(place, _)| place);
    let place = place.map_or_else(|| format!("command {}", evidence.number), |place| place.to_string());
    writeln!(text, "falsified: {place} of the {} case\n", size(failure)).ok();
    model.show_state(&case.initial).lines().for_each(|line| {
        writeln!(text, "  {line}").ok();
    });
    writeln!(text, "\n     {}", model.show_progress(&case.initial)).ok();
    match &evidence.course {
        None => sequence(&mut text, model, case, evidence),
        Some(course) => side_by_side(&mut text, case, evidence, course),
    }
    if let Some(causes) = failure.causes.as_ref().filter(|causes| !causes.is_empty()) {
        write!(text, "\n{causes}").ok();
    }
    text.push_str(&rates(failure));
    let Failure { commands_at_first, shrink_runs, seed, .. } = failure;
    let probes = failure.causes.as_ref().map_or(0, |causes| causes.runs);
    let probed = if probes > 0 { format!(", {probes} more to see what matters") } else { String::new() };
    if failure.smallest && *shrink_runs == 0 {
        // It was as small when it was found, or read from its file.
        let probed = if probes > 0 { format!("{probes} runs to see what matters; ") } else { String::new() };
        writeln!(text, "\n{probed}seed {seed}").ok();
    } else {
        writeln!(text, "\nfrom {commands_at_first} commands in {shrink_runs} runs{probed}; seed {seed}").ok();
    }
    for warning in failure.unkept.iter().chain(&failure.warnings) {
        writeln!(text, "warning: {warning}").ok();
    }
    // What came may be what a guest said.
    plain(&text)
}

/// What was given in sequence, with the predicted states, as far as the wrong answer.
fn sequence<M: Model>(text: &mut String, model: &M, case: &Case<M>, evidence: &Evidence) {
    let mut state = case.initial.clone();
    for (index, (place, command)) in case.places().enumerate() {
        if matches!(place, Place::Lane { .. }) {
            writeln!(text, "     then {} lanes, which were not begun", case.lanes.len()).ok();
            return;
        }
        if place == Place::Finally(0) {
            writeln!(text, "     at the end").ok();
        }
        writeln!(text, "{:3}. {}", index + 1, model.show_command(command)).ok();
        if index + 1 == evidence.number {
            expected_and_came(text, evidence);
        } else {
            state = predict(model, &state, command);
            writeln!(text, "     {}", model.show_progress(&state)).ok();
        }
    }
}

/// What came of a case whose lanes were run, and how far the model can explain it.
fn side_by_side<M: Model>(text: &mut String, case: &Case<M>, evidence: &Evidence, course: &Course) {
    let came = |given: &Given| format!("{:3}. {}\n     {}\n", given.number, given.command, given.came);
    let in_sequence = |numbers: Range<usize>| {
        let given = course.given.iter().filter(move |given| numbers.contains(&given.number));
        given.map(came).collect::<String>()
    };
    let (first, last) = (case.commands.len() + 1, case.len() - case.finally.len() + 1);
    text.push_str(&in_sequence(1..first));
    write!(text, "\n     side by side, time going down\n{}", lanes::picture(case, course)).ok();
    if last <= case.len() {
        write!(text, "\n     at the end\n{}", in_sequence(last..case.len() + 1)).ok();
    }
    if evidence.is_panic() {
        writeln!(text, "\nThe system panicked.\n{:3}. {}", evidence.number, named(course, evidence.number))
            .ok();
        expected_and_came(text, evidence);
        return;
    }
    writeln!(text, "\nNo order explains all answers. The longest that the model allows:").ok();
    course.order.iter().for_each(|number| {
        writeln!(text, "{number:3}. {}", named(course, *number)).ok();
    });
    writeln!(text, "     {}\nand then none of these can come next:", course.state).ok();
    for Obstacle { number, why } in &course.obstacles {
        writeln!(text, "{number:3}. {}\n     {why}", named(course, *number)).ok();
    }
}

/// A command with what came of it, in one line.
fn named(course: &Course, number: usize) -> String {
    let given = course.given.iter().find(|given| given.number == number);
    given.map_or_else(String::new, |given| format!("{}: {}", given.command, given.came))
}

fn expected_and_came(text: &mut String, evidence: &Evidence) {
    writeln!(text, "     expected: {}", evidence.expected).ok();
    writeln!(text, "     came:     {}", evidence.came).ok();
}

/// How often it fails, where that is not each time, and what else came up.
fn rates<M: Model>(failure: &Failure<M>) -> String {
    let mut text = String::new();
    let always = |rate: &Option<Rate>| rate.is_none_or(|rate| rate.is_always());
    if let (Some(first), Some(rate)) = (failure.first_rate, failure.rate)
        && !(always(&failure.first_rate) && always(&failure.rate))
    {
        let hint = match first.failed {
            0 => ", so it was not made smaller; what is shown here did happen",
            _ => "",
        };
        let pace = if failure.in_order { " with lanes in the order that was recorded" } else { "" };
        writeln!(text, "\nfails in {rate}{pace}; the first case failed again in {first}{hint}").ok();
    }
    if let Some(rate) = failure.confirmed {
        let whether = if rate.failed > 0 { "confirmed" } else { "not confirmed" };
        writeln!(text, "\n{whether} on systems made from nothing: fails in {rate} on them").ok();
    }
    for Other { way, file } in &failure.others {
        let kept = file.as_ref().map(|file| format!("; kept in {}", file.display())).unwrap_or_default();
        writeln!(text, "\nanother failure came up ({way}){kept}").ok();
    }
    text
}

fn size<M: Model>(failure: &Failure<M>) -> &'static str {
    if failure.smallest { "smallest" } else { "smallest known" }
}
