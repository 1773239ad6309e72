//! Failures that never come again are findings all the same, and the run looks for others.

use std::cell::Cell;
use std::path::Path;

use harness::replay::Replay;
use harness::shrink::Budget;
use harness::{Config, Outcome, Rate, Runner, Silent, Stop, Summary, System, SystemError, report};

use super::switchboard::{Answers, Command, Switchboard, config, is};

/// What a system does once it was wrong about an Ask, which it is once only.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Afterwards {
    IsRight,
    /// A Look is wrong where 3 and 7 are pressed.
    IsWrong,
    /// No system can be made any more, once so many were.
    Breaks(usize),
}

struct Once {
    answers: Answers,
    afterwards: Afterwards,
    was_wrong: Cell<bool>,
}

fn is_wrong_about_3_and_7(pressed: &[u8], command: &Command, _: u64) -> bool {
    !(*command == Command::Look && pressed.contains(&3) && pressed.contains(&7))
}

impl Once {
    fn then(afterwards: Afterwards) -> Self {
        Self { answers: Answers::new(is_wrong_about_3_and_7), afterwards, was_wrong: Cell::new(false) }
    }
}

impl System<Switchboard> for Once {
    type Sut = (Vec<u8>, u64);

    fn new_sut(&self, state: &Vec<u8>) -> Result<Self::Sut, SystemError> {
        match self.afterwards {
            Afterwards::Breaks(most) if self.answers.made() >= most => {
                Err(SystemError::Hopeless("the switchboard fell off the wall".into()))
            }
            _ => self.answers.new_sut(state),
        }
    }

    fn run(&self, sut: &mut Self::Sut, command: &Command) -> Result<Outcome<bool>, SystemError> {
        let Outcome::Answered(fine) = self.answers.run(sut, command)? else { unreachable!("it answers") };
        let is_bad_by_now = self.was_wrong.get() && self.afterwards == Afterwards::IsWrong;
        let is_first = *command == Command::Ask && !self.was_wrong.replace(true);
        Ok(Outcome::Answered(!is_first && (fine || !is_bad_by_now)))
    }
}

const CASES: u32 = 200;
const RERUNS: u32 = 5;

fn run(system: &Once, directory: &Path) -> Summary<Switchboard> {
    let config = Config { cases: CASES, reruns: RERUNS, ..config(3, Some(directory)) };
    Runner::new(&Switchboard, system, &config, &Silent, &Stop::default()).run().unwrap()
}

fn never_again(runs: u32) -> Option<Rate> {
    Some(Rate { failed: 0, runs })
}

#[test]
fn one_that_never_comes_again_is_kept_as_it_is_once_all_cases_have_run() {
    let (system, directory) = (Once::then(Afterwards::IsRight), tempfile::tempdir().unwrap());
    let summary = run(&system, directory.path());
    assert_eq!((summary.verdict(), summary.held, summary.once.len()), ("falsified", CASES - 1, 0));
    let failure = summary.failure.as_ref().unwrap();
    assert_eq!((failure.first_rate, failure.came_again()), (never_again(RERUNS), false));
    assert!(!failure.smallest && failure.shrink_runs == 0);
    let text = report::summary(&Switchboard, &summary);
    assert!(text.contains("failed again in 0 of 5 runs, so it was not made smaller"), "{text}");
    let replay = Replay::read(&Switchboard, failure.file.as_ref().unwrap()).unwrap();
    assert_eq!((replay.first_rate, &replay.case), (failure.first_rate, &failure.case));
    assert_eq!(replay.failure, failure.evidence);

    // It is tried by the next run, which holds.
    let again = Once::then(Afterwards::IsRight);
    again.was_wrong.set(true);
    let summary = run(&again, directory.path());
    assert_eq!((summary.verdict(), summary.held), ("holds", CASES + 1));
    // Where it comes after all, once more, both runs count.
    let summary = run(&Once::then(Afterwards::IsRight), directory.path());
    assert_eq!(summary.held, CASES);
    assert_eq!(summary.failure.unwrap().first_rate, never_again(2 * RERUNS));
}

#[test]
fn one_that_comes_each_time_is_found_after_it_and_made_smaller() {
    use Command::{Look, Press};
    let (system, directory) = (Once::then(Afterwards::IsWrong), tempfile::tempdir().unwrap());
    let summary = run(&system, directory.path());
    let failure = summary.failure.as_ref().unwrap();
    assert!(failure.smallest && failure.came_again());
    let smallest = [[Press(3), Press(7), Look], [Press(7), Press(3), Look]];
    assert!(smallest.iter().any(|commands| is(&failure.case, commands)), "{:?}", failure.case);
    let [once] = summary.once.as_slice() else { panic!("the first is told of too") };
    assert_eq!((once.first_rate, once.smallest), (never_again(RERUNS), false));
    let (first, second) = (once.file.as_ref().unwrap(), failure.file.as_ref().unwrap());
    assert_ne!(first, second);
    assert_eq!(Replay::read(&Switchboard, first).unwrap().case, once.case);
    let text = report::summary(&Switchboard, &summary);
    assert!(text.starts_with("falsified: command 3 of the smallest case"), "{text}");
    assert!(text.contains(&format!("another case failed\n\nfalsified: command {}", once.evidence.number)));
    assert!(text.ends_with(&format!("kept in {}\n", first.display())), "{text}");
}

#[test]
fn what_was_seen_stands_whatever_becomes_of_the_run() {
    let (system, directory) = (Once::then(Afterwards::IsRight), tempfile::tempdir().unwrap());
    let found = run(&system, directory.path()).failure.unwrap();
    let before =
        system.answers.given.borrow().iter().position(|given| found.case.commands.starts_with(given));
    let broken = Once::then(Afterwards::Breaks(before.unwrap() + 1 + RERUNS as usize + 2));
    let summary = run(&broken, tempfile::tempdir().unwrap().path());
    assert_eq!((summary.verdict(), summary.failure.unwrap().case), ("falsified", found.case));
}

#[test]
fn nothing_is_looked_for_after_one_that_is_not_run_again() {
    let system = Once::then(Afterwards::IsRight);
    let unmeasured = Config { reruns: 0, shrink: Budget { runs: 0, time: None }, ..config(3, None) };
    let summary = Runner::new(&Switchboard, &system, &unmeasured, &Silent, &Stop::default()).run().unwrap();
    assert_eq!(summary.failure.unwrap().rate, None);
    assert!(summary.held < unmeasured.cases - 1);
}
