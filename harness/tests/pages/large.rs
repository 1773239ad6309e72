//! Histories of ten thousand operations.

use harness::record::{Part, Record};
use harness::report::page;
use harness::shrink::Budget;
use harness::{Config, Outcome, Runner, Shape, Silent, Stop, System, SystemError};

use crate::lanes::{Command, Counter};

/// So many operations stay usable.
pub(crate) const OPERATIONS: usize = 10_000;

/// The largest page that is sent about without a thought.
const MOST_BYTES: usize = 10 << 20;

/// A counter that forgets one update, the last.
struct ForgetsTheLast;

impl System<Counter> for ForgetsTheLast {
    type Sut = (u32, usize);

    fn new_sut(&self, state: &u32) -> Result<Self::Sut, SystemError> {
        Ok((*state, 0))
    }

    fn run(&self, sut: &mut Self::Sut, command: &Command) -> Result<Outcome<u32>, SystemError> {
        sut.1 += 1;
        sut.0 += u32::from(*command == Command::Increment);
        // The final command asks for the count.
        Ok(Outcome::Answered(if sut.1 == OPERATIONS { sut.0 - 1 } else { sut.0 }))
    }
}

/// The record of so many operations in sequence.
pub(crate) fn in_sequence() -> Record {
    let config = Config {
        cases: 1,
        shape: Shape::sequential(OPERATIONS - 1..=OPERATIONS - 1),
        seed: Some(1.into()),
        failures: None,
        regressions: None,
        shrink: Budget { runs: 0, time: None },
        ..Config::default()
    };
    let summary = Runner::new(&Counter, &ForgetsTheLast, &config, &Silent, &Stop::default()).run().unwrap();
    Record::of(&Counter, &summary.failure.unwrap(), Some(summary.statistics))
}

/// The same in four lanes, where each operation overlaps some of the others.
pub(crate) fn in_lanes() -> Record {
    let mut record = in_sequence();
    record.lanes = 4;
    for (index, operation) in record.operations.iter_mut().enumerate() {
        let called = 2 * index as u64;
        (operation.part, operation.lane) = (Part::Lane, Some(index % 4 + 1));
        (operation.called, operation.ended) = (called, Some(called + 5));
        (operation.started, operation.seconds) = (Some(index as f64 * 0.01), Some(0.025));
    }
    record
}

#[test]
fn a_page_of_ten_thousand_operations_is_small_enough() {
    for record in [in_sequence(), in_lanes()] {
        assert_eq!(record.operations.len(), OPERATIONS);
        let html = page::html(&record).unwrap();
        println!("a page of {OPERATIONS} operations has {} bytes", html.len());
        assert!(html.len() < MOST_BYTES, "{} bytes", html.len());
    }
}
