//! A whole test of a system in memory that threads share, as the book shows it.

use harness::prelude::*;
use std::sync::atomic::{AtomicU64, Ordering};

#[test]
fn no_number_is_given_out_twice() {
    let give_out = |given: &mut u64, (): &()| {
        *given += 1;
        *given
    };
    let numbers = reference("numbers", 0, Just(()), give_out);
    numbers.check_shared(|| AtomicU64::new(1), |next, ()| next.fetch_add(1, Ordering::SeqCst));
}
