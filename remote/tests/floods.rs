//! Output without end. Alone in its program, since it measures the memory of the process.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use std::time::Duration;

use remote::{Command, Ending};
use support::Server;

const MEBIBYTE: usize = 1 << 20;

#[test]
fn a_flood_without_end_takes_bounded_memory_and_ends_at_the_limit() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    let limit = Duration::from_secs(2);
    for line in ["cat /dev/zero", "cat /dev/zero >&2", "yes & yes >&2", "while :; do echo x; done"] {
        let before = resident_kibibytes();
        let output = session.run(&Command::new(line).output_limit(MEBIBYTE).limit(limit)).unwrap();
        assert_eq!(output.ending, Ending::TimedOut, "{line}");
        assert!(output.elapsed < limit + Duration::from_secs(2), "{line} took {:?}", output.elapsed);
        // The limits, the channel's window and what the allocator does not give back.
        let grown = resident_kibibytes().saturating_sub(before);
        assert!(grown < 64 * 1024, "{line} took {grown} KiB");
    }
    support::assert_prints(&mut session, "echo usable", "usable\n");
}

fn resident_kibibytes() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}
