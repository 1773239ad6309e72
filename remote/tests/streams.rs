//! Much input, much output, at once and in any order, against a real server.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use remote::{Command, Ending};
use support::{AMPLE, Server, run};

const MEBIBYTE: usize = 1 << 20;

/// Bytes of all values, in an order that no repetition hides.
fn bytes(length: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn much_on_standard_error_while_standard_output_is_idle() {
    let Some(server) = Server::start() else { return };
    let output = run(&mut server.connect(), "head -c 12582912 /dev/zero >&2; echo done");
    assert_eq!((output.ending, output.stdout.as_slice()), (Ending::Exited(0), &b"done\n"[..]));
    assert_eq!(output.stderr.len(), 12 * MEBIBYTE);
}

#[test]
fn much_on_both_streams_at_once() {
    let Some(server) = Server::start() else { return };
    let line = "head -c 8388608 /dev/zero & head -c 8388608 /dev/zero >&2; wait";
    let output = run(&mut server.connect(), line);
    assert_eq!(output.ending, Ending::Exited(0));
    assert_eq!((output.stdout.len(), output.stderr.len()), (8 * MEBIBYTE, 8 * MEBIBYTE));
}

#[test]
fn much_input_while_output_flows() {
    let Some(server) = Server::start() else { return };
    let input = bytes(16 * MEBIBYTE);
    let command = Command::new("tee /dev/stderr").stdin(input.clone()).limit(AMPLE);
    let output = server.connect().run(&command).unwrap();
    assert_eq!(output.ending, Ending::Exited(0));
    assert!(output.stdout == input && output.stderr == input, "bytes were lost, added or changed");
}

#[test]
fn keys_are_renewed_in_mid_stream() {
    let Some(server) = Server::start_with("RekeyLimit 1M") else { return };
    let input = bytes(16 * MEBIBYTE);
    let command = Command::new("cat").stdin(input.clone()).limit(AMPLE);
    let output = server.connect().run(&command).unwrap();
    assert_eq!(output.ending, Ending::Exited(0));
    assert!(output.stdout == input, "bytes were lost, added or changed");
}

#[test]
fn input_that_nobody_reads() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for line in ["exit 3", "exec <&-; exit 3", "head -c 1 >/dev/null; exit 3"] {
        let output = session.run(&Command::new(line).stdin(bytes(16 * MEBIBYTE)).limit(AMPLE)).unwrap();
        assert_eq!(output.ending, Ending::Exited(3), "{line}");
    }
    assert_eq!(session.connections(), 1);
}

#[test]
fn input_reaches_a_command_that_has_closed_its_outputs() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    let path = server.directory().join("written");
    let line = format!("exec cat >{} 2>&- 7>&- 8>&-", path.display());
    let input = bytes(4 * MEBIBYTE);
    let output = session.run(&Command::new(line).stdin(input.clone()).limit(AMPLE)).unwrap();
    assert_eq!(output.ending, Ending::Exited(0));
    assert!(std::fs::read(path).unwrap() == input);
}

#[test]
fn binary_output_is_exact() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for input in [&b""[..], b"\0", b"no newline", b"\n", b"\0\n\0", b"\r\n\xff\xfe", &bytes(100_001)] {
        let output = session.run(&Command::new("tee /dev/stderr").stdin(input)).unwrap();
        assert_eq!(output.ending, Ending::Exited(0));
        assert!(output.stdout == input && output.stderr == input, "{:?}", input.escape_ascii());
        assert!(!output.is_truncated());
    }
}

#[test]
fn what_goes_beyond_the_output_limit_is_counted_and_dropped() {
    let Some(server) = Server::start() else { return };
    let line = "head -c 20971520 /dev/zero; echo error >&2; exit 3";
    let output = server.connect().run(&Command::new(line).output_limit(1000).limit(AMPLE)).unwrap();
    assert_eq!((output.ending.clone(), output.stderr.as_slice()), (Ending::Exited(3), &b"error\n"[..]));
    assert_eq!((output.stdout.len(), output.stdout_dropped), (1000, 20 * MEBIBYTE as u64 - 1000));
    assert!(output.is_truncated());
}
