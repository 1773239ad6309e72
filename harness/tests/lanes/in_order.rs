//! A failure that comes only in the order in which it came first is run again in that order.

use std::cell::Cell;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

use harness::execute::Verdict;
use harness::replay::Replay;
use harness::{Config, Lanes, Model, Outcome, Runner, Silent, Stop, System, SystemError};
use model::{Case, Example};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use crate::support::config;

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
enum Command {
    Write,
    Read(u8),
}

/// Whether something was written.
#[derive(Debug)]
struct Flag;

impl Model for Flag {
    type State = bool;
    type Command = Command;
    type Response = bool;

    fn gen_initial_state(&self) -> BoxedStrategy<bool> {
        Just(false).boxed()
    }

    fn gen_command(&self, _: &bool) -> BoxedStrategy<Command> {
        prop_oneof![Just(Command::Write), (0..2_u8).prop_map(Command::Read)].boxed()
    }

    fn next_state(&self, written: &bool, command: &Command) -> bool {
        *written || *command == Command::Write
    }

    fn post_condition(&self, written: &bool, command: &Command, answer: &bool) -> bool {
        *command == Command::Write || answer == written
    }

    fn examples(&self) -> Vec<Example<Self>> {
        let lanes = vec![vec![Command::Write; 2], vec![Command::Read(0), Command::Read(1)]];
        let case = Case { lanes, ..Case::sequential(false, Vec::new()) };
        vec![Example { name: "reads beside a write".to_owned(), case }]
    }
}

/// Reads in lanes see nothing that was written in lanes, which is wrong once the Write has ended.
/// It takes long enough for all of them to come before, unless they are held back: by the system
/// itself in the first run, and in reruns by the order that they follow. That the first Write has
/// ended, as the run records it, is known once its lane gives the second.
#[derive(Default)]
struct Stale {
    made: Cell<u32>,
}

struct Shared {
    is_first: bool,
    before: bool,
    seen: Mutex<Seen>,
    changed: Condvar,
}

#[derive(Default)]
struct Seen {
    reads: usize,
    writes: usize,
}

impl Shared {
    fn give(&self, command: &Command, reads: usize) -> bool {
        let mut seen = self.seen.lock().unwrap();
        match command {
            Command::Write if self.is_first => seen.writes += 1,
            Command::Write => {
                // Shorter than lanes wait for one another that follow an order.
                let patience = Duration::from_millis(if seen.writes == 0 { 50 } else { 0 });
                seen.writes += 1;
                let early = |seen: &mut Seen| seen.reads < reads;
                drop(self.changed.wait_timeout_while(seen, patience, early).unwrap());
            }
            Command::Read(_) => {
                seen.reads += 1;
                let early = |seen: &mut Seen| self.is_first && seen.writes < 2;
                drop(self.changed.wait_while(seen, early).unwrap());
            }
        }
        self.changed.notify_all();
        self.before
    }
}

impl System<Flag> for Stale {
    type Sut = Shared;

    fn new_sut(&self, _: &bool) -> Result<Shared, SystemError> {
        let is_first = self.made.replace(self.made.get() + 1) == 0;
        Ok(Shared { is_first, before: false, seen: Mutex::default(), changed: Condvar::new() })
    }

    fn run(&self, shared: &mut Shared, command: &Command) -> Result<Outcome<bool>, SystemError> {
        shared.before |= *command == Command::Write;
        Ok(Outcome::Answered(shared.before))
    }

    fn run_lanes(&self, shared: &mut Shared, lanes: &Lanes<'_, Flag>) -> Result<(), SystemError> {
        let shared = &*shared;
        let all = (0..lanes.count()).flat_map(|lane| lanes.commands(lane));
        let reads = all.filter(|command| **command != Command::Write).count();
        lanes.run(|_| Ok(move |command: &Command| Ok(Outcome::Answered(shared.give(command, reads)))))
    }
}

#[test]
fn a_failure_of_one_order_comes_again_in_that_order() {
    let (system, directory) = (Stale::default(), tempfile::tempdir().unwrap());
    let config = Config { cases: 0, failures: Some(directory.path().to_owned()), ..config(0) };
    let stop = Stop::default();
    let runner = Runner::new(&Flag, &system, &config, &Silent, &stop);
    let failure = runner.run().unwrap().failure.unwrap();
    assert!(failure.in_order && failure.came_again() && failure.smallest, "{failure:?}");
    let mut lanes = failure.case.lanes.clone();
    lanes.sort_by_key(|lane| lane[0] != Command::Write);
    assert_eq!(lanes.len(), 2, "{lanes:?}");
    assert!(lanes[0] == [Command::Write] && matches!(lanes[1][..], [Command::Read(_)]), "{lanes:?}");

    let replay = Replay::read(&Flag, failure.file.as_ref().unwrap()).unwrap();
    assert!(replay.in_order);
    let again = runner.replay(&replay, "file").unwrap().verdict;
    assert!(matches!(again, Verdict::Falsified(_)), "{again:?}");
    // A read may come late where the host is busy.
    let mut freely = (0..10).map(|_| runner.run_case(&replay.case, "freely").unwrap().verdict);
    assert!(freely.any(|verdict| verdict == Verdict::Holds));
}
