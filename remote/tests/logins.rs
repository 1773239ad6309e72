//! Ways not to get a session, against real servers and things that only listen.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

#[expect(dead_code, reason = "each test program uses its part of the helpers")]
mod support;

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use remote::{ConnectError, Session, Stage, Target};
use support::{AMPLE, Server, generate_key};

const LIMIT: Duration = Duration::from_millis(500);

fn refused(target: &Target, limit: Duration) -> ConnectError {
    match Session::connect(target, limit) {
        Ok(_) => panic!("logged in at {}", target.address),
        Err(error) => error,
    }
}

/// Connects to something that does as it is told on each connection.
fn against(behaviour: impl Fn(TcpStream) + Send + 'static, check: impl FnOnce(ConnectError, Duration)) {
    let Some(server) = Server::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let listening = std::thread::spawn(move || behaviour(listener.accept().unwrap().0));
    let begun = Instant::now();
    let error = refused(&Target { address, ..server.target() }, LIMIT);
    check(error, begun.elapsed());
    listening.join().unwrap();
}

fn until_closed(mut connection: TcpStream) {
    let _ = connection.read_to_end(&mut Vec::new());
}

#[test]
fn a_greeting_that_never_comes_ends_at_the_limit() {
    against(until_closed, |error, elapsed| {
        assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Greeting, .. }), "{error:?}");
        assert!(elapsed >= LIMIT && elapsed < LIMIT + Duration::from_secs(1), "{elapsed:?}");
    });
}

#[test]
fn a_greeting_that_stops_half_way_ends_at_the_limit() {
    for beginning in ["SS", "SSH-2.0-Half", "SSH-2.0-Whole\r\n"] {
        let behave = |mut connection: TcpStream| {
            connection.write_all(beginning.as_bytes()).unwrap();
            until_closed(connection);
        };
        against(behave, |error, elapsed| {
            assert!(matches!(error, ConnectError::TimedOut { .. }), "{beginning:?}: {error:?}");
            assert!(elapsed < LIMIT + Duration::from_secs(1), "{elapsed:?}");
        });
    }
}

#[test]
fn whatever_is_no_ssh_server_is_named() {
    for text in ["HTTP/1.1 400 Bad Request\r\n\r\n", "\0\0\0\0", "\n", "SSX"] {
        let behave = |mut connection: TcpStream| {
            connection.write_all(text.as_bytes()).unwrap();
            until_closed(connection);
        };
        against(behave, |error, _| {
            assert!(matches!(error, ConnectError::NotSsh { .. }), "{text:?}: {error:?}");
            assert!(error.to_string().contains(&text.as_bytes().escape_ascii().to_string()), "{error}");
        });
    }
}

#[test]
fn a_listener_that_never_stops_talking_does_not_hold_the_login_up() {
    for line in ["garbage\r\n", "SSH-2.0-x", "SSH-2.0-x\r\n"] {
        let behave = |mut connection: TcpStream| while connection.write_all(line.as_bytes()).is_ok() {};
        against(behave, |error, elapsed| {
            assert!(elapsed < LIMIT + Duration::from_secs(1), "{line:?}: {elapsed:?}, {error}");
        });
    }
}

#[test]
fn a_listener_that_hangs_up_is_told_from_one_that_is_silent() {
    against(drop, |error, elapsed| {
        assert!(matches!(error, ConnectError::HungUp { stage: Stage::Greeting, .. }), "{error:?}");
        assert!(elapsed < LIMIT, "{elapsed:?}");
    });
    let greet = |mut connection: TcpStream| {
        connection.write_all(b"SSH-2.0-Brief\r\n").unwrap();
        connection.shutdown(Shutdown::Write).unwrap();
        until_closed(connection);
    };
    against(greet, |error, _| {
        // libssh2 says the same of a connection that ends here and of one that cannot agree.
        assert!(matches!(error, ConnectError::Negotiation { .. }), "{error:?}");
    });
}

#[test]
fn a_closed_port_refuses() {
    let Some(server) = Server::start() else { return };
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let error = refused(&Target { address, ..server.target() }, AMPLE);
    assert!(matches!(error, ConnectError::Refused(refusing) if refusing == address), "{error:?}");
}

#[test]
fn no_time_at_all_is_a_limit_too() {
    let Some(server) = Server::start() else { return };
    let error = refused(&server.target(), Duration::ZERO);
    assert!(matches!(error, ConnectError::TimedOut { stage: Stage::Connection, .. }), "{error:?}");
}

#[test]
fn another_host_key_is_named_with_the_one_that_was_expected() {
    let (Some(server), Some(other)) = (Server::start(), Server::start()) else { return };
    let error = refused(&Target { host_key: other.host_key.clone(), ..server.target() }, AMPLE);
    assert!(matches!(error, ConnectError::WrongHostKey { .. }), "{error:?}");
    let text = error.to_string();
    for key in [&server.host_key, &other.host_key] {
        assert!(text.contains(&key.fingerprint()), "{text}");
    }
}

#[test]
fn a_server_with_several_host_keys_shows_the_one_that_is_expected() {
    let keys = tempfile::tempdir().unwrap();
    for kind in ["ecdsa", "rsa"] {
        let path = keys.path().join(kind);
        let status = std::process::Command::new("ssh-keygen")
            .args(["-q", "-t", kind, "-N", "", "-f"])
            .arg(&path)
            .status();
        assert!(status.is_ok_and(|status| status.success()));
    }
    let folder = keys.path().display();
    let Some(server) = Server::start_with(&format!("HostKey {folder}/rsa\nHostKey {folder}/ecdsa")) else {
        return;
    };
    for kind in ["ecdsa", "rsa"] {
        let line = std::fs::read_to_string(keys.path().join(format!("{kind}.pub"))).unwrap();
        let target = Target { host_key: line.parse().unwrap(), ..server.target() };
        let session = Session::connect(&target, AMPLE);
        assert!(session.is_ok(), "{kind}: {:?}", session.err());
    }
    server.connect();
}

#[test]
fn a_login_that_is_refused_names_user_and_key() {
    let Some(server) = Server::start() else { return };
    let private_key = generate_key(server.directory(), "other");
    let path = private_key.display().to_string();
    for user in [server.target().user, "nobody-of-this-name".to_owned()] {
        let target = Target { user: user.clone(), private_key: private_key.clone(), ..server.target() };
        let error = refused(&target, AMPLE);
        assert!(matches!(error, ConnectError::LoginRefused { .. }), "{error:?}");
        let text = error.to_string();
        assert!(text.contains(&user) && text.contains(&path), "{text}");
    }
    let target = Target { user: "a\0b".to_owned(), ..server.target() };
    assert!(matches!(refused(&target, AMPLE), ConnectError::Login { .. }));
}

#[test]
fn keys_that_are_none_are_found_before_anything_is_sent() {
    let Some(server) = Server::start() else { return };
    let folder = server.directory();
    let file = |name: &str, bytes: &[u8]| std::fs::write(folder.join(name), bytes).unwrap();
    let whole = std::fs::read(folder.join("user")).unwrap();
    file("empty", b"");
    file("garbled", b"-----BEGIN OPENSSH PRIVATE KEY-----\n????\n-----END OPENSSH PRIVATE KEY-----\n");
    file("cut", &whole[..whole.len() / 2]);
    file("binary", &[0xff; 100]);
    let locked = std::process::Command::new("ssh-keygen")
        .args(["-q", "-t", "ed25519", "-N", "a passphrase", "-f"])
        .arg(folder.join("locked"))
        .status();
    assert!(locked.unwrap().success());
    // Nobody listens there, so an error about the key says that it was looked at first.
    let address: SocketAddr = "127.0.0.1:1".parse().unwrap();
    let attempt =
        |path: &Path| refused(&Target { address, private_key: path.to_owned(), ..server.target() }, AMPLE);
    for path in ["missing", ".", "binary", "/dev/zero"] {
        let error = attempt(&folder.join(path));
        assert!(matches!(error, ConnectError::KeyUnreadable { .. }), "{path}: {error:?}");
        assert!(error.to_string().contains(path), "{error}");
    }
    for path in ["empty", "garbled", "cut", "user.pub"] {
        let error = attempt(&folder.join(path));
        assert!(matches!(error, ConnectError::KeyMalformed { .. }), "{path}: {error:?}");
    }
    assert!(matches!(attempt(&folder.join("locked")), ConnectError::KeyEncrypted { .. }));
}
