//! Why a history is not linearizable, in words.

use std::fmt::{Display, Write as _};

use model::Outcome;
use model::history::{History, Operation};
use model::linearizability::{Counterexample, Obstacle, Why};
use serde_json::json;

use super::lanes;

/// More bystanders and more of a prefix than this say nothing to a reader.
const MOST: usize = 12;

/// An operation with its answer in a few words: `client 3's read, answered 2`.
fn told<C: Display, R: Display>(history: &History<C, R>, index: usize) -> String {
    let operation = &history.operations[index];
    format!("client {}'s {}", operation.lane, short(operation))
}

/// An operation with its answer: `read → 2`.
fn short<C: Display, R: Display>(operation: &Operation<C, R>) -> String {
    let Operation { command, outcome, .. } = operation;
    match outcome {
        Outcome::Answered(response) => format!("{command} → {response}"),
        Outcome::Refused(_) => format!("{command} → refused"),
        Outcome::Unknown(_) => format!("{command} → ?"),
    }
}

pub(super) fn why(why: &Why) -> String {
    match why {
        Why::Impossible(reason) => format!("impossible: {reason}"),
        Why::NoEffect => "has no effect here".to_owned(),
        Why::DeadEnd => "possible, but leads no further".to_owned(),
    }
}

pub(super) fn text<C: Display, R: Display, S>(
    history: &History<C, R>,
    evidence: &Counterexample<S>,
) -> String {
    let Counterexample { part, operations, bystanders, minimal, prefix, obstacles, .. } = evidence;
    let mut text = String::from("\n");
    if let Some(part) = part {
        let _ = writeln!(text, "Key {part:?} by itself is not.");
    }
    let least = if *minimal { "" } else { " (perhaps fewer do; the time for finding out ran out)" };
    let _ = writeln!(text, "No order explains these answers{least}:\n");
    let label = |index: usize| {
        let operation = &history.operations[index];
        (format!("client {}", operation.lane), short(operation))
    };
    text.push_str(&lanes::picture(history, operations, evidence.until, label));
    let last = operations.iter().find(|&&index| history.operations[index].ended == Some(evidence.until));
    if let (true, Some(&last)) = (*minimal, last) {
        let (last, at) = (told(history, last), evidence.until);
        let _ =
            writeln!(text, "\nAll that was answered before {at} has an order; with {last} there is none.");
    }
    if !bystanders.is_empty() {
        let many = bystanders.len();
        let these = if many == 1 { "this operation takes" } else { "these operations take" };
        let _ = writeln!(text, "\nThat is so whenever after its call {these} effect, or never:\n");
        text.push_str(&lanes::picture(history, &bystanders[..many.min(MOST)], evidence.until, label));
        more(&mut text, many);
    }
    if prefix.is_empty() {
        text.push_str("\nAt the beginning, nothing can come first:\n");
    } else {
        text.push_str("\nA longest legal order:\n");
        let skipped = prefix.len().saturating_sub(MOST);
        if skipped > 0 {
            let _ = writeln!(text, "  {skipped} operations, then");
        }
        for &index in &prefix[skipped..] {
            let _ = writeln!(text, "  {}", told(history, index));
        }
        text.push_str("\nNothing can come next:\n");
    }
    for Obstacle { operation, why: reason } in obstacles.iter().take(MOST) {
        let _ = writeln!(text, "  {}: {}", told(history, *operation), why(reason));
    }
    more(&mut text, obstacles.len());
    text
}

fn more(text: &mut String, many: usize) {
    if many > MOST {
        let _ = writeln!(text, "  and {} more", many - MOST);
    }
}

/// An operation as `--json` shows it.
pub(super) fn json<C: Display, R: Display>(history: &History<C, R>, index: usize) -> serde_json::Value {
    let Operation { lane, command, called, ended, outcome } = &history.operations[index];
    json!({
        "operation": index,
        "client": lane,
        "command": command.to_string(),
        "called": called,
        "ended": ended,
        "answer": outcome.answer().map(ToString::to_string),
    })
}
