//! Panics in systems and in models, in sequence and in lanes.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Barrier, Mutex, mpsc};

use harness::{Config, Lanes, Model, Outcome, RunError, Runner, Shape, Silent, Stop, System, SystemError};
use proptest::prelude::*;

use crate::support::{config, run};

/// Where something panics.
#[derive(Clone, Copy, Debug, PartialEq)]
enum At {
    Nowhere,
    Creating,
    Running,
    InALane,
    OpeningASession,
    RunningLanes,
    Destroying,
    PreCondition,
    NextState,
    NextStateAfter,
    PostCondition,
    Invariant,
}

/// A model and a system that count up to 1000, and panic from 7 on.
struct Fragile(At, AtomicU32);

impl Fragile {
    fn new(at: At) -> Self {
        Self(at, AtomicU32::new(0))
    }

    /// How many systems are there that were not taken down.
    fn left(&self) -> u32 {
        self.1.load(Ordering::SeqCst)
    }

    fn step(&self, at: At, value: u32) {
        assert!(self.0 != at || value < 7, "seven at {at:?}");
    }
}

impl Model for Fragile {
    type State = u32;
    type Command = u32;
    type Response = u32;

    fn gen_initial_state(&self) -> BoxedStrategy<u32> {
        Just(0).boxed()
    }

    fn gen_command(&self, _: &u32) -> BoxedStrategy<u32> {
        (1..10_u32).boxed()
    }

    fn pre_condition(&self, _: &u32, command: &u32) -> bool {
        self.step(At::PreCondition, *command);
        true
    }

    fn next_state(&self, state: &u32, command: &u32) -> u32 {
        self.step(At::NextState, *command);
        state + command
    }

    fn next_state_after(&self, state: &u32, command: &u32, _: &u32) -> u32 {
        self.step(At::NextStateAfter, *command);
        state + command
    }

    fn invariant(&self, state: &u32) -> Result<(), String> {
        self.step(At::Invariant, *state);
        Ok(())
    }

    fn post_condition(&self, _: &u32, command: &u32, answer: &u32) -> bool {
        self.step(At::PostCondition, *command);
        command == answer
    }
}

/// One more system that is there.
struct There<'a>(&'a AtomicU32);

impl<'a> There<'a> {
    fn new(count: &'a AtomicU32) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for There<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl<'a> System<Fragile> for &'a Fragile {
    type Sut = There<'a>;

    fn new_sut(&self, _: &u32) -> Result<There<'a>, SystemError> {
        self.step(At::Creating, 7);
        Ok(There::new(&self.1))
    }

    fn run(&self, _: &mut There<'a>, command: &u32) -> Result<Outcome<u32>, SystemError> {
        self.step(At::Running, *command);
        Ok(Outcome::Answered(*command))
    }

    fn run_lanes(&self, _: &mut There<'a>, lanes: &Lanes<'_, Fragile>) -> Result<(), SystemError> {
        lanes.run(|_| {
            self.step(At::OpeningASession, 7);
            Ok(|command: &u32| {
                self.step(At::InALane, *command);
                Ok(Outcome::Answered(*command))
            })
        })?;
        self.step(At::RunningLanes, 7);
        Ok(())
    }

    fn destroy_sut(&self, _: There<'a>) -> Result<(), SystemError> {
        self.step(At::Destroying, 7);
        Ok(())
    }
}

fn sequential() -> Config {
    Config { shape: Shape::sequential(5..=10), ..config(20) }
}

#[test]
fn where_nothing_panics_all_holds() {
    let fragile = Fragile::new(At::Nowhere);
    assert_eq!(run(&fragile, &&fragile, &config(20)).held, 20);
}

#[test]
fn a_panic_of_the_system_is_what_came() {
    for (at, config) in [(At::Running, sequential()), (At::InALane, config(20))] {
        let fragile = Fragile::new(at);
        let failure = run(&fragile, &&fragile, &config).failure.expect("a panic falsifies");
        let evidence = &failure.evidence;
        assert!(
            evidence.came.starts_with("panicked at ") && evidence.came.contains("panics.rs:"),
            "{evidence:?}"
        );
        assert!(evidence.came.ends_with(&format!("seven at {at:?}")), "{evidence:?}");
        let command = failure.case.places().nth(evidence.number - 1).map(|(_, command)| *command);
        assert!(command.is_some_and(|command| command >= 7), "the command is named: {evidence:?}");
        assert_eq!(fragile.left(), 0, "the system is taken down all the same");
    }
}

/// Of two lanes one panics, and the other finds the system gone.
struct Gone<'a> {
    panics: &'a Fragile,
    /// Whether it is gone because of the panic, rather than the panic because it is gone.
    by_the_panic: bool,
}

impl System<Fragile> for Gone<'_> {
    type Sut = ();

    fn new_sut(&self, _: &u32) -> Result<(), SystemError> {
        Ok(())
    }

    fn run(&self, (): &mut (), command: &u32) -> Result<Outcome<u32>, SystemError> {
        Ok(Outcome::Answered(*command))
    }

    fn run_lanes(&self, (): &mut (), lanes: &Lanes<'_, Fragile>) -> Result<(), SystemError> {
        // The panic drops its end, which is what the other lane waits for; and it is caught no sooner
        // than that lane has ended.
        let ((end, gone), (here, left)) = (mpsc::channel::<()>(), mpsc::channel::<()>());
        let ends = Mutex::new((Some(Leaving { end: Some(end), left }), Some((gone, here))));
        let both = Barrier::new(2);
        lanes.run(|lane| {
            let mut ends = ends.lock().unwrap();
            let mut end = ends.0.take_if(|_| lane == 0);
            let gone = ends.1.take_if(|_| lane == 1);
            let both = &both;
            Ok(move |command: &u32| {
                if let Some(dropped_by_the_panic) = end.take() {
                    both.wait();
                    if !self.by_the_panic {
                        drop(dropped_by_the_panic);
                    }
                    self.panics.step(At::InALane, 7);
                }
                if let Some((gone, _here)) = &gone {
                    both.wait();
                    gone.recv().unwrap_err();
                    return Err(SystemError::infrastructure("the system is gone"));
                }
                Ok(Outcome::Answered(*command))
            })
        })
    }
}

/// Drops an end, and waits until another lane has left.
struct Leaving {
    end: Option<mpsc::Sender<()>>,
    left: mpsc::Receiver<()>,
}

impl Drop for Leaving {
    fn drop(&mut self) {
        drop(self.end.take());
        self.left.recv().unwrap_err();
    }
}

#[test]
fn a_panic_counts_even_where_other_lanes_then_find_the_system_gone() {
    let fragile = Fragile::new(At::InALane);
    let config = Config { attempts: 1, ..config(5) };
    let gone = Gone { panics: &fragile, by_the_panic: true };
    let failure = run(&fragile, &gone, &config).failure.expect("a panic falsifies");
    assert!(failure.evidence.came.ends_with("seven at InALane"), "{:?}", failure.evidence);
}

#[test]
fn a_panic_over_a_system_that_another_lane_has_found_gone_shows_nothing() {
    let fragile = Fragile::new(At::InALane);
    let config = Config { attempts: 1, ..config(5) };
    let summary = run(&fragile, &Gone { panics: &fragile, by_the_panic: false }, &config);
    assert!(summary.failure.is_none());
    assert_eq!((summary.held, summary.verdict()), (0, "inconclusive"));
}

#[test]
fn a_panic_where_nothing_was_asked_is_inconclusive() {
    for at in [At::Creating, At::OpeningASession, At::RunningLanes, At::Destroying] {
        let fragile = Fragile::new(at);
        let summary = run(&fragile, &&fragile, &Config { attempts: 1, ..config(20) });
        assert_eq!((summary.held, summary.verdict()), (0, "inconclusive"), "{at:?}");
        assert_eq!(fragile.left(), 0, "{at:?}");
    }
}

#[test]
fn a_post_condition_or_an_invariant_that_panics_says_no() {
    for at in [At::PostCondition, At::Invariant] {
        for config in [sequential(), config(20)] {
            let fragile = Fragile::new(at);
            let evidence = run(&fragile, &&fragile, &config).failure.expect("it is falsified").evidence;
            assert!(evidence.expected.ends_with(&format!("seven at {at:?}")), "{evidence:?}");
            assert_eq!(fragile.left(), 0);
        }
    }
}

#[test]
fn any_other_part_of_a_model_that_panics_ends_the_run() {
    let parts = [
        (At::PreCondition, "pre_condition"),
        (At::NextState, "next_state"),
        (At::NextStateAfter, "next_state_after"),
    ];
    for (at, method) in parts {
        for config in [sequential(), config(20)] {
            let fragile = Fragile::new(at);
            let ended = Runner::new(&fragile, &&fragile, &config, &Silent, &Stop::default()).run();
            let error = ended.err().expect("the run ends");
            let said = error.to_string();
            let known = matches!(error, RunError::Generate(_) | RunError::System(SystemError::WrongUse(_)));
            assert!(known && said.contains(method) && said.contains("panicked at "), "{said}");
            let command = ["7", "8", "9"].iter().find(|command| {
                [" on {}: ", "command {}, ", " ({}) ", " ({}), "]
                    .map(|form| form.replace("{}", command))
                    .iter()
                    .any(|named| said.contains(named))
            });
            assert!(command.is_some() && said.contains(&format!("seven at {at:?}")), "{said}");
            assert_eq!(fragile.left(), 0, "{said}");
        }
    }
}
