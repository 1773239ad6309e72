//! The time that this thread has had a processor for: on a host with other work it varies less than the time
//! that passes.

use crate::starts::Result;

/// Seconds since the thread began; `proc(5)` has no page for the file, the kernel's
/// `Documentation/scheduler/sched-stats.rst` says what is in it.
pub(crate) fn seconds() -> Result<f64> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat")?;
    let nanoseconds: u64 = text.split_whitespace().next().ok_or("the kernel tells no time")?.parse()?;
    Ok(nanoseconds as f64 / 1e9)
}
