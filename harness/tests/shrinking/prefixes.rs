//! Candidates go on from where a run that began alike was saved, and come to the same.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use harness::shrink::Budget;
use harness::{
    Config, Event, Lanes, Moment, Moments, Observer, Outcome, Purpose, Rate, Runner, Shape, Stop, Summary,
    System, SystemError,
};
use model::{LaneShape, Model};
use proptest::prelude::*;
use serde::{Deserialize, Serialize};

use Command::{Get, Knock, Put};

#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
enum Command {
    Put(u8),
    Get,
    /// Is always refused.
    Knock,
}

/// A cell that holds the last value.
#[derive(Debug)]
struct CellModel;

impl Model for CellModel {
    type State = u8;
    type Command = Command;
    type Response = u8;

    fn gen_initial_state(&self) -> BoxedStrategy<u8> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u8) -> BoxedStrategy<Command> {
        prop_oneof![6 => (0_u8..10).prop_map(Put), 3 => Just(Get), 1 => Just(Knock)].boxed()
    }

    fn next_state(&self, state: &u8, command: &Command) -> u8 {
        if let Put(value) = command { *value } else { *state }
    }

    fn post_condition(&self, state: &u8, command: &Command, response: &u8) -> bool {
        *command != Get || response == state
    }
}

/// A cell whose 5 after a 9 makes it lie.
#[derive(Clone, Debug, Default)]
struct Cell {
    value: u8,
    had_nine: bool,
    lies: bool,
    given: Vec<Command>,
    is_reused: bool,
}

impl Cell {
    fn give(&mut self, command: &Command) -> Outcome<u8> {
        self.given.push(command.clone());
        match command {
            Knock => Outcome::Refused("nobody opens".to_owned()),
            Get => Outcome::Answered(if self.lies { 77 } else { self.value }),
            Put(value) => {
                // What is not said to be done is or is not.
                if !matches!(value, 2 | 8) {
                    self.value = *value;
                    self.had_nine |= *value == 9;
                    self.lies |= *value == 5 && self.had_nine;
                }
                match value {
                    1 | 2 | 4 | 7 | 8 => Outcome::Unknown("nobody answers".to_owned()),
                    _ => Outcome::Answered(0),
                }
            }
        }
    }
}

/// What is wrong with how cells are saved.
#[derive(Clone, Copy, Eq, PartialEq)]
enum Flaw {
    None,
    /// They are not.
    NeverSaved,
    /// What comes back lies.
    ComesBackOtherwise,
    DoesNotComeBack,
    CannotBeSaved,
}

/// Makes cells whose commands take a while.
struct Cells {
    flaw: Flaw,
    saved: Mutex<Vec<(Moment, Cell)>>,
    /// What each cell was given by itself, and how much it had before.
    given: Mutex<Vec<(usize, Vec<Command>)>>,
    has_failed: AtomicBool,
}

impl Cells {
    fn new(flaw: Flaw) -> Self {
        Self { flaw, saved: Mutex::default(), given: Mutex::default(), has_failed: AtomicBool::new(false) }
    }

    /// How many commands were given in all, and how many cells came back.
    fn counts(&self) -> (usize, usize) {
        let given = self.given.lock().unwrap();
        let commands = given.iter().map(|(before, given)| given.len() - before).sum();
        (commands, given.iter().filter(|(before, _)| *before > 0).count())
    }
}

impl System<CellModel> for Cells {
    type Sut = (usize, Cell);

    fn new_sut(&self, value: &u8) -> Result<Self::Sut, SystemError> {
        Ok((0, Cell { value: *value, ..Cell::default() }))
    }

    fn is_reused(&self, (_, cell): &Self::Sut) -> bool {
        cell.is_reused
    }

    fn moments(&self) -> Option<&dyn Moments<CellModel, Self::Sut>> {
        if self.flaw == Flaw::NeverSaved { None } else { Some(self) }
    }

    fn run(&self, (_, cell): &mut Self::Sut, command: &Command) -> Result<Outcome<u8>, SystemError> {
        thread::sleep(Duration::from_micros(300));
        Ok(cell.give(command))
    }

    fn run_lanes(&self, (_, cell): &mut Self::Sut, lanes: &Lanes<'_, CellModel>) -> Result<(), SystemError> {
        let cell = Mutex::new(cell);
        lanes.run(|_| {
            Ok(|command: &Command| Ok(cell.lock().unwrap_or_else(PoisonError::into_inner).give(command)))
        })
    }

    fn destroy_sut(&self, (before, cell): Self::Sut) -> Result<(), SystemError> {
        self.given.lock().unwrap().push((before, cell.given));
        Ok(())
    }
}

impl Moments<CellModel, (usize, Cell)> for Cells {
    fn save(&self, (_, cell): &mut (usize, Cell), _: Duration) -> Result<Option<Moment>, SystemError> {
        if self.flaw == Flaw::CannotBeSaved {
            assert!(!self.has_failed.swap(true, Ordering::Relaxed), "once is enough");
            return Err(SystemError::infrastructure("it cannot be saved"));
        }
        let moment = Moment::new();
        self.saved.lock().unwrap().push((moment.clone(), cell.clone()));
        Ok(Some(moment))
    }

    fn can_go_back(&self, _: &u8, wanted: &[Moment]) -> Result<(), SystemError> {
        assert!(!wanted.is_empty());
        Ok(())
    }

    fn go_back(&self, _: &u8, wanted: &[Moment]) -> Result<Option<((usize, Cell), Moment)>, SystemError> {
        if self.flaw == Flaw::DoesNotComeBack {
            return Err(SystemError::infrastructure("it does not come back"));
        }
        let saved = self.saved.lock().unwrap();
        let lengths = wanted.iter().map(|wanted| {
            let (_, cell) = saved.iter().find(|(moment, _)| moment == wanted).unwrap();
            cell.given.len()
        });
        assert!(lengths.is_sorted_by(|one, other| one > other), "the longest first");
        let (moment, cell) = saved.iter().find(|(moment, _)| *moment == wanted[0]).unwrap();
        let mut cell = Cell { is_reused: true, ..cell.clone() };
        cell.lies |= self.flaw == Flaw::ComesBackOtherwise;
        Ok(Some(((cell.given.len(), cell), moment.clone())))
    }
}

/// Counts what is told.
#[derive(Default)]
struct Told {
    went_back: Mutex<Vec<usize>>,
    warnings: Mutex<HashSet<String>>,
}

impl Observer for Told {
    fn event(&self, event: &Event<'_>) {
        match event {
            Event::WentBack { commands, .. } => self.went_back.lock().unwrap().push(*commands),
            Event::Warning { text } => drop(self.warnings.lock().unwrap().insert((*text).to_owned())),
            _ => {}
        }
    }

    fn follows_cases(&self) -> bool {
        false
    }
}

fn config(seed: u64, lanes: bool) -> Config {
    let shape = Shape::sequential(20..=30);
    let shape = if lanes { Shape { lanes: Some(LaneShape::default()), ..shape } } else { shape };
    Config {
        cases: 500,
        shape,
        seed: Some(seed.into()),
        probes: Budget { runs: 0, time: None },
        failures: None,
        regressions: None,
        ..Config::default()
    }
}

fn run(cells: &Cells, config: &Config) -> (Summary<CellModel>, Told) {
    let told = Told::default();
    let summary = Runner::new(&CellModel, cells, config, &told, &Stop::default()).run_side_by_side().unwrap();
    (summary, told)
}

/// The smallest case, whatever order it was found in.
fn is_smallest(summary: &Summary<CellModel>) -> bool {
    let failure = summary.failure.as_ref().unwrap();
    failure.smallest && failure.case.lanes.is_empty() && failure.case.commands == [Put(9), Put(5), Get]
}

#[test]
fn candidates_go_on_from_the_longest_beginning_that_they_share() {
    for seed in 0..4 {
        let (plain, cells) = (Cells::new(Flaw::NeverSaved), Cells::new(Flaw::None));
        let (from_start, _) = run(&plain, &config(seed, false));
        let (summary, told) = run(&cells, &config(seed, false));
        assert!(is_smallest(&from_start) && is_smallest(&summary), "{:?}", summary.failure);
        let (evidence, expected) = (summary.failure.unwrap().evidence, from_start.failure.unwrap().evidence);
        assert_eq!(evidence, expected, "and it is wrong in the same way");
        let (commands, went_back) = cells.counts();
        assert!(went_back > 0 && told.went_back.lock().unwrap().len() == went_back, "{went_back}");
        assert!(told.warnings.lock().unwrap().is_empty());
        assert!(commands < plain.counts().0, "{commands} commands, {:?} from the start", plain.counts());
    }
}

#[test]
fn so_do_cases_with_lanes_and_candidates_side_by_side() {
    for seed in 0..4 {
        let cells = Cells::new(Flaw::None);
        let (summary, _) = run(&cells, &config(seed, true));
        assert!(is_smallest(&summary), "{:?}", summary.failure);
        let cells = Cells::new(Flaw::None);
        let (summary, _) = run(&cells, &Config { jobs: 3, ..config(seed, false) });
        assert!(is_smallest(&summary), "{:?}", summary.failure);
        assert!(cells.counts().1 > 0);
    }
}

#[test]
fn what_comes_back_otherwise_is_found_out_and_not_reported() {
    let mut found_out = 0;
    for seed in 0..4 {
        let (summary, told) = run(&Cells::new(Flaw::ComesBackOtherwise), &config(seed, false));
        assert!(is_smallest(&summary), "{:?}", summary.failure);
        let confirmed = summary.failure.as_ref().unwrap().confirmed;
        assert!(confirmed.is_none_or(|confirmed| confirmed == Rate { failed: 1, runs: 1 }), "{confirmed:?}");
        let warnings = told.warnings.lock().unwrap();
        found_out += u32::from(warnings.iter().any(|text| text.contains("failed only on systems")));
    }
    assert!(found_out > 0, "they lie when they come back");
}

#[test]
fn cells_that_do_not_come_back_or_cannot_be_saved_are_made_anew() {
    for flaw in [Flaw::DoesNotComeBack, Flaw::CannotBeSaved] {
        let cells = Cells::new(flaw);
        let (summary, told) = run(&cells, &config(1, false));
        assert!(is_smallest(&summary), "{:?}", summary.failure);
        assert_eq!(cells.counts().1, 0);
        assert_eq!(told.warnings.lock().unwrap().is_empty(), flaw == Flaw::CannotBeSaved);
    }
}

#[test]
fn cells_are_given_back_only_while_a_failing_case_runs_again() {
    let cells = Cells::new(Flaw::None);
    let config = Config { cases: 0, ..config(1, false) };
    let (stop, told) = (Stop::default(), Told::default());
    let runner = Runner::new(&CellModel, &cells, &config, &told, &stop);
    let case = model::Case::sequential(0, vec![Put(9), Put(6), Put(5), Get]);
    for _ in 0..3 {
        assert!(runner.run_case(&case, "again").unwrap().evidence().is_some());
    }
    assert_eq!(cells.counts().1, 0);
    assert_eq!(Purpose::default(), Purpose::Search);
}
