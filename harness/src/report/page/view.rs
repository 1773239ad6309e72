//! What the page says without a script: texts, ready to be put into the template.

use serde::Serialize;

use crate::record::{Contradiction, Ending, Line, Operation, Part, Record, Said};
use crate::system::Voice;

mod statistics;
mod words;

use statistics::Tested;

/// So many operations of an order are told at most, from its end.
const MOST_IN_ORDER: usize = 12;

#[derive(Serialize)]
pub(super) struct View<'a> {
    netprop: &'a str,
    specification: &'a str,
    title: String,
    headline: String,
    lede: String,
    where_it_is: String,
    expected: &'a str,
    came: &'a str,
    why: String,
    /// Whether there is an order that explains as much as any.
    is_ordered: bool,
    order: Vec<Named<'a>>,
    order_left_out: usize,
    state: &'a str,
    obstacles: Vec<Named<'a>>,
    contradiction: Option<Contradicting<'a>>,
    look: Vec<words::Hint>,
    history_note: String,
    operations: Vec<Row<'a>>,
    initial: &'a str,
    causes: Option<String>,
    /// What there is beside the commands, in a sentence.
    beside: Option<String>,
    consoles: Vec<Heard<'a>>,
    shrinking: Option<String>,
    statistics: Option<Tested<'a>>,
    replay: Option<&'a str>,
    seed: &'a str,
    facts: Vec<Fact>,
    warnings: &'a [String],
}

/// An operation as lists name it.
#[derive(Serialize)]
struct Named<'a> {
    number: usize,
    command: &'a str,
    came: String,
    why: &'a str,
}

/// The fewest answers that contradict one another.
#[derive(Serialize)]
struct Contradicting<'a> {
    operations: Vec<Named<'a>>,
    told: String,
    is_minimal: bool,
}

impl<'a> Contradicting<'a> {
    fn of(record: &'a Record) -> Option<Self> {
        let Contradiction { operations, is_minimal, .. } = record.evidence.contradiction.as_ref()?;
        let operations = operations.iter().filter_map(|number| named(record, *number, "")).collect();
        Some(Self { operations, told: words::contradiction(record)?, is_minimal: *is_minimal })
    }
}

/// What a machine said.
#[derive(Serialize)]
struct Heard<'a> {
    machine: &'a str,
    is_journal: bool,
    lines: &'a [Line],
}

impl<'a> Heard<'a> {
    fn of(Said { machine, voice, lines, .. }: &'a Said) -> Self {
        Self { machine, is_journal: *voice == Voice::Journal, lines }
    }
}

/// An operation in the table.
#[derive(Serialize)]
struct Row<'a> {
    number: usize,
    place: String,
    from: String,
    took: String,
    command: &'a str,
    came: String,
    after: &'a str,
    is_wrong: bool,
}

#[derive(Serialize)]
struct Fact {
    name: String,
    value: String,
}

impl<'a> View<'a> {
    pub(super) fn of(record: &'a Record) -> Self {
        let Record { evidence, .. } = record;
        let wrong = record.wrong();
        let headline =
            wrong.map_or_else(|| "the system as a whole".to_owned(), |wrong| wrong.command.clone());
        let order_left_out = evidence.order.len().saturating_sub(MOST_IN_ORDER);
        let order = evidence.order.iter().skip(order_left_out);
        let is_ordered = !evidence.is_panic && !evidence.obstacles.is_empty();
        let before = wrong.and_then(|wrong| record.states.get(wrong.before?)).map(|state| &*state.text);
        Self {
            netprop: &record.netprop,
            specification: &record.specification,
            title: format!("{headline} falsifies {}", record.specification),
            headline,
            lede: words::lede(record),
            where_it_is: words::place(record, wrong),
            expected: said(&evidence.expected),
            came: said(&evidence.came),
            why: words::why(record, wrong, is_ordered),
            is_ordered,
            order: order.filter_map(|number| named(record, *number, "")).collect(),
            order_left_out,
            state: if is_ordered { &evidence.state } else { before.unwrap_or_default() },
            obstacles: evidence
                .obstacles
                .iter()
                .filter_map(|obstacle| named(record, obstacle.number, &obstacle.why))
                .collect(),
            contradiction: Contradicting::of(record),
            look: words::look(record, wrong),
            history_note: words::history(record),
            operations: record.operations.iter().map(|operation| row(record, operation)).collect(),
            initial: &record.initial,
            causes: record.causes.as_ref().map(ToString::to_string),
            beside: words::beside(record),
            consoles: record.consoles.iter().map(Heard::of).collect(),
            shrinking: words::shrinking(record),
            statistics: record.statistics.as_ref().map(Tested::of),
            replay: record.replay.as_deref(),
            seed: &record.seed,
            facts: facts(record),
            warnings: &record.warnings,
        }
    }
}

impl Record {
    /// The operation that got the wrong answer, if one did.
    fn wrong(&self) -> Option<&Operation> {
        self.operations.iter().find(|operation| operation.number == self.evidence.number)
    }
}

/// What there is to say, or that there is nothing.
fn said(text: &str) -> &str {
    if text.is_empty() { "(nothing is said of it)" } else { text }
}

/// What came of an operation, in words that tell how it ended.
fn outcome(operation: &Operation) -> String {
    match operation.ending {
        Ending::Answered => operation.came.clone(),
        Ending::Refused => format!("refused: {}", operation.came),
        Ending::Unknown => format!("unknown: {}", operation.came),
    }
}

fn named<'a>(record: &'a Record, number: usize, why: &'a str) -> Option<Named<'a>> {
    let operation = record.operations.iter().find(|operation| operation.number == number)?;
    Some(Named { number, command: &operation.command, came: outcome(operation), why })
}

fn row<'a>(record: &'a Record, operation: &'a Operation) -> Row<'a> {
    let after = operation.after.and_then(|after| record.states.get(after));
    let place = match (operation.part, operation.lane) {
        (Part::Prefix, _) => "in sequence".to_owned(),
        (Part::Finally, _) => "at the end".to_owned(),
        (Part::Lane, lane) => format!("lane {}", lane.unwrap_or_default()),
    };
    Row {
        number: operation.number,
        place,
        from: operation.started.map(words::time).unwrap_or_default(),
        took: operation.seconds.map(words::time).unwrap_or_default(),
        command: &operation.command,
        came: outcome(operation),
        after: after.map_or("", |state| &state.text),
        is_wrong: operation.number == record.evidence.number,
    }
}

/// What else is known of the case, by name.
fn facts(record: &Record) -> Vec<Fact> {
    let mut facts: Vec<(String, String)> = Vec::new();
    let mut rate = |name: &str, rate: Option<crate::shrink::Rate>| {
        facts.extend(rate.map(|rate| (name.to_owned(), format!("fails in {rate}"))));
    };
    rate("the first case", record.first_rate);
    rate("this case", record.rate);
    rate("on systems made from nothing", record.confirmed);
    facts.extend(record.capture.iter().map(|packets| ("packets".to_owned(), packets.file.clone())));
    facts.extend(record.others.iter().map(|way| ("another failure".to_owned(), way.clone())));
    facts.extend(record.settings.clone());
    facts.into_iter().map(|(name, value)| Fact { name, value }).collect()
}
