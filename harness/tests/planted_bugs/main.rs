//! Planted bugs with known smallest cases: from at least 95 of 100 seeds each is shrunk to its
//! smallest case. A table says in how many runs of the system, beside those of deleting one
//! command at a time (`cargo test -p harness --release --test planted_bugs -- --nocapture`;
//! `NETPROP_TEST_SEEDS=100` for as many seeds).

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod buffers;
mod bug;
#[path = "../planted/deaf.rs"]
mod deaf;
mod handles;
mod lanes;
mod machines;
mod owners;
mod plain;
mod puzzles;
mod storage;
mod table;
mod versions;

use std::sync::atomic::AtomicU32;

use harness::{LaneShape, Shape};

use bug::{Bug, Planted};
use table::{HEADER, sequential};

/// A bug of a model of its own.
fn planted<B: Bug>(name: &'static str, commands: usize) {
    let (model, shape) = (Planted::<B>::new(), Shape::sequential(commands..=commands * 2));
    sequential(name, (&model, &model), &shape, B::COMMANDS, B::is_smallest);
}

#[test]
fn buffers() {
    println!("{HEADER}");
    planted::<buffers::Ring>("ring buffer, full taken for empty", 10);
    planted::<buffers::Wrap>("queue that loses an element as it wraps", 15);
    planted::<buffers::Overflow>("counter that overflows at 8", 20);
    planted::<buffers::Evictions>("cache that forgets at the third eviction", 15);
}

#[test]
fn puzzles() {
    println!("{HEADER}");
    planted::<puzzles::Jugs>("water jugs", 60);
    planted::<puzzles::Even>("switch wrong after 4, 6, 8, … flips", 15);
    planted::<puzzles::Redo>("redo after typing", 15);
    planted::<puzzles::Middle>("set that loses its greatest key", 15);
    planted::<owners::Counts>("lock that counts", 15);
    planted::<owners::ToItself>("transfer to the same account", 15);
}

#[test]
fn storage() {
    println!("{HEADER}");
    planted::<storage::PowerCut>("power cut after two writes", 15);
}

#[test]
fn networks() {
    println!("{HEADER}");
    use deaf::DeafAfterSecondBoot;
    use machines::{TwoOldOfThree, is_second_boot, is_two_old_of_three, specification};
    let shape = Shape::sequential(20..=40);
    let model = specification(&["6.1", "6.12"]);
    sequential(
        "Boot and Shutdown, then a second Boot",
        (&model, &DeafAfterSecondBoot),
        &shape,
        4,
        is_second_boot,
    );
    let model = specification(&["6.12", "6.1"]);
    let name = "three machines, two with the old kernel";
    sequential(name, (&model, &TwoOldOfThree), &shape, 4, is_two_old_of_three);
}

#[test]
fn results() {
    println!("{HEADER}");
    let shape = Shape::sequential(15..=30);
    let model = handles::Handles;
    sequential("leaking handle", (&model, &model), &shape, 5, handles::is_smallest);
    let model = versions::Versions;
    sequential("write that was read for before", (&model, &model), &shape, 3, versions::is_smallest);
}

#[test]
fn side_by_side() {
    println!("{HEADER}");
    let lanes = LaneShape { percent: 100, ..LaneShape::default() };
    let shape = Shape { commands: 0..=6, lanes: Some(lanes) };
    let model = lanes::Counter;
    let always = lanes::LosesUpdates { percent: 100, made: AtomicU32::new(0) };
    table::lanes("update lost between two lanes", (&model, &always), &shape, 0, lanes::is_smallest);
    let half = lanes::LosesUpdates { percent: 50, made: AtomicU32::new(0) };
    // Where 1 of 20 is missed, more than 5 of 20 are in one of 3000 times.
    table::lanes("update lost in half of the runs", (&model, &half), &shape, 5, lanes::is_smallest);
}
