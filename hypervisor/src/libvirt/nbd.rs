//! Writing to a disk that no machine has in use, whatever its format, through `qemu-nbd`.
//!
//! Of the NBD protocol (<https://github.com/NetworkBlockDevice/nbd/blob/master/doc/proto.md>) this is the
//! fixed newstyle handshake with `NBD_OPT_EXPORT_NAME`, simple replies, and three requests.

use std::io::{self, Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::program;

/// How long the server may take to begin, to answer, and to end.
const LIMIT: Duration = Duration::from_secs(60);
/// How long a server that has hung up may take to end.
const ENDS: Duration = Duration::from_secs(5);
/// How soon it is tried again whether the server has begun, or ended.
const AGAIN: Duration = Duration::from_millis(2);

const SERVER_MAGIC: &[u8; 16] = b"NBDMAGICIHAVEOPT";
const OPTION_MAGIC: &[u8; 8] = b"IHAVEOPT";
/// `NBD_FLAG_FIXED_NEWSTYLE` and `NBD_FLAG_NO_ZEROES`, which either side may have.
const FIXED_NEWSTYLE: u16 = 1;
const NO_ZEROES: u16 = 2;
const EXPORT_NAME: u32 = 1;
const REQUEST_MAGIC: u32 = 0x2560_9513;
const REPLY_MAGIC: u32 = 0x6744_6698;
const WRITE: u16 = 1;
const DISCONNECT: u16 = 2;
const FLUSH: u16 = 3;

/// A connection to a server of its own, which has the disk in use until [`Client::end`].
#[derive(Debug)]
pub(super) struct Client {
    stream: UnixStream,
    server: Server,
    requests: u64,
}

/// The process, which ends with this, and its socket.
#[derive(Debug)]
struct Server {
    process: Child,
    socket: PathBuf,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.socket);
    }
}

impl Client {
    /// Opens a qcow2 by a server that listens on this socket.
    pub(super) fn open(disk: &Path, socket: &Path) -> io::Result<Self> {
        let program = program::find("qemu-nbd", "qemu-utils").map_err(io::Error::other)?;
        let _ = std::fs::remove_file(socket);
        let process = Command::new(program)
            .args(["--format", "qcow2", "--cache", "unsafe", "--socket"])
            .args([socket, disk])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()?;
        let mut server = Server { process, socket: socket.to_owned() };
        let mut stream = server.connect()?;
        stream.set_read_timeout(Some(LIMIT))?;
        stream.set_write_timeout(Some(LIMIT))?;
        // It listens before it has opened the disk, and hangs up where it cannot.
        shake_hands(&mut stream).map_err(|error| server.reason(error))?;
        Ok(Self { stream, server, requests: 0 })
    }

    /// Writes at this byte of the disk.
    pub(super) fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.request(WRITE, offset, data)?;
        self.reply()
    }

    /// Has the server finish the disk, and waits for its end.
    pub(super) fn end(mut self) -> io::Result<()> {
        self.request(FLUSH, 0, &[])?;
        self.reply()?;
        self.request(DISCONNECT, 0, &[])?;
        match self.server.wait(LIMIT)? {
            Some(status) if status.success() => Ok(()),
            Some(_) => Err(self.server.failure()),
            None => Err(io::Error::new(io::ErrorKind::TimedOut, "qemu-nbd does not end")),
        }
    }

    fn request(&mut self, what: u16, offset: u64, data: &[u8]) -> io::Result<()> {
        self.requests += 1;
        let length = u32::try_from(data.len()).map_err(io::Error::other)?;
        let mut request = Vec::with_capacity(28 + data.len());
        request.extend(REQUEST_MAGIC.to_be_bytes());
        request.extend(0_u16.to_be_bytes());
        request.extend(what.to_be_bytes());
        request.extend(self.requests.to_be_bytes());
        request.extend(offset.to_be_bytes());
        request.extend(length.to_be_bytes());
        request.extend(data);
        self.stream.write_all(&request)
    }

    fn reply(&mut self) -> io::Result<()> {
        let mut reply = [0; 16];
        self.stream.read_exact(&mut reply)?;
        let (head, handle) = reply.split_at(8);
        let (magic, error) = head.split_at(4);
        if magic != REPLY_MAGIC.to_be_bytes() || handle != self.requests.to_be_bytes() {
            return Err(strange());
        }
        match error.iter().fold(0, |number, &byte| number << 8 | i32::from(byte)) {
            0 => Ok(()),
            // The protocol's numbers are Linux's.
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

impl Server {
    fn connect(&mut self) -> io::Result<UnixStream> {
        let deadline = Instant::now() + LIMIT;
        loop {
            match UnixStream::connect(&self.socket) {
                Ok(stream) => return Ok(stream),
                Err(_) if self.process.try_wait()?.is_some() => return Err(self.failure()),
                Err(error) if Instant::now() >= deadline => return Err(error),
                Err(_) => std::thread::sleep(AGAIN),
            }
        }
    }

    /// How it ended, if it did so in time.
    fn wait(&mut self, limit: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + limit;
        loop {
            match self.process.try_wait()? {
                None if Instant::now() < deadline => std::thread::sleep(AGAIN),
                status => return Ok(status),
            }
        }
    }

    /// Why the connection failed: what a server that hangs up says, as soon as it has ended.
    fn reason(&mut self, error: io::Error) -> io::Error {
        match self.wait(ENDS) {
            Ok(Some(_)) => self.failure(),
            _ => error,
        }
    }

    /// What a server that has ended said.
    fn failure(&mut self) -> io::Error {
        let mut said = String::new();
        if let Some(stderr) = &mut self.process.stderr {
            let _ = stderr.read_to_string(&mut said);
        }
        io::Error::other(said.trim().to_owned())
    }
}

fn shake_hands(stream: &mut UnixStream) -> io::Result<()> {
    let mut magic = [0; 16];
    stream.read_exact(&mut magic)?;
    let mut flags = [0; 2];
    stream.read_exact(&mut flags)?;
    let flags = u16::from_be_bytes(flags);
    if magic != *SERVER_MAGIC || flags & FIXED_NEWSTYLE == 0 {
        return Err(strange());
    }
    let ours = flags & (FIXED_NEWSTYLE | NO_ZEROES);
    let mut answer = u32::from(ours).to_be_bytes().to_vec();
    // The export is the one without a name.
    answer.extend(OPTION_MAGIC);
    answer.extend(EXPORT_NAME.to_be_bytes());
    answer.extend(0_u32.to_be_bytes());
    stream.write_all(&answer)?;
    // The disk's size and what it can do, then, unless either side can do without, nothing.
    let mut export = vec![0; if ours & NO_ZEROES == 0 { 134 } else { 10 }];
    stream.read_exact(&mut export)
}

fn strange() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "qemu-nbd says what is not of the protocol")
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;
    use crate::create_overlay;

    #[test]
    fn what_is_written_is_on_the_disk() {
        let directory = tempfile::tempdir().unwrap();
        let file = |name: &str| directory.path().join(name);
        File::create(file("template")).unwrap().set_len(1 << 20).unwrap();
        create_overlay(&file("template"), &file("disk")).unwrap();
        let mut client = Client::open(&file("disk"), &file("socket")).unwrap();
        client.write(512, &[7; 512]).unwrap();
        client.write(1 << 19, &[9; 1 << 19]).unwrap();
        assert!(client.write(1 << 20, &[1; 512]).is_err(), "it lies behind the disk's end");
        client.end().unwrap();
        assert!(!file("socket").exists());
        let mut expected = vec![0; 1 << 20];
        expected[512..1024].fill(7);
        expected[1 << 19..].fill(9);
        std::fs::write(file("expected"), expected).unwrap();
        let compared =
            Command::new("qemu-img").arg("compare").args([file("expected"), file("disk")]).output().unwrap();
        assert!(compared.status.success(), "{compared:?}");
    }

    #[test]
    fn a_disk_that_is_none_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let error = Client::open(&directory.path().join("none"), &directory.path().join("socket"));
        let error = error.unwrap_err().to_string();
        assert!(error.contains("No such file or directory"), "{error}");
    }
}
