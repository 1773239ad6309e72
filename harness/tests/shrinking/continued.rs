//! Shrinking ends at its budget, and goes on later from the replay file.

use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{Config, Continued, Runner, Silent, Stop, Verdict};

use super::switchboard::{Answers, Command, Switchboard, config, is};

fn three_presses(pressed: &[u8], command: &Command, _: u64) -> bool {
    *command != Command::Look || ![2, 4, 6].iter().all(|button| pressed.contains(button))
}

fn budget(runs: u32, directory: &std::path::Path) -> Config {
    Config { shrink: Budget { runs, time: None }, ..config(9, Some(directory)) }
}

#[test]
fn no_runs_show_the_failure_as_it_was_found() {
    let directory = tempfile::tempdir().unwrap();
    let (system, config, stop) = (Answers::new(three_presses), budget(0, directory.path()), Stop::default());
    let summary = Runner::new(&Switchboard, &system, &config, &Silent, &stop).run().unwrap();
    let failure = summary.failure.unwrap();
    assert_eq!(system.made() as u32, summary.held + 1, "it is not run again");
    assert!((20..=30).contains(&failure.case.len()) && !failure.smallest && failure.shrink_runs == 0);
    assert_eq!(Replay::read(&Switchboard, &failure.file.unwrap()).unwrap().case, failure.case);
}

#[test]
fn a_file_is_gone_on_with_until_nothing_helps() {
    let directory = tempfile::tempdir().unwrap();
    let (system, stop) = (Answers::new(three_presses), Stop::default());
    let little = budget(4, directory.path());
    let first = Runner::new(&Switchboard, &system, &little, &Silent, &stop).run().unwrap().failure.unwrap();
    let file = first.file.unwrap();
    assert!(!first.smallest);
    let mut length = first.case.len();
    for _ in 0..100 {
        let runner = Runner::new(&Switchboard, &system, &little, &Silent, &stop);
        let Continued::Failed(failure) = runner.shrink_file(&file).unwrap() else { panic!("it fails") };
        assert!(failure.case.len() <= length && failure.file.as_ref() == Some(&file));
        length = failure.case.len();
        assert_eq!(Replay::read(&Switchboard, &file).unwrap().case, failure.case);
        if length == 4 {
            break;
        }
    }
    assert_eq!(length, 4);
    let much = budget(1000, directory.path());
    let runner = Runner::new(&Switchboard, &system, &much, &Silent, &stop);
    let Continued::Failed(failure) = runner.shrink_file(&file).unwrap() else { panic!("it fails") };
    assert!(failure.smallest && Replay::read(&Switchboard, &file).unwrap().smallest);
    // What is smallest is only run once more.
    let before = system.made();
    assert!(
        matches!(runner.shrink_file(&file).unwrap(), Continued::Failed(same) if same.case == failure.case)
    );
    assert_eq!(system.made(), before + 1);
}

#[test]
fn values_shrink_without_the_trees_of_a_strategy() {
    let directory = tempfile::tempdir().unwrap();
    let three = |pressed: &[u8], command: &Command, _: u64| *command != Command::Look || pressed.len() < 3;
    let (system, stop) = (Answers::new(three), Stop::default());
    let none = budget(0, directory.path());
    let found = Runner::new(&Switchboard, &system, &none, &Silent, &stop).run().unwrap().failure.unwrap();
    let much = budget(1000, directory.path());
    let runner = Runner::new(&Switchboard, &system, &much, &Silent, &stop);
    let Continued::Failed(failure) = runner.shrink_file(&found.file.unwrap()).unwrap() else {
        panic!("it fails")
    };
    use Command::{Look, Press};
    assert!(is(&failure.case, &[Press(0), Press(0), Press(0), Look]), "{:?}", failure.case);
}

#[test]
fn a_case_that_holds_is_not_touched() {
    let directory = tempfile::tempdir().unwrap();
    let (system, stop, config) = (Answers::new(three_presses), Stop::default(), budget(4, directory.path()));
    let failure = Runner::new(&Switchboard, &system, &config, &Silent, &stop).run().unwrap().failure.unwrap();
    let file = failure.file.unwrap();
    let text = std::fs::read(&file).unwrap();
    let fine = Answers::new(|_, _, _| true);
    let runner = Runner::new(&Switchboard, &fine, &config, &Silent, &stop);
    assert!(matches!(runner.shrink_file(&file).unwrap(), Continued::Passed(Verdict::Holds)));
    assert_eq!(fine.made() as u32, config.reruns, "it could be one that comes and goes");
    assert_eq!(std::fs::read(&file).unwrap(), text);
}
