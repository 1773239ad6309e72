//! Bringing a machine from off to ready, by what its guest says and nothing else.
//!
//! On the control port the guest writes `hello 1` when it has found the port (1 is the version of
//! this exchange). We answer with the machine's identity, a text of lines that ends in the line
//! `end` and is the guest's own business otherwise. The guest then writes `ready`, perhaps with
//! more words, or `failed` with a reason. A guest that reboots says hello again and gets its
//! identity again.
//!
//! A guest that was put back to what it was ([`Machine::revert`]) is told so by a line that begins
//! with `resumed`, and says `ready`, or `failed`, in the same way. One that began from a template
//! ([`Machine::start_from`]) is told both: that it was put back, then who it is. It has said hello
//! when the template was saved, and says `ready` to each. Before that, `prepare` had it do what others
//! need not do, to which it says `ready` too.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crate::Error;
use crate::machine::{Event, Machine, State};

/// What a guest says first.
const HELLO: &str = "hello 1";
/// How far a guest came that has not said it.
const NEVER_SPOKE: &str = "its guest never spoke on the control port";
/// How many lines of the console an error shows.
const SHOWN: usize = 30;

/// How soon somebody who waits sees that they are to stop.
const LOOKS: Duration = Duration::from_millis(100);

/// How long a guest is waited for: so long, and perhaps only until somebody says to stop.
///
/// A [`Duration`] is such a limit by itself.
#[derive(Clone, Copy, Debug)]
pub struct Patience<'a> {
    limit: Duration,
    stop: Option<&'a AtomicBool>,
}

impl<'a> Patience<'a> {
    /// So long, or until `stop` is set, which is seen within a tenth of a second.
    #[must_use]
    pub fn until(stop: &'a AtomicBool, limit: Duration) -> Self {
        Self { limit, stop: Some(stop) }
    }

    /// The next thing that happens to a machine, of which the limit began then.
    fn next_event(self, machine: &mut dyn Machine, begin: Instant) -> Result<Event, BootError> {
        let deadline = begin + self.limit;
        let Some(stop) = self.stop else { return Ok(machine.next_event(deadline)) };
        loop {
            if stop.load(Ordering::SeqCst) {
                return Err(BootError::Stopped { machine: machine.name().to_owned() });
            }
            match machine.next_event(deadline.min(Instant::now() + LOOKS)) {
                Event::Timeout if Instant::now() < deadline => {}
                event => return Ok(event),
            }
        }
    }
}

impl From<Duration> for Patience<'_> {
    fn from(limit: Duration) -> Self {
        Self { limit, stop: None }
    }
}

/// How a boot went.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Booted {
    /// From the start to the guest's first word.
    pub hello: Duration,
    /// From the start to `ready`.
    pub ready: Duration,
    /// What the guest said behind `ready`, mostly nothing.
    pub message: String,
}

/// Why a machine did not become ready. Each message ends with the end of the machine's console.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BootError {
    /// The machine did not start.
    #[error(transparent)]
    Machine(#[from] Error),
    /// The kernel panicked.
    #[error("the kernel of machine {machine} panicked: {text}{}", Console(.console))]
    Panic {
        /// The machine.
        machine: String,
        /// What the console said about it.
        text: String,
        /// The end of the console.
        console: String,
    },
    /// The machine ended.
    #[error("machine {machine} ended before it was ready{}", Console(.console))]
    Ended {
        /// The machine.
        machine: String,
        /// The end of the console.
        console: String,
    },
    /// The guest gave up.
    #[error("the guest of machine {machine} could not get ready: {reason}{}", Console(.console))]
    Failed {
        /// The machine.
        machine: String,
        /// What it said.
        reason: String,
        /// The end of the console.
        console: String,
    },
    /// The guest speaks another version of this exchange.
    #[error(
        "the guest of machine {machine} said {line:?} where {HELLO:?} was expected: its image is of another version, so build it anew"
    )]
    Version {
        /// The machine.
        machine: String,
        /// What it said.
        line: String,
    },
    /// Whoever waits was told to stop.
    #[error("machine {machine} was not waited for: the run was asked to stop")]
    Stopped {
        /// The machine.
        machine: String,
    },
    /// The guest was not ready in time.
    #[error("machine {machine} was not ready after {limit:?}; {progress}{}", Console(.console))]
    Limit {
        /// The machine.
        machine: String,
        /// How long we waited.
        limit: Duration,
        /// How far it came.
        progress: &'static str,
        /// The end of the console.
        console: String,
    },
}

/// The end of a console, as an error shows it.
struct Console<'a>(&'a str);

impl std::fmt::Display for Console<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            write!(f, "; its console said nothing")
        } else {
            write!(f, "; the end of its console:")?;
            self.0.lines().try_for_each(|line| write!(f, "\n    {line}"))
        }
    }
}

/// Starts the machine if it is off, gives its guest the `identity` (lines, the last of them
/// `end`) and waits until it is ready, as long as the `patience` allows.
///
/// The wait ends as soon as the guest panics, fails or ends. After any error but
/// [`BootError::Machine`] and [`BootError::Ended`] the machine is left as it is, for whoever
/// wants to look at it.
///
/// # Errors
/// Each variant of [`BootError`].
pub fn boot<'a>(
    machine: &mut dyn Machine,
    identity: &str,
    patience: impl Into<Patience<'a>>,
) -> Result<Booted, BootError> {
    boot_as(machine, &|| identity.to_owned(), patience)
}

/// As [`boot`], with an identity that is made as the guest asks for it: one that has the time in it is
/// old by then otherwise, by as long as a kernel takes to start.
///
/// # Errors
/// As [`boot`].
pub fn boot_as<'a>(
    machine: &mut dyn Machine,
    identity: &dyn Fn() -> String,
    patience: impl Into<Patience<'a>>,
) -> Result<Booted, BootError> {
    let begin = Instant::now();
    if machine.state() == State::Off {
        machine.start()?;
    }
    await_ready(machine, Told::Identity(identity), None, begin, patience.into())
}

/// Starts a machine that is off from the template in `template`. Its guest is given the line `resumed`
/// with `words`, which are made as it goes on: with the time in them they are old otherwise, by as long
/// as the template takes to be loaded. Then it is given the `identity`, as [`boot`] gives it, and is
/// waited for until it is ready.
///
/// # Errors
/// Each variant of [`BootError`], as for [`boot`].
pub fn boot_from<'a>(
    machine: &mut dyn Machine,
    template: &Path,
    words: &dyn Fn() -> String,
    identity: &str,
    patience: impl Into<Patience<'a>>,
) -> Result<Booted, BootError> {
    let (begin, patience) = (Instant::now(), patience.into());
    machine.start_from(template)?;
    machine.send(&format!("resumed {}", words()))?;
    machine.resume()?;
    // Only a guest that runs takes as much as an identity may be.
    machine.send(identity.trim_end_matches('\n'))?;
    let resumed = await_ready(machine, Told::Resumed, Some(Duration::ZERO), begin, patience)?;
    await_ready(machine, Told::Identity(&|| identity.to_owned()), Some(resumed.ready), begin, patience)
}

/// Starts a machine that is off, waits until its guest asks who it is, tells it to prepare for what the
/// `words` say, and keeps what it is then as a template in the empty directory `template`. The machine
/// is off afterwards, also after an error.
///
/// # Errors
/// Each variant of [`BootError`], as for [`boot`].
pub fn make_template<'a>(
    machine: &mut dyn Machine,
    template: &Path,
    words: &str,
    patience: impl Into<Patience<'a>>,
) -> Result<(), BootError> {
    let (begin, patience) = (Instant::now(), patience.into());
    let made = machine.start_template(template).map_err(BootError::from).and_then(|()| {
        await_hello(machine, begin, patience)?;
        machine.send(&format!("prepare {words}"))?;
        await_ready(machine, Told::ToPrepare, Some(begin.elapsed()), begin, patience)?;
        machine.suspend()?;
        Ok(machine.save_template(template)?)
    });
    if machine.state() != State::Off {
        machine.power_cut()?;
    }
    made
}

/// Lets a machine that was put back to what it was go on: it is suspended. Its guest is given the
/// line `resumed` with these `words` first, and is waited for until it says that it is ready.
///
/// # Errors
/// Each variant of [`BootError`], as for [`boot`].
pub fn resume<'a>(
    machine: &mut dyn Machine,
    words: &str,
    patience: impl Into<Patience<'a>>,
) -> Result<Booted, BootError> {
    let begin = Instant::now();
    // It lies there when the guest goes on, before anything else can.
    machine.send(&format!("resumed {words}"))?;
    machine.resume()?;
    await_ready(machine, Told::Resumed, Some(Duration::ZERO), begin, patience.into())
}

/// What a guest is told, that says `ready` then.
#[derive(Clone, Copy)]
enum Told<'a> {
    /// Who it is, once it has said hello.
    Identity(&'a dyn Fn() -> String),
    /// That it was put back, which it knows already.
    Resumed,
    /// To do what others that begin from it need not do.
    ToPrepare,
}

/// Waits until the guest is ready, fails, panics, ends, or the limit since `begin` is over. When it has
/// said `hello` is known already where it has its identity.
fn await_ready(
    machine: &mut dyn Machine,
    told: Told<'_>,
    mut hello: Option<Duration>,
    begin: Instant,
    patience: Patience<'_>,
) -> Result<Booted, BootError> {
    let name = machine.name().to_owned();
    loop {
        match patience.next_event(machine, begin)? {
            Event::Control(line) => match (told, line.split_once(' ').unwrap_or((&line, "")), hello) {
                (Told::Identity(identity), _, _) if line == HELLO => {
                    hello.get_or_insert_with(|| begin.elapsed());
                    // The end of a machine meanwhile is told by the next event, in better words.
                    match machine.send(identity().trim_end_matches('\n')) {
                        Err(error @ Error::Control { .. }) => tracing::debug!(%error),
                        sent => sent?,
                    }
                }
                (_, ("ready", message), Some(hello)) => {
                    return Ok(Booted { hello, ready: begin.elapsed(), message: message.to_owned() });
                }
                (_, ("failed", reason), _) => {
                    let console = end_of(&machine.console());
                    return Err(BootError::Failed { machine: name, reason: reason.to_owned(), console });
                }
                (_, ("hello", _), _) => return Err(BootError::Version { machine: name, line }),
                _ => tracing::debug!(machine = name, line, "not a word of the boot exchange"),
            },
            other => {
                let progress = match (told, hello) {
                    (Told::Resumed, _) => "its guest goes on from a snapshot and has not said so",
                    (Told::ToPrepare, _) => "its guest is not prepared to be kept",
                    (_, None) => NEVER_SPOKE,
                    (_, Some(_)) => "its guest has its identity and is not done with it",
                };
                return Err(without_a_word(machine, other, patience.limit, progress));
            }
        }
    }
}

/// Waits until the guest asks who it is.
fn await_hello(machine: &mut dyn Machine, begin: Instant, patience: Patience<'_>) -> Result<(), BootError> {
    match patience.next_event(machine, begin)? {
        Event::Control(line) if line == HELLO => Ok(()),
        Event::Control(line) => Err(BootError::Version { machine: machine.name().to_owned(), line }),
        other => Err(without_a_word(machine, other, patience.limit, NEVER_SPOKE)),
    }
}

/// Why a machine is not ready that panicked, ended, or did nothing in time.
fn without_a_word(machine: &dyn Machine, event: Event, limit: Duration, progress: &'static str) -> BootError {
    let (name, console) = (machine.name().to_owned(), machine.console());
    match event {
        Event::Panic(text) => BootError::Panic { machine: name, console: before(&console, &text), text },
        Event::Ended => BootError::Ended { machine: name, console: end_of(&console) },
        Event::Control(_) | Event::Timeout => {
            BootError::Limit { machine: name, limit, progress, console: end_of(&console) }
        }
    }
}

/// The lines of a console that led to a panic, and the panic's first one: the text of the panic
/// itself, with the kernel's long trace, is told beside it.
fn before(console: &str, panic: &str) -> String {
    let first = panic.lines().next().unwrap_or_default();
    let lines: Vec<&str> = console.trim_end().lines().collect();
    let end = lines.iter().position(|line| line.contains(first)).map_or(lines.len(), |place| place + 1);
    lines[end.saturating_sub(SHOWN)..end].join("\n")
}

/// The last lines of a console's text.
fn end_of(console: &str) -> String {
    let lines: Vec<&str> = console.trim_end().lines().collect();
    lines[lines.len().saturating_sub(SHOWN)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_led_to_a_panic_is_shown_with_it() {
        let line = |number: usize| format!("line {number}");
        let mut lines: Vec<_> = (0..100).map(line).collect();
        lines[50] = "panic - not syncing: x".to_owned();
        let console = lines.join("\n");
        let shown = before(&console, "panic - not syncing: x\nline 51\nline 52");
        assert!(
            shown.starts_with("line 21\n") && shown.ends_with("line 49\npanic - not syncing: x"),
            "{shown}"
        );
        assert!(before(&console, "nowhere").starts_with("line 70\n"));
        assert_eq!(before("a\nb\n", "b"), "a\nb");
    }
}
