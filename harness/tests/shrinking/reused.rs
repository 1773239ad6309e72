//! Failures on systems that were not made from nothing are confirmed on ones that were.

use std::cell::RefCell;
use std::path::Path;

use harness::replay::Replay;
use harness::{
    Config, Continued, Outcome, Purpose, Rate, Runner, Silent, Stop, Summary, System, SystemError, report,
};

use super::switchboard::Command::{Look, Press};
use super::switchboard::{Command, Switchboard, config, is};

/// Whether a command is answered rightly: by what was pressed, which command it is, and whether the
/// system was made from nothing.
type Fine = fn(&[u8], &Command, bool) -> bool;

/// A system that is made in a quick way for some purposes.
struct Quick {
    fine: Fine,
    is_reused_for: fn(Purpose) -> bool,
    made: RefCell<Vec<Purpose>>,
}

impl System<Switchboard> for Quick {
    type Sut = (Vec<u8>, bool);

    fn new_sut(&self, state: &Vec<u8>) -> Result<Self::Sut, SystemError> {
        self.new_sut_for(state, Purpose::Search)
    }

    fn new_sut_for(&self, _: &Vec<u8>, purpose: Purpose) -> Result<Self::Sut, SystemError> {
        self.made.borrow_mut().push(purpose);
        Ok((Vec::new(), (self.is_reused_for)(purpose)))
    }

    fn is_reused(&self, (_, reused): &Self::Sut) -> bool {
        *reused
    }

    fn run(
        &self,
        (pressed, reused): &mut Self::Sut,
        command: &Command,
    ) -> Result<Outcome<bool>, SystemError> {
        if let Press(button) = command {
            pressed.push(*button);
        }
        Ok(Outcome::Answered((self.fine)(pressed, command, !*reused)))
    }
}

/// As machines are by default: only those of reruns.
fn for_reruns(purpose: Purpose) -> bool {
    purpose == Purpose::Rerun
}

fn but_to_confirm(purpose: Purpose) -> bool {
    purpose != Purpose::Confirm
}

fn run(fine: Fine, is_reused_for: fn(Purpose) -> bool, directory: &Path) -> (Quick, Summary<Switchboard>) {
    let system = Quick { fine, is_reused_for, made: RefCell::default() };
    let config = Config { reruns: 5, ..config(3, Some(directory)) };
    let summary = Runner::new(&Switchboard, &system, &config, &Silent, &Stop::default()).run().unwrap();
    (system, summary)
}

fn is_bad_with_3_and_7(pressed: &[u8], command: &Command, _: bool) -> bool {
    !(*command == Look && pressed.contains(&3) && pressed.contains(&7))
}

#[test]
fn what_fails_in_any_case_is_found_quickly_and_confirmed() {
    for is_reused_for in [for_reruns, but_to_confirm] {
        let directory = tempfile::tempdir().unwrap();
        let (system, summary) = run(is_bad_with_3_and_7, is_reused_for, directory.path());
        let failure = summary.failure.unwrap();
        assert!(failure.smallest && failure.case.commands.len() == 3, "{:?}", failure.case);
        assert_eq!(failure.confirmed, Some(Rate { failed: 1, runs: 1 }));
        let text = report::failure(&Switchboard, &failure);
        assert!(text.contains("\nconfirmed on systems made from nothing: fails in 1 of 1 runs"), "{text}");
        let replay = Replay::read(&Switchboard, failure.file.as_ref().unwrap()).unwrap();
        assert_eq!((replay.confirmed, replay.smallest), (failure.confirmed, true));
        // The last one, and the first where it was found so.
        let made = system.made.borrow();
        let confirmed = made.iter().filter(|purpose| **purpose == Purpose::Confirm).count();
        assert_eq!(confirmed, if is_reused_for(Purpose::Search) { 2 } else { 1 }, "{made:?}");
    }
}

#[test]
fn what_fails_only_on_what_was_reused_is_no_failure_of_the_system() {
    let fine: Fine = |pressed, command, is_new| is_new || is_bad_with_3_and_7(pressed, command, is_new);
    let directory = tempfile::tempdir().unwrap();
    let (_, summary) = run(fine, but_to_confirm, directory.path());
    assert_eq!(summary.verdict(), "inconclusive");
    assert!(summary.failure.is_none() && summary.inconclusive > 0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "nothing is kept of it");
}

#[test]
fn what_reuse_has_made_too_small_is_made_small_again_without_it() {
    // With 3 alone, a system that was reused fails too.
    let fine: Fine = |pressed, command, is_new| {
        let fails = pressed.contains(&3) && (!is_new || pressed.contains(&7));
        !(*command == Look && fails)
    };
    let directory = tempfile::tempdir().unwrap();
    let (_, summary) = run(fine, for_reruns, directory.path());
    let failure = summary.failure.unwrap();
    let smallest = [[Press(3), Press(7), Look], [Press(7), Press(3), Look]];
    assert!(smallest.iter().any(|commands| is(&failure.case, commands)), "{:?}", failure.case);
    assert_eq!((failure.smallest, failure.confirmed), (true, None), "it was never on another system");
    assert!(failure.warnings[0].starts_with("a smaller form of it failed only on"), "{:?}", failure.warnings);
}

#[test]
fn what_fails_only_on_what_was_made_from_nothing_is_made_smaller_there() {
    let fine: Fine = |pressed, command, is_new| !is_new || is_bad_with_3_and_7(pressed, command, is_new);
    let directory = tempfile::tempdir().unwrap();
    let (system, summary) = run(fine, for_reruns, directory.path());
    let failure = summary.failure.unwrap();
    assert!(failure.smallest && failure.case.commands.len() == 3, "{:?}", failure.case);
    assert!(failure.came_again() && summary.once.is_empty());
    assert!(failure.warnings[0].starts_with("it failed on a system that was made from nothing"));

    // So it is when its file is gone on with.
    let config = Config { reruns: 5, ..config(3, None) };
    let stop = Stop::default();
    let runner = Runner::new(&Switchboard, &system, &config, &Silent, &stop);
    let continued = runner.shrink_file(failure.file.as_ref().unwrap()).unwrap();
    let Continued::Failed(again) = continued else { panic!("it still fails") };
    assert_eq!(again.case, failure.case);
}
