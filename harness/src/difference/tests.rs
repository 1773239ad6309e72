use proptest::prelude::*;
use proptest::sample::select;
use textwrap::core::display_width;

use super::*;

/// A run of two commands in sequence, one in each of two lanes, and one at the end.
fn run() -> Record {
    let mut record: Record =
        serde_json::from_str(include_str!("../../tests/pages/version-1.record.json")).unwrap();
    let operation = record.operations[0].clone();
    let given = |number: usize, part, lane, command: &str| Operation {
        number,
        part,
        lane,
        command: command.to_owned(),
        came: "done".to_owned(),
        called: number as u64 * 2,
        after: Some(0),
        ..operation.clone()
    };
    record.operations = vec![
        given(1, Part::Prefix, None, "Boot a"),
        given(2, Part::Prefix, None, "Boot b"),
        given(3, Part::Lane, Some(1), "Ping a -> b"),
        given(4, Part::Lane, Some(2), "Ping b -> a"),
        given(5, Part::Finally, None, "Heal"),
    ];
    record.commands = 5;
    record
}

fn difference(left: &Record, right: &Record) -> Difference {
    Difference::between(("left.json", left), ("right.json", right))
}

/// Where a run differs first from the one above, and in what.
fn first(change: impl FnOnce(&mut Record)) -> (Option<First>, Vec<Aspect>, Vec<String>) {
    let mut other = run();
    change(&mut other);
    let difference = difference(&run(), &other);
    let differs = match difference.first {
        Some(First::Row(row)) => difference.rows[row].differs.clone(),
        _ => Vec::new(),
    };
    (difference.first, differs, difference.other_case)
}

#[test]
fn times_are_no_difference() {
    let later = |record: &mut Record| {
        record.began = Some(7.0);
        record.operations.iter_mut().for_each(|operation| operation.started = Some(9.0));
    };
    assert_eq!(first(later), (None, vec![], vec![]));
}

#[test]
fn what_differs_first_is_found_whatever_it_is() {
    let row = |row, aspect| (Some(First::Row(row)), vec![aspect], vec![]);
    assert_eq!(first(|record| record.operations[1].came.push('!')), row(1, Aspect::Answer));
    assert_eq!(first(|record| record.operations[4].ending = Ending::Unknown), row(4, Aspect::Answer));
    assert_eq!(first(|record| drop(record.operations.split_off(4))), row(4, Aspect::NotGiven));
    let another = |record: &mut Record| record.operations[1].after = Some(1);
    assert_eq!(first(another), row(1, Aspect::State), "the states are {:?}", run().states);
    assert_eq!(first(|record| record.verdict = Verdict::Holds), (Some(First::Verdict), vec![], vec![]));
    let elsewhere = vec!["another network or state to begin in".to_owned()];
    assert_eq!(first(|record| record.initial.push('!')), (Some(First::Initial), vec![], elsewhere));
    let other = vec!["other commands".to_owned()];
    let renamed = |record: &mut Record| record.operations[0].command.push('!');
    assert_eq!(first(renamed), (Some(First::Row(0)), vec![Aspect::Command], other.clone()));
    // Those after it have other numbers and are the same commands.
    let without = |record: &mut Record| {
        record.operations.remove(0);
        record.operations.iter_mut().for_each(|operation| operation.number -= 1);
    };
    assert_eq!(first(without), (Some(First::Row(0)), vec![Aspect::NotGiven], other));
}

#[test]
fn another_name_of_the_specification_is_a_difference_of_its_own() {
    let renamed = |record: &mut Record| record.specification.push('!');
    let other = vec!["another specification".to_owned()];
    assert_eq!(first(renamed), (Some(First::Specification), vec![], other));
    let mut record = run();
    renamed(&mut record);
    let text = text(&difference(&run(), &record), 80, false);
    assert!(
        text.contains("different cases: another specification\n\nfirst difference: the specification\n"),
        "{text}"
    );
    assert!(!text.contains("what they have come to"), "{text}");
    // What came of the runs is said where that differs too.
    let mut held = record;
    held.verdict = Verdict::Holds;
    assert_eq!(difference(&run(), &held).first, Some(First::Verdict));
}

#[test]
fn of_lanes_the_one_that_was_given_first_differs_first() {
    let both = |record: &mut Record| {
        record.operations[2].came.push('!');
        record.operations[3].came.push('!');
        record.operations[3].called = 1;
    };
    assert_eq!(first(both).0, Some(First::Row(3)));
}

#[test]
fn lanes_that_nothing_was_given_in_take_no_time() {
    assert_eq!(first(|record| record.lanes = usize::MAX), (None, vec![], vec![]));
}

#[test]
fn what_is_the_same_is_said_once_and_what_differs_side_by_side() {
    let mut other = run();
    other.operations[1].came = "not answered".to_owned();
    other.operations.truncate(2);
    let text = text(&difference(&run(), &other), 80, false);
    let expected = "\n  1. Boot a: done
first difference: another answer
  2. Boot b                            |   2. Boot b
     came: done                        |      came: not answered

lane 1
  3. Ping a -> b: done                 <
";
    assert!(text.contains(expected), "{text}");
    let narrow = super::text(&difference(&run(), &other), 59, false);
    let expected = "<   2. Boot b\n<      came: done\n>   2. Boot b\n>      came: not answered\n";
    assert!(narrow.contains(expected), "{narrow}");
}

/// Texts that a guest may have said.
fn said() -> impl Strategy<Value = String> {
    let pieces =
        ["a long word", "\u{1b}[2J", "\u{9b}31m", "\u{202e}", "\n", "\t", "\0", "ä", "界", "-------------"];
    proptest::collection::vec(select(pieces.to_vec()), 0..12).prop_map(|pieces| pieces.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn nothing_that_was_said_reaches_beyond_its_line(
        texts in proptest::collection::vec(said(), 6),
        columns in 20_usize..200,
        is_verbose: bool,
    ) {
        let (mut left, mut right) = (run(), run());
        for (record, texts) in [(&mut left, &texts[..3]), (&mut right, &texts[3..])] {
            record.initial.clone_from(&texts[0]);
            record.operations[0].came.clone_from(&texts[1]);
            record.operations[3].command.clone_from(&texts[2]);
        }
        let difference = difference(&left, &right);
        let page = text(&difference, columns, is_verbose);
        for line in page.lines() {
            prop_assert!(display_width(line) <= columns, "{columns}: {line:?}");
            prop_assert!(line.chars().all(crate::plain::is_plain), "{line:?}");
        }
        prop_assert_eq!(difference.is_none(), texts[..3] == texts[3..]);
    }
}
