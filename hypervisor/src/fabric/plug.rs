//! A client of a VDE switch in this process: one end of a cable.

use std::io::{self, Read as _, Write as _};
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::{UnixDatagram, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::request;

/// How long a switch may take to answer.
const ANSWERS: Duration = Duration::from_secs(10);

/// A plug in any VDE switch, to send and receive frames without a machine. Dropping it unplugs it.
#[derive(Debug)]
pub struct Plug {
    socket: UnixDatagram,
    _control: UnixStream,
    path: PathBuf,
}

impl Plug {
    /// Plugs into the switch with this control directory, at the port with this number, or any.
    ///
    /// # Errors
    /// Where there is no switch, or it gives us no port.
    pub fn new(switch: &Path, number: Option<u16>) -> io::Result<Self> {
        static PLUGS: AtomicU32 = AtomicU32::new(0);
        let mut control = UnixStream::connect(switch.join("ctl"))?;
        let count = PLUGS.fetch_add(1, Ordering::Relaxed);
        let path = switch.join(format!(".{:05}-{count:05}", std::process::id()));
        let asks = request::request(number, &path, "netprop").ok_or(io::ErrorKind::InvalidFilename)?;
        let socket = UnixDatagram::bind(&path)?;
        // From here on its drop removes the file.
        let plug = Self { socket, _control: control.try_clone()?, path };
        control.set_read_timeout(Some(ANSWERS))?;
        control.write_all(&asks)?;
        let mut answer = [0; request::address_length()];
        control.read_exact(&mut answer)?;
        plug.socket.connect(request::answered(&answer))?;
        Ok(plug)
    }

    /// Sends a frame; waits where the switch has to take earlier ones first.
    ///
    /// # Errors
    /// Where the switch is gone.
    pub fn send(&self, frame: &[u8]) -> io::Result<()> {
        self.socket.send(frame).map(|_| ())
    }

    /// Waits for a frame, so long at most, and returns its length in the buffer; none where none
    /// came.
    ///
    /// # Errors
    /// Where the switch is gone.
    pub fn receive(&self, buffer: &mut [u8], limit: Duration) -> io::Result<Option<usize>> {
        use rustix::event::{PollFd, PollFlags, Timespec, poll};
        let limit = Timespec::try_from(limit).map_err(|_| io::ErrorKind::InvalidInput)?;
        if poll(&mut [PollFd::new(&self.socket, PollFlags::IN)], Some(&limit))? == 0 {
            return Ok(None);
        }
        self.socket.recv(buffer).map(Some)
    }
}

impl AsFd for Plug {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Plug {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}
