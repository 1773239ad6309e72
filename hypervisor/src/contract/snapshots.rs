//! What is said of machines that go back to what they were: the clauses of [`check_snapshots`].

use std::time::Instant;

use super::{Subject, expect_console, expect_state};
use crate::machine::{Event, Machine, State};
use crate::{Error, Snapshot};

/// Holds a backend that has snapshots to what is said of them. The scratch disk of
/// [`Subject::definition`] has to be one that the backend can save.
///
/// # Panics
/// Where the backend breaks the contract; the message says which clause.
pub fn check_snapshots(subject: &Subject<'_>) {
    a_saved_machine_goes_back(subject);
    a_machine_goes_back_from_anywhere(subject);
    a_machine_goes_back_to_being_off(subject);
    what_was_saved_can_be_forgotten(subject);
    a_foreign_snapshot_is_refused(subject);
}

/// Memory and disk go back together, to the one of several snapshots that was asked for; nothing of
/// the life before comes after; ports, console and disk go on working.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_saved_machine_goes_back(subject: &Subject<'_>) {
    let mut machine = subject.define("saved");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "remember the milk", "remembered");
    subject.ask(&mut *machine, "note a thought", "noted");
    let first = machine.save().expect("a running machine can be saved");
    expect_state(&mut *machine, State::Running);
    subject.ask(&mut *machine, "read", "a thought");

    subject.ask(&mut *machine, "remember the bread", "remembered");
    subject.ask(&mut *machine, "note another thought", "noted");
    machine.suspend().expect("a running machine can be suspended");
    let second = machine.save().expect("a suspended machine can be saved");
    expect_state(&mut *machine, State::Suspended);
    machine.resume().expect("a suspended machine can be resumed");
    assert_ne!(first, second, "each snapshot is one of its own");

    for round in 0..3 {
        for (snapshot, disk, note) in
            [(&first, "the milk", "a thought"), (&second, "the bread", "another thought")]
        {
            subject.ask(&mut *machine, "remember nothing", "remembered");
            subject.ask(&mut *machine, "print of the life before", "printed");
            machine.send("say of the life before").expect("a ready guest takes lines");
            subject.go_back(&mut *machine, snapshot);
            subject.ask(&mut *machine, "recall", disk);
            subject.ask(&mut *machine, "read", note);
            subject.ask(&mut *machine, &format!("print round {round}"), "printed");
            expect_console(&*machine, &format!("round {round}"));
            let console = machine.console();
            assert!(!console.contains("life before"), "the console begins afresh: {console:?}");
        }
    }
    machine.power_cut().expect("the power of a running machine can be cut");
    assert_eq!(machine.next_event(Instant::now()), Event::Ended, "a power cut ends the life at once");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "the bread");
    subject.ask(&mut *machine, "read", "");
    machine.undefine().expect("a running machine can be undefined");
}

/// A machine goes back whatever it is doing: suspended with a line to take, crashed, cut off, shut
/// down, never ready.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_machine_goes_back_from_anywhere(subject: &Subject<'_>) {
    let mut machine = subject.define("back");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "remember the milk", "remembered");
    let snapshot = machine.save().expect("a running machine can be saved");
    let go_back = |machine: &mut dyn Machine| {
        subject.go_back(machine, &snapshot);
        subject.ask(machine, "recall", "the milk");
        subject.ask(machine, "remember nothing", "remembered");
    };

    machine.suspend().expect("a running machine can be suspended");
    machine.send("say good morning").expect("a suspended machine is sent lines for later");
    go_back(&mut *machine);

    machine.send("panic").expect("a ready guest takes lines");
    match subject.next(&mut *machine) {
        Event::Panic(text) => assert!(text.contains("Kernel panic"), "{text:?}"),
        other => panic!("a panic of a ready guest is an event, and not this: {other:?}"),
    }
    go_back(&mut *machine);

    machine.power_cut().expect("the power of a running machine can be cut");
    go_back(&mut *machine);

    machine.shut_down(subject.limit).expect("the guest obeys its power button");
    go_back(&mut *machine);

    machine.power_cut().expect("the power of a running machine can be cut");
    machine.start().expect("a machine that is off can be started");
    go_back(&mut *machine);

    // Back without going on: all that a suspended machine permits.
    machine.revert(&snapshot).expect("a machine goes back from what it is");
    machine.revert(&snapshot).expect("and once more");
    machine.send("say good evening").expect("a suspended machine is sent lines for later");
    machine.resume().expect("a machine that went back can be resumed");
    assert_eq!(subject.next(&mut *machine), Event::Control("good evening".to_owned()));
    machine.shut_down(subject.limit).expect("the guest obeys its power button");
    machine.undefine().expect("a machine that is off can be undefined");
}

/// A machine that was saved while it was off is off again, whatever it is doing, with its disk as it
/// was; and it goes back to what it was while it was on.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_machine_goes_back_to_being_off(subject: &Subject<'_>) {
    let mut machine = subject.define("off");
    let blank = machine.save().expect("a machine that was never on can be saved");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "");
    subject.ask(&mut *machine, "remember the milk", "remembered");
    subject.ask(&mut *machine, "note a thought", "noted");
    let on = machine.save().expect("a running machine can be saved");
    machine.power_cut().expect("the power of a running machine can be cut");
    let off = machine.save().expect("a machine that is off can be saved");
    expect_state(&mut *machine, State::Off);

    let be_off = |machine: &mut dyn Machine, snapshot: &Snapshot| {
        machine.revert(snapshot).expect("a machine goes back from what it is");
        expect_state(machine, State::Off);
        assert_eq!(machine.next_event(Instant::now()), Event::Ended, "nothing comes of the life before");
    };
    for _ in 0..2 {
        subject.boot(&mut *machine);
        subject.ask(&mut *machine, "recall", "the milk");
        subject.ask(&mut *machine, "remember the bread", "remembered");
        be_off(&mut *machine, &off);
        be_off(&mut *machine, &blank);
        be_off(&mut *machine, &off);
        subject.go_back(&mut *machine, &on);
        subject.ask(&mut *machine, "read", "a thought");
        subject.ask(&mut *machine, "recall", "the milk");
        subject.ask(&mut *machine, "remember nothing", "remembered");
        machine.suspend().expect("a running machine can be suspended");
        be_off(&mut *machine, &off);
    }
    be_off(&mut *machine, &blank);
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "");
    machine.undefine().expect("a running machine can be undefined");
}

/// What is forgotten is gone, and nothing else is: neither the life of the machine nor other snapshots.
///
/// # Panics
/// Where the backend breaks this.
pub fn what_was_saved_can_be_forgotten(subject: &Subject<'_>) {
    let mut machine = subject.define("forgets");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "remember the milk", "remembered");
    subject.ask(&mut *machine, "note a thought", "noted");
    let [first, second, third] = [0, 1, 2].map(|_| machine.save().expect("a running machine can be saved"));
    machine.forget(&first).expect("a running machine can forget");
    expect_foreign(&mut *machine, &first);
    subject.ask(&mut *machine, "read", "a thought");
    subject.ask(&mut *machine, "remember nothing", "remembered");
    machine.power_cut().expect("the power of a running machine can be cut");
    let off = machine.save().expect("a machine that is off can be saved");
    machine.forget(&second).expect("a machine that is off can forget");
    expect_foreign(&mut *machine, &second);
    subject.go_back(&mut *machine, &third);
    subject.ask(&mut *machine, "recall", "the milk");
    machine.suspend().expect("a running machine can be suspended");
    machine.forget(&off).expect("a suspended machine can forget");
    expect_foreign(&mut *machine, &off);
    subject.go_back(&mut *machine, &third);
    subject.ask(&mut *machine, "read", "a thought");
    let forgotten = machine.forget(&first);
    assert!(matches!(forgotten, Err(Error::ForeignSnapshot { .. })), "once is enough: {forgotten:?}");
    machine.undefine().expect("a running machine can be undefined");
}

/// A snapshot is of one machine, and of one definition of it.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_foreign_snapshot_is_refused(subject: &Subject<'_>) {
    let (mut one, mut other) = (subject.define("one"), subject.define("other"));
    subject.boot(&mut *one);
    let snapshot = one.save().expect("a running machine can be saved");
    expect_foreign(&mut *other, &snapshot);
    one.undefine().expect("a running machine can be undefined");
    let mut one = subject.define("one");
    expect_foreign(&mut *one, &snapshot);
    subject.boot(&mut *one);
    expect_foreign(&mut *one, &snapshot);
    subject.ask(&mut *one, "say still here", "still here");
}

fn expect_foreign(machine: &mut dyn Machine, snapshot: &Snapshot) {
    let state = machine.state();
    match machine.revert(snapshot) {
        Err(Error::ForeignSnapshot { machine: name, of }) => {
            assert_eq!((name.as_str(), of.as_str()), (machine.name(), snapshot.machine()));
        }
        other => panic!("a snapshot of another machine is refused, and not so: {other:?}"),
    }
    expect_state(machine, state);
}
