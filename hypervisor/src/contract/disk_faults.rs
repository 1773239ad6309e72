//! What is said of disks that fail: the clauses of [`check_disk_faults`].

use std::path::{Path, PathBuf};

use super::{Subject, expect_refusal, expect_state};
use crate::machine::{Event, Machine, State, Transition};
use crate::{DiskFault, Error, Failing, Lost, Slowness, Survival, Survives};

/// Which disk of a machine of this name its guest writes to.
type DiskOf<'a> = &'a dyn Fn(&str) -> PathBuf;

/// Holds a backend whose disks can fail to what is said of them. The scratch disk of
/// [`Subject::definition`] has to be one that the backend can save, and its file is `disk`'s.
///
/// # Panics
/// Where the backend breaks the contract; the message says which clause.
pub fn check_disk_faults(subject: &Subject<'_>, disk: DiskOf<'_>) {
    errors_reach_the_guest_and_go_away(subject, disk);
    a_new_life_begins_with_a_healthy_disk(subject, disk);
    a_machine_goes_back_to_a_healthy_disk(subject, disk);
    a_disk_that_is_not_volatile_loses_nothing(subject, disk);
    what_was_flushed_survives_and_the_rest_as_the_seed_says(subject, disk);
}

/// # Panics
/// Where the backend breaks this.
pub fn errors_reach_the_guest_and_go_away(subject: &Subject<'_>, disk: DiskOf<'_>) {
    let mut machine = subject.define("errors");
    let file = disk("errors");
    let refused = machine.set_disk_fault(&file, DiskFault::Full);
    assert!(matches!(refused, Err(Error::WrongState { .. })), "a disk fails in a life: {refused:?}");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "keep 8 before", "kept");
    let faults = [
        (DiskFault::Errors(Failing::Reads), "kept", "not got"),
        (DiskFault::Errors(Failing::Writes), "not kept", BEFORE),
        (DiskFault::Errors(Failing::Flushes), "not kept", BEFORE),
        (DiskFault::Errors(Failing::All), "not kept", "not got"),
        (DiskFault::Full, "not kept", BEFORE),
        (DiskFault::Slow(slow()), "kept", BEFORE),
        (DiskFault::Healthy, "kept", BEFORE),
    ];
    for (number, (fault, keep, get)) in faults.into_iter().enumerate() {
        set(&mut *machine, &file, fault);
        for (line, answer) in [(format!("keep 9 during-{number}"), keep), ("get 8".to_owned(), get)] {
            machine.send(&line).expect("a ready guest takes lines");
            let event = subject.next(&mut *machine);
            let console = machine.console();
            assert_eq!(event, Event::Control(answer.to_owned()), "{line:?} while {fault:?}: {console}");
        }
    }
    subject.ask(&mut *machine, "get 9", &all("during-6"));
    expect_state(&mut *machine, State::Running);
    machine.undefine().expect("a running machine can be undefined");
}

/// What the guest says of a block that has this word in each sector.
const BEFORE: &str = "before before before before before before before before";

/// # Panics
/// Where the backend breaks this.
pub fn a_new_life_begins_with_a_healthy_disk(subject: &Subject<'_>, disk: DiskOf<'_>) {
    let mut machine = subject.define("anew");
    let file = disk("anew");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "remember the milk", "remembered");
    set(&mut *machine, &file, DiskFault::Errors(Failing::All));
    machine.power_cut().expect("the power of a running machine can be cut");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "the milk");
    subject.ask(&mut *machine, "keep 8 after", "kept");
    machine.set_volatile(&file).expect("a disk of a running machine can be made volatile");
    machine.shut_down(subject.limit).expect("the guest obeys its power button");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "the milk");
    expect_not_volatile(&mut *machine);
    machine.undefine().expect("a running machine can be undefined");
}

/// Whatever was wrong when it was saved, and whatever is now; and what was saved is there.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_machine_goes_back_to_a_healthy_disk(subject: &Subject<'_>, disk: DiskOf<'_>) {
    let mut machine = subject.define("heals");
    let file = disk("heals");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "keep 8 first", "kept");
    let healthy = machine.save().expect("a running machine can be saved");
    set(&mut *machine, &file, DiskFault::Errors(Failing::All));
    let failing = machine.save().expect("a machine whose disk fails can be saved");
    subject.ask(&mut *machine, "keep 8 never", "not kept");
    set(&mut *machine, &file, DiskFault::Healthy);
    machine.set_volatile(&file).expect("a disk of a running machine can be made volatile");
    subject.ask(&mut *machine, "put 8 second", "put");
    let volatile = machine.save().expect("a machine whose disk is volatile can be saved");
    set(&mut *machine, &file, DiskFault::Errors(Failing::All));
    for (snapshot, text) in [(&healthy, "first"), (&volatile, "second"), (&failing, "first")] {
        subject.go_back(&mut *machine, snapshot);
        subject.ask(&mut *machine, "get 8", &all(text));
        subject.ask(&mut *machine, "keep 8 third", "kept");
        expect_not_volatile(&mut *machine);
        set(&mut *machine, &file, DiskFault::Full);
        machine.set_volatile(&file).expect("a disk that fails can be made volatile");
        subject.ask(&mut *machine, "keep 8 never", "not kept");
        machine.suspend().expect("a running machine can be suspended");
        set(&mut *machine, &file, DiskFault::Slow(slow()));
    }
    machine.power_cut_losing(1).expect("the power of a suspended machine can be cut");
    subject.go_back(&mut *machine, &volatile);
    subject.ask(&mut *machine, "get 8", &all("second"));
    machine.undefine().expect("a running machine can be undefined");
}

/// # Panics
/// Where the backend breaks this.
pub fn a_disk_that_is_not_volatile_loses_nothing(subject: &Subject<'_>, disk: DiskOf<'_>) {
    let mut machine = subject.define("keeps");
    let file = disk("keeps");
    expect_refused_cut(&mut *machine, State::Off);
    expect_refusal(&mut *machine, Transition::ChangeDisk, State::Off);
    subject.boot(&mut *machine);
    expect_not_volatile(&mut *machine);
    set(&mut *machine, &file, DiskFault::Slow(slow()));
    expect_not_volatile(&mut *machine);
    machine.set_volatile(&file).expect("a disk of a running machine can be made volatile");
    subject.ask(&mut *machine, "put 8 before", "put");
    subject.ask(&mut *machine, "keep 9 a-flush", "kept");
    machine.power_cut().expect("the power of a running machine can be cut");
    expect_refused_cut(&mut *machine, State::Off);
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "get 8", BEFORE);
    expect_not_volatile(&mut *machine);
    machine.undefine().expect("a running machine can be undefined");
}

/// How many writes are at risk in each round of the next clause.
const WRITES: u64 = 8;

/// # Panics
/// Where the backend breaks this.
pub fn what_was_flushed_survives_and_the_rest_as_the_seed_says(subject: &Subject<'_>, disk: DiskOf<'_>) {
    let mut machine = subject.define("loses");
    let file = disk("loses");
    for seed in 0..4 {
        subject.boot(&mut *machine);
        subject.ask(&mut *machine, "keep 8 before", "kept");
        machine.set_volatile(&file).expect("a disk of a running machine can be made volatile");
        let put = |machine: &mut dyn Machine, word: &str| {
            for number in 0..WRITES {
                subject.ask(machine, &format!("put {} {word}", 10 + number), "put");
            }
        };
        put(&mut *machine, "flushed");
        subject.ask(&mut *machine, "keep 9 a-flush", "kept");
        put(&mut *machine, "unflushed");
        let lost = machine.power_cut_losing(seed).expect("the power of a running machine can be cut");
        expect_state(&mut *machine, State::Off);

        subject.boot(&mut *machine);
        subject.ask(&mut *machine, "get 8", BEFORE);
        subject.ask(&mut *machine, "get 9", &all("a-flush"));
        let mut expected = Lost::default();
        for number in 0..WRITES {
            let survive = match Survival::new(seed).of(number, 8) {
                Survives::Kept => {
                    expected.kept += 1;
                    vec![true; 8]
                }
                Survives::Dropped => {
                    expected.dropped += 1;
                    vec![false; 8]
                }
                Survives::Torn(survive) => {
                    expected.torn += 1;
                    survive
                }
            };
            let words: Vec<_> =
                survive.iter().map(|survives| if *survives { "unflushed" } else { "flushed" }).collect();
            subject.ask(&mut *machine, &format!("get {}", 10 + number), &words.join(" "));
        }
        assert_eq!(lost, expected, "what seed {seed} loses");
        machine.power_cut().expect("the power of a running machine can be cut");
    }
    machine.undefine().expect("a machine that is off can be undefined");
}

/// What the guest says of a block that has this word in each sector.
fn all(word: &str) -> String {
    [word; 8].join(" ")
}

fn slow() -> Slowness {
    Slowness::bytes(1 << 20).expect("a disk can be that slow")
}

fn set(machine: &mut dyn Machine, disk: &Path, fault: DiskFault) {
    if let Err(error) = machine.set_disk_fault(disk, fault) {
        panic!("a disk can be made {fault:?}: {error}");
    }
}

/// Expects that the machine goes on, since there is nothing that it could lose.
fn expect_not_volatile(machine: &mut dyn Machine) {
    let state = machine.state();
    match machine.power_cut_losing(0) {
        Err(Error::NotVolatile { machine: name }) => assert_eq!(name, machine.name()),
        other => panic!("a machine without a volatile disk loses nothing, and not so: {other:?}"),
    }
    expect_state(machine, state);
}

fn expect_refused_cut(machine: &mut dyn Machine, state: State) {
    let refused = machine.power_cut_losing(0);
    assert!(matches!(refused, Err(Error::WrongState { .. })), "there is nothing to cut: {refused:?}");
    expect_state(machine, state);
}
