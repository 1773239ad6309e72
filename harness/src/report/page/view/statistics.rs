//! What a run has tested, as the page tells it.

use serde::Serialize;

use crate::statistics::{Kind, Pairs, States, Statistics};

#[derive(Serialize)]
pub(super) struct Tested<'a> {
    cases: String,
    kinds: Vec<Bar<'a>>,
    lines: Vec<String>,
}

/// A kind of commands with its share of all.
#[derive(Serialize)]
struct Bar<'a> {
    kind: &'a str,
    given: u64,
    refused: u64,
    unknown: u64,
    percent: u64,
}

/// So many pairs are named at most that were not met.
const MOST_MISSING: usize = 12;

impl<'a> Tested<'a> {
    pub(super) fn of(statistics: &'a Statistics) -> Self {
        let total: u64 = statistics.commands.iter().map(|kind| kind.given).sum();
        let bar = |Kind { kind, given, refused, unknown }: &'a Kind| Bar {
            kind,
            given: *given,
            refused: *refused,
            unknown: *unknown,
            percent: 100 * given / total.max(1),
        };
        let mut lines = pairs("pairs of commands in sequence", &statistics.sequence);
        lines.extend(statistics.across.iter().flat_map(|across| pairs("pairs across lanes", across)));
        if let Some(States { met, complete, most }) = &statistics.states {
            let more = if *complete { "" } else { " or more" };
            lines.push(format!("{met}{more} states of the model"));
            let often = most.iter().take(MOST_MISSING).map(|(state, met)| format!("{state} ({met} times)"));
            lines.push(format!("most often: {}", often.collect::<Vec<_>>().join(", ")));
        }
        lines.extend(statistics.classes.iter().map(|class| class.to_string().trim_start().to_owned()));
        let cases = match statistics.cases {
            1 => "1 case had a verdict".to_owned(),
            cases => format!("{cases} cases had a verdict"),
        };
        Self {
            cases: format!("{cases}, with {total} commands in all."),
            kinds: statistics.commands.iter().map(bar).collect(),
            lines,
        }
    }
}

fn pairs(what: &str, Pairs { met, of, missing }: &Pairs) -> Vec<String> {
    let mut lines = vec![format!("{met} of {of} {what}")];
    if !missing.is_empty() {
        let more = missing.len().saturating_sub(MOST_MISSING);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        let named: Vec<_> = missing.iter().take(MOST_MISSING).map(String::as_str).collect();
        lines.push(format!("not met: {}{more}", named.join(", ")));
    }
    lines
}
