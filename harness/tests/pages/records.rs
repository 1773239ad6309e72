//! What a run writes down of a failure.

use harness::record::{Ending, Part, Record};
use harness::shrink::Fate;
use harness::{Runner, Silent, Stop};
use model::scene::{Power, Role};

use crate::failing;

/// What is written is what is read.
fn comes_back(record: &Record) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("case.record.json");
    record.write(&path).unwrap();
    assert_eq!(Record::read(&path).unwrap(), *record);
}

#[test]
fn a_case_of_machines_has_its_network_states_and_times() {
    let record = failing::deaf();
    comes_back(&record);
    assert_eq!((&*record.specification, record.smallest, record.machines.len()), ("machines", true, 1));
    let roles: Vec<_> = record.operations.iter().map(|operation| operation.role).collect();
    assert_eq!(roles, [Role::Boot, Role::Off, Role::Boot, Role::Ask]);
    let (last, machine) = (record.operations.last().unwrap(), &record.machines[0].name);
    assert_eq!(record.evidence.number, last.number);
    assert_eq!(record.evidence.expected, format!("answered, since {machine} is on"));
    assert_eq!((record.evidence.came.as_str(), last.after), ("not answered", None));
    assert_eq!(record.states[last.before.unwrap()].power, [Power::On]);
    assert!(record.operations.iter().all(|operation| operation.started.is_some()));
    assert!(record.statistics.unwrap().cases > 0);
    assert_eq!(record.warnings, Vec::<String>::new());
}

#[test]
fn a_case_with_lanes_has_the_longest_order_and_what_cannot_come_next() {
    let record = failing::lost_update();
    comes_back(&record);
    assert_eq!((record.lanes, record.operations.len()), (2, 2));
    assert!(record.operations.iter().all(|operation| operation.part == Part::Lane));
    assert!(record.operations.iter().all(|operation| operation.ending == Ending::Answered));
    assert_eq!((record.evidence.order.len(), record.evidence.obstacles.len()), (1, 1));
    let ranked: Vec<_> = record.operations.iter().filter(|operation| operation.rank.is_some()).collect();
    assert_eq!(ranked[0].number, record.evidence.order[0]);
    assert_eq!(record.states[ranked[0].after.unwrap()].text, "1");
}

#[test]
fn a_case_with_lanes_has_the_fewest_answers_that_contradict_one_another() {
    let record = failing::lost_among_others();
    comes_back(&record);
    let contradiction = record.evidence.contradiction.as_ref().unwrap();
    assert!(contradiction.is_minimal && !contradiction.operations.is_empty());
    assert!(contradiction.operations.len() < record.operations.len(), "{contradiction:?}");
    let ended =
        |number: &usize| record.operations.iter().find(|given| given.number == *number).unwrap().ended;
    assert_eq!(
        contradiction.last,
        contradiction.operations.iter().copied().max_by_key(|number| ended(number))
    );
    assert!(failing::deaf().evidence.contradiction.is_none(), "there is nothing to be found in a sequence");
}

#[test]
fn a_case_of_faults_has_what_is_cut_at_each_moment() {
    let record = failing::forgotten_cut();
    comes_back(&record);
    let wrong = record.operations.last().unwrap();
    assert!(record.evidence.expected.starts_with("not answered"), "{}", record.evidence.expected);
    let state = &record.states[wrong.before.unwrap()];
    assert!(state.links.iter().any(|link| link.cut), "{state:?}");
}

#[test]
fn what_was_tried_is_a_tree_that_leads_to_the_smallest_case() {
    let record = failing::forgotten_cut();
    is_a_tree(&record);
    let candidates = &record.shrinking.candidates;
    assert!(candidates.iter().any(|candidate| candidate.fate == Fate::Holds));
    assert!(candidates.iter().all(|candidate| candidate.runs > 0));
    let runs: u32 = candidates.iter().map(|candidate| candidate.runs).sum();
    assert!(runs <= record.shrink_runs && record.shrinking.left_out == 0);
}

#[test]
fn a_search_that_goes_on_adds_to_the_same_tree() {
    let directory = tempfile::tempdir().unwrap();
    let (model, system) = (failing::faults(), failing::ForgetsCuts);
    let few = failing::Limits { shrink: 3, ..failing::Limits::default() };
    let file = failing::kept(&model, &system, failing::long(), few, directory.path());
    let begun = Record::open(&file).unwrap().0;
    assert!(!begun.smallest && begun.statistics.is_some());
    let config = failing::config(failing::long(), failing::Limits::default(), directory.path());
    let stop = Stop::default();
    Runner::new(&model, &system, &config, &Silent, &stop).shrink_file(&file).unwrap();
    let ended = Record::open(&file).unwrap().0;
    assert!(ended.smallest);
    assert_eq!(ended.statistics, begun.statistics, "what the run was like is still known");
    assert_eq!(ended.commands_at_first, begun.commands_at_first);
    let before = begun.shrinking.candidates;
    assert_eq!(ended.shrinking.candidates[..before.len()], before);
    is_a_tree(&ended);
}

/// What was kept follows on what was kept before, from the first case to the smallest.
fn is_a_tree(record: &Record) {
    let candidates = &record.shrinking.candidates;
    let kept: Vec<_> = (0..candidates.len()).filter(|index| candidates[*index].fate == Fate::Kept).collect();
    assert_eq!(candidates[*kept.last().unwrap()].commands, record.commands);
    assert_eq!(candidates[kept[0]].from, None);
    for pair in kept.windows(2) {
        assert_eq!(candidates[pair[1]].from, Some(pair[0]));
    }
}
