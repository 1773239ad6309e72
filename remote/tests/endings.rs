//! The ways in which a command ends by itself, against a real server.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use remote::{Command, Ending};
use support::{Server, assert_prints, find, link_programs, present, run, text};

/// Lines, and how each ends in whatever shell.
const ENDINGS: &[(&str, Result<u8, &str>)] = &[
    ("true", Ok(0)),
    ("", Ok(0)),
    ("# only a comment", Ok(0)),
    ("exit 3", Ok(3)),
    ("false", Ok(1)),
    ("(exit 4)", Ok(4)),
    ("exec true", Ok(0)),
    ("exec false", Ok(1)),
    ("exec sh -c 'exit 137'", Ok(137)),
    ("exit 137", Ok(137)),
    ("exit 124", Ok(124)),
    ("sh -c 'kill -9 $$'; exit $?", Ok(137)),
    ("trap 'exit 7' EXIT; true", Ok(7)),
    ("trap - EXIT; exit 8", Ok(8)),
    ("set -e; false; true", Ok(1)),
    ("set -e; exec 7>&- 8>&-; true", Ok(0)),
    ("exec 7>&- 8>&-; exit 6", Ok(6)),
    ("exec >/dev/null 2>&1; exit 5", Ok(5)),
    ("exec >&- 2>&- <&-; exit 5", Ok(5)),
    ("if", Ok(2)),
    ("this-program-is-nowhere", Ok(127)),
    ("kill -9 $$", Err("KILL")),
    ("kill -TERM $$", Err("TERM")),
    ("kill -HUP $$; exit 1", Err("HUP")),
    ("kill -SEGV $$", Err("SEGV")),
    ("exec sh -c 'kill -KILL $$'", Err("KILL")),
    ("sleep 100 & child=$!; (sleep 1; kill $child) & kill -9 $$", Err("KILL")),
];

#[test]
fn every_ending_is_what_it_is_in_every_shell() {
    for (shell, program, timeout) in
        [("dash", "dash", "timeout"), ("busybox ash", "busybox", "busybox"), ("bash", "bash", "timeout")]
    {
        if !present(&[(program, program)]) {
            continue;
        }
        let folder = tempfile::tempdir().unwrap();
        let programs = link_programs(folder.path(), &[("sh", program), ("timeout", timeout)]);
        // The login shell hands over to the shell in question, which does the wrapper's part too.
        let shell_path = find(program).unwrap();
        let applet = shell.split_once(' ').map_or("", |(_, applet)| applet);
        let configuration = format!(
            "SetEnv HOME=/nonexistent PATH={}:/usr/bin:/bin\nForceCommand exec {} {applet} -c \"$SSH_ORIGINAL_COMMAND\"",
            programs.display(),
            shell_path.display()
        );
        let Some(server) = Server::start_with(&configuration) else { return };
        let mut session = server.connect();
        for (line, expected) in ENDINGS {
            let expected = expected.map_or_else(|name| Ending::Signalled(name.to_owned()), Ending::Exited);
            let output = run(&mut session, line);
            assert_eq!(output.ending, expected, "{line:?} in {shell}: {output:?}");
        }
        assert_eq!(session.connections(), 1, "{shell}");
    }
}

#[test]
fn every_status_arrives() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for status in 0..=255 {
        assert_eq!(run(&mut session, &format!("exit {status}")).ending, Ending::Exited(status));
    }
    assert_eq!(session.connections(), 1);
}

#[test]
fn a_child_in_the_background_is_not_waited_for() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for line in ["sleep 100 & echo $!", "sleep 100 & echo $!; exit 3", "sleep 100 & echo $!; kill -9 $$"] {
        let output = run(&mut session, line);
        assert!(output.elapsed < support::AMPLE / 2, "{line}: waited {:?}", output.elapsed);
        let expected = match line.rsplit(' ').next().unwrap() {
            "3" => Ending::Exited(3),
            "$$" => Ending::Signalled("KILL".to_owned()),
            _ => Ending::Exited(0),
        };
        assert_eq!(output.ending, expected, "{line}");
        let child = text(&output.stdout).trim().to_owned();
        assert!(support::is_alive(&child), "the child of {line} was to live on");
        run(&mut session, &format!("kill {child}"));
    }
}

#[test]
fn the_machine_needs_no_timeout_program() {
    let folder = tempfile::tempdir().unwrap();
    let programs = link_programs(folder.path(), &[("sh", "sh"), ("sleep", "sleep"), ("cat", "cat")]);
    let configuration = format!("SetEnv HOME=/nonexistent PATH={}", programs.display());
    let Some(server) = Server::start_with(&configuration) else { return };
    let mut session = server.connect();
    assert_eq!(run(&mut session, "timeout 1 true").ending, Ending::Exited(127));
    assert_eq!(run(&mut session, "exit 3").ending, Ending::Exited(3));
    assert_eq!(run(&mut session, "kill -9 $$").ending, Ending::Signalled("KILL".to_owned()));
}

#[test]
fn words_arrive_as_they_are() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for word in
        ["", " ", "it's", "\"$HOME\" `id` \\ * ~ ! # ; & | < >", "two\nlines\n", "ä\t\u{7f}", "-n", "^!x"]
    {
        let output = session.run(&Command::from_words(["printf", "%s|", word, "end"])).unwrap();
        assert_eq!(text(&output.stdout), format!("{word}|end|"));
    }
}

#[test]
fn tracing_shows_nothing_of_the_wrapper() {
    let Some(server) = Server::start() else { return };
    let output = run(&mut server.connect(), "set -x; true; echo $0 $#");
    assert_eq!(text(&output.stdout), "sh 0\n");
    assert_eq!(text(&output.stderr), "+ true\n+ echo sh 0\n");
}

#[test]
fn lines_that_no_request_can_hold_are_refused() {
    let Some(server) = Server::start() else { return };
    let mut session = server.connect();
    for (line, remedy) in [("a\0b".to_owned(), "NUL"), ("#".repeat(40_000), "sh -s")] {
        let error = session.run(&Command::new(line)).unwrap_err().to_string();
        assert!(error.contains(remedy), "{error}");
    }
    // The longest line that is let through does get through.
    assert_prints(
        &mut session,
        &format!("echo {}", "x".repeat(33_000)),
        &format!("{}\n", "x".repeat(33_000)),
    );
    assert_eq!(session.connections(), 1);
}
