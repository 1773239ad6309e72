//! A whole test of a system in memory, as the README shows it.

use harness::prelude::*;
use std::sync::mpsc;

#[test]
fn a_channel_is_a_queue() {
    // A number is put in; none takes out what was put in first.
    let commands = proptest::option::of(any::<u8>());
    let queue = |queue: &mut Vec<u8>, put: &Option<u8>| {
        queue.extend(put);
        (put.is_none() && !queue.is_empty()).then(|| queue.remove(0))
    };
    reference("queue", Vec::new(), commands, queue).check(mpsc::channel, |(to, from), put| match put {
        Some(number) => to.send(*number).err().map(|lost| lost.0),
        None => from.try_recv().ok(),
    });
}
