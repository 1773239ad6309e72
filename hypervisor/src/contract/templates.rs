//! What is said of machines that begin from a template: the clauses of [`check_templates`].

use std::path::Path;

use super::{Subject, expect_console, expect_state};
use crate::Error;
use crate::boot::make_template;
use crate::machine::{Machine, State};

/// Holds a backend whose machines can begin from a template to what is said of them. The template is
/// made in the empty directory `template`; scratch disks are as for
/// [`check_snapshots`](super::check_snapshots).
///
/// # Panics
/// Where the backend breaks the contract; the message says which clause.
pub fn check_templates(subject: &Subject<'_>, template: &Path) {
    a_template_is_of_a_life_that_was_begun_for_it(subject, template);
    machines_begin_from_a_template(subject, template);
    a_machine_that_began_from_a_template_is_one_like_any_other(subject, template);
    what_is_no_template_is_refused(subject, &template.with_extension("none"));
}

/// # Panics
/// Where the backend breaks this.
pub fn a_template_is_of_a_life_that_was_begun_for_it(subject: &Subject<'_>, template: &Path) {
    let mut machine = subject.define("template");
    let refused = machine.save_template(template);
    assert!(matches!(refused, Err(Error::WrongState { .. })), "a machine that is off is no template");
    machine.start().expect("a machine that is off can be started");
    let refused = machine.start_from(template);
    assert!(matches!(refused, Err(Error::WrongState { .. })), "a machine that is on begins from nothing");
    let refused = machine.save_template(template);
    assert!(matches!(refused, Err(Error::NoSnapshots { .. })), "nor is one of any other life: {refused:?}");
    expect_state(&mut *machine, State::Off);
}

/// Machines that begin from one template have what its guest kept in memory, a disk of their own, and
/// know nothing of what the others do afterwards.
///
/// # Panics
/// Where the backend breaks this.
pub fn machines_begin_from_a_template(subject: &Subject<'_>, template: &Path) {
    let mut machine = subject.define("template");
    make_template(&mut *machine, template, "nothing", subject.limit)
        .unwrap_or_else(|error| panic!("{error}"));
    expect_state(&mut *machine, State::Off);
    let mut clones: Vec<_> = ["clone-a", "clone-b"].map(|name| subject.define(name)).into();
    clones.push(machine);
    for machine in &mut clones {
        let name = machine.name().to_owned();
        subject.boot_from(&mut **machine, template);
        subject.ask(&mut **machine, "read", "");
        subject.ask(&mut **machine, &format!("note {name}"), "noted");
        subject.ask(&mut **machine, &format!("remember {name}"), "remembered");
        subject.ask(&mut **machine, &format!("print {name}"), "printed");
        expect_console(&**machine, &name);
    }
    for machine in &mut clones {
        let name = machine.name().to_owned();
        subject.ask(&mut **machine, "read", &name);
        subject.ask(&mut **machine, "recall", &name);
    }
    for machine in clones {
        machine.undefine().expect("a running machine can be undefined");
    }
}

/// It is cut off, boots, begins from the template again, is saved and goes back, whichever way its life
/// began.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_machine_that_began_from_a_template_is_one_like_any_other(subject: &Subject<'_>, template: &Path) {
    let mut machine = subject.define("clone");
    subject.boot_from(&mut *machine, template);
    subject.ask(&mut *machine, "note a thought", "noted");
    subject.ask(&mut *machine, "remember the milk", "remembered");
    let cloned = machine.save().expect("a running machine can be saved");
    machine.power_cut().expect("the power of a running machine can be cut");

    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "recall", "the milk");
    subject.ask(&mut *machine, "read", "");
    subject.ask(&mut *machine, "note another thought", "noted");
    let booted = machine.save().expect("a running machine can be saved");
    machine.shut_down(subject.limit).expect("the guest obeys its power button");

    let go_back = |machine: &mut dyn Machine, snapshot, note| {
        subject.go_back(machine, snapshot);
        subject.ask(machine, "read", note);
        subject.ask(machine, "recall", "the milk");
        subject.ask(machine, "remember nothing", "remembered");
    };
    go_back(&mut *machine, &cloned, "a thought");
    go_back(&mut *machine, &booted, "another thought");
    go_back(&mut *machine, &cloned, "a thought");
    machine.power_cut().expect("the power of a running machine can be cut");
    subject.boot_from(&mut *machine, template);
    go_back(&mut *machine, &booted, "another thought");
    machine.undefine().expect("a running machine can be undefined");
}

/// A machine that cannot begin from what it is given is off, and starts in another way.
///
/// # Panics
/// Where the backend breaks this.
pub fn what_is_no_template_is_refused(subject: &Subject<'_>, directory: &Path) {
    let mut machine = subject.define("clone");
    let refused = machine.start_from(directory);
    assert!(refused.is_err(), "there is no template");
    expect_state(&mut *machine, State::Off);
    subject.boot(&mut *machine);
    machine.undefine().expect("a running machine can be undefined");
}
