//! Lanes side by side, in the order of events: time goes down.

use std::fmt::Write as _;

use model::{Case, Model, Place};

use crate::execute::{Course, Given};

/// What is shown of one event in its lane.
struct Event<'a> {
    position: u64,
    lane: usize,
    given: &'a Given,
    end: bool,
}

/// A picture of what the lanes of a case did: a column for each, from top to bottom when commands
/// were given and when their outcomes came.
pub(super) fn picture<M: Model>(case: &Case<M>, course: &Course) -> String {
    let places: Vec<Place> = case.places().map(|(place, _)| place).collect();
    let lane_of = |given: &Given| match places.get(given.number.checked_sub(1)?)? {
        Place::Lane { lane, .. } => Some(*lane),
        Place::Prefix(_) | Place::Finally(_) => None,
    };
    let mut events: Vec<Event<'_>> = Vec::new();
    for given in &course.given {
        let Some(lane) = lane_of(given) else { continue };
        events.push(Event { position: given.called, lane, given, end: false });
        events.extend(given.ended.map(|position| Event { position, lane, given, end: true }));
    }
    events.sort_by_key(|event| event.position);
    draw(&rows(&events), case.lanes.len())
}

/// A row of the picture: what stands in which lane, and which lanes wait meanwhile.
struct Row {
    lane: usize,
    text: String,
    waiting: Vec<usize>,
}

fn rows(events: &[Event<'_>]) -> Vec<Row> {
    let (mut rows, mut waiting): (Vec<Row>, Vec<usize>) = (Vec::new(), Vec::new());
    let mut next = 0;
    while let Some(event) = events.get(next) {
        let Given { number, command, came, .. } = event.given;
        // What nothing came between is told in one row.
        let whole = events.get(next + 1).is_some_and(|after| after.end && after.given.number == *number);
        let text = match (event.end, whole) {
            (true, _) => format!("└ {came}"),
            (false, true) => format!("─ {number}. {command}: {came}"),
            (false, false) => format!("┌ {number}. {command}"),
        };
        waiting.retain(|lane| *lane != event.lane);
        rows.push(Row { lane: event.lane, text, waiting: waiting.clone() });
        if !event.end && !whole {
            waiting.push(event.lane);
        }
        next += if whole { 2 } else { 1 };
    }
    rows
}

fn draw(rows: &[Row], lanes: usize) -> String {
    let names: Vec<String> = (1..=lanes).map(|lane| format!("lane {lane}")).collect();
    let width = |lane: usize| {
        let texts = rows.iter().filter(|row| row.lane == lane).map(|row| row.text.chars().count());
        texts.chain([names[lane].len()]).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..lanes).map(width).collect();
    let line = |cell: &dyn Fn(usize) -> String| {
        let cells = (0..lanes).map(|lane| format!("{:<width$}", cell(lane), width = widths[lane]));
        format!("     {}", cells.collect::<Vec<_>>().join("   ")).trim_end().to_owned()
    };
    let mut text = line(&|lane| names[lane].clone());
    for row in rows {
        let cell = |lane: usize| match lane {
            _ if lane == row.lane => row.text.clone(),
            _ if row.waiting.contains(&lane) => "│".to_owned(),
            _ => String::new(),
        };
        write!(text, "\n{}", line(&cell)).ok();
    }
    text.push('\n');
    text
}
