//! Panics that are caught make no noise, and all others go to the hook that was there. The hook is
//! one for the whole process, so this test has a program of its own.

use std::panic::{catch_unwind, set_hook};
use std::sync::atomic::{AtomicU32, Ordering};

use model::panics::caught;

static HEARD: AtomicU32 = AtomicU32::new(0);

#[test]
fn only_panics_that_nobody_catches_here_are_heard() {
    set_hook(Box::new(|_| {
        HEARD.fetch_add(1, Ordering::SeqCst);
    }));
    for _ in 0..3 {
        assert!(caught(|| -> () { panic!("quiet") }).is_err());
    }
    assert_eq!(HEARD.load(Ordering::SeqCst), 0);
    // On another thread nobody waits for it, and afterwards neither here.
    let thread = caught(|| std::thread::spawn(|| panic!("loud")).join().is_err());
    assert_eq!((thread, HEARD.load(Ordering::SeqCst)), (Ok(true), 1));
    assert!(catch_unwind(|| panic!("loud")).is_err());
    assert_eq!(HEARD.load(Ordering::SeqCst), 2);
}
