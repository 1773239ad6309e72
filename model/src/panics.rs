//! Panics in what users write: caught without noise, and told in one line with their place.
//!
//! A system or a post-condition that panics is an answer like any other, and shrinking would
//! print it a thousand times. So while such a call is on, the panic hook keeps quiet on its thread
//! and only remembers where the panic came from; all other panics go to the hook that was there.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::fmt::{self, Debug};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind, set_hook, take_hook};
use std::sync::Once;
use std::thread::{self, LocalKey};
use std::time::Instant;

thread_local! {
    /// How many calls whose panics are caught this thread is in.
    static CATCHING: Cell<u32> = const { Cell::new(0) };
    /// How many calls that wait for a broken model this thread is in.
    static WAITING: Cell<u32> = const { Cell::new(0) };
    /// What [`in_parts`] is asking on this thread.
    static PART: Cell<Part> = const { Cell::new(Part::Alone) };
    /// Where the last panic of such a call came from, and when.
    static ORIGIN: RefCell<Option<(String, Instant)>> = const { RefCell::new(None) };
}

/// A method of a model that a panic can come from. It is a number, so that to say which is being
/// asked costs next to nothing.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
#[expect(missing_docs, reason = "each has the name of its method")]
pub enum Method {
    Bind,
    CanBeRefused,
    Defines,
    Expectation,
    GenCommand,
    GenInitialState,
    Kind,
    MustFail,
    NextState,
    NextStateAfter,
    PreCondition,
    ShowCommand,
    ShowResponse,
    /// Anything that is asked of a state: to be cloned, compared or shown.
    State,
    /// What `gen_command` has given.
    Strategy,
    Uses,
}

impl fmt::Display for Method {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Bind => "bind",
            Self::CanBeRefused => "can_be_refused",
            Self::Defines => "defines",
            Self::Expectation => "expectation",
            Self::GenCommand => "gen_command",
            Self::GenInitialState => "gen_initial_state",
            Self::Kind => "kind",
            Self::MustFail => "must_fail",
            Self::NextState => "next_state",
            Self::NextStateAfter => "next_state_after",
            Self::PreCondition => "pre_condition",
            Self::ShowCommand => "show_command",
            Self::ShowResponse => "show_response",
            Self::State => "state",
            Self::Strategy => "the strategy of gen_command",
            Self::Uses => "uses",
        })
    }
}

/// What a panic would be of.
#[derive(Clone, Copy, Debug)]
enum Part {
    /// There is no [`in_parts`] about: each call catches its own panics.
    Alone,
    /// Nothing in particular.
    None,
    /// A method that has no right to panic.
    Model(Method),
    /// A check that says no by a panic.
    Check,
}

/// A part of a model panicked that has to take any state and any command.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("the model's {method} {said} on {command}: mend it so that it takes any state and command")]
pub struct BrokenModel {
    /// The method.
    pub method: Method,
    /// The command that it was asked about, as `Debug` prints it.
    pub command: String,
    /// What it said, with its place.
    pub said: String,
}

/// What came instead of a result.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
pub enum Panicked {
    /// A panic.
    #[error("{text}")]
    Said {
        /// What it said, with its place.
        text: String,
        /// When it began. What it has dropped on its way may long have told other threads of it by
        /// the time that it is caught.
        at: Instant,
    },
    /// A panic on its way out of [`in_model`].
    #[error(transparent)]
    Model(BrokenModel),
}

/// Calls what may panic, and says nothing of it where it does.
///
/// # Errors
/// What the panic said.
#[inline]
pub fn caught<T>(call: impl FnOnce() -> T) -> Result<T, Panicked> {
    caught_in(Part::Alone, call).map_err(|(_, panic)| told(panic))
}

/// Calls what asks several parts of a model, beginning with this one; [`asking`] says where
/// another begins. It costs one look for panics where [`in_model`] would cost one for each part.
///
/// # Errors
/// Which part panicked, and what that said.
#[inline]
pub(crate) fn caught_part<T>(method: Method, call: impl FnOnce() -> T) -> Result<T, (Method, String)> {
    caught_in(Part::Model(method), call).map_err(|(part, panic)| match (told(panic), part) {
        (Panicked::Model(broken), _) => (broken.method, broken.said),
        (Panicked::Said { text, .. }, Part::Model(method)) => (method, text),
        (Panicked::Said { text, .. }, _) => (method, text),
    })
}

/// Calls a part of a model within [`caught_part`] or [`in_parts`].
#[inline]
pub(crate) fn asking<T>(method: Method, call: impl FnOnce() -> T) -> T {
    within(Part::Model(method), call)
}

/// Calls what asks several parts of a model, each by [`in_model`] or `in_check`, and looks for
/// panics once for all of them. `command` is what a panic is said to have been on. Within another
/// such call it leaves all panics to that one.
///
/// # Errors
/// What a check said by a panic. A panic of any other part goes on as from [`in_model`].
#[inline]
pub fn in_parts<T>(command: &dyn Debug, call: impl FnOnce() -> T) -> Result<T, Panicked> {
    if WAITING.get() == 0 || !matches!(PART.get(), Part::Alone) {
        return Ok(call());
    }
    caught_in(Part::None, call).map_err(|(part, panic)| match (told(panic), part) {
        (Panicked::Model(broken), _) => resume_unwind(Box::new(broken)),
        (said, Part::Check) => said,
        (said, Part::Model(method)) => broken(method, command, said),
        (said, Part::Alone | Part::None) => broken(Method::State, command, said),
    })
}

/// Calls a check of a model that may say no by a panic.
///
/// # Errors
/// What the panic said, unless [`in_parts`] is about, which then gives it.
#[inline]
pub(crate) fn in_check<T>(check: impl FnOnce() -> T) -> Result<T, Panicked> {
    if matches!(PART.get(), Part::Alone) { caught(check) } else { Ok(within(Part::Check, check)) }
}

/// Calls a part of a model that has no right to panic. If it does within [`no_broken_model`], the
/// panic goes on without noise, with a [`BrokenModel`] to be caught there; else it is like any
/// other.
#[inline]
pub fn in_model<T>(method: Method, command: &dyn Debug, call: impl FnOnce() -> T) -> T {
    if WAITING.get() == 0 {
        call()
    } else if matches!(PART.get(), Part::Alone) {
        caught(call).unwrap_or_else(|panicked| broken(method, command, panicked))
    } else {
        asking(method, call)
    }
}

/// Calls what asks models, and lets every panic pass but that of a [`BrokenModel`].
///
/// # Errors
/// Which part of the model is broken.
pub fn no_broken_model<T>(call: impl FnOnce() -> T) -> Result<T, BrokenModel> {
    let _waiting = Within::enter(&WAITING);
    let outer = PART.replace(Part::Alone);
    let result = catch_unwind(AssertUnwindSafe(call));
    PART.set(outer);
    result.map_err(|panic| match panic.downcast::<BrokenModel>() {
        Ok(broken) => *broken,
        Err(panic) => resume_unwind(panic),
    })
}

/// Calls it quietly, and says of a panic what was asked by then.
#[inline]
fn caught_in<T>(part: Part, call: impl FnOnce() -> T) -> Result<T, (Part, Box<dyn Any + Send>)> {
    install();
    let outer = PART.replace(part);
    let quiet = Within::enter(&CATCHING);
    let result = catch_unwind(AssertUnwindSafe(call));
    drop(quiet);
    let part = PART.replace(outer);
    result.map_err(|panic| (part, panic))
}

/// Calls a part. Where it panics, nobody but who catches that says that it has ended.
#[inline]
fn within<T>(part: Part, call: impl FnOnce() -> T) -> T {
    let outer = PART.replace(part);
    let result = call();
    PART.set(outer);
    result
}

#[cold]
fn told(panic: Box<dyn Any + Send>) -> Panicked {
    match panic.downcast::<BrokenModel>() {
        Ok(broken) => Panicked::Model(*broken),
        Err(panic) => {
            let said = panic_text(panic.as_ref());
            // One that goes on by `resume_unwind` has passed no hook.
            let (text, at) = match ORIGIN.take() {
                Some((location, at)) => (format!("panicked at {location}: {said}"), at),
                None => (format!("panicked: {said}"), Instant::now()),
            };
            Panicked::Said { text, at }
        }
    }
}

#[cold]
fn broken(method: Method, command: &dyn Debug, panicked: Panicked) -> ! {
    resume_unwind(Box::new(match panicked {
        Panicked::Model(broken) => broken,
        Panicked::Said { text: said, .. } => BrokenModel { method, command: format!("{command:?}"), said },
    }))
}

/// What a panic said, in one line.
#[must_use]
pub fn panic_text(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied();
    let text = text.or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    let broken = || panic.downcast_ref::<BrokenModel>().map(ToString::to_string);
    let text = text.map(str::to_owned).or_else(broken);
    let text = text.unwrap_or_else(|| "for a reason that is no text".to_owned());
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Puts the hook in place, once. Where panics abort there is nothing to catch, and no reason to
/// be quiet; a thread that panics just now must not change the hook.
#[inline]
fn install() {
    static INSTALLED: Once = Once::new();
    if INSTALLED.is_completed() || cfg!(panic = "abort") || thread::panicking() {
        return;
    }
    INSTALLED.call_once(|| {
        let others = take_hook();
        set_hook(Box::new(move |panic| {
            if CATCHING.get() > 0 {
                ORIGIN.set(panic.location().map(|location| (location.to_string(), Instant::now())));
            } else {
                others(panic);
            }
        }));
    });
}

/// Counts a call that this thread is in, while it lives.
struct Within(&'static LocalKey<Cell<u32>>);

impl Within {
    #[inline]
    fn enter(calls: &'static LocalKey<Cell<u32>>) -> Self {
        calls.set(calls.get() + 1);
        Self(calls)
    }
}

impl Drop for Within {
    #[inline]
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::{Method, Panicked, caught, in_check, in_model, in_parts, no_broken_model};

    #[test]
    fn a_panic_is_told_in_one_line_with_its_place() {
        let panicked = caught(|| assert_eq!(1 + 1, 3, "sums")).expect_err("it panics").to_string();
        assert!(panicked.starts_with("panicked at ") && panicked.contains("panics.rs:"), "{panicked}");
        assert!(panicked.ends_with("assertion `left == right` failed: sums left: 2 right: 3"), "{panicked}");
        assert_eq!(caught(|| 7), Ok(7));
    }

    #[test]
    fn a_broken_model_is_named_through_all_that_catches_panics() {
        let broken = no_broken_model(|| in_model(Method::NextState, &"Read", || panic!("no key")));
        let broken = broken.map(|(): ()| ()).expect_err("it panics");
        assert_eq!((broken.method, broken.command.as_str()), (Method::NextState, "\"Read\""));
        let inner = || in_model(Method::MustFail, &1, || panic!("inner"));
        let outer = no_broken_model(|| caught(|| in_model(Method::Uses, &(), inner)).map(|(): ()| ()));
        let method = |outer: &_| match outer {
            Ok(Err(Panicked::Model(broken))) => Some(broken.method),
            _ => None,
        };
        assert_eq!(method(&outer), Some(Method::MustFail), "{outer:?}");
        let other = caught(|| no_broken_model(|| panic!("something else")));
        assert!(other.map(|_: Result<(), _>| ()).is_err(), "other panics pass");
    }

    #[test]
    fn one_look_for_panics_tells_parts_from_checks() {
        let check = || in_parts(&"Read", || in_check(|| assert!(in_model(Method::Kind, &"Read", || false))));
        let no = no_broken_model(check).expect("a check may panic").expect_err("it says no");
        assert!(no.to_string().contains("assertion failed"), "{no}");
        let part =
            || in_parts(&"Read", || in_check(|| in_model(Method::NextState, &"Read", || panic!("no key"))));
        let broken = no_broken_model(part).map(|_| ()).expect_err("a part may not");
        assert_eq!((broken.method, broken.command.as_str()), (Method::NextState, "\"Read\""));
        // What panics and is caught inside leaves what is asked outside as it was.
        let after = || {
            in_parts(&"Read", || {
                in_model(Method::Defines, &"Read", || {
                    assert!(
                        caught(|| in_model(Method::Bind, &"Read", || panic!("inside")))
                            .map(|(): ()| ())
                            .is_err()
                    );
                    panic!("outside")
                })
            })
        };
        let broken = no_broken_model(after).map(|_: Result<(), _>| ()).expect_err("it panics");
        assert!(broken.method == Method::Defines && broken.said.ends_with("outside"), "{broken}");
    }
}
