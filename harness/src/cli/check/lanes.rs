//! A picture of operations side by side: when each was called, and when it was answered.

use std::fmt::Write as _;

use model::history::{History, Operation};

/// The columns that the whole time has at most.
const WIDEST: usize = 60;
/// The columns between two events where there is room.
const STEP: usize = 3;

/// A line for each operation, with a bar from its call to its answer. Only the order of events
/// shows, not the time between them. What has no answer until the given position is open.
pub(super) fn picture<C, R>(
    history: &History<C, R>,
    indexes: &[usize],
    until: u64,
    label: impl Fn(usize) -> (String, String),
) -> String {
    let operation = |index: &usize| &history.operations[*index];
    let end = |operation: &Operation<C, R>| operation.ended.filter(|ended| *ended <= until);
    let mut events: Vec<u64> = indexes.iter().map(|index| operation(index).called).collect();
    events.extend(indexes.iter().filter_map(|index| end(operation(index))));
    events.sort_unstable();
    events.dedup();
    let last = events.len().saturating_sub(1);
    let step = (WIDEST / last.max(1)).clamp(1, STEP);
    let column = |position: u64| {
        let place = events.partition_point(|event| *event < position);
        if last * step <= WIDEST { place * step } else { place * WIDEST / last }
    };
    let labels: Vec<_> = indexes.iter().map(|&index| label(index)).collect();
    let width = |one: &dyn Fn(&(String, String)) -> &String| {
        labels.iter().map(|label| one(label).chars().count()).max().unwrap_or(0)
    };
    let (first, second) = (width(&|label| &label.0), width(&|label| &label.1).min(WIDEST));
    let mut picture = String::new();
    for (index, (lane, what)) in indexes.iter().zip(&labels) {
        let operation = operation(index);
        let start = column(operation.called);
        let bar = match end(operation) {
            Some(ended) => {
                let length = column(ended).saturating_sub(start).saturating_sub(1);
                format!("├{}┤", "─".repeat(length))
            }
            None => {
                let length = (column(until) + 1).saturating_sub(start);
                format!("├{}", "╌".repeat(length))
            }
        };
        let line = format!("  {lane:first$}  {:second$}  {}{bar}", cut(what), " ".repeat(start));
        let _ = writeln!(picture, "{}", line.trim_end());
    }
    picture
}

/// A text as far as there is room; of a long one its end tells most.
fn cut(text: &str) -> String {
    let letters = text.chars().count();
    if letters <= WIDEST {
        return text.to_owned();
    }
    let half = WIDEST / 2 - 1;
    let (head, tail): (String, String) =
        (text.chars().take(half).collect(), text.chars().skip(letters - half).collect());
    format!("{head}…{tail}")
}
