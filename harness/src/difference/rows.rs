//! The commands of two runs, aligned.

use std::collections::BTreeSet;

use similar::{Algorithm, capture_diff_slices};

use super::{Aspect, Given, Row};
use crate::record::{Part, Record};

/// A stretch of a case in which commands have an order: the prefix, a lane, or the final commands.
type Stretch = (Part, Option<usize>);

/// The rows of two runs.
pub(super) fn of(left: &Record, right: &Record) -> Vec<Row> {
    // How many lanes a file says that there are is up to whoever wrote it.
    let named = left.operations.iter().chain(&right.operations).filter_map(|operation| operation.lane);
    let lanes = named.collect::<BTreeSet<_>>().into_iter().map(|lane| (Part::Lane, Some(lane)));
    let stretches = [(Part::Prefix, None)].into_iter().chain(lanes).chain([(Part::Finally, None)]);
    stretches.flat_map(|stretch| aligned(stretch, &given(left, stretch), &given(right, stretch))).collect()
}

/// The place of the first that differs: of several lanes, the one that was given first.
pub(super) fn first(rows: &[Row]) -> Option<usize> {
    let when = |row: &Row| {
        let called = |given: &Option<Given>| given.as_ref().map(|given| given.called);
        let called = called(&row.left).into_iter().chain(called(&row.right)).min();
        let part = match row.part {
            Part::Prefix => 0,
            Part::Lane => 1,
            Part::Finally => 2,
        };
        (part, row.lane.and(called))
    };
    let differing = rows.iter().enumerate().filter(|(_, row)| !row.differs.is_empty());
    differing.min_by_key(|(_, row)| when(row)).map(|(index, _)| index)
}

/// What a run was given in a stretch, in the order of the case.
fn given(record: &Record, (part, lane): Stretch) -> Vec<Given> {
    let operations = record.operations.iter();
    let of_stretch = operations.filter(|operation| (operation.part, operation.lane) == (part, lane));
    let mut given: Vec<_> = of_stretch.map(|operation| Given::of(record, operation)).collect();
    given.sort_by_key(|given| given.number);
    given
}

fn aligned((part, lane): Stretch, left: &[Given], right: &[Given]) -> Vec<Row> {
    let commands = |given: &[Given]| given.iter().map(|given| given.command.clone()).collect::<Vec<_>>();
    let changes = capture_diff_slices(Algorithm::Myers, &commands(left), &commands(right));
    let row = |left: Option<&Given>, right: Option<&Given>| Row {
        part,
        lane,
        differs: differs(left, right),
        left: left.cloned(),
        right: right.cloned(),
    };
    let pairs = changes.iter().flat_map(|change| {
        let (left, right) = (&left[change.old_range()], &right[change.new_range()]);
        (0..left.len().max(right.len())).map(move |index| (left.get(index), right.get(index)))
    });
    pairs.map(|(left, right)| row(left, right)).collect()
}

/// In what commands at the same place differ; states that a model does not tell are not compared.
fn differs(left: Option<&Given>, right: Option<&Given>) -> Vec<Aspect> {
    let Some((left, right)) = left.zip(right) else { return vec![Aspect::NotGiven] };
    let states = left.state.as_ref().zip(right.state.as_ref());
    let all = [
        (left.command != right.command, Aspect::Command),
        ((left.ending, &left.came) != (right.ending, &right.came), Aspect::Answer),
        (states.is_some_and(|(left, right)| left != right), Aspect::State),
    ];
    all.into_iter().filter(|(is_so, _)| *is_so).map(|(_, aspect)| aspect).collect()
}
