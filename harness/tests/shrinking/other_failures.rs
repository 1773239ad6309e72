//! A candidate that fails in another way is kept by itself, and not taken for the first failure.

use harness::replay::Replay;
use harness::{Runner, Silent, Stop, report};

use super::switchboard::{Answers, Command, Switchboard, config, is};

/// An Ask is wrong once 1 and 5 are pressed, a Wait once 0 or 9 is and no other even number.
fn two_bugs(pressed: &[u8], command: &Command, _: u64) -> bool {
    match command {
        Command::Ask => !(pressed.contains(&5) && pressed.contains(&1)),
        Command::Wait => {
            let odd = pressed.contains(&0) || pressed.contains(&9);
            !odd || [2, 4, 6, 8].iter().any(|button| pressed.contains(button))
        }
        _ => true,
    }
}

#[test]
fn each_failure_is_told_and_kept_by_itself() {
    let mut met = 0;
    for seed in 0..40 {
        let directory = tempfile::tempdir().unwrap();
        let config = config(seed, Some(directory.path()));
        let (system, stop) = (Answers::new(two_bugs), Stop::default());
        let runner = Runner::new(&Switchboard, &system, &config, &Silent, &stop);
        let failure = runner.run().unwrap().failure.unwrap();
        use Command::{Ask, Press, Wait};
        let asked =
            is(&failure.case, &[Press(5), Press(1), Ask]) || is(&failure.case, &[Press(1), Press(5), Ask]);
        let waited = is(&failure.case, &[Press(0), Wait]);
        assert!(asked || waited, "seed {seed}: {:?}", failure.case);
        let Some(other) = failure.others.first() else { continue };
        met += 1;
        assert_eq!(failure.others.len(), 1, "each once");
        assert_eq!(other.way, if asked { "Wait: wrong answer" } else { "Ask: wrong answer" });
        let file = other.file.as_ref().unwrap();
        let text = report::failure(&Switchboard, &failure);
        assert!(text.contains(&format!("({}); kept in {}", other.way, file.display())), "{text}");
        // The file holds a case that fails so, and going on from it does not touch the first's.
        let first = std::fs::read(failure.file.as_ref().unwrap()).unwrap();
        assert!(!Replay::read(&Switchboard, file).unwrap().smallest);
        let harness::Continued::Failed(second) = runner.shrink_file(file).unwrap() else {
            panic!("the other failure is one")
        };
        let expected: &[Command] = if asked { &[Press(0), Wait] } else { &second.case.commands.clone() };
        assert!(is(&second.case, expected) && second.smallest, "seed {seed}: {:?}", second.case);
        assert_eq!(second.file.as_ref(), Some(file));
        assert_eq!(std::fs::read(failure.file.unwrap()).unwrap(), first);
        // The next run begins with the first.
        let again = runner.run().unwrap().failure.unwrap();
        assert_eq!(again.case, failure.case);
    }
    assert!(met >= 5, "the other failure came up {met} times");
}
