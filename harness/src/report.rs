//! The report of a failure, for a person to read.

use std::fmt::Write as _;

use model::Model;

use crate::runner::{Failure, Other};
use crate::shrink::Rate;

/// Tells what failed: the smallest case, the model's state at each step, what was expected and
/// what came.
#[must_use]
pub fn failure<M: Model>(model: &M, failure: &Failure<M>) -> String {
    let mut text = String::new();
    let case = &failure.case;
    let shown = model.show_state(&case.initial);
    writeln!(text, "falsified: command {} of the {} case\n", failure.evidence.number, size(failure)).ok();
    shown.lines().for_each(|line| {
        writeln!(text, "  {line}").ok();
    });
    let states = case.states(model);
    writeln!(text, "\n     {}", model.show_progress(&states[0])).ok();
    for (index, command) in case.commands.iter().enumerate() {
        let wrong = index + 1 == failure.evidence.number;
        writeln!(text, "{:3}. {}", index + 1, model.show_command(command)).ok();
        if wrong {
            writeln!(text, "     expected: {}", failure.evidence.expected).ok();
            writeln!(text, "     came:     {}", failure.evidence.came).ok();
        } else {
            writeln!(text, "     {}", model.show_progress(&states[index + 1])).ok();
        }
    }
    if let Some(causes) = failure.causes.as_ref().filter(|causes| !causes.is_empty()) {
        write!(text, "\n{causes}").ok();
    }
    text.push_str(&rates(failure));
    let Failure { commands_at_first, shrink_runs, seed, .. } = failure;
    let probes = failure.causes.as_ref().map_or(0, |causes| causes.runs);
    let probed = if probes > 0 { format!(", {probes} more to see what matters") } else { String::new() };
    writeln!(text, "\nfrom {commands_at_first} commands in {shrink_runs} runs{probed}; seed {seed}").ok();
    text
}

/// How often it fails, where that is not each time, and what else came up.
fn rates<M: Model>(failure: &Failure<M>) -> String {
    let mut text = String::new();
    let always = |rate: &Option<Rate>| rate.is_none_or(|rate| rate.is_always());
    if let (Some(first), Some(rate)) = (failure.first_rate, failure.rate)
        && !(always(&failure.first_rate) && always(&failure.rate))
    {
        let hint = if first.failed == 0 { ", so it was not made smaller" } else { "" };
        writeln!(text, "\nfails in {rate}; the first case failed again in {first}{hint}").ok();
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
