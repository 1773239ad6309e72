//! Ports of the host's loopback interface, for what machines forward from there.

use std::collections::HashSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::{Mutex, PoisonError};

use crate::Error;

/// How many ports are looked at before giving up.
const ATTEMPTS: usize = 1000;

/// A TCP port that nobody listens on at 127.0.0.1, and that this process has not been given
/// before.
///
/// Another process may take it before it is used: a start that meets that returns
/// [`Error::PortTaken`], and is tried again with another port.
///
/// # Errors
/// [`Error::NoPort`] where none is free.
pub fn free_loopback_port() -> Result<u16, Error> {
    static GIVEN: Mutex<Option<HashSet<u16>>> = Mutex::new(None);
    let mut given = GIVEN.lock().unwrap_or_else(PoisonError::into_inner);
    let given = given.get_or_insert_default();
    for attempt in 0..2 * ATTEMPTS {
        // A process that has had them all begins anew: those of machines that are gone are free.
        if attempt == ATTEMPTS {
            given.clear();
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(Error::NoPort)?;
        let port = listener.local_addr().map_err(Error::NoPort)?.port();
        if given.insert(port) {
            return Ok(port);
        }
    }
    Err(Error::NoPort(io::ErrorKind::AddrInUse.into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_distinct_and_free() {
        let ports: HashSet<u16> = (0..200).map(|_| free_loopback_port().unwrap()).collect();
        assert_eq!(ports.len(), 200);
        TcpListener::bind((Ipv4Addr::LOCALHOST, *ports.iter().next().unwrap())).unwrap();
    }
}
