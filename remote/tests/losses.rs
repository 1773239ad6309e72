//! Limits that pass and connections that break, against a real server.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

mod support;

use std::path::Path;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use remote::{Command, ConnectError, Ending, Output, RunError, Session};
use rustix::process::Signal;
use support::{AMPLE, Server, assert_prints, eventually, is_alive, link_programs, present, text};

const LIMIT: Duration = Duration::from_millis(700);

/// Enough for a command to begin before its machine is cut off.
const BOUNDED: Duration = Duration::from_secs(2);

/// How late an answer may come because the machine is busy with other tests.
const LATE: Duration = Duration::from_secs(2);

fn run_limited(session: &mut Session, line: &str) -> Output {
    session.run(&Command::new(line).limit(LIMIT)).unwrap()
}

/// Runs a command that first writes the file, and does something once it has.
fn during(server: &Server, session: &mut Session, line: &str, act: impl FnOnce() + Send) -> Output {
    let begun = server.directory().join("begun");
    let line = format!("echo $$ >{0}.new; mv {0}.new {0}; {line}", begun.display());
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            eventually("the command's start", || begun.exists());
            act();
        });
        let output = session.run(&Command::new(line).limit(Duration::from_secs(5))).unwrap();
        acting.join().unwrap();
        std::fs::remove_file(&begun).unwrap();
        output
    })
}

#[test]
fn one_limit_holds_for_silent_and_chatty_commands_and_the_session_stays_usable() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for line in ["sleep 100", "while :; do echo x; sleep 0.1; done", "trap '' TERM HUP; while :; do :; done"]
    {
        let begun = Instant::now();
        let output = run_limited(&mut session, &format!("echo $$; {line}"));
        let elapsed = begun.elapsed();
        assert_eq!(output.ending, Ending::TimedOut, "{line}");
        assert!(elapsed >= LIMIT && elapsed < LIMIT + LATE, "{line}: {elapsed:?}");
        eprintln!("{line}: {:?} after the limit", elapsed - LIMIT);
        let shell = text(&output.stdout).lines().next().unwrap().to_owned();
        eventually("the end of the command in the machine", || !is_alive(&shell));
        assert_prints(&mut session, "echo usable", "usable\n");
    }
}

#[test]
fn a_command_that_timed_out_ends_in_the_machine_though_nobody_can_reach_it() {
    for timeout in ["timeout", "busybox"] {
        if !present(&[(timeout, timeout)]) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let programs = link_programs(folder.path(), &[("timeout", timeout)]);
        let configuration = format!("SetEnv HOME=/nonexistent PATH={}:/usr/bin:/bin", programs.display());
        let Some(server) = Server::start_with(&configuration) else { return };
        let mut session = server.connect();
        let pid_file = server.directory().join("shell");
        let line = format!("echo $$ >{}; while :; do sleep 0.1; done", pid_file.display());
        let output =
            during_limited(&mut session, &line, &pid_file, || server.signal_connections(Signal::KILL));
        assert_eq!(output.ending, Ending::ConnectionLost);
        let shell = std::fs::read_to_string(&pid_file).unwrap().trim().to_owned();
        assert!(is_alive(&shell), "the command was to survive its connection");
        let begun = Instant::now();
        eventually("the end of the command in the machine", || !is_alive(&shell));
        assert!(begun.elapsed() < BOUNDED + Duration::from_secs(2) + LATE, "{:?}", begun.elapsed());
    }
}

fn during_limited(session: &mut Session, line: &str, file: &Path, act: impl FnOnce() + Send) -> Output {
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            eventually("the command's start", || {
                std::fs::read_to_string(file).is_ok_and(|pid| pid.ends_with('\n'))
            });
            act();
        });
        let output = session.run(&Command::new(line).limit(BOUNDED)).unwrap();
        acting.join().unwrap();
        output
    })
}

#[test]
fn a_connection_that_breaks_under_a_command_is_lost_and_not_success() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for (connections, line) in
        [(1, "sleep 5"), (2, "while :; do echo x; done"), (3, "exec sleep 5"), (4, "exec cat /dev/zero")]
    {
        let output = during(&server, &mut session, line, || server.signal_connections(Signal::KILL));
        assert_eq!(output.ending, Ending::ConnectionLost, "{line}");
        assert!(output.elapsed < Duration::from_secs(4), "{line} noticed after {:?}", output.elapsed);
        assert_eq!(session.connections(), connections);
        assert_prints(&mut session, "echo usable", "usable\n");
        assert_eq!(session.connections(), connections + 1);
    }
}

#[test]
fn a_machine_that_vanishes_silently_ends_the_command_at_its_limit() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    let output = during(&server, &mut session, "sleep 50", || server.signal_connections(Signal::STOP));
    assert_eq!(output.ending, Ending::TimedOut);
    let limit = Duration::from_secs(5);
    assert!(output.elapsed >= limit && output.elapsed < limit + LATE, "{:?}", output.elapsed);
    // The next command opens another connection, for the old one does not answer.
    assert_prints(&mut session, "echo usable", "usable\n");
    assert_eq!(session.connections(), 2);
    // One that vanished in between is noticed before the command is sent.
    server.signal_connections(Signal::STOP);
    let begun = Instant::now();
    let error = session.run(&Command::new("echo unsent").limit(LIMIT)).unwrap_err();
    assert!(matches!(error, RunError::NoAnswer { .. }), "{error}");
    assert!(begun.elapsed() < LIMIT + LATE, "{:?}", begun.elapsed());
    // Dropping a session whose machine is silent waits for nothing.
    let mut session = server.connect();
    assert_prints(&mut session, "echo usable", "usable\n");
    server.signal_connections(Signal::STOP);
    let begun = Instant::now();
    drop(session);
    assert!(begun.elapsed() < LATE / 2, "{:?}", begun.elapsed());
}

#[test]
fn a_connection_that_broke_between_commands_is_opened_again() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for connections in 2..5 {
        server.signal_connections(Signal::KILL);
        assert_prints(&mut session, "echo again", "again\n");
        assert_eq!(session.connections(), connections);
    }
    let folder = server.directory().to_owned();
    std::fs::write(folder.join("authorized_keys"), "").unwrap();
    server.signal_connections(Signal::KILL);
    let error = session.run(&Command::new("true").limit(AMPLE)).unwrap_err();
    assert!(matches!(error, RunError::Reconnect(ConnectError::LoginRefused { .. })), "{error:?}");
}

#[test]
fn a_refused_channel_is_an_error_and_the_session_stays() {
    let Some(server) = Server::start_with("MaxSessions 0") else { return };
    let mut session = server.connect();
    for _ in 0..2 {
        let error = session.run(&Command::new("true")).unwrap_err();
        assert!(matches!(error, RunError::Refused { .. }), "{error:?}");
    }
    assert_eq!(session.connections(), 1);
}

#[test]
fn two_sessions_run_side_by_side() {
    let Some(server) = Server::start() else { return };
    // Each command waits for the other one, so both end only if both run.
    let folder = server.directory().display();
    let barrier = Barrier::new(2);
    std::thread::scope(|scope| {
        for (mine, other) in [("one", "other"), ("other", "one")] {
            let (mut session, barrier) = (server.connect(), &barrier);
            let line = format!(": >{folder}/{mine}; while ! test -e {folder}/{other}; do sleep 0.01; done");
            scope.spawn(move || {
                barrier.wait();
                let output = session.run(&Command::new(line).limit(AMPLE)).unwrap();
                assert_eq!(output.ending, Ending::Exited(0));
            });
        }
    });
}
