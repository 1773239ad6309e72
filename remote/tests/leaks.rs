//! That nothing is left behind. Alone in its program, since it counts what the process holds.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use std::time::Duration;

use remote::{Command, Ending, Session, Target};
use rustix::process::Signal;
use support::{AMPLE, Server, run};

/// Kills the parent of the command's `timeout`, which is the server's process of this connection.
const KILL_THE_SERVER: &str = "set -- $(cat /proc/$PPID/stat); kill -9 $4; sleep 5";

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

fn threads() -> usize {
    std::fs::read_dir("/proc/self/task").unwrap().count()
}

#[test]
fn no_channel_thread_or_descriptor_is_left() {
    let Some(server) = Server::start() else { return };
    // Whatever is set up once and kept is set up here.
    run(&mut server.connect(), "true");
    let before = (open_files(), threads());
    many_commands_on_one_session(&server);
    every_way_to_lose_a_session(&server);
    // The server's own thread may still be busy with a connection that was given up on.
    support::eventually("the return of descriptors and threads", || (open_files(), threads()) == before);
}

fn many_commands_on_one_session(server: &Server) {
    // The server allows ten open channels, so one that is not closed shows soon.
    let mut session = server.connect();
    for number in 0..200_u8 {
        let output = run(&mut session, &format!("sleep 0.01 & exit {number}"));
        assert_eq!(output.ending, Ending::Exited(number));
    }
    // Enough for a busy server to start the command: one that it has not started has no leader to be ended.
    let limit = Duration::from_secs(1);
    for _ in 0..11 {
        let output = session.run(&Command::new("sleep 100").limit(limit)).unwrap();
        assert_eq!(output.ending, Ending::TimedOut);
    }
    run(&mut session, "true");
}

fn every_way_to_lose_a_session(server: &Server) {
    for _ in 0..5 {
        let mut session = server.connect();
        server.signal_connections(Signal::KILL);
        run(&mut session, "true");
        assert_eq!(run(&mut session, KILL_THE_SERVER).ending, Ending::ConnectionLost);
        run(&mut session, "true");
        server.signal_connections(Signal::STOP);
        assert!(session.run(&Command::new("true").limit(Duration::from_millis(50))).is_err());
        server.signal_connections(Signal::KILL);
        let target = Target { user: "nobody-of-this-name".to_owned(), ..server.target() };
        assert!(Session::connect(&target, AMPLE).is_err());
        assert!(Session::connect(&server.target(), Duration::from_millis(1)).is_err());
    }
}
