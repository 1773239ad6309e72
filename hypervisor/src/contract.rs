//! What every backend must do, as a suite that runs over one.
//!
//! [`check`] boots machines and holds the backend to each sentence of the documentation of
//! [`Machine`]. Its guest is a very small one that exists for this suite alone; a backend's test
//! brings it along. The crate's own tests build it from a kernel and busybox, and
//! [`Simulated`](crate::Simulated) plays it.
//!
//! # The guest
//! It does what the module [`boot`](mod@crate::boot) says of a guest. A line of its identity may be one of
//! these, and it gets ready where none is:
//!
//! | identity | what the guest does |
//! | --- | --- |
//! | `contract never` | nothing any more |
//! | `contract fail REASON` | says `failed REASON` |
//! | `contract panic` | lets its kernel panic |
//!
//! Before its identity it may be told `prepare TEXT` and `resumed TEXT`, to which it says `ready`.
//!
//! When it is ready it obeys lines on the control port:
//!
//! | line | what the guest does |
//! | --- | --- |
//! | `say TEXT` | says `TEXT` on the control port |
//! | `resumed TEXT` | says `ready` |
//! | `print TEXT` | says `TEXT` on its console, then `printed` on the control port |
//! | `flood` | says more than 256 KiB on its console, then `flooded` on the control port |
//! | `remember TEXT` | writes `TEXT` through to its scratch disk, then says `remembered` |
//! | `recall` | says what the scratch disk remembers |
//! | `put N WORD` | writes `WORD` to each of the 8 sectors of block N of its scratch disk, in one request and without a flush, then says `put` |
//! | `keep N WORD` | does the same and has the disk flush, then says `kept`, or `not kept` where either fails |
//! | `get N` | says the words in the sectors of block N of its scratch disk, in order, or `not got` |
//! | `note TEXT` | keeps `TEXT` in memory, then says `noted` |
//! | `read` | says what it has kept in memory |
//! | `panic` | lets its kernel panic |
//! | `poweroff` | powers itself off |
//!
//! It powers itself off when its power button is pressed, too.

mod disk_faults;
mod snapshots;
mod templates;

use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use crate::boot::{BootError, Booted, boot, boot_from, resume};
use crate::machine::{Definition, Event, Hypervisor, Machine, State, Transition};
use crate::{DiskFault, Error, Snapshot};

pub use disk_faults::{
    a_disk_that_is_not_volatile_loses_nothing, a_machine_goes_back_to_a_healthy_disk,
    a_new_life_begins_with_a_healthy_disk, check_disk_faults, errors_reach_the_guest_and_go_away,
    what_was_flushed_survives_and_the_rest_as_the_seed_says,
};
pub use snapshots::{
    a_foreign_snapshot_is_refused, a_machine_goes_back_from_anywhere, a_machine_goes_back_to_being_off,
    a_saved_machine_goes_back, check_snapshots, what_was_saved_can_be_forgotten,
};
pub use templates::{
    a_machine_that_began_from_a_template_is_one_like_any_other,
    a_template_is_of_a_life_that_was_begun_for_it, check_templates, machines_begin_from_a_template,
    what_is_no_template_is_refused,
};

/// How long nothing must come from a guest before it counts as silent.
const SILENCE: Duration = Duration::from_millis(500);
/// The identity of a guest that gets ready.
const READY: &str = "end\n";

/// A backend, and what the suite needs to make machines in it.
#[derive(Clone, Copy)]
pub struct Subject<'a> {
    /// The backend.
    pub hypervisor: &'a dyn Hypervisor,
    /// Defines a machine of this name with the suite's guest and a scratch disk of its own,
    /// which is blank.
    pub definition: &'a (dyn Fn(&str) -> Definition + Sync),
    /// How long a guest may take to boot, to answer or to shut down.
    pub limit: Duration,
}

/// Holds a backend to the whole contract, one clause after the other.
///
/// # Panics
/// Where the backend breaks the contract; the message says which clause.
pub fn check(subject: &Subject<'_>) {
    a_machine_lives_and_lives_again(subject);
    a_suspended_guest_is_silent(subject);
    machines_are_independent(subject);
    a_flooding_guest_does_not_stall(subject);
    a_panic_ends_the_boot(subject);
    a_guest_that_fails_says_why(subject);
    a_guest_that_never_gets_ready_meets_the_limit(subject);
    a_dropped_machine_is_gone(subject);
}

/// Boot, power cut, boot on the same disk, graceful shutdown, a guest that ends by itself: and
/// after each the machine is off and starts again.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_machine_lives_and_lives_again(subject: &Subject<'_>) {
    let mut machine = subject.define("lives");
    assert_eq!(machine.name(), "lives", "a machine has the name from its definition");
    expect_state(&mut *machine, State::Off);
    assert_eq!(machine.next_event(Instant::now()), Event::Ended, "a machine that never ran has ended");

    subject.boot(&mut *machine);
    expect_state(&mut *machine, State::Running);
    subject.ask(&mut *machine, "say hello there", "hello there");
    subject.ask(&mut *machine, "print a word for the log", "printed");
    expect_console(&*machine, "a word for the log");
    let before = SystemTime::now();
    machine.send("say log web it is up").expect("a ready guest takes lines");
    subject.ask(&mut *machine, "say no event came of it", "no event came of it");
    expect_journal(&*machine, before);
    subject.ask(&mut *machine, "remember the milk", "remembered");

    machine.power_cut().expect("the power of a running machine can be cut");
    expect_state(&mut *machine, State::Off);
    assert_eq!(machine.next_event(Instant::now()), Event::Ended, "a power cut ends the life at once");
    assert_eq!(machine.next_event(Instant::now()), Event::Ended, "and it stays ended");
    expect_console(&*machine, "a word for the log");
    expect_journal(&*machine, before);

    subject.boot(&mut *machine);
    assert!(!machine.console().contains("a word for the log"), "a new life begins with a fresh console");
    assert_eq!(machine.journal_lines(), [], "a new life begins with a fresh journal");
    subject.ask(&mut *machine, "recall", "the milk");
    machine.shut_down(subject.limit).expect("the guest obeys its power button");
    expect_state(&mut *machine, State::Off);

    subject.boot(&mut *machine);
    machine.send("poweroff").expect("a ready guest takes lines");
    assert_eq!(subject.next(&mut *machine), Event::Ended, "a guest that powers itself off has ended");
    expect_state(&mut *machine, State::Off);

    subject.boot(&mut *machine);
    let endpoints = (subject.definition)("lives").endpoints;
    machine.undefine().expect("a running machine can be undefined");
    for socket in [endpoints.console, endpoints.control] {
        assert!(!socket.exists(), "an undefined machine leaves no socket: {}", socket.display());
    }
}

/// A suspended guest answers nothing, takes what it was sent when it resumes, and can be cut off.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_suspended_guest_is_silent(subject: &Subject<'_>) {
    let mut machine = subject.define("silent");
    subject.boot(&mut *machine);
    machine.suspend().expect("a running machine can be suspended");
    expect_state(&mut *machine, State::Suspended);
    machine.send("say good morning").expect("a suspended machine is sent lines for later");
    let event = machine.next_event(Instant::now() + SILENCE);
    assert_eq!(event, Event::Timeout, "a suspended guest says nothing");
    machine.resume().expect("a suspended machine can be resumed");
    expect_state(&mut *machine, State::Running);
    assert_eq!(subject.next(&mut *machine), Event::Control("good morning".to_owned()));

    machine.suspend().expect("a machine can be suspended again");
    machine.power_cut().expect("the power of a suspended machine can be cut");
    expect_state(&mut *machine, State::Off);
    subject.boot(&mut *machine);
    machine.undefine().expect("a running machine can be undefined");
}

/// What happens to one machine does not happen to another.
///
/// # Panics
/// Where the backend breaks this.
pub fn machines_are_independent(subject: &Subject<'_>) {
    let (mut one, mut other) = (subject.define("one"), subject.define("other"));
    std::thread::scope(|scope| {
        scope.spawn(|| subject.boot(&mut *one));
        subject.boot(&mut *other);
    });
    one.suspend().expect("a running machine can be suspended");
    subject.ask(&mut *other, "say still here", "still here");
    one.power_cut().expect("the power of a suspended machine can be cut");
    subject.ask(&mut *other, "say and here", "and here");
    expect_state(&mut *other, State::Running);
    one.undefine().expect("a machine that is off can be undefined");
    subject.ask(&mut *other, "say to the end", "to the end");
    other.undefine().expect("a running machine can be undefined");
}

/// A guest that says much on its console goes on, though nobody asks for the text, and the
/// text's end is kept.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_flooding_guest_does_not_stall(subject: &Subject<'_>) {
    let mut machine = subject.define("floods");
    subject.boot(&mut *machine);
    subject.ask(&mut *machine, "flood", "flooded");
    subject.ask(&mut *machine, "print the last word", "printed");
    expect_console(&*machine, "the last word");
    assert!(machine.console().len() <= 256 * 1024, "no more than 256 KiB of the console are kept");
    machine.undefine().expect("a running machine can be undefined");
}

/// A kernel's panic ends the wait with its text, before the guest is ready and after.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_panic_ends_the_boot(subject: &Subject<'_>) {
    let mut machine = subject.define("panics");
    let begin = Instant::now();
    match boot(&mut *machine, "contract panic\nend\n", 2 * subject.limit) {
        Err(BootError::Panic { machine, text, console }) => {
            assert_eq!(machine, "panics");
            assert!(text.contains("Kernel panic"), "the panic's text is told: {text:?}");
            assert!(console.contains("Kernel panic"), "and the console's end: {console:?}");
        }
        other => panic!("a panic ends the boot, and not this: {other:?}"),
    }
    assert!(begin.elapsed() < subject.limit, "a panic ends the boot at once");
    // A kernel that is told to reboot after a panic may be gone already.
    if machine.state() == State::Crashed {
        for transition in [Transition::Suspend, Transition::ShutDown, Transition::Send, Transition::Start] {
            expect_refusal(&mut *machine, transition, State::Crashed);
        }
        machine.power_cut().expect("the power of a crashed machine can be cut");
    } else {
        subject.expect_end(&mut *machine);
    }
    expect_state(&mut *machine, State::Off);

    subject.boot(&mut *machine);
    machine.send("panic").expect("a ready guest takes lines");
    match subject.next(&mut *machine) {
        Event::Panic(text) => assert!(text.contains("Kernel panic"), "{text:?}"),
        other => panic!("a panic of a ready guest is an event, and not this: {other:?}"),
    }
    machine.undefine().expect("a crashed machine can be undefined");
}

/// A guest that gives up says why.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_guest_that_fails_says_why(subject: &Subject<'_>) {
    let mut machine = subject.define("fails");
    match boot(&mut *machine, "contract fail no scratch disk\nend\n", subject.limit) {
        Err(BootError::Failed { reason, .. }) => assert_eq!(reason, "no scratch disk"),
        other => panic!("a guest's failure ends the boot, and not this: {other:?}"),
    }
    machine.undefine().expect("a running machine can be undefined");
}

/// A guest that never gets ready ends the wait at its limit, not much later, and stays.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_guest_that_never_gets_ready_meets_the_limit(subject: &Subject<'_>) {
    let mut machine = subject.define("never");
    subject.boot(&mut *machine);
    machine.power_cut().expect("the power of a running machine can be cut");
    machine.start().expect("a machine that is off can be started");
    assert_eq!(subject.next(&mut *machine), Event::Control("hello 1".to_owned()));
    machine.send("contract never\nend").expect("a guest takes its identity");
    let begin = Instant::now();
    assert_eq!(machine.next_event(begin + SILENCE), Event::Timeout);
    assert!(begin.elapsed() >= SILENCE, "an event's deadline is waited for");
    match boot(&mut *machine, READY, SILENCE) {
        Err(BootError::Limit { limit, .. }) => assert_eq!(limit, SILENCE),
        other => panic!("the limit ends the boot, and not this: {other:?}"),
    }
    assert!(begin.elapsed() < SILENCE * 2 + Duration::from_secs(2), "a limit is kept");
    expect_state(&mut *machine, State::Running);
    machine.undefine().expect("a running machine can be undefined");
}

/// Dropping a machine ends it, and its name is free.
///
/// # Panics
/// Where the backend breaks this.
pub fn a_dropped_machine_is_gone(subject: &Subject<'_>) {
    let mut machine = subject.define("dropped");
    machine.start().expect("a machine that is off can be started");
    drop(machine);
    let mut machine = subject.define("dropped");
    subject.boot(&mut *machine);
    machine.undefine().expect("a running machine can be undefined");
}

impl Subject<'_> {
    fn boot_from(&self, machine: &mut dyn Machine, template: &Path) {
        let booted = boot_from(machine, template, &|| "from a template".to_owned(), READY, self.limit);
        booted.unwrap_or_else(|error| panic!("{error}"));
        expect_state(machine, State::Running);
    }

    fn define(&self, name: &str) -> Box<dyn Machine> {
        self.hypervisor.define(&(self.definition)(name)).expect("the suite's definition is taken")
    }

    fn boot(&self, machine: &mut dyn Machine) -> Booted {
        let booted = boot(machine, READY, self.limit).unwrap_or_else(|error| panic!("{error}"));
        assert!(booted.hello <= booted.ready, "a guest is ready after its first word");
        booted
    }

    fn next(&self, machine: &mut dyn Machine) -> Event {
        machine.next_event(Instant::now() + self.limit)
    }

    /// Sends a line and expects the answer.
    fn ask(&self, machine: &mut dyn Machine, line: &str, answer: &str) {
        machine.send(line).expect("a ready guest takes lines");
        let event = self.next(machine);
        assert_eq!(event, Event::Control(answer.to_owned()), "the guest's answer to {line:?}");
    }

    /// Puts the machine back, and expects that it says nothing of the life before and then goes on.
    fn go_back(&self, machine: &mut dyn Machine, snapshot: &Snapshot) {
        machine.revert(snapshot).expect("a machine goes back from what it is");
        expect_state(machine, State::Suspended);
        assert_eq!(machine.next_event(Instant::now()), Event::Timeout, "nothing comes of the life before");
        let resumed = resume(machine, "0 00", self.limit).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(resumed.hello, Duration::ZERO, "a guest that goes on has no hello to say");
        expect_state(machine, State::Running);
        self.ask(machine, "say back again", "back again");
    }

    fn expect_end(&self, machine: &mut dyn Machine) {
        assert_eq!(self.next(machine), Event::Ended, "a machine that is off has ended");
    }
}

/// Checks that the machine is in this state and refuses what the state does not permit.
fn expect_state(machine: &mut dyn Machine, state: State) {
    assert_eq!(machine.state(), state, "machine {}", machine.name());
    for transition in Transition::ALL {
        if !transition.permitted(state) {
            expect_refusal(machine, transition, state);
        }
    }
    assert_eq!(machine.state(), state, "a refusal leaves machine {} as it is", machine.name());
}

fn expect_refusal(machine: &mut dyn Machine, transition: Transition, expected: State) {
    let result = match transition {
        Transition::Start => machine.start(),
        Transition::PowerCut => machine.power_cut(),
        Transition::ShutDown => machine.shut_down(Duration::from_secs(1)),
        Transition::Suspend => machine.suspend(),
        Transition::Resume => machine.resume(),
        Transition::Send => machine.send("say anything"),
        Transition::Save => machine.save().map(drop),
        Transition::SaveTemplate => machine.save_template(Path::new("/nonexistent")),
        Transition::ChangeDisk => {
            let volatile = machine.set_volatile(Path::new("/nonexistent"));
            assert!(matches!(volatile, Err(Error::WrongState { .. })), "{volatile:?}");
            machine.set_disk_fault(Path::new("/nonexistent"), DiskFault::Healthy)
        }
        Transition::Revert => unreachable!("any state permits it"),
    };
    match result {
        Err(Error::WrongState { machine: name, transition: refused, state }) => {
            assert_eq!((name.as_str(), refused, state), (machine.name(), transition, expected));
        }
        other => panic!("a machine that is {expected} refuses to {transition}, and not so: {other:?}"),
    }
}

/// Checks that the journal has what a service has just said, with the time since `before`.
fn expect_journal(machine: &dyn Machine, before: SystemTime) {
    let lines = machine.journal_lines();
    let [line] = &lines[..] else { panic!("one line is in the journal: {lines:?}") };
    assert_eq!(line.text, "web it is up", "a service's line is in the journal");
    let at = line.at.expect("a line of the journal has a time");
    assert!(before <= at && at <= SystemTime::now(), "it came when it was said: {at:?}");
}

/// Checks that the console has said `text`. The guest's two ports are two streams, so that a word
/// on the one may overtake a word on the other by a moment.
fn expect_console(machine: &dyn Machine, text: &str) {
    let deadline = Instant::now() + Duration::from_secs(2);
    while !machine.console().contains(text) {
        assert!(Instant::now() < deadline, "{text:?} is on the console: {:?}", machine.console());
        std::thread::sleep(Duration::from_millis(10));
    }
}
