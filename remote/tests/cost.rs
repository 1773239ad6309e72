//! What a command costs on an open session. Alone in its program, since it measures.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use std::time::{Duration, Instant};

use remote::Session;
use support::{Server, present, run};

const REPEATS: usize = 25;

fn median(mut once: impl FnMut()) -> Duration {
    let mut times: Vec<_> = (0..REPEATS)
        .map(|_| {
            let begun = Instant::now();
            once();
            begun.elapsed()
        })
        .collect();
    times.sort();
    times[REPEATS / 2]
}

#[test]
fn a_command_on_an_open_session_costs_a_fraction_of_a_new_connection() {
    let Some(server) = Server::start() else { return };
    if !present(&[("ssh", "openssh-client")]) {
        return;
    }
    let mut session = server.connect();
    let open = median(|| drop(run(&mut session, "true")));
    let fresh = median(|| drop(run(&mut server.connect(), "true")));
    let target = server.target();
    let program = median(|| {
        let status = std::process::Command::new("ssh")
            .args(["-F", "none", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"])
            .args(["-o", "LogLevel=ERROR", "-o", "IdentitiesOnly=yes", "-i"])
            .arg(&target.private_key)
            .args(["-p", &target.address.port().to_string()])
            .arg(format!("{}@{}", target.user, target.address.ip()))
            .arg("true")
            .status();
        assert!(status.unwrap().success());
    });
    let shell = median(|| {
        let status = std::process::Command::new("timeout").args(["9", "sh", "-c", "true;"]).status();
        assert!(status.unwrap().success());
    });
    eprintln!(
        "medians of {REPEATS}: open session {open:?}, new session {fresh:?}, new ssh process {program:?}, timeout and shell alone {shell:?}"
    );
    assert!(open < program, "an open session saves nothing: {open:?} against {program:?}");
}

#[test]
fn a_session_can_move_to_another_thread() {
    fn is_send<T: Send>() {}
    is_send::<Session>();
}
